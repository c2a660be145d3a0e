"""The part of a training script that makes the optimizer, the schedule and the average of the weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import torch
from torch.optim import lr_scheduler

from core.architecture.pytorch_code import source_of
from core.export import muon as script_muon
from core.export.section import Section, Subject, call
from core.training import muon as lab_muon
from core.training.network import build
from core.training.recipe import (
    Adam,
    AdamW,
    Constant,
    Cosine,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LinearLR,
    LinearToZero,
    MultiStepLR,
    Muon,
    OneCycle,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
)

Pace = Literal["never", "iteration", "epoch", "figure"]  # when the schedule takes a step


def optimizing(subject: Subject) -> Section:
    """The section that makes `optimizer`, and `adam`, `scheduler` and `averaged` where the recipe has them."""
    recipe, pace = subject.recipe, pace_of(subject.recipe.schedule)
    parts = [_optimizer(subject)]
    if pace == "iteration":
        parts.append(
            "BATCHES = math.ceil(len(train_images) / BATCH_SIZE)  # iterations in an epoch\n"
            "ITERATIONS = EPOCHS * BATCHES"
        )
    if pace != "never":
        parts.append(f"scheduler = {_scheduler(recipe.schedule)}")
    if recipe.ema_decay:
        parts.append(_average(recipe.ema_decay, recipe.ema_warm_up))
    words = {
        "never": "The learning rate stays the same.",
        "iteration": "The scheduler changes the learning rate after each iteration.",
        "epoch": "The scheduler changes the learning rate after some epochs.",
        "figure": "The scheduler lowers the learning rate when a figure no longer improves.",
    }[pace]
    averaged = " A moving average of the weights is what is tested." if recipe.ema_decay else ""
    about = f"The optimizer changes the weights a little after each batch. {words}{averaged}"
    return Section("Optimizer and learning rate", about, "\n\n".join(parts))


def pace_of(schedule: Schedule) -> Pace:
    """When the schedule changes the rate."""
    match schedule:
        case Constant():
            return "never"
        case StepLR() | MultiStepLR() | ExponentialLR() | LinearLR():
            return "epoch"
        case ReduceLROnPlateau():
            return "figure"
        case _:
            return "iteration"


# ----------------------------------------------------------------------------------------------------------- optimizer


def _optimizer(subject: Subject) -> str:
    settings = subject.recipe.optimizer
    if isinstance(settings, Muon):
        return _muon(subject, settings)
    values = asdict(settings)
    if isinstance(settings, Adam | AdamW):
        values["betas"] = (values.pop("beta1"), values.pop("beta2"))
    name = type(settings).__name__
    kind = getattr(torch.optim, name)
    return f"optimizer = {call(f'torch.optim.{name}', kind, 'network.parameters()', 'lr=LEARNING_RATE', **values)}"


def beside_muon(subject: Subject) -> bool:
    """Whether the recipe's Muon leaves weights to Adam: those that are no convolution's."""
    muon = isinstance(subject.recipe.optimizer, Muon)
    return muon and any(weight.ndim != 4 for weight in build(subject.architecture).parameters())


def _muon(subject: Subject, settings: Muon) -> str:
    """The class, and the optimizer of the convolutions; `adam` of all other weights."""
    classes = [
        *source_of(Path(lab_muon.__file__), ("COEFFICIENTS", "EPSILON")),
        *("", "", *source_of(Path(lab_muon.__file__), ("orthogonal",))),
        *("", "", *source_of(Path(script_muon.__file__), ("Muon",)), ""),
    ]
    made = (
        "kernels = [each for each in network.parameters() if each.ndim == 4]  # of convolutions\n"
        f"optimizer = Muon(kernels, LEARNING_RATE, {settings.momentum}, {settings.nesterov}, "
        f"{settings.weight_decay}, {settings.ns_steps})"
    )
    if beside_muon(subject):
        made += (
            "\nothers = [each for each in network.parameters() if each.ndim != 4]\n"
            f"ADAM_LEARNING_RATE = {settings.adam_learning_rate!r}\n"
            "adam = torch.optim.Adam(others, lr=ADAM_LEARNING_RATE)"
        )
    return "\n".join([*classes, "", made])


# ------------------------------------------------------------------------------------------------------------ schedule


def _scheduler(schedule: Schedule) -> str:
    """torch's scheduler with the same rates as `core.training.recipe.rate_at`."""

    def made(name: str, *first: str, **values: object) -> str:
        return call(f"torch.optim.lr_scheduler.{name}", getattr(lr_scheduler, name), "optimizer", *first, **values)

    match schedule:
        case StepLR() | ExponentialLR() | LinearLR() | ReduceLROnPlateau():
            values = asdict(schedule)
            values.pop("monitor", None)
            return made(type(schedule).__name__, **values)
        case MultiStepLR(milestones, gamma):
            return made("MultiStepLR", milestones=list(milestones), gamma=gamma)
        case OneCycle():
            return _one_cycle(schedule)
        case Cosine(T_max, eta_min):
            period = f"{T_max} * BATCHES" if T_max else "ITERATIONS - 1"
            return made("CosineAnnealingLR", period, eta_min=eta_min)
        case CosineAnnealingWarmRestarts(first, factor, eta_min):
            return made("CosineAnnealingWarmRestarts", f"{first} * BATCHES", T_mult=factor, eta_min=eta_min)
        case CyclicLR():
            values = asdict(schedule)
            values["step_size_down"] = schedule.step_size_down or None
            return made("CyclicLR", f"{values.pop('base_lr')!r}", "LEARNING_RATE", **values)
        case LinearToZero():
            return made("LinearLR", "1", "0", "ITERATIONS - 1")
        case Constant():
            raise ValueError("a constant rate has no scheduler")


def _one_cycle(schedule: OneCycle) -> str:
    """torch counts the largest rate's place from 1, the lab from 0: `pct_start` is set so that they are the same.

    Three phases of which the first two fill the run are two that end at the first rate: so they are written, for torch
    would give the third one a length of zero, and divide by it.
    """
    if schedule.three_phase and schedule.warm_up == 0.5:
        schedule = replace(schedule, three_phase=False, end_divisor=1)
    values: dict[str, object] = {
        "anneal_strategy": schedule.anneal_strategy,
        "cycle_momentum": schedule.cycle_momentum,
        "div_factor": schedule.start_divisor,
        "final_div_factor": schedule.end_divisor,
        "three_phase": schedule.three_phase,
    }
    if schedule.cycle_momentum:
        values |= {"base_momentum": schedule.base_momentum, "max_momentum": schedule.max_momentum}
    top = f"pct_start=({schedule.warm_up} * (ITERATIONS - 1) + 1) / ITERATIONS"
    kind = lr_scheduler.OneCycleLR
    return call("torch.optim.lr_scheduler.OneCycleLR", kind, "optimizer", "LEARNING_RATE", "ITERATIONS", top, **values)


# ------------------------------------------------------------------------------------------------------------- average


def _average(decay: float, warm_up: bool) -> str:
    if not warm_up:
        average = f"multi_avg_fn=get_ema_multi_avg_fn({decay})"
        return f"averaged = AveragedModel(network, {average}, use_buffers=True)  # the first update copies the weights"
    return (
        "\n"
        "def nearer(average, weights, updates):\n"
        '    """The average goes a part of the way to the weights: less and less of it, as the run goes on."""\n'
        f"    return average + (weights - average) * max(1 - {decay}, 9 / (10 + int(updates)))\n\n\n"
        "averaged = AveragedModel(network, avg_fn=nearer, use_buffers=True)  # the first update copies the weights"
    )
