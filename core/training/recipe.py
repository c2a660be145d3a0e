"""How a network is trained, as data: optimizer, schedule, augmentation, loss, split, seed.

Schedules are pure functions of the progress of the run; the plateau is one of the losses so far. No torch: pages draw
a schedule with the same functions that the training loop calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from core.errors import RecipeError
from core.record import Json, Range, check, parse, read, to_json, write

Share = Annotated[float, Range(0, 1)]
Rate = Annotated[float, Range(0, 100)]
Momentum = Annotated[float, Range(0, 0.9999)]
Epochs = Annotated[int, Range(1, 1000)]
Precision = Literal["fp32", "tf32", "bf16"]

# ---------------------------------------------------------------------------------------------------------- optimizers


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum."""

    momentum: Momentum = 0.9
    nesterov: bool = False
    weight_decay: Share = 0.0


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015, arXiv:1412.6980. Weight decay is added to the gradient."""

    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    weight_decay: Share = 0.0


@dataclass(frozen=True)
class AdamW:
    """Loshchilov & Hutter 2019, arXiv:1711.05101. Weight decay shrinks the weights directly."""

    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    weight_decay: Share = 0.01


Optimizer = SGD | Adam | AdamW

# ----------------------------------------------------------------------------------------------------------- schedules


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""


@dataclass(frozen=True)
class StepLR:
    """The rate is multiplied by gamma every step_size epochs."""

    step_size: Epochs
    gamma: Share = 0.1


@dataclass(frozen=True)
class ReduceLROnPlateau:
    """The rate is multiplied by `factor` when the monitored loss has not improved for more than `patience` epochs.

    An improvement is a loss below (1 - threshold) times the best so far, torch's rule in mode "rel".
    """

    factor: Share = 0.1
    patience: Annotated[int, Range(0, 1000)] = 2
    threshold: Share = 0.01
    min_lr: Rate = 0.0001
    monitor: Literal["validation", "test"] = "validation"


@dataclass(frozen=True)
class OneCycle:
    """Up to max_lr and down to near zero on cosines (Smith & Topin 2018, arXiv:1708.07120); momentum stays as it is."""

    warm_up: Annotated[float, Range(0.01, 0.99)] = 0.3  # share of the run on the way up
    start_divisor: Annotated[float, Range(1, 1e6)] = 25.0  # the first rate is max_lr / start_divisor
    end_divisor: Annotated[float, Range(1, 1e9)] = 1e4  # the last rate is the first one / end_divisor


@dataclass(frozen=True)
class Cosine:
    """From the full rate to zero along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts)."""


@dataclass(frozen=True)
class LinearToZero:
    """From the full rate to zero along a straight line."""


Schedule = Constant | StepLR | ReduceLROnPlateau | OneCycle | Cosine | LinearToZero


def rate_factor(schedule: Schedule, progress: float, epoch: int) -> float:
    """The factor of the learning rate at `progress`: 0 at the first iteration of the run, 1 at the last.

    For a plateau it is 1, because it depends on the losses: see `plateau_rate`.
    """
    match schedule:
        case StepLR(step_size, gamma):
            return float(gamma ** (epoch // step_size))
        case OneCycle():
            return _one_cycle(schedule, progress)
        case Cosine():
            return (1 + math.cos(math.pi * progress)) / 2
        case LinearToZero():
            return 1 - progress
        case _:
            return 1.0


def rate_at(recipe: Recipe, iteration: int, iterations_per_epoch: int) -> float:
    """The learning rate of an iteration, counted from 0 through the whole run; without the falls of a plateau."""
    last = max(1, recipe.epochs * iterations_per_epoch - 1)
    return recipe.learning_rate * rate_factor(recipe.schedule, iteration / last, iteration // iterations_per_epoch)


def _one_cycle(schedule: OneCycle, progress: float) -> float:
    first = 1 / schedule.start_divisor
    last = first / schedule.end_divisor
    if progress < schedule.warm_up:
        return _cosine_between(first, 1, progress / schedule.warm_up)
    return _cosine_between(1, last, (progress - schedule.warm_up) / (1 - schedule.warm_up))


def _cosine_between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def plateau_rate(schedule: ReduceLROnPlateau, rate: float, losses: Sequence[float]) -> float:
    """The rate after epochs with these monitored losses, from the first rate `rate`, by torch's rule."""
    best, waited = math.inf, 0
    for loss in losses:
        if loss < best * (1 - schedule.threshold):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > schedule.patience:
            lower = max(rate * schedule.factor, schedule.min_lr)
            if rate - lower > 1e-8:
                rate = lower
            waited = 0
    return rate


# -------------------------------------------------------------------------------------------------------- augmentation


