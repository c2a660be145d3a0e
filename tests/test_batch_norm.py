"""The CPU's own way through batch norm: torch's numbers, forward and backward, in one and in many iterations."""

from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from core.training.batch_norm import BatchNorm, _Normalise
from core.training.loop import EpochEnd, train
from core.training.network import build, lay_out
from core.training.recipe import Recipe
from tests.tiny import TINY, tiny_data

pytestmark = pytest.mark.own_data


def channels_last(*shape: int, seed: int = 1) -> Tensor:
    maps = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 3 + 2
    return maps.contiguous(memory_format=torch.channels_last)


def both(channels: int) -> tuple[nn.BatchNorm2d, BatchNorm]:
    """Torch's layer and ours, with the same weights, none of them neutral."""
    theirs, ours = nn.BatchNorm2d(channels), BatchNorm(channels)
    with torch.no_grad():
        theirs.weight.uniform_(-2, 2)
        theirs.bias.uniform_(-1, 1)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The same numbers each time: now and then two values of a channel lie so near that float32 cannot part them."""
    torch.manual_seed(1)


@pytest.mark.parametrize("shape", [(128, 10, 26, 26), (7, 16, 6, 6), (2, 3, 1, 1), (1, 4, 3, 2), (5, 1, 4, 4)])
def test_output_gradients_and_running_figures_are_torchs(shape: tuple[int, ...]) -> None:
    theirs, ours = both(shape[1])
    after = torch.randn(*shape)
    results = []
    for layer in (theirs.double(), ours):
        maps = channels_last(*shape).to(layer.weight.dtype).requires_grad_()
        output = layer(maps)
        (output * after).sum().backward()
        assert maps.grad is not None
        assert layer.weight.grad is not None
        assert layer.bias.grad is not None
        gradients = [maps.grad, layer.weight.grad, layer.bias.grad]
        results.append([output, *gradients, layer.running_mean, layer.running_var])
    for exact, found in zip(*results, strict=True):
        assert exact is not None
        assert found is not None
        assert torch.allclose(exact.float(), found.float(), rtol=1e-4, atol=5e-5 * max(1, exact.abs().max().item()))


def test_what_is_half_as_exact_is_normalised_in_float32() -> None:
    _, ours = both(4)
    maps = channels_last(8, 4, 5, 5).bfloat16()
    output = ours(maps)
    assert output.dtype == torch.float32
    assert output.mean((0, 2, 3)).tolist() == pytest.approx(ours.bias.tolist(), abs=1e-5)


def test_a_run_leaves_the_counts_of_batches_that_torch_would() -> None:
    network, data, recipe = build(TINY, 1), tiny_data(), Recipe(epochs=2, batch_size=40, ema_decay=0.9)
    ends = [event for event in train(network, data, recipe) if isinstance(event, EpochEnd)]
    for weights in (network.state_dict(), ends[-1].weights):
        counts = [value.item() for name, value in weights.items() if name.endswith("num_batches_tracked")]
        assert counts
        assert set(counts) == {2 * math.ceil(len(data.train) / 40)}


def test_it_takes_its_own_way_only_where_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []
    monkeypatch.setattr(_Normalise, "apply", lambda maps, *rest: (taken.append(True), maps)[1])
    layer = BatchNorm(4)
    layer(channels_last(2, 4, 5, 5))
    assert taken == [True]
    layer(torch.randn(2, 4, 5, 5))  # channels first
    layer.eval()(channels_last(2, 4, 5, 5))
    assert taken == [True]


def test_one_value_a_channel_is_refused_as_torch_refuses_it() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        BatchNorm(4)(channels_last(1, 4, 1, 1))


def test_an_op_may_change_the_output_in_place() -> None:
    maps = channels_last(4, 3, 5, 5).requires_grad_()
    nn.ReLU(inplace=True)(BatchNorm(3)(maps)).sum().backward()
    assert maps.grad is not None


def test_a_network_laid_out_gives_the_gradients_of_one_that_is_not() -> None:
    plain = build(TINY, seed=1)
    plain = nn.Sequential(*(each for each in plain if "Dropout" not in type(each).__name__))
    laid_out = deepcopy(plain)
    lay_out(laid_out, torch.device("cpu"))
    images, labels = torch.randn(32, 1, 28, 28), torch.randint(10, (32,))
    for network in (plain, laid_out):
        nn.functional.nll_loss(network.train()(images), labels).backward()
    for one, other in zip(plain.parameters(), laid_out.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.allclose(one.grad, other.grad, rtol=1e-3, atol=1e-5)
