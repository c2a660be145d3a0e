"""What a GPU does otherwise, as far as any machine can show it: many batches made at once, one draw for dropout."""

from __future__ import annotations

import copy
import logging
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from core.architecture.spec import Architecture, Conv, Dropout, Dropout2d, GlobalAvgPool, Linear, Repeat
from core.ladder import catalogue
from core.training.augment import augment
from core.training.batches import PART, batches, made_at_once
from core.training.dropout import Masks
from core.training.loop import EpochEnd, State, history_of, train
from core.training.network import build
from core.training.recipe import Augmentation, Jitter, Recipe
from core.training.replay import Replayed
from core.training.resident import Resident, grey, normalised
from core.training.step import forward
from tests.tiny import TINY, tiny_data

pytestmark = pytest.mark.own_data

AUGMENTED = Augmentation(rotation=Jitter(10), translation=Jitter(0.1), contrast=Jitter(0.2))
CPU, META = torch.device("cpu"), torch.device("meta")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@pytest.mark.parametrize("at_once", [20, 60, 400])
def test_however_many_are_made_at_once_the_batches_are_the_images_in_their_order(at_once: int) -> None:
    data, order = tiny_data(), torch.randperm(150, generator=generator())
    made = list(batches(data, order, 20, Augmentation(), generator(), at_once))
    assert [len(labels) for _, labels in made] == [20] * 7 + [10]
    assert torch.equal(torch.cat([labels for _, labels in made]), data.train.labels[order])
    whole = normalised(grey(data.train.images[order]), data.normalisation)
    assert torch.equal(torch.cat([images for images, _ in made]), whole)


def test_what_is_made_at_once_is_changed_by_one_draw() -> None:
    data, order = tiny_data(), torch.randperm(150, generator=generator())
    made = torch.cat([images for images, _ in batches(data, order, 20, AUGMENTED, generator(), 400)])
    drawn = augment(grey(data.train.images[order]), AUGMENTED, generator())
    assert torch.equal(made, normalised(drawn, data.normalisation))
    assert not torch.equal(made, torch.cat([images for images, _ in batches(data, order, 20, AUGMENTED, generator())]))


@pytest.mark.parametrize("batch_size", [1, 64, 128, 1000, 60_000])
def test_a_cpu_makes_a_batch_at_once_and_a_gpu_whole_ones_of_some_thousand_images(batch_size: int) -> None:
    assert made_at_once(CPU, batch_size) == batch_size
    at_once = made_at_once(META, batch_size)
    assert at_once % batch_size == 0
    assert at_once <= max(PART, batch_size)


DROPS = Architecture(
    "drops",
    (
        *(Conv(6, 3), Dropout(0.5), Conv(6, 3, padding=1), Dropout2d(0.25), Dropout(0.0)),
        *(Repeat((Conv(6, 3, padding=1), Dropout(0.1)), 2), GlobalAvgPool(), Linear(10)),
    ),
)


def test_one_draw_for_all_dropouts_drops_as_many_and_keeps_the_mean() -> None:
    network = build(DROPS, 1).train()
    masks = Masks(network, generator(), together=True)
    inputs: dict[torch.nn.Module, list[Tensor]] = {}
    for module in network.modules():
        if hasattr(module, "mask_shape"):
            module.register_forward_hook(
                lambda module, given, output: inputs.setdefault(module, []).append(output / given[0])
            )
    images = torch.rand(200, 1, 28, 28) + 1
    masks.draw(images)
    inputs.clear()  # of the look at what draws
    network(images)
    assert network.training
    shares = {module.p: torch.cat(found) for module, found in inputs.items()}
    assert sorted(shares) == [0.0, 0.1, 0.25, 0.5]
    assert len(inputs[next(each for each in inputs if each.p == 0.1)]) == 2, "the body runs twice"
    for p, ratios in shares.items():
        assert (ratios == 0).float().mean().item() == pytest.approx(p, abs=0.03)
        torch.testing.assert_close(ratios[ratios > 0], torch.full_like(ratios[ratios > 0], 1 / (1 - p)))
    whole = shares[0.25]
    torch.testing.assert_close(whole, whole[:, :, :1, :1].expand_as(whole))  # whole channels
    again = Masks(network, generator(), together=True)
    for module in inputs:
        module.drawn = None
    again.draw(images)
    inputs.clear()
    network(images)
    assert torch.equal(torch.cat(inputs[next(each for each in inputs if each.p == 0.5)]), shares[0.5])


# -------------------------------------------------------------------------------------------------- kernels, counted

