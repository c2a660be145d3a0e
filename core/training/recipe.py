"""How a network is trained, as data: optimizer, schedule, augmentation, loss, split, seed. No torch.

The optimizers, the schedules and the random changes of the images are in modules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from core.errors import RecipeError
from core.record import Json, Range, check, outside, parse, read, to_json, write
from core.training.augmentation import GEOMETRIC, MAX_STRENGTH, Augmentation, Elastic, Erasing, Jitter, Zoom
from core.training.optimizers import SGD, Adadelta, Adam, AdamW, Momentum, Muon, Optimizer, RMSprop, Share
from core.training.recipe_reading import plain_spelling
from core.training.schedules import (
    Constant,
    Cosine,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    EarlyStopping,
    Epochs,
    ExponentialLR,
    LinearLR,
    LinearToZero,
    MultiStepLR,
    OneCycle,
    ReduceLROnPlateau,
    Schedule,
    StepLR,
    momentum_of,
    plateau_rate,
    rate_factor,
)

__all__ = [
    "GEOMETRIC",
    "MAX_STRENGTH",
    "SGD",
    "SPLIT_SEED",
    "Adadelta",
    "Adam",
    "AdamW",
    "Augmentation",
    "Constant",
    "Cosine",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "EarlyStopping",
    "Elastic",
    "Erasing",
    "ExponentialLR",
    "Jitter",
    "LinearLR",
    "LinearToZero",
    "MultiStepLR",
    "Muon",
    "OneCycle",
    "Optimizer",
    "Precision",
    "RMSprop",
    "RangeTest",
    "Recipe",
    "ReduceLROnPlateau",
    "Schedule",
    "StepLR",
    "Zoom",
    "check_recipe",
    "momentum_at",
    "plateau_rate",
    "rate_at",
    "rate_factor",
    "recipe_from_dict",
    "recipe_from_json",
    "recipe_to_dict",
    "recipe_to_json",
]

Precision = Literal["fp32", "tf32", "bf16"]

SPLIT_SEED = 60_000  # plus the recipe's own: runs with the same one hold out the same images, and can be compared
IMAGES = 60_000  # in MNIST's training set; of a smaller data set the same share is held out


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
    l1: Share = 0.0  # times the sum of all weights' absolute values, in the loss; the loss that is told is without it
    gradient_clipping: Annotated[float, Range(0, 1e6)] = 0.0  # the most that the gradient may have; 0: whatever it has
    clip_by: Literal["norm", "value"] = "norm"  # of all gradients together, or each one
    early_stopping: EarlyStopping | None = None
    normalisation: Literal["mnist", "training_split", "half", "own"] = "mnist"  # 0.1307 and 0.3081; measured; 0.5, 0.5
    normalisation_mean: Share = 0.5  # of "own"; grey levels are 0 to 1
    normalisation_sd: Annotated[float, Range(1e-3, 1e3)] = 0.5
    validation_size: Annotated[int, Range(0, 59_000)] = 0  # images held out of the 60,000, evenly per class
    split_seed: Annotated[int, Range(0, 2**31 - 1)] = 0  # which images are held out
    augmentation: Augmentation = field(default_factory=Augmentation)
    plain_epochs: Annotated[int, Range(0, 1000)] = 0  # the last ones, without augmentation
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
        """Whether the test figures decide the rate, or when the run ends, as in some write-ups: then they look too
        good."""
        on_plateau = isinstance(self.schedule, ReduceLROnPlateau) and self.schedule.monitor == "test"
        return on_plateau or (self.early_stopping is not None and self.validation_size == 0)

    @property
    def of_the_data(self) -> Recipe:
        """The recipe with only what decides which images there are, and how they are normalised."""
        return Recipe(
            normalisation=self.normalisation,
            normalisation_mean=self.normalisation_mean,
            normalisation_sd=self.normalisation_sd,
            validation_size=self.validation_size,
            split_seed=self.split_seed,
        )

    def held_out(self, images: int) -> int:
        """How many of so many training images are held out."""
        return max(1, round(self.validation_size * images / IMAGES)) if self.validation_size else 0

    def augmentation_in(self, epoch: int) -> Augmentation:
        """The random changes of the images in an epoch, counted from 0."""
        return self.augmentation if epoch < self.epochs - self.plain_epochs else Augmentation()


def rate_at(recipe: Recipe, iteration: int, iterations_per_epoch: int) -> float:
    """The learning rate of an iteration, counted from 0 through the whole run; without the falls of a plateau."""
    last, rate = max(1, recipe.epochs * iterations_per_epoch - 1), recipe.learning_rate
    epoch = iteration / iterations_per_epoch
    return rate * rate_factor(recipe.schedule, iteration / last, epoch, rate, iteration)


def momentum_at(recipe: Recipe, iteration: int, iterations_per_epoch: int) -> float | None:
    """The momentum of an iteration, for a schedule that cycles it; else None."""
    last = max(1, recipe.epochs * iterations_per_epoch - 1)
    return momentum_of(recipe.schedule, iteration / last, iteration)


def check_recipe(recipe: Recipe) -> Recipe:
    """The recipe itself, if it is valid. Raises RecipeError with the field and the numbers."""
    check(recipe, "recipe", RecipeError)
    for name, most in MAX_STRENGTH.items():
        strength = getattr(recipe.augmentation, name).strength
        if told := outside(strength, Range(0, most)):
            raise RecipeError(f"recipe: augmentation: {name}: strength: {told}")
    _check_schedule(recipe)
    erasing = recipe.augmentation.erasing
    for low, high, what in (
        (erasing.least, erasing.strength or 1, "strength"),
        (erasing.least_ratio, erasing.most_ratio, "most_ratio"),
    ):
        if low > high:
            name = "least" if what == "strength" else "least_ratio"
            raise RecipeError(f"recipe: augmentation: erasing: {name} {low:g} is more than {what} {high:g}")
    if recipe.loss == "mean_squared_error" and recipe.label_smoothing:
        raise RecipeError(
            f"recipe: label_smoothing {recipe.label_smoothing:g} needs cross_entropy, loss is {recipe.loss}"
        )
    if recipe.range_test and recipe.range_test.start >= recipe.range_test.end:
        raise RecipeError(
            f"recipe: range_test: start {recipe.range_test.start:g} is not below end {recipe.range_test.end:g}"
        )
    sgd = recipe.optimizer
    if isinstance(sgd, SGD) and sgd.nesterov and (sgd.momentum == 0 or sgd.dampening):
        raise RecipeError(
            "recipe: optimizer: nesterov needs a momentum above 0 and no dampening, "
            f"momentum is {sgd.momentum:g} and dampening {sgd.dampening:g}"
        )
    return recipe


def _check_schedule(recipe: Recipe) -> None:
    schedule, rate = recipe.schedule, recipe.learning_rate
    if isinstance(schedule, ReduceLROnPlateau) and schedule.monitor == "validation" and recipe.validation_size == 0:
        figure = "accuracy" if schedule.mode == "max" else "loss"
        raise RecipeError(
            f"recipe: schedule: ReduceLROnPlateau watches the validation {figure}, but validation_size is 0; "
            f"set it to 5000, or monitor the test {figure} and say so"
        )
    least = schedule.base_lr if isinstance(schedule, CyclicLR) else getattr(schedule, "eta_min", 0.0)
    if least > rate and recipe.range_test is None:
        field = "base_lr" if isinstance(schedule, CyclicLR) else "eta_min"
        raise RecipeError(f"recipe: schedule: {field} {least:g} is more than the largest rate, learning_rate {rate:g}")
    if isinstance(schedule, OneCycle) and schedule.three_phase and schedule.warm_up > 0.5:
        raise RecipeError(
            f"recipe: schedule: three_phase needs a warm_up of at most 0.5, for the way down is as long; "
            f"it is {schedule.warm_up:g}"
        )
    if isinstance(schedule, OneCycle | CyclicLR) and schedule.cycle_momentum:
        if schedule.base_momentum > schedule.max_momentum:
            raise RecipeError(
                f"recipe: schedule: base_momentum {schedule.base_momentum:g} is more than max_momentum "
                f"{schedule.max_momentum:g}"
            )
        if isinstance(recipe.optimizer, Adadelta):
            raise RecipeError("recipe: schedule: Adadelta has no momentum to cycle; set cycle_momentum to false")


def recipe_to_dict(recipe: Recipe) -> dict[str, Json]:
    """The recipe's JSON form, without what is default."""
    return write(recipe)


def recipe_from_dict(data: Json) -> Recipe:
    """The recipe that a JSON object describes, by the lab's names or by torch's; fields may be left out. Raises
    RecipeError."""
    return check_recipe(read(Recipe, plain_spelling(data), "recipe", RecipeError))


def recipe_to_json(recipe: Recipe) -> str:
    """One line of JSON, the same for equal recipes."""
    return to_json(recipe_to_dict(recipe))


def recipe_from_json(text: str) -> Recipe:
    """The inverse of `recipe_to_json`. Raises RecipeError."""
    return recipe_from_dict(parse(text, "the recipe", RecipeError))
