"""A recipe in words: its fields, their values and its augmentation. No torch."""

from __future__ import annotations

import math

from core.training.recipe import MAX_STRENGTH, Augmentation, Recipe
from core.words import percent, plural, rate_words

RATES = (
    "learning_rate",
    "min_lr",
    "eta_min",
    "base_lr",
    "adam_learning_rate",
    "start",
    "end",
)  # fields that hold a learning rate
FIELDS = {  # names that are not plain words in code
    "range_test": "range test before training",
    "nesterov": "Nesterov's momentum",
    "min_lr": "least learning rate",
    "monitor": "watched",
    "warm_up": "share of the run on the way up",
    "start_divisor": "divisor of the first rate",
    "end_divisor": "divisor of the last rate",
    "ema_decay": "decay of the averaged weights",
    "ema_warm_up": "warm-up of the averaged weights",
    "validation_size": "images held out",
    "split_seed": "seed of which images are held out",
    "plain_epochs": "last epochs without augmentation",
    "l1": "L1 penalty",
    "clip_by": "clipped",
    "normalisation_mean": "own mean",
    "normalisation_sd": "own standard deviation",
    "eps": "epsilon",
    "ns_steps": "iterations of Newton and Schulz",
    "adam_learning_rate": "learning rate of the other weights, by Adam",
    "T_max": "epochs down to the least rate",
    "T_0": "epochs until the first restart",
    "T_mult": "factor of the epochs after each restart",
    "eta_min": "least learning rate",
    "base_lr": "learning rate at the bottom",
    "step_size_up": "iterations up",
    "step_size_down": "iterations down",
    "total_iters": "epochs from the first to the last factor",
    "start_factor": "first factor of the rate",
    "end_factor": "last factor of the rate",
    "step_size": "epochs between two falls",
    "cycle_momentum": "momentum falls and rises",
    "base_momentum": "least momentum",
    "max_momentum": "largest momentum",
    "anneal_strategy": "way up and down",
    "three_phase": "three phases",
    "min_delta": "least improvement",
    "threshold_mode": "threshold is",
    "padding_mode": "border",
    "least_ratio": "least height to width",
    "most_ratio": "largest height to width",
}
VALUES = {
    "min": "lowest loss",
    "max": "highest accuracy",
    "rel": "relative",
    "abs": "absolute",
    "cos": "cosine",
    "linear": "straight line",
    "triangular": "every cycle as high",
    "triangular2": "each cycle half as high",
    "exp_range": "lower by gamma in each iteration",
    "half": "mean 0.5, deviation 0.5",
    "own": "own mean and deviation",
    "norm": "the norm of all gradients",
    "value": "each gradient",
    "constant": "filled",
    "edge": "edge repeated",
    "reflect": "mirrored at the edge pixel",
    "symmetric": "mirrored beyond the edge pixel",
    "cross_entropy": "cross-entropy",
    "mean_squared_error": "mean squared error",
    "mnist": "MNIST's constants",
    "training_split": "measured on the training images",
    "fp32": "float32",
    "tf32": "TensorFloat-32",
    "bf16": "bfloat16",
    "composed": "one resampling (the lab's)",
    "torchvision": "whole pixels (torchvision's)",
}
SIDE = 28  # pixels of a digit


def field_words(name: str) -> str:
    """A field's name for people: `decay of the averaged weights` for ema_decay."""
    return FIELDS.get(name, name.replace("_", " "))


def value_words(value: object, name: str = "") -> str:
    """A field's value for people; `name` is the field's in code."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if name == "target_accuracy":
            return percent(value)
        return rate_words(value) if name in RATES else f"{value:.6g}"
    if isinstance(value, tuple):
        return ", ".join(value_words(each) for each in value)
    return f"{value:,}" if isinstance(value, int) else VALUES.get(str(value), str(value))


def recipe_words(recipe: Recipe) -> str:
    """A recipe in one line; the loss, the split, the average and the precision only if they are not the default."""
    optimizer, schedule = type(recipe.optimizer).__name__, type(recipe.schedule).__name__
    usual = Recipe()
    rest = [
        f"{field_words(name)} {value_words(getattr(recipe, name), name)}"
        for name in (
            "loss",
            "label_smoothing",
            "l1",
            "validation_size",
            "split_seed",
            "normalisation",
            "precision",
            "plain_epochs",
        )
        if getattr(recipe, name) != getattr(usual, name)
    ]
    if recipe.gradient_clipping:
        rest.append(f"{value_words(recipe.clip_by)} at most {recipe.gradient_clipping:g}")
    if recipe.early_stopping:
        waited, figure = plural(recipe.early_stopping.patience, "epoch"), recipe.early_stopping.monitor
        rest.append(f"stops after {waited} without a better {figure}")
    if recipe.ema_decay:
        warm_up = ", with warm-up" if recipe.ema_warm_up else ""
        rest.append(f"averaged weights, decay {recipe.ema_decay:g}{warm_up}")
    parts = [
        f"{plural(recipe.epochs, 'epoch')} of batch {recipe.batch_size}",
        f"{optimizer}, learning rate {rate_words(recipe.learning_rate)}",
        schedule,
        f"augmentation: {augmentation_words(recipe.augmentation)}",
        *rest,
        f"seed {recipe.seed}",
    ]
    return " · ".join(parts)


def augmentation_words(augmentation: Augmentation) -> str:
    """The changes with their strengths, and the rule of the geometric ones; `none` without any."""
    changes = []
    for name in MAX_STRENGTH:
        jitter = getattr(augmentation, name)
        if jitter.strength:
            often = "" if jitter.probability == 1 else f" with probability {jitter.probability:g}"
            changes.append(f"{name} {jitter.strength:g}{often}")
    if augmentation.geometric and augmentation.padding_mode != "constant":
        changes.append(f"border {value_words(augmentation.padding_mode)}")
    if augmentation.geometric:
        changes.append("torchvision's rule" if augmentation.rule == "torchvision" else "the lab's rule")
    return ", ".join(changes) or "none"


def corner_shift(augmentation: Augmentation, side: int = SIDE) -> float:
    """By how many pixels a perspective moves a corner inwards on average, along each axis."""
    most = augmentation.perspective.strength * side / 2
    return (math.floor(most) if augmentation.rule == "torchvision" else most) / 2
