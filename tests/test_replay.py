"""The recorded iteration: what surrounds a recording is tested anywhere, the recording itself where there is a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import core.training.loop
from core.training.loop import EpochEnd, train
from core.training.network import build
from core.training.recipe import (
    SGD,
    Adadelta,
    Adam,
    AdamW,
    Augmentation,
    CyclicLR,
    Elastic,
    Erasing,
    Jitter,
    LinearToZero,
    Muon,
    OneCycle,
    Optimizer,
    Recipe,
    RMSprop,
    Schedule,
    Zoom,
)
from core.training.replay import WARM_UP, Replayed
from core.training.step import make_optimizer, set_rate
from tests.tiny import TINY, same, tiny_data, trained

pytestmark = pytest.mark.own_data

CPU = torch.device("cpu")
AUGMENTED = Augmentation(rotation=Jitter(10), translation=Jitter(0.1), contrast=Jitter(0.2))
RECIPE = Recipe(epochs=4, batch_size=40, schedule=LinearToZero(), augmentation=AUGMENTED, ema_decay=0.9)
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU here")


class Repeated(Replayed):
    """With all but the recording: a replay is the function called once more, on the fixed tensors."""

    recorded = 0

    def __init__(
        self, iterate: Callable[..., None], device: torch.device, generator: torch.Generator, unrecorded: str = ""
    ) -> None:
        super().__init__(iterate, device, generator)
        self.reason = unrecorded

    def __call__(self, *arguments: Tensor) -> None:
        self.call(*arguments)

    def record(self, fixed: tuple[Tensor, ...]) -> Callable[[], None]:
        Repeated.recorded += 1
        return lambda: self.iterate(*fixed)


class Refusing(Repeated):
    """A device that cannot record."""

    def record(self, fixed: tuple[Tensor, ...]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")


def test_arguments_reach_the_fixed_tensors() -> None:
    seen: list[list[int]] = []
    places: set[int] = set()

    def iterate(values: Tensor) -> None:
        seen.append(values.tolist())
        places.add(values.data_ptr())

    call = Repeated(iterate, CPU, torch.Generator())
    given = [torch.tensor([n, n + 1]) for n in range(8)]
    for values in given:
        call(values)
    assert seen == [values.tolist() for values in given]
    assert len(places) == WARM_UP + 1  # from then on, always the same memory


def test_each_shape_is_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repeated, "recorded", 0)
    call = Repeated(lambda values: None, CPU, torch.Generator())
    for _ in range(2 * WARM_UP):
        call(torch.zeros(4))
        call(torch.zeros(3))
    assert Repeated.recorded == 2


def test_a_run_with_fixed_tensors_is_the_run_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repeated, "recorded", 0)
    weights, ends = trained(RECIPE, tiny_data())  # batches of 40, 40, 40 and 30
    monkeypatch.setattr(core.training.loop, "Replayed", Repeated)
    repeated_weights, repeated_ends = trained(RECIPE, tiny_data())
    assert Repeated.recorded == 2  # the whole batches' and the last one's
    assert same(weights, repeated_weights)
    assert [replace(end.record, seconds=0) for end in ends] == [replace(end.record, seconds=0) for end in repeated_ends]


EVERY_PART = replace(
    RECIPE,
    augmentation=replace(AUGMENTED, crop=Jitter(0.1), zoom=Zoom(0.2), elastic=Elastic(40), erasing=Erasing(0.2)),
    plain_epochs=2,
    l1=1e-4,
    gradient_clipping=1.0,
)


@pytest.mark.parametrize(
    "settings", [RMSprop(0.9, 0.5, True), Adadelta(), Muon()], ids=lambda each: type(each).__name__
)
def test_every_part_that_a_recipe_may_have_is_recorded_and_changes_nothing(
    settings: Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Repeated, "recorded", 0)
    recipe = replace(EVERY_PART, optimizer=settings)
    weights, _ = trained(recipe, tiny_data())
    monkeypatch.setattr(core.training.loop, "Replayed", Repeated)
    repeated, _ = trained(recipe, tiny_data())
    assert Repeated.recorded == 2, "the whole batches', with augmentation; the rest is too short for a recording"
    assert same(weights, repeated)


@pytest.mark.parametrize("schedule", [OneCycle(cycle_momentum=True), CyclicLR(0.001, 3)])
def test_a_momentum_that_changes_is_not_recorded(schedule: Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repeated, "recorded", 0)
    recipe = replace(RECIPE, schedule=schedule)
    weights, _ = trained(recipe, tiny_data())
    monkeypatch.setattr(core.training.loop, "Replayed", Repeated)
    plain, _ = trained(recipe, tiny_data())
    assert Repeated.recorded == 0
    assert same(weights, plain)


def test_where_nothing_can_be_recorded_it_says_why_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    weights, _ = trained(RECIPE, tiny_data())
    monkeypatch.setattr(core.training.loop, "Replayed", Refusing)
    unrecorded_weights, _ = trained(RECIPE, tiny_data())
    assert same(weights, unrecorded_weights)
    assert [record.getMessage() for record in caplog.records] == [
        "iterations are not recorded as a CUDA graph, which makes them slower: "
        "operation not permitted when stream is capturing"
    ]


def test_on_a_cpu_the_function_itself_is_called_and_the_reason_is_known() -> None:
    seen: list[Tensor] = []
    call = Replayed(seen.append, CPU, torch.Generator())
    given = [torch.zeros(1) for _ in range(10)]
    for values in given:
        call(values)
    assert all(one is other for one, other in zip(seen, given, strict=True))
    assert call.reason == "cpu has no CUDA graphs"


@pytest.mark.parametrize("settings", [SGD(), SGD(0.9, nesterov=True, weight_decay=1e-4), Adam(), AdamW()])
def test_a_rate_that_is_a_tensor_steps_as_a_number_does(settings: SGD | Adam | AdamW) -> None:
    stepped = []
    for tensor in (False, True):
        network = build(TINY, 1)
        optimizer = make_optimizer(network, Recipe(optimizer=settings))
        if tensor:  # as on CUDA, where a recording reads it
            for group in optimizer.param_groups:
                group["lr"] = torch.tensor(0.5)
                group["capturable"] = False
        for rate in (0.1, 0.01):
            set_rate(optimizer, rate)
            for weights in network.parameters():
                weights.grad = torch.ones_like(weights)
            optimizer.step()
        stepped.append(torch.cat([weights.detach().flatten() for weights in network.parameters()]))
    torch.testing.assert_close(*stepped)


@GPU
@pytest.mark.parametrize("settings", [SGD(), Adam(), AdamW(), RMSprop(0.9, 0.5, True), Adadelta(), Muon()])
@pytest.mark.parametrize("recipe", [RECIPE, EVERY_PART], ids=["usual", "every part"])
def test_on_a_gpu_a_recorded_run_is_the_run_itself(
    recipe: Recipe, settings: Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, data = replace(recipe, optimizer=settings), on_gpu()
    results = []
    for warm_up in (WARM_UP, 10**9):
        monkeypatch.setattr(core.training.replay, "WARM_UP", warm_up)
        network = build(TINY, 1).cuda()
        ends = [event for event in train(network, data, recipe) if isinstance(event, EpochEnd)]
        results.append((torch.cat([each.detach().flatten() for each in network.parameters()]), ends[-1].record))
    torch.testing.assert_close(results[0][0], results[1][0])
    assert results[0][1].train_loss == pytest.approx(results[1][1].train_loss, rel=1e-4)


@GPU
def test_on_a_gpu_iterations_are_recorded(caplog: pytest.LogCaptureFixture) -> None:
    network = build(TINY, 1).cuda()
    list(train(network, on_gpu(), RECIPE))
    assert not caplog.records


def on_gpu() -> core.training.loop.Resident:
    data = tiny_data()
    parts = {
        name: replace(split, images=split.images.cuda(), labels=split.labels.cuda())
        for name, split in (("train", data.train), ("test", data.test))
    }
    return replace(data, **parts)
