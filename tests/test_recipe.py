"""Recipes: every schedule against torch's own, step by step, and one clear sentence for what is no recipe."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from core.errors import RecipeError
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
    RangeTest,
    Recipe,
    ReduceLROnPlateau,
    RMSprop,
    Schedule,
    StepLR,
    Zoom,
    plateau_rate,
    rate_at,
    rate_factor,
    recipe_from_dict,
    recipe_from_json,
    recipe_to_dict,
    recipe_to_json,
)

# ------------------------------------------------------------------------------------------- schedules against torch's


def optimizer(rate: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def stepped(optimizer: torch.optim.Optimizer, scheduler: lr_scheduler.LRScheduler, steps: int) -> list[float]:
    """The rate at each of so many steps."""
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(schedule: Schedule, iterations: int) -> list[float]:
    return [rate_factor(schedule, iteration / (iterations - 1), 0) for iteration in range(iterations)]


iterations = st.integers(2, 300)


@settings(deadline=None)
@given(st.integers(1, 9), st.floats(0, 1), st.integers(1, 40))
def test_step_lr_is_torchs(step_size: int, gamma: float, epochs: int) -> None:
    sgd = optimizer()
    theirs = stepped(sgd, lr_scheduler.StepLR(sgd, step_size, gamma), epochs)
    assert [rate_factor(StepLR(step_size, gamma), 0.5, epoch) for epoch in range(epochs)] == pytest.approx(theirs)


@pytest.mark.slow
@settings(deadline=None)
@given(iterations)
def test_cosine_is_torchs_from_the_first_iteration_to_the_last(count: int) -> None:
    sgd = optimizer()
    theirs = stepped(sgd, lr_scheduler.CosineAnnealingLR(sgd, T_max=count - 1), count)
    assert ours(Cosine(), count) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.slow
@settings(deadline=None)
@given(iterations)
def test_linear_to_zero_is_torchs_from_the_first_iteration_to_the_last(count: int) -> None:
    sgd = optimizer()
    theirs = stepped(sgd, lr_scheduler.LinearLR(sgd, 1.0, 0.0, total_iters=count - 1), count)
    assert ours(LinearToZero(), count) == pytest.approx(theirs, abs=1e-9)


@settings(deadline=None)
@given(iterations, st.floats(0.05, 0.95), st.floats(1, 100), st.floats(1, 1e6))
def test_one_cycle_is_torchs_with_its_peak_at_the_same_iteration(
    count: int, warm_up: float, start_divisor: float, end_divisor: float
) -> None:
    sgd = optimizer()
    share = (warm_up * (count - 1) + 1) / count  # torch counts the way up from one before the first iteration
    theirs = lr_scheduler.OneCycleLR(
        sgd,
        max_lr=1.0,
        total_steps=count,
        pct_start=min(share, 1.0),
        div_factor=start_divisor,
        final_div_factor=end_divisor,
        cycle_momentum=False,
    )
    rates = stepped(sgd, theirs, count - 1)
    rates.append(sgd.param_groups[0]["lr"])
    assert ours(OneCycle(warm_up, start_divisor, end_divisor), count) == pytest.approx(rates[:count], abs=1e-9)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.001, 3) | st.sampled_from([0.5, 0.495, 0.49]), max_size=40),
    st.floats(0.05, 0.9),
    st.integers(0, 4),
    st.floats(0, 0.2),
    st.sampled_from([0.0, 1e-4, 1e-3]),
)
def test_the_plateau_is_torchs_for_the_same_losses(
    losses: list[float], factor: float, patience: int, threshold: float, min_lr: float
) -> None:
    sgd = optimizer(0.01)
    theirs = lr_scheduler.ReduceLROnPlateau(
        sgd, mode="min", factor=factor, patience=patience, threshold=threshold, threshold_mode="rel", min_lr=min_lr
    )
    mine = ReduceLROnPlateau(factor, patience, threshold, min_lr)
    for epoch, loss in enumerate(losses):
        theirs.step(loss)
        assert plateau_rate(mine, 0.01, losses[: epoch + 1]) == pytest.approx(sgd.param_groups[0]["lr"])


def test_a_plateau_has_the_full_rate_before_any_loss() -> None:
    assert plateau_rate(ReduceLROnPlateau(), 0.02, []) == 0.02


def test_a_run_of_one_iteration_has_the_full_rate() -> None:
    recipe = Recipe(epochs=1, learning_rate=0.3, schedule=LinearToZero())
    assert rate_at(recipe, 0, 1) == 0.3
    assert rate_at(recipe, 1, 2) == 0.0


def test_one_cycle_worked_by_hand() -> None:
    schedule = OneCycle(warm_up=0.5, start_divisor=10, end_divisor=100)
    assert [rate_factor(schedule, progress, 0) for progress in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx(
        [0.1, 0.55, 1.0, 0.5005, 0.001]
    )


@given(st.floats(0, 1), st.integers(0, 1000))
def test_a_constant_rate_is_constant(progress: float, epoch: int) -> None:
    assert rate_factor(Constant(), progress, epoch) == 1


@given(st.floats(0, 1), st.integers(0, 20))
def test_no_factor_is_ever_negative_above_one_or_no_number(progress: float, epoch: int) -> None:
    for schedule in (StepLR(3), OneCycle(), Cosine(), LinearToZero()):
        assert 0 <= rate_factor(schedule, progress, epoch) <= 1 + 1e-12


# --------------------------------------------------------------------------------------------------- there and back


share = st.floats(0, 1)
momentum = st.floats(0, 0.9999)
jitters = st.builds(Jitter, st.floats(0, 0.5), share)
recipes = st.builds(
    Recipe,
    epochs=st.integers(1, 1000),
    batch_size=st.integers(1, 10_000),
    learning_rate=st.floats(1e-9, 100),
    range_test=st.none() | st.builds(RangeTest, start=st.floats(1e-9, 1e-3), iterations=st.integers(20, 5000)),
    optimizer=st.builds(SGD, st.floats(0.1, 0.9), st.booleans(), share)
    | st.builds(Adam, momentum)
    | st.builds(RMSprop, momentum, momentum, st.booleans())
    | st.sampled_from([AdamW(), Adadelta(0.95), Muon(ns_steps=3)]),
    schedule=st.builds(StepLR, st.integers(1, 1000), share)
    | st.builds(ReduceLROnPlateau, share, monitor=st.just("test"))
    | st.builds(OneCycle, st.floats(0.01, 0.99))
    | st.builds(MultiStepLR, st.lists(st.integers(1, 1000), min_size=1, max_size=5).map(tuple), share)
    | st.builds(
        CyclicLR,
        st.just(1e-9),
        st.integers(1, 10**6),
        mode=st.sampled_from(["triangular2", "exp_range"]),
        cycle_momentum=st.just(False),  # Adadelta has none
    )
    | st.sampled_from([Constant(), Cosine(), Cosine(5), LinearToZero(), ExponentialLR(0.9), LinearLR()])
    | st.builds(CosineAnnealingWarmRestarts, st.integers(1, 1000), st.integers(1, 100)),
    l1=share,
    gradient_clipping=st.floats(0, 1e6),
    early_stopping=st.none() | st.builds(EarlyStopping, st.integers(1, 1000), st.sampled_from(["loss", "accuracy"])),
    plain_epochs=st.integers(0, 1000),
    label_smoothing=st.floats(0, 0.99),
    ema_decay=momentum,
    normalisation=st.sampled_from(["mnist", "training_split", "half", "own"]),
    validation_size=st.integers(0, 59_000),
    split_seed=st.integers(0, 2**31 - 1),
    augmentation=st.builds(
        Augmentation, jitters, jitters, jitters, jitters, jitters, fill=share, interpolation=st.just("nearest")
    ),
    seed=st.integers(0, 2**31 - 1),
)


@given(recipes)
def test_a_recipe_comes_back_from_its_json(recipe: Recipe) -> None:
    assert recipe_from_json(recipe_to_json(recipe)) == recipe
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe


def test_a_recipe_of_defaults_is_an_empty_object() -> None:
    assert recipe_to_json(Recipe()) == "{}"
    assert recipe_from_json("{}") == Recipe()


def test_written_defaults_change_nothing() -> None:
    written = """{"epochs": 15, "batch_size": 128, "learning_rate": 0.01, "range_test": null,
        "optimizer": {"name": "SGD", "momentum": 0.9, "nesterov": false, "weight_decay": 0},
        "schedule": {"name": "Constant"}, "loss": "cross_entropy", "label_smoothing": 0, "ema_decay": 0,
        "normalisation": "mnist", "validation_size": 0, "target_accuracy": 0.994, "seed": 1,
        "augmentation": {"rotation": {"strength": 0, "probability": 1}, "fill": 0, "interpolation": "bilinear"}}"""
    assert recipe_from_json(written) == Recipe()


def test_a_schedule_that_looks_at_the_test_loss_is_told_from_the_others() -> None:
    assert Recipe(schedule=ReduceLROnPlateau(monitor="test")).watches_test
    assert not Recipe(schedule=ReduceLROnPlateau(), validation_size=5000).watches_test
    assert not Recipe().watches_test


# ---------------------------------------------------------------------------------------------------------- bad input

BAD = {
    "no JSON": ("{", "not JSON"),
    "a list": ("[]", "expected an object"),
    "an unknown field": ('{"tempo": 1}', "unknown field 'tempo'"),
    "no epochs": ('{"epochs": 0}', "epochs: 0 is outside 1 to 1,000"),
    "epochs without end": ('{"epochs": 1e9}', "epochs: 1,000,000,000 is outside 1 to 1,000"),
    "half an epoch": ('{"epochs": 1.5}', "expected a whole number, got 1.5"),
    "a batch of nothing": ('{"batch_size": 0}', "batch_size: 0 is outside 1 to 10,000"),
    "a rate that is no number": ('{"learning_rate": NaN}', "learning_rate: nan is outside"),
    "an infinite rate": ('{"learning_rate": 1e999}', "learning_rate: inf is outside"),
    "a rate with 400 digits": (f'{{"learning_rate": 1{"0" * 400}}}', "learning_rate: .*401 digits is outside"),
    "a rate of zero": ('{"learning_rate": 0}', "learning_rate: 0 is outside"),
    "a rate in words": ('{"learning_rate": "fast"}', "learning_rate: expected a number, got 'fast'"),
    "an unknown optimizer": ('{"optimizer": {"name": "Lion"}}', "optimizer: unknown name 'Lion'; there are SGD, Adam"),
    "an optimizer that is a list": ('{"optimizer": ["SGD"]}', "optimizer: expected an object"),
    "a momentum of one": ('{"optimizer": {"name": "SGD", "momentum": 1}}', "momentum: 1 is outside 0 to 0.9999"),
    "nesterov without momentum": ('{"optimizer": {"name": "SGD", "momentum": 0, "nesterov": true}}', "nesterov"),
    "another optimizer's field": ('{"optimizer": {"name": "SGD", "beta1": 0.9}}', "unknown field 'beta1'"),
    "a step without its size": ('{"schedule": {"name": "StepLR"}}', "step_size is missing"),
    "a plateau on a split that is not held out": (
        '{"schedule": {"name": "ReduceLROnPlateau"}}',
        "watches the validation loss, but validation_size is 0",
    ),
    "an unknown loss": ('{"loss": "hinge"}', "'hinge' is none of cross_entropy, mean_squared_error"),
    "a smoothed mean squared error": ('{"loss": "mean_squared_error", "label_smoothing": 0.1}', "label_smoothing 0.1"),
    "a split of everything": ('{"validation_size": 60000}', "validation_size: 60,000 is outside 0 to 59,000"),
    "a split of false": ('{"validation_size": false}', "expected a whole number, got false"),
    "a cycle above its peak": ('{"schedule": {"name": "CyclicLR", "base_lr": 1}}', "base_lr 1 is more than .* 0.01"),
    "a least rate above the largest": ('{"schedule": {"name": "Cosine", "eta_min": 1}}', "eta_min 1 is more than"),
    "three phases that are too long": (
        '{"schedule": {"name": "OneCycle", "three_phase": true, "warm_up": 0.6}}',
        "a warm_up of at most 0.5.* 0.6",
    ),
    "a momentum that Adadelta lacks": (
        '{"optimizer": "Adadelta", "schedule": {"name": "OneCycle", "cycle_momentum": true}}',
        "Adadelta has no momentum",
    ),
    "a momentum that rises": (
        '{"schedule": {"name": "OneCycle", "cycle_momentum": true, "base_momentum": 0.99}}',
        "0.99 is more than .* 0.95",
    ),
    "nesterov with dampening": ('{"optimizer": {"name": "SGD", "nesterov": true, "dampening": 0.1}}', "dampening 0.1"),
    "no milestone": ('{"schedule": {"name": "MultiStepLR", "milestones": []}}', "0 elements, outside 1 to 50"),
    "an erasing upside down": (
        '{"augmentation": {"erasing": {"strength": 0.1, "least": 0.2}}}',
        "least 0.2 is more than strength 0.1",
    ),
    "a least ratio above the most": (
        '{"augmentation": {"erasing": {"strength": 0.1, "least_ratio": 4}}}',
        "least_ratio 4 is more than most_ratio 3.3",
    ),
    "a crop of all": ('{"augmentation": {"crop": {"strength": 0.6}}}', "crop: strength: 0.6 is outside 0 to 0.5"),
    "patience without end": ('{"early_stopping": {"patience": 0}}', "early_stopping: patience: 0 is outside 1 to"),
    "a range that falls": ('{"range_test": {"start": 1, "end": 0.1}}', "start 1 is not below end 0.1"),
    "half a turn too much": ('{"augmentation": {"rotation": {"strength": 181}}}', "strength: 181 is outside 0 to 180"),
    "a shear inside out": ('{"augmentation": {"shear": {"strength": 70}}}', "shear: strength: 70.0 is outside 0 to 60"),
    "a probability of two": ('{"augmentation": {"scale": {"probability": 2}}}', "probability: 2 is outside 0 to 1"),
    "a jitter that is a word": ('{"augmentation": {"scale": "much"}}', "strength: expected a number, got 'much'"),
    "a negative seed": ('{"seed": -1}', "seed: -1 is outside"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_recipe_is_one_sentence_with_the_place_and_the_numbers(case: str) -> None:
    text, says = BAD[case]
    with pytest.raises(RecipeError, match=says) as raised:
        recipe_from_json(text)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400)
words = st.text(max_size=8)
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(words, inner), max_leaves=8)
fields = st.sampled_from([*recipe_to_dict(Recipe(epochs=2)), *Recipe.__dataclass_fields__])


@given(st.dictionaries(fields, anything | st.fixed_dictionaries({"name": st.sampled_from(["SGD", "StepLR"])})))
def test_arbitrary_json_is_a_recipe_or_a_recipe_error(data: dict[str, object]) -> None:
    try:
        recipe = recipe_from_dict(data)  # type: ignore[arg-type]
    except RecipeError:
        return
    assert recipe_from_json(json.dumps(recipe_to_dict(recipe))) == recipe
    assert math.isfinite(recipe.learning_rate)


# What a file of a recipe leaves out has the default. So a default that changes would change every run, card and link
# that was ever saved without it: these figures are a promise.
DEFAULTS: dict[object, dict[str, object]] = {
    SGD: {"momentum": 0.9, "nesterov": False, "weight_decay": 0.0, "dampening": 0.0},
    Adam: {"beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "eps": 1e-8, "amsgrad": False},
    AdamW: {"beta1": 0.9, "beta2": 0.999, "weight_decay": 0.01, "eps": 1e-8, "amsgrad": False},
    RMSprop: {"alpha": 0.99, "momentum": 0.0, "centered": False, "weight_decay": 0.0, "eps": 1e-8},
    Adadelta: {"rho": 0.9, "weight_decay": 0.0, "eps": 1e-6},
    Muon: {"momentum": 0.95, "nesterov": True, "weight_decay": 0.1, "ns_steps": 5, "adam_learning_rate": 0.001},
    StepLR: {"gamma": 0.1},
    MultiStepLR: {"gamma": 0.1},
    ExponentialLR: {},
    LinearLR: {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5},
    CosineAnnealingWarmRestarts: {"T_mult": 1, "eta_min": 0.0},
    CyclicLR: {
        "step_size_up": 2000, "step_size_down": 0, "mode": "triangular", "gamma": 1.0, "cycle_momentum": True,
        "base_momentum": 0.8, "max_momentum": 0.9,
    },
    EarlyStopping: {"patience": 3, "monitor": "loss", "min_delta": 0.0},
    Zoom: {"strength": 0.0, "probability": 1.0, "ratio": 4 / 3},
    Elastic: {"strength": 0.0, "probability": 1.0, "sigma": 5.0},
    Erasing: {
        "strength": 0.0, "probability": 0.5, "least": 0.02, "least_ratio": 0.3, "most_ratio": 3.3, "value": 0.0
    },
    ReduceLROnPlateau: {
        "factor": 0.1, "patience": 2, "threshold": 0.01, "min_lr": 0.0001, "monitor": "validation",
        "mode": "min", "threshold_mode": "rel", "cooldown": 0,
    },
    OneCycle: {
        "warm_up": 0.3, "start_divisor": 25.0, "end_divisor": 1e4, "anneal_strategy": "cos", "three_phase": False,
        "cycle_momentum": False, "base_momentum": 0.85, "max_momentum": 0.95,
    },
    Constant: {},
    Cosine: {"T_max": 0, "eta_min": 0.0},
    LinearToZero: {},
    Jitter: {"strength": 0.0, "probability": 1.0},
    Augmentation: {
        **dict.fromkeys(
            ("rotation", "translation", "scale", "shear", "perspective", "brightness", "contrast", "crop"),
            Jitter(0.0, 1.0),
        ),
        "zoom": Zoom(), "elastic": Elastic(), "erasing": Erasing(),
        "fill": 0.0, "padding_mode": "constant", "interpolation": "bilinear", "rule": "composed",
    },
    RangeTest: {"start": 1e-5, "end": 1.0, "iterations": 100, "pick": "valley"},
    Recipe: {
        "epochs": 15, "batch_size": 128, "learning_rate": 0.01, "range_test": None, "optimizer": SGD(0.9, False, 0.0),
        "schedule": Constant(), "loss": "cross_entropy", "label_smoothing": 0.0, "ema_decay": 0.0,
        "ema_warm_up": False, "l1": 0.0, "gradient_clipping": 0.0, "clip_by": "norm", "early_stopping": None,
        "normalisation": "mnist", "normalisation_mean": 0.5, "normalisation_sd": 0.5, "validation_size": 0,
        "split_seed": 0, "augmentation": Augmentation(), "plain_epochs": 0,
        "precision": "fp32", "target_accuracy": 0.994, "seed": 1,
    },
}  # fmt: skip


NEEDED = {"step_size": 1, "milestones": (1,), "gamma": 0.5, "T_0": 1, "base_lr": 0.001}
NEEDS = {
    StepLR: "step_size",
    MultiStepLR: "milestones",
    ExponentialLR: "gamma",
    CosineAnnealingWarmRestarts: "T_0",
    CyclicLR: "base_lr",
}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_what_a_saved_recipe_leaves_out_means_what_it_always_has(kind: type) -> None:
    needed = {NEEDS[kind]: NEEDED[NEEDS[kind]]} if kind in NEEDS else {}
    fields = {name: value for name, value in vars(kind(**needed)).items() if name not in needed}
    assert fields == DEFAULTS[kind]
