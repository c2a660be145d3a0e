"""Each newer schedule against torch's own, by iteration or by epoch, with the momentum that it cycles."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch.optim import lr_scheduler

from core.training.recipe import (
    Adam,
    Cosine,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    EarlyStopping,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OneCycle,
    Recipe,
    ReduceLROnPlateau,
    Schedule,
    momentum_at,
    plateau_rate,
    rate_at,
)
from core.training.schedules import stops

pytestmark = pytest.mark.own_data

BATCHES = 7  # in an epoch
RATE = 0.1
Rates = list[float]
Scheduler = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def sgd(rate: float = RATE) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate, momentum=0.9)


def ours(schedule: Schedule, epochs: int) -> tuple[Rates, list[float | None]]:
    recipe = Recipe(epochs=epochs, learning_rate=RATE, schedule=schedule)
    iterations = range(epochs * BATCHES)
    return [rate_at(recipe, i, BATCHES) for i in iterations], [momentum_at(recipe, i, BATCHES) for i in iterations]


def theirs(make: Scheduler, steps: int, optimizer: torch.optim.Optimizer | None = None) -> tuple[Rates, Rates]:
    """Rate and momentum before each step of the scheduler."""
    optimizer = optimizer or sgd()
    scheduler, group = make(optimizer), optimizer.param_groups[0]
    rates, momenta = [], []
    for step in range(steps):
        rates.append(float(group["lr"]))
        momenta.append(float(group["momentum"] if "momentum" in group else group["betas"][0]))
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return rates, momenta


BY_EPOCH: dict[str, tuple[Schedule, Scheduler]] = {
    "milestones": (MultiStepLR((3, 6)), lambda each: lr_scheduler.MultiStepLR(each, [3, 6])),
    "milestones out of order": (
        MultiStepLR((9, 2, 2), 0.5), lambda each: lr_scheduler.MultiStepLR(each, [2, 2, 9], 0.5)
    ),
    "exponential": (ExponentialLR(0.9), lambda each: lr_scheduler.ExponentialLR(each, 0.9)),
    "linear": (LinearLR(), lambda each: lr_scheduler.LinearLR(each)),
    "linear to zero": (LinearLR(1.0, 0.0, 12), lambda each: lr_scheduler.LinearLR(each, 1.0, 0.0, 12)),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_EPOCH)
def test_a_rate_that_changes_after_an_epoch_is_torchs(case: str) -> None:
    schedule, make = BY_EPOCH[case]
    expected = [rate for rate in theirs(make, 12)[0] for _ in range(BATCHES)]
    assert ours(schedule, 12)[0] == pytest.approx(expected, abs=1e-12)


CYCLES: dict[str, tuple[CyclicLR, dict[str, object]]] = {
    "triangular": (CyclicLR(0.01, 10), {"step_size_up": 10}),
    "down slower than up": (CyclicLR(0.01, 5, 12), {"step_size_up": 5, "step_size_down": 12}),
    "triangular2": (CyclicLR(0.01, 6, mode="triangular2"), {"step_size_up": 6, "mode": "triangular2"}),
    "exp_range": (
        CyclicLR(0.0, 6, mode="exp_range", gamma=0.97), {"step_size_up": 6, "mode": "exp_range", "gamma": 0.97}
    ),
    "another momentum": (
        CyclicLR(0.01, 8, base_momentum=0.5, max_momentum=0.99),
        {"step_size_up": 8, "base_momentum": 0.5, "max_momentum": 0.99},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CYCLES)
def test_a_cyclic_rate_and_its_momentum_are_torchs(case: str) -> None:
    schedule, options = CYCLES[case]
    rates, momenta = ours(schedule, 9)
    expected = theirs(
        lambda each: lr_scheduler.CyclicLR(each, schedule.base_lr, RATE, **options),
        9 * BATCHES,  # type: ignore[arg-type]
    )
    assert rates == pytest.approx(expected[0], abs=1e-12)
    if schedule.mode == "triangular":
        assert momenta == pytest.approx(expected[1], abs=1e-12)


@pytest.mark.parametrize("mode", ["triangular2", "exp_range"])
def test_the_momentum_falls_as_far_as_the_rate_rises(mode: str) -> None:
    schedule = CyclicLR(0.01, 6, mode=mode, gamma=0.97)  # type: ignore[arg-type]
    expected = theirs(
        lambda each: lr_scheduler.CyclicLR(each, 0.01, RATE, 6, mode=mode, gamma=0.97),
        9 * BATCHES,  # type: ignore[arg-type]
    )[1]
    assert ours(schedule, 9)[1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("first", "factor", "least"), [(3, 1, 0.0), (2, 2, 0.001), (1, 3, 0.0)])
def test_warm_restarts_are_torchs_in_every_iteration(first: int, factor: int, least: float) -> None:
    optimizer = sgd()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, first, factor, least)
    expected = []
    for iteration in range(11 * BATCHES):
        scheduler.step(iteration / BATCHES)  # type: ignore[arg-type]  # a part of an epoch, as torch's manual has it
        expected.append(optimizer.param_groups[0]["lr"])
    assert ours(CosineAnnealingWarmRestarts(first, factor, least), 11)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("epochs", "least"), [(5, 0.0), (20, 0.002)])
def test_a_cosine_of_so_many_epochs_is_torchs_and_rises_again_after_them(epochs: int, least: float) -> None:
    expected, _ = theirs(lambda each: lr_scheduler.CosineAnnealingLR(each, epochs * BATCHES, least), 12 * BATCHES)
    assert ours(Cosine(epochs, least), 12)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("adam", [False, True])
def test_one_cycle_and_its_momentum_are_torchs(anneal: str, three_phase: bool, adam: bool) -> None:
    steps, warm_up = 12 * BATCHES, 0.3
    schedule = OneCycle(warm_up, 20, 50, anneal, three_phase, cycle_momentum=True)  # type: ignore[arg-type]
    share = (warm_up * (steps - 1) + 1) / steps  # torch counts the way up from one before the first iteration
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=RATE) if adam else sgd()
    expected = theirs(
        lambda each: lr_scheduler.OneCycleLR(
            each, RATE, steps, pct_start=share, div_factor=20, final_div_factor=50, anneal_strategy=anneal,  # type: ignore[arg-type]
            three_phase=three_phase,
        ),
        steps,
        optimizer,
    )  # fmt: skip
    rates, momenta = ours(schedule, 12)
    assert rates == pytest.approx(expected[0], abs=1e-9)
    assert momenta == pytest.approx(expected[1], abs=1e-9)


def test_only_a_schedule_that_is_asked_to_cycles_the_momentum() -> None:
    assert Recipe(schedule=OneCycle(), optimizer=Adam()).optimizer == Adam()
    for schedule in (OneCycle(), CyclicLR(0.001, cycle_momentum=False), Cosine()):
        assert momentum_at(Recipe(schedule=schedule), 3, BATCHES) is None


# ------------------------------------------------------------------------------------------ by the figures of the run

ACCURACIES = [0.9, 0.91, 0.905, 0.9101, 0.9102, 0.92, 0.919, 0.9199, 0.9201, 0.9202, 0.9203, 0.95, 0.94, 0.94, 0.94]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("cooldown", [0, 2])
@pytest.mark.parametrize("patience", [0, 2])
def test_the_plateau_in_every_mode_is_torchs(mode: str, threshold_mode: str, cooldown: int, patience: int) -> None:
    figures = ACCURACIES if mode == "max" else [1 - each for each in ACCURACIES]
    optimizer, seen = sgd(), set()
    how = {"mode": mode, "threshold_mode": threshold_mode, "cooldown": cooldown, "patience": patience}
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, threshold=0.001, min_lr=1e-4, **how)  # type: ignore[arg-type]
    schedule = ReduceLROnPlateau(factor=0.5, threshold=0.001, min_lr=1e-4, **how)  # type: ignore[arg-type]
    for count, figure in enumerate(figures, 1):
        scheduler.step(figure)
        assert plateau_rate(schedule, RATE, figures[:count]) == pytest.approx(optimizer.param_groups[0]["lr"])
        seen.add(optimizer.param_groups[0]["lr"])
    assert len(seen) > 1


def keras(early: EarlyStopping, figures: list[float]) -> int | None:
    """The epoch after which Keras's EarlyStopping stops, by its own lines."""
    sign, best, wait = (-1 if early.monitor == "loss" else 1), -math.inf, 0
    for epoch, figure in enumerate(figures):
        wait += 1
        if sign * figure - early.min_delta > best:
            best, wait = sign * figure, 0
        if wait >= early.patience and epoch > 0:
            return epoch
    return None


@pytest.mark.parametrize("patience", [1, 2, 3, 20])
@pytest.mark.parametrize("min_delta", [0.0, 0.0005])
@pytest.mark.parametrize("monitor", ["loss", "accuracy"])
def test_a_run_stops_early_where_keras_stops(monitor: str, min_delta: float, patience: int) -> None:
    early = EarlyStopping(patience, monitor, min_delta)  # type: ignore[arg-type]
    figures = ACCURACIES if monitor == "accuracy" else [1 - each for each in ACCURACIES]
    stopped = [epoch for epoch in range(len(figures)) if stops(early, figures[: epoch + 1])]
    assert (stopped[0] if stopped else None) == keras(early, figures)
    assert not stops(early, [])
