"""The exported training script, run as a student would run it, against what the lab does with the same recipe."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.architecture.spec import Architecture, BatchNorm, Conv, Dropout, Flatten, GlobalAvgPool, LogSoftmax, ReLU
from core.checkpoints.card import read_card
from core.export.script import sections, training_script
from core.export.section import Subject
from core.record import Json
from core.training.averaging import Average
from core.training.network import build
from core.training.recipe import (
    SGD,
    Adadelta,
    Adam,
    AdamW,
    Augmentation,
    Constant,
    Cosine,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    EarlyStopping,
    Elastic,
    Erasing,
    ExponentialLR,
    Jitter,
    LinearLR,
    LinearToZero,
    MultiStepLR,
    Muon,
    OneCycle,
    Optimizer,
    RangeTest,
    Recipe,
    ReduceLROnPlateau,
    RMSprop,
    Schedule,
    StepLR,
    Zoom,
    check_recipe,
    momentum_at,
    plateau_rate,
    rate_at,
)
from core.training.resident import Normalisation, _held_out, _measured
from core.training.step import make_optimizer
from lab.settings import ROOT
from tests.exported import executed, made_digits, rates_recorded, with_constants, write_idx

pytestmark = pytest.mark.own_data

TRAIN, TEST, HELD_OUT = 90, 20, 20
SMALL = Architecture(
    "Small", (Conv(4, 5, 3), BatchNorm(), ReLU(), Dropout(0.1), Conv(10, 3), GlobalAvgPool(), Flatten(), LogSoftmax())
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_idx(made_digits(TRAIN, TEST), tmp_path_factory.mktemp("data"))


def small(recipe: Recipe, data: Path, architecture: Architecture = SMALL) -> str:
    """The script on the small data set, which is where it looks for the data."""
    script = training_script(Subject(architecture, recipe))
    more = {"VALIDATION": HELD_OUT} if recipe.validation_size else {}
    return with_constants(script, DATA=str(data), **more)


share = st.floats(0, 1)
momentum = st.floats(0, 0.95)
optimizers = (
    st.builds(SGD, momentum, weight_decay=st.floats(0, 0.01))
    | st.builds(SGD, st.floats(0.1, 0.9), st.just(True))
    | st.builds(Adam, momentum, amsgrad=st.booleans())
    | st.builds(AdamW, momentum)
    | st.builds(RMSprop, momentum=momentum, centered=st.booleans())
    | st.builds(Adadelta)
    | st.builds(Muon, momentum)
)
rates = st.floats(1e-4, 0.05)
schedules = (
    st.sampled_from([Constant(), Cosine(), LinearToZero()])
    | st.builds(StepLR, st.integers(1, 3), share)
    | st.builds(MultiStepLR, st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), share)
    | st.builds(ExponentialLR, share)
    | st.builds(LinearLR, st.floats(0.01, 1), share, st.integers(1, 4))
    | st.builds(
        ReduceLROnPlateau, st.floats(0.1, 0.9), st.integers(0, 1), monitor=st.sampled_from(["test", "validation"])
    )
    | st.builds(
        OneCycle,
        st.floats(0.05, 0.5),
        anneal_strategy=st.sampled_from(["cos", "linear"]),
        three_phase=st.booleans(),
        cycle_momentum=st.booleans(),
    )
    | st.builds(Cosine, st.integers(1, 3), st.floats(0, 1e-4))
    | st.builds(CosineAnnealingWarmRestarts, st.integers(1, 2), st.integers(1, 3), st.floats(0, 1e-4))
    | st.builds(
        CyclicLR,
        st.floats(0, 1e-4),
        st.integers(1, 9),
        st.integers(0, 9),
        st.sampled_from(["triangular", "triangular2", "exp_range"]),
        st.floats(0.9, 1),
    )
)
jitters = st.builds(Jitter, st.floats(0.01, 0.3), st.sampled_from([0.0, 0.5, 1.0]))
augmentations = st.just(Augmentation()) | st.builds(
    Augmentation, jitters, jitters, jitters, jitters, jitters, jitters, jitters, jitters,
    st.sampled_from([Zoom(), Zoom(0.3)]), st.sampled_from([Elastic(), Elastic(20.0, 0.1)]),
    st.sampled_from([Erasing(), Erasing(0.3)]), st.sampled_from([0.0, 1 / 255, 0.3]),
    st.sampled_from(["constant", "edge", "reflect", "symmetric"]), st.sampled_from(["bilinear", "nearest"]),
    st.sampled_from(["composed", "torchvision"]),
)  # fmt: skip


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    schedule: Schedule = draw(schedules)
    optimizer: Optimizer = draw(optimizers)
    if isinstance(optimizer, Adadelta) and isinstance(schedule, OneCycle | CyclicLR):
        schedule = replace(schedule, cycle_momentum=False)
    held_out = isinstance(schedule, ReduceLROnPlateau) and schedule.monitor == "validation"
    loss = draw(st.sampled_from(["cross_entropy", "mean_squared_error"]))
    return check_recipe(
        Recipe(
            epochs=draw(st.integers(1, 3)),
            batch_size=draw(st.integers(9, 40)),
            learning_rate=draw(rates),
            range_test=draw(st.none() | st.just(RangeTest())),
            optimizer=optimizer,
            schedule=schedule,
            loss=loss,
            label_smoothing=draw(st.sampled_from([0.0, 0.1])) if loss == "cross_entropy" else 0.0,
            ema_decay=draw(st.sampled_from([0.0, 0.9])),
            ema_warm_up=draw(st.booleans()),
            l1=draw(st.sampled_from([0.0, 1e-4])),
            gradient_clipping=draw(st.sampled_from([0.0, 0.5])),
            clip_by=draw(st.sampled_from(["norm", "value"])),
            early_stopping=draw(
                st.none() | st.builds(EarlyStopping, st.just(1), st.sampled_from(["loss", "accuracy"]))
            ),
            normalisation=draw(st.sampled_from(["mnist", "training_split", "half", "own"])),
            validation_size=5000 if held_out else draw(st.sampled_from([0, 5000, 10_000])),
            augmentation=draw(augmentations),
            plain_epochs=draw(st.integers(0, 3)),
            precision=draw(st.sampled_from(["fp32", "tf32", "bf16"])),
            seed=draw(st.integers(0, 9)),
        )
    )


@settings(max_examples=40)
@given(recipe=recipes())
def test_every_recipes_script_trains_with_the_rates_and_momenta_of_the_lab(recipe: Recipe, data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, rates_recorded() as steps:
        names, printed = executed(small(recipe, data), Path(folder))
        saved = torch.load(Path(folder) / "small.pth", weights_only=True)
    done = sum(line.startswith("epoch ") for line in printed.splitlines())
    batches = -(-(TRAIN - (HELD_OUT if recipe.validation_size else 0)) // recipe.batch_size)
    assert len(steps) == done * batches
    assert done == recipe.epochs or recipe.early_stopping
    assert set(saved) == set(names["network"].state_dict())
    if not isinstance(recipe.schedule, ReduceLROnPlateau):
        expected = [rate_at(recipe, iteration, batches) for iteration in range(len(steps))]
        assert [rate for rate, _ in steps] == pytest.approx(expected, rel=1e-6, abs=1e-12)
    for iteration, (_, now) in enumerate(steps):
        if (cycled := momentum_at(recipe, iteration, batches)) is not None:
            assert now == pytest.approx(cycled)