FREE = ("view", "expand", "slice", "select", "permute", "t", "unsqueeze", "squeeze", "detach", "as_strided", "empty")
FREE += ("split", "unbind", "alias", "transpose", "empty_like", "_unsafe_view", "split_with_sizes")


class Kernels(TorchDispatchMode):
    """Counts the calls of torch's operations that compute, which is one kernel each, or nearly."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(function).split(".")
        if name[0] == "aten" and name[1] not in FREE:
            self.found[name[1]] += 1
        return function(*args, **(kwargs or {}))


def test_an_iteration_of_the_7758_network_is_at_most_77_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """On torch's meta device, which computes nothing and goes the way of a GPU; the optimizer is one kernel more."""
    monkeypatch.setattr(torch, "bernoulli", lambda kept, generator=None: torch.empty_like(kept))
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which the meta device does not have
    step = catalogue.by_slug("a2-final-7758")
    network = build(step.architecture, 1).to(META).train()
    images, labels = torch.empty(128, 1, 28, 28, device=META), torch.empty(128, dtype=torch.int64, device=META)
    masks = Masks(network, generator(), together=True)
    masks._kept[128] = torch.empty(1_000, device=META), torch.empty(1_000, device=META)
    masks._runs = masks._look(images[:1])
    size = 128 * sum(shape.numel() for _, shape in masks._runs)
    masks._kept[128] = torch.empty(size, device=META), torch.empty(size, device=META)
    with Kernels() as kernels:
        masks.draw(images)
        logits, loss = forward(network, images, labels, step.recipe)
        loss.backward()
        (logits.argmax(1) == labels).sum()
    copies, sums, optimizer = 3, 2, 1
    assert kernels.found.total() + copies + sums + optimizer <= 77, kernels.found  # 209 and 1 before
    assert kernels.found["_log_softmax"] == kernels.found["_log_softmax_backward_data"] == 1
    assert kernels.found["bernoulli"] == 0
    assert kernels.found["native_batch_norm"] == 7


# ------------------------------------------------------------------------------------------ what breaks a recording


class Broken:
    """A recording whose end raises an error of its own when something in it went wrong, as torch's does."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            raise RuntimeError("operation failed due to a previous error during capture")


class OnGpu(Replayed):
    def __init__(self, error: Exception) -> None:
        def iterate(values: Tensor) -> None:
            self.calls += 1
            if self.calls == 4:  # within the recording
                raise error

        super().__init__(iterate, CPU, torch.Generator())
        self.calls, self.reason = 0, ""


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = type("Graph", (), {"register_generator_state": lambda self, generator: None, "replay": lambda self: None})
    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda *_, **__: Broken())


@pytest.mark.usefixtures("recorder")
def test_the_log_names_the_error_that_broke_the_recording(caplog: pytest.LogCaptureFixture) -> None:
    iteration = OnGpu(RuntimeError("cudaErrorStreamCaptureUnsupported: .item() waits"))
    for _ in range(5):
        iteration.call(torch.zeros(1))
    assert "cudaErrorStreamCaptureUnsupported: .item() waits" in caplog.text
    assert "previous error" not in caplog.text


@pytest.mark.usefixtures("recorder")
def test_a_mistake_of_ours_in_a_recording_is_no_slow_run_but_an_error() -> None:
    iteration = OnGpu(TypeError("no tensor"))
    for _ in range(3):
        iteration.call(torch.zeros(1))
    with pytest.raises(TypeError, match="no tensor"):
        iteration.call(torch.zeros(1))


# ------------------------------------------------------------------------------------------- another kind of device


def ends_of(recipe: Recipe, data: Resident, state: State | None = None) -> list[EpochEnd]:
    return [event for event in train(build(TINY, 1), data, recipe, state) if isinstance(event, EpochEnd)]


def test_a_run_goes_on_on_another_kind_of_device_with_other_random_numbers_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data, recipe = tiny_data(), Recipe(epochs=4, batch_size=50, augmentation=AUGMENTED)
    first = ends_of(replace(recipe, epochs=1), data)[0]
    state = copy.deepcopy(first.state) | {"generator": torch.zeros(16, dtype=torch.uint8)}  # as CUDA's
    ends = []
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = ends_of(recipe, data, copy.deepcopy(state))
            ends.append([replace(event.record, seconds=0) for event in found])
    assert [record.epoch for record in ends[0]] == [1, 2, 3]
    assert ends[0] == ends[1], "the same seed and epoch, the same numbers"
    assert "another kind of device (cpu)" in caplog.text
    assert history_of(state)[0].epoch == 0
