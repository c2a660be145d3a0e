"""What makes training fast must not change what comes of it: the lab's loop and a plain one, over the same seeds.

A fifteenth of the training images by default, one minute; LAB_FULL_STUDY=1 takes all of them, ten. The few images are
trained on with one cycle of rates: at a constant rate the last accuracy is by chance (a standard error of 2.7 points of
the difference, from 6,000 images and 3 epochs; with the cycle 0.8, from 4,000 and 2).
"""

from __future__ import annotations

import math
import os
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.optim import lr_scheduler

from core.data.mnist import load
from core.ladder import catalogue
from core.training.augment import augment
from core.training.loop import EpochEnd, train
from core.training.network import build
from core.training.recipe import Constant, OneCycle, Recipe
from core.training.resident import Examples, Resident, grey, normalised, resident
from lab.studies.bench import with_torchs_dropout

SLUG = "a2-final-7758"
SEEDS = range(1, 6)
FULL = bool(os.environ.get("LAB_FULL_STUDY"))


@pytest.mark.slow
def test_the_fast_path_and_the_plain_loop_reach_the_same_accuracy(mnist_raw: Path) -> None:
    written = catalogue.by_slug(SLUG).recipe
    recipe = replace(written, epochs=3, range_test=None, schedule=Constant(), validation_size=0)
    data = resident(load("MNIST"), recipe, torch.device("cpu"))
    if not FULL:
        recipe = replace(recipe, epochs=2, batch_size=64, schedule=OneCycle())
        data = replace(data, train=first(data.train, 4_000), test=first(data.test, 5_000))
    fast = [fast_accuracy(data, replace(recipe, seed=seed)) for seed in SEEDS]
    plain = [plain_accuracy(data, replace(recipe, seed=seed)) for seed in SEEDS]
    error = math.sqrt((statistics.variance(fast) + statistics.variance(plain)) / len(SEEDS))
    print(f"fast {statistics.mean(fast):.4%} {fast}, plain {statistics.mean(plain):.4%} {plain}, error {error:.4%}")
    assert abs(statistics.mean(fast) - statistics.mean(plain)) < 2 * error


def first(examples: Examples, count: int) -> Examples:
    return Examples(examples.images[:count], examples.labels[:count])


def fast_accuracy(data: Resident, recipe: Recipe) -> float:
    """The lab's own training, with all it does to be quick."""
    network = build(catalogue.by_slug(SLUG).architecture, recipe.seed)
    ends = [event for event in train(network, data, recipe) if isinstance(event, EpochEnd)]
    return ends[-1].record.test_accuracy


def plain_accuracy(data: Resident, recipe: Recipe) -> float:
    """A loop as anyone would write it: nn.Dropout, nn.BatchNorm2d, channels first, no generator but torch's own."""
    torch.manual_seed(recipe.seed)
    network = with_torchs_dropout(build(catalogue.by_slug(SLUG).architecture, recipe.seed)).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=recipe.learning_rate, momentum=recipe.optimizer.momentum)  # type: ignore[union-attr]
    iterations = recipe.epochs * math.ceil(len(data.train) / recipe.batch_size)
    rates = (
        lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=iterations, cycle_momentum=False)
        if isinstance(recipe.schedule, OneCycle)
        else lr_scheduler.ConstantLR(optimizer, factor=1)
    )
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(len(data.train)).split(recipe.batch_size):
            images = augment(grey(data.train.images[chosen]), recipe.augmentation, torch.default_generator)
            optimizer.zero_grad()
            F.nll_loss(network(normalised(images, data.normalisation)), data.train.labels[chosen]).backward()
            optimizer.step()
            rates.step()
    return accuracy(network.eval(), data.test, data)


@torch.no_grad()
def accuracy(network: torch.nn.Module, split: Examples, data: Resident) -> float:
    """The share of images told right."""
    hits = 0
    for images, labels in zip(split.images.split(1000), split.labels.split(1000), strict=True):
        hits += int((network(normalised(grey(images), data.normalisation)).argmax(1) == labels).sum())
    return hits / len(split)
