"""An exported script trains as well as the lab does, on a part of MNIST."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import pytest
import torch

from core.architecture.spec import Architecture, BatchNorm, Conv, Dropout, Flatten, GlobalAvgPool, MaxPool, ReLU
from core.data.mnist import Dataset, Split, load
from core.export.script import training_script
from core.export.section import Subject
from core.training.loop import EpochEnd, train
from core.training.network import build
from core.training.recipe import Augmentation, Jitter, OneCycle, Recipe
from core.training.resident import resident
from tests.exported import executed, with_constants, write_idx

NETWORK = Architecture(
    "Short",
    (
        Conv(8, 3), BatchNorm(), ReLU(), MaxPool(2), Conv(16, 3), BatchNorm(), ReLU(), Dropout(0.05), MaxPool(2),
        Conv(10, 3), GlobalAvgPool(), Flatten(),
    ),
)  # fmt: skip
RECIPE = Recipe(
    epochs=2, batch_size=64, learning_rate=0.1, schedule=OneCycle(), label_smoothing=0.05,
    augmentation=Augmentation(rotation=Jitter(7), translation=Jitter(0.05), rule="torchvision"),
)  # fmt: skip


def part(split: Split, count: int) -> Split:
    return Split(split.images[:count], split.labels[:count])


def accuracy_in_the_lab(dataset: Dataset, recipe: Recipe) -> float:
    network = build(NETWORK, recipe.seed)
    events = list(train(network, resident(dataset, recipe, torch.device("cpu")), recipe))
    return next(event.record.test_accuracy for event in reversed(events) if isinstance(event, EpochEnd))


@pytest.mark.slow
def test_the_script_reaches_the_accuracy_of_the_lab(mnist_raw: Path, tmp_path: Path) -> None:
    whole = load("MNIST")
    dataset = Dataset("MNIST", part(whole.train, 3000), part(whole.test, 2000))
    script = with_constants(training_script(Subject(NETWORK, RECIPE)), DATA=str(write_idx(dataset, tmp_path)))
    ours = [accuracy_in_the_lab(dataset, replace(RECIPE, seed=seed)) for seed in (1, 2, 3)]
    theirs = [executed(with_constants(script, SEED=seed), tmp_path)[0]["test_accuracy"] for seed in (1, 2)]
    # Four seeds of each on 4,000 images: 91.26% with a deviation of 0.49 points, and 91.62% with 0.13.
    noise = max(stdev([*ours, *theirs]), 0.005) * (1 / 3 + 1 / 2) ** 0.5  # of the difference of the means
    assert abs(fmean(ours) - fmean(theirs)) < 4 * noise
    assert min(ours + theirs) > 0.8
