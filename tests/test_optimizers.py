"""Each optimizer's steps against torch's own, and what is done to gradients against torch's functions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.architecture.spec import Architecture, Flatten, Linear
from core.training.muon import MuonAndAdam, orthogonal
from core.training.network import build
from core.training.recipe import SGD, Adadelta, Adam, AdamW, Muon, Optimizer, Recipe, RMSprop
from core.training.step import change_gradients, make_optimizer, set_momentum, set_rate
from tests.tiny import TINY

pytestmark = pytest.mark.own_data

Theirs = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
CASES: dict[str, tuple[Optimizer, Theirs]] = {
    "SGD with dampening": (SGD(0.8, dampening=0.3), lambda w: torch.optim.SGD(w, 0.1, 0.8, dampening=0.3)),
    "Adam with amsgrad": (
        Adam(0.8, 0.95, 0.01, 1e-6, True),
        lambda w: torch.optim.Adam(w, 0.1, (0.8, 0.95), 1e-6, 0.01, amsgrad=True),
    ),
    "AdamW": (AdamW(), lambda w: torch.optim.AdamW(w, 0.1)),
    "RMSprop": (RMSprop(), lambda w: torch.optim.RMSprop(w, 0.1)),
    "RMSprop, centred, with momentum": (
        RMSprop(0.9, 0.5, True, 0.01, 1e-5), lambda w: torch.optim.RMSprop(w, 0.1, 0.9, 1e-5, 0.01, 0.5, True)
    ),
    "Adadelta": (Adadelta(), lambda w: torch.optim.Adadelta(w, 0.1)),
    "Adadelta with decay": (Adadelta(0.8, 0.01, 1e-4), lambda w: torch.optim.Adadelta(w, 0.1, 0.8, 1e-4, 0.01)),
}  # fmt: skip


def stepped(optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], steps: int = 6) -> list[Tensor]:
    """The weights after steps with the same random gradients."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for each in weights:
            each.grad = torch.randn(each.shape, generator=generator)
        optimizer.step()
    return [each.detach() for each in weights]


@pytest.mark.parametrize("case", CASES)
def test_an_optimizers_steps_are_torchs(case: str) -> None:
    settings, make = CASES[case]
    network, other = build(TINY, 1), build(TINY, 1)
    mine = stepped(make_optimizer(network, Recipe(learning_rate=0.1, optimizer=settings)), list(network.parameters()))
    for one, two in zip(mine, stepped(make(list(other.parameters())), list(other.parameters())), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("settings", [Muon(), Muon(0.6, False, 0.0, ns_steps=3, adam_learning_rate=0.01)])
def test_muon_steps_a_kernel_as_torchs_muon_steps_its_matrix_and_the_rest_by_adam(settings: Muon) -> None:
    network, other = build(TINY, 1), build(TINY, 1)
    optimizer = make_optimizer(network, Recipe(learning_rate=0.02, optimizer=settings))
    mine = stepped(optimizer, list(network.parameters()))
    weights = list(other.parameters())
    matrices = {n: nn.Parameter(w.detach().flatten(1).clone()) for n, w in enumerate(weights) if w.ndim == 4}
    assert len(matrices) == 2
    muon = torch.optim.Muon(
        matrices.values(), 0.02, settings.weight_decay, settings.momentum, settings.nesterov, ns_steps=settings.ns_steps
    )
    adam = torch.optim.Adam([w for w in weights if w.ndim != 4], settings.adam_learning_rate)
    generator = torch.Generator().manual_seed(1)
    for _ in range(6):
        for number, each in enumerate(weights):
            each.grad = torch.randn(each.shape, generator=generator)
            if number in matrices:
                matrices[number].grad = each.grad.flatten(1)
        muon.step()
        adam.step()
    for number, (one, two) in enumerate(zip(mine, weights, strict=True)):
        theirs = matrices[number].detach().view_as(two) if number in matrices else two.detach()
        torch.testing.assert_close(one, theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 9), (32, 9), (10, 10)])
def test_an_orthogonal_matrix_has_the_directions_of_the_given_one_and_singular_values_of_about_one(
    shape: tuple[int, int],
) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    u, values, v = torch.linalg.svd(orthogonal(matrix, 5), full_matrices=False)
    assert ((values > 0.4) & (values < 1.4)).all()
    own_u, _, own_v = torch.linalg.svd(matrix, full_matrices=False)
    assert ((orthogonal(matrix, 5) * (own_u @ own_v)).sum() / (u @ v).norm() / (own_u @ own_v).norm()) > 0.8


def test_muon_trains_a_network_without_a_kernel() -> None:
    network = build(Architecture("linear", (Flatten(), Linear(10))), 1)
    optimizer = make_optimizer(network, Recipe(optimizer=Muon()))
    before = [each.detach().clone() for each in network.parameters()]
    after = stepped(optimizer, list(network.parameters()))
    assert not any(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_the_schedule_scales_the_rate_of_muons_other_weights_likewise() -> None:
    optimizer = make_optimizer(build(TINY, 1), Recipe(learning_rate=0.02, optimizer=Muon(adam_learning_rate=0.004)))
    set_rate(optimizer, 0.005, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.005, 0.001]
    set_momentum(optimizer, 0.5)
    assert isinstance(optimizer, MuonAndAdam)
    assert optimizer.param_groups[0]["momentum"] == 0.5
    assert optimizer.param_groups[1]["betas"] == (0.9, 0.999)


@pytest.mark.parametrize(
    ("settings", "field", "value"),
    [(SGD(), "momentum", 0.7), (RMSprop(), "momentum", 0.7), (Adam(), "betas", (0.7, 0.999))],
)
def test_a_cycled_momentum_is_set_where_torchs_schedulers_set_it(
    settings: Optimizer, field: str, value: object
) -> None:
    optimizer = make_optimizer(build(TINY, 1), Recipe(optimizer=settings))
    set_momentum(optimizer, 0.7)
    assert optimizer.param_groups[0][field] == value


# ------------------------------------------------------------------------------------------------------------ gradients


def gradients(recipe: Recipe) -> list[Tensor]:
    network = build(TINY, 1)
    generator = torch.Generator().manual_seed(3)
    for each in network.parameters():
        each.grad = torch.randn(each.shape, generator=generator)
    change_gradients(network, recipe)
    return [each.grad for each in network.parameters() if each.grad is not None]


def test_the_l1_penalty_is_the_gradient_of_the_sum_of_absolute_values() -> None:
    network = build(TINY, 1)
    (0.01 * torch.stack([each.abs().sum() for each in network.parameters()]).sum()).backward()
    penalty = [each.grad for each in network.parameters()]
    for before, after, own in zip(gradients(Recipe()), gradients(Recipe(l1=0.01)), penalty, strict=True):
        assert own is not None
        torch.testing.assert_close(after - before, own, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("most", [0.5, 1e5])
def test_gradients_are_clipped_by_torchs_norm_or_value_after_the_penalty(most: float) -> None:
    for how, clip in (("norm", nn.utils.clip_grad_norm_), ("value", nn.utils.clip_grad_value_)):
        weights = list(build(TINY, 1).parameters())
        for each, gradient in zip(weights, gradients(Recipe(l1=0.1)), strict=True):
            each.grad = gradient
        clip(weights, most)
        mine = gradients(Recipe(l1=0.1, gradient_clipping=most, clip_by=how))  # type: ignore[arg-type]
        for own, theirs in zip(mine, weights, strict=True):
            assert theirs.grad is not None
            assert torch.equal(own, theirs.grad)