@dataclass(frozen=True)
class Jitter:
    """One random change: its strength (units are in Augmentation) and how often it is applied."""

    strength: Annotated[float, Range(0, 180)] = 0.0
    probability: Share = 1.0


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the training images.

    Rule "composed": all amounts are continuous, and each image is resampled once for all its changes. Rule
    "torchvision": the translation and the corners of a perspective move by whole pixels, and the perspective comes
    first with a resampling of its own, exactly like RandomPerspective and then RandomAffine.
    """

    rotation: Jitter = Jitter()  # degrees, uniform in +- strength
    translation: Jitter = Jitter()  # share of the side, uniform in +- strength, each axis
    scale: Jitter = Jitter()  # factor uniform in 1 +- strength
    shear: Jitter = Jitter()  # degrees, uniform in +- strength, along the rows
    perspective: Jitter = Jitter()  # torchvision's distortion_scale, 0 to 1
    brightness: Jitter = Jitter()  # factor uniform in 1 +- strength
    contrast: Jitter = Jitter()  # factor uniform in 1 +- strength, around the image's mean
    fill: Share = 0.0  # grey level outside the image: 0 black, 1 white
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    rule: Literal["composed", "torchvision"] = "composed"

    @property
    def geometric(self) -> bool:
        """Whether any image is resampled."""
        return any(
            jitter.strength > 0 and jitter.probability > 0
            for jitter in (self.rotation, self.translation, self.scale, self.shear, self.perspective)
        )

    @property
    def photometric(self) -> bool:
        """Whether any grey level is changed."""
        return any(jitter.strength > 0 and jitter.probability > 0 for jitter in (self.brightness, self.contrast))


# The largest value of each strength: with more, images turn inside out or vanish.
MAX_STRENGTH = {
    "rotation": 180.0,
    "translation": 0.5,
    "scale": 0.9,
    "shear": 60.0,
    "perspective": 1.0,
    "brightness": 1.0,
    "contrast": 1.0,
}

# ---------------------------------------------------------------------------------------------------------- the recipe


HELD_OUT_SHARE = 5_000 / 60_000  # of a smaller data set the same share is held out


@dataclass(frozen=True)
class RangeTest:
    """The learning-rate range test (Smith 2015, arXiv:1506.01186): one batch at each rate from start to end."""

    start: Annotated[float, Range(1e-9, 10)] = 1e-5
    end: Annotated[float, Range(1e-8, 100)] = 1.0
    iterations: Annotated[int, Range(20, 5000)] = 100
    pick: Literal["steepest", "minimum/10", "valley"] = "valley"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run, except the network, the data and the device."""

    epochs: Epochs = 15
    batch_size: Annotated[int, Range(1, 10_000)] = 128
    learning_rate: Annotated[float, Range(1e-9, 100)] = 0.01  # the largest one of the schedule
    range_test: RangeTest | None = None  # if given, it finds the learning rate before training
    optimizer: Optimizer = field(default_factory=SGD)
    schedule: Schedule = field(default_factory=Constant)
    loss: Literal["cross_entropy", "mean_squared_error"] = "cross_entropy"
    label_smoothing: Annotated[float, Range(0, 0.99)] = 0.0
    ema_decay: Momentum = 0.0  # of the weights' moving average, per iteration; 0 evaluates the weights themselves
    ema_warm_up: bool = False  # the average is short at first and grows, so that it works in a short run
    normalisation: Literal["mnist", "training_split"] = "mnist"  # constants 0.1307 and 0.3081, or computed
    validation_size: Literal[0, 5000] = 0  # images held out of the 60,000, evenly per class
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: Precision = "fp32"  # of convolutions and products; the weights are always float32
    target_accuracy: Annotated[float, Range(0, 1)] = (
        0.994  # pages show when it is first reached, and from when it is held
    )
    seed: Annotated[int, Range(0, 2**31 - 1)] = 1

    def ema_decay_at(self, iteration: int) -> float:
        """The decay of the average at an iteration, counted from 0 through the whole run; it is constant or rises.

        The warm-up is (1 + t) / (10 + t), that of TensorFlow's ExponentialMovingAverage and of timm's ModelEmaV3:
        the average spans about a ninth of the run so far, until it spans 1 / (1 - ema_decay) iterations.
        """
        return min(self.ema_decay, (1 + iteration) / (10 + iteration)) if self.ema_warm_up else self.ema_decay

    @property
    def watches_test(self) -> bool:
        """Whether the schedule uses the test loss, as in some write-ups: then the test accuracy looks too good."""
        return isinstance(self.schedule, ReduceLROnPlateau) and self.schedule.monitor == "test"


def check_recipe(recipe: Recipe) -> Recipe:
    """The recipe itself, if it is valid. Raises RecipeError with the field and the numbers."""
    check(recipe, "recipe", RecipeError)
    for name, most in MAX_STRENGTH.items():
        strength = getattr(recipe.augmentation, name).strength
        if strength > most:
            raise RecipeError(f"recipe: augmentation: {name}: strength {strength:g} is more than {most:g}")
    monitor = recipe.schedule.monitor if isinstance(recipe.schedule, ReduceLROnPlateau) else "test"
    if monitor == "validation" and recipe.validation_size == 0:
        raise RecipeError(
            "recipe: schedule: ReduceLROnPlateau watches the validation loss, but validation_size is 0; "
            "set it to 5000, or monitor the test loss and say so"
        )
    if recipe.loss == "mean_squared_error" and recipe.label_smoothing:
        raise RecipeError(
            f"recipe: label_smoothing {recipe.label_smoothing:g} needs cross_entropy, loss is {recipe.loss}"
        )
    if recipe.range_test and recipe.range_test.start >= recipe.range_test.end:
        raise RecipeError(
            f"recipe: range_test: start {recipe.range_test.start:g} is not below end {recipe.range_test.end:g}"
        )
    if isinstance(recipe.optimizer, SGD) and recipe.optimizer.nesterov and recipe.optimizer.momentum == 0:
        raise RecipeError("recipe: optimizer: nesterov needs a momentum above 0, momentum is 0")
    return recipe


def recipe_to_dict(recipe: Recipe) -> dict[str, Json]:
    """The recipe's JSON form, without what is default."""
    return write(recipe)


def recipe_from_dict(data: Json) -> Recipe:
    """The recipe that a JSON object describes; fields may be left out. Raises RecipeError."""
    return check_recipe(read(Recipe, data, "recipe", RecipeError))


def recipe_to_json(recipe: Recipe) -> str:
    """One line of JSON, the same for equal recipes."""
    return to_json(recipe_to_dict(recipe))


def recipe_from_json(text: str) -> Recipe:
    """The inverse of `recipe_to_json`. Raises RecipeError."""
    return recipe_from_dict(parse(text, "the recipe", RecipeError))
