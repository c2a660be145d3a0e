"""What a search may vary of a network and its recipe, as data, and the network and recipe of each choice. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Annotated, get_args

from core.architecture.spec import (
    Activation,
    Architecture,
    AvgPool,
    Channels,
    Conv,
    MaxPool,
    Op,
    every_op,
    map_ops,
)
from core.architecture.trace import classifier
from core.architecture.vary import dropout_of, vary
from core.architecture.widths import Width, widths_of, with_widths
from core.challenge import Parameters
from core.errors import SearchError
from core.record import Range, check
from core.training.augmentation import MAX_STRENGTH, Augmentation, Jitter
from core.training.optimizers import SGD, Adam, AdamW, Muon, RMSprop
from core.training.recipe import Recipe, check_recipe
from core.training.schedules import ReduceLROnPlateau
from core.words import plural

HELD_OUT = 5_000  # of the 60,000 training images: the tries are compared on these
ACTIVATIONS = ("ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Hardswish")
OPTIMIZERS = {kind.__name__: kind for kind in (SGD, Adam, AdamW, RMSprop, Muon)}
BATCH_SIZES = (32, 64, 128, 256, 512)
KERNELS = (3, 5)
MOST_STRONGER = 2.0  # times the recipe's own augmentation
PLAIN_AUGMENTATION = Augmentation(rotation=Jitter(10.0), translation=Jitter(0.1))  # where the recipe has none

Rate = Annotated[float, Range(1e-5, 10)]


@dataclass(frozen=True)
class Space:
    """What may vary, and how far."""

    channels: bool = True  # of each layer by itself
    least_channels: Channels = 4
    most_channels: Channels = 32
    kernel_size: bool = False  # of each convolution by itself; the padding follows, so that maps keep their sizes
    activation: bool = False
    dropout: bool = False
    most_dropout: Annotated[float, Range(0, 0.9)] = 0.2
    pool: bool = False
    learning_rate: bool = False
    least_rate: Rate = 0.001
    most_rate: Rate = 0.3
    optimizer: bool = False
    augmentation: bool = False  # its strength
    batch_size: bool = False


@dataclass(frozen=True)
class SearchSpec:
    """A search: its space, the most parameters that a network may have, and how many networks are trained."""

    space: Space = Space()
    budget: Parameters = 8_000
    tries: Annotated[int, Range(1, 500)] = 30


@dataclass(frozen=True)
class Whole:
    """A whole number from least to most, in steps."""

    least: int
    most: int
    step: int = 1


@dataclass(frozen=True)
class Real:
    """A number from least to most, drawn on a logarithmic scale or not."""

    least: float
    most: float
    logarithmic: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of several."""

    options: tuple[str | int, ...]


Choice = str | int | float
Choices = Mapping[str, Choice]  # by the knobs' names


@dataclass(frozen=True)
class Knob:
    """One thing that varies."""

    name: str
    values: Whole | Real | OneOf
    start: Choice  # what the network or recipe has; it may lie outside the values
    width: Width | None = None


Made = tuple[Architecture, Recipe]


def check_search(spec: SearchSpec, architecture: Architecture, recipe: Recipe) -> tuple[Knob, ...]:
    """The knobs. Raises LabError where the search cannot be made: nothing to vary, or no network within the budget."""
    check(spec, "search", SearchError)
    space = spec.space
    for low, high, what in (
        (space.least_channels, space.most_channels, "channels"),
        (space.least_rate, space.most_rate, "learning rates"),
    ):
        if low > high:
            raise SearchError(f"the fewest {what}, {low:g}, are more than the most, {high:g}")
    classifier(architecture)
    check_recipe(recipe)
    knobs = knobs_of(space, architecture, recipe)
    if not knobs:
        raise SearchError(f"nothing of {architecture.name} can vary: choose something else that may")
    if (least := smallest(knobs, architecture, recipe)) > spec.budget:
        raise SearchError(
            f"the smallest network that this search may try has {plural(least, 'parameter')}, "
            f"the budget is {spec.budget:,}"
        )
    return knobs


def searched(recipe: Recipe) -> Recipe:
    """The recipe as a search uses it: images are held out, and no test figure decides anything."""
    recipe = replace(recipe, validation_size=recipe.validation_size or HELD_OUT)
    if isinstance(recipe.schedule, ReduceLROnPlateau):
        recipe = replace(recipe, schedule=replace(recipe.schedule, monitor="validation"))
    return recipe


def knobs_of(space: Space, architecture: Architecture, recipe: Recipe) -> tuple[Knob, ...]:
    """All that varies of this network and recipe."""
    ops = tuple(every_op(architecture.ops))
    knobs: list[Knob] = []
    if space.channels:
        for number, width in enumerate(widths_of(architecture), 1):
            unit = width.unit
            least, most = -(-space.least_channels // unit) * unit, max(1, space.most_channels // unit) * unit
            knobs.append(Knob(f"channels {number}", Whole(min(least, most), most, unit), width.channels, width))
    if space.kernel_size:
        knobs += _kernels(ops)
    if space.activation and (kinds := {op for op in ops if isinstance(op, Activation)}):
        own = type(next(iter(kinds))).__name__ if len(kinds) == 1 else "as it is"
        knobs.append(Knob("activation", OneOf(tuple(dict.fromkeys((own, *ACTIVATIONS)))), own))
    if space.dropout and space.most_dropout:
        knobs.append(Knob("dropout", Real(0.0, space.most_dropout), dropout_of(architecture)))
    if space.pool and (pools := {type(op).__name__ for op in ops if _is_plain_pool(op)}):
        own = pools.pop() if len(pools) == 1 else "as it is"
        knobs.append(Knob("pool", OneOf(tuple(dict.fromkeys((own, "MaxPool", "AvgPool")))), own))
    if space.learning_rate:
        knobs.append(Knob("learning rate", Real(space.least_rate, space.most_rate, True), recipe.learning_rate))
    if space.optimizer:
        own = type(recipe.optimizer).__name__
        knobs.append(Knob("optimizer", OneOf(tuple(dict.fromkeys((own, *OPTIMIZERS)))), own))
    if space.augmentation:
        knobs.append(Knob("augmentation", Real(0.0, MOST_STRONGER), float(recipe.augmentation.changes)))
    if space.batch_size:
        own_size = recipe.batch_size
        knobs.append(Knob("batch size", OneOf(tuple(sorted({own_size, *BATCH_SIZES}))), own_size))
    return tuple(knobs)


def made(knobs: tuple[Knob, ...], architecture: Architecture, recipe: Recipe, choices: Choices) -> Made:
    """The network and recipe of these choices. Raises LabError for those that do not fit together."""
    widths = {knob.width: int(choices[knob.name]) for knob in knobs if knob.width is not None}
    architecture = with_widths(architecture, widths)
    architecture = replace(architecture, ops=_with_kernels(architecture.ops, choices))
    changes: dict[str, Callable[[Architecture, Choice], Architecture]] = {
        "activation": _with_activation,
        "pool": _with_pool,
        "dropout": _with_dropout,
    }
    for name, change in changes.items():
        if name in choices:
            architecture = change(architecture, choices[name])
    classifier(architecture)
    return architecture, check_recipe(_with_recipe(recipe, choices))


def smallest(knobs: tuple[Knob, ...], architecture: Architecture, recipe: Recipe) -> int:
    """The parameters of the smallest network that there is among the choices. Raises LabError."""
    least = {knob.name: _least(knob) for knob in knobs}
    return classifier(made(knobs, architecture, recipe, least)[0]).parameters


def _least(knob: Knob) -> Choice:
    match knob.values:
        case Whole(least):
            return least
        case OneOf(options) if numbers := [each for each in options if isinstance(each, int)]:
            return min(numbers)
    return knob.start


def narrowed(
    knobs: tuple[Knob, ...], architecture: Architecture, recipe: Recipe, choices: Choices, budget: int
) -> Choices | None:
    """The choices, with all widths made less by one factor, so that the network keeps to the budget; None: none does.

    Raises LabError for choices that do not fit together.
    """
    for percent in range(100, -1, -2):
        narrower = {**choices, **{knob.name: _times(knob, choices[knob.name], percent) for knob in knobs if knob.width}}
        if classifier(made(knobs, architecture, recipe, narrower)[0]).parameters <= budget:
            return narrower
    return None


def _times(knob: Knob, channels: Choice, percent: int) -> int:
    assert isinstance(knob.values, Whole)
    if percent == 100:
        return int(channels)
    steps = int(channels) * percent // (100 * knob.values.step)
    return max(knob.values.least, steps * knob.values.step)


# ----------------------------------------------------------------------------------------------- one change at a time


def _kernels(ops: tuple[Op, ...]) -> list[Knob]:
    """A knob for each convolution whose window can grow or shrink while its map keeps its size."""
    found = []
    for number, op in enumerate((op for op in ops if isinstance(op, Conv)), 1):
        sizes = {size for size in (op.kernel_size, *KERNELS) if _padding(op, size) >= 0}
        if op.kernel_size % 2 and op.kernel_size > 1 and len(sizes) > 1:
            found.append(Knob(f"kernel {number}", OneOf(tuple(sorted(sizes))), op.kernel_size))
    return found


def _padding(op: Conv, kernel_size: int) -> int:
    """With which the convolution's map keeps its size."""
    return op.padding + op.dilation * (kernel_size - op.kernel_size) // 2


def _with_kernels(ops: tuple[Op, ...], choices: Choices) -> tuple[Op, ...]:
    numbers = count(1)

    def changed(op: Op) -> Op:
        if not isinstance(op, Conv) or (size := choices.get(f"kernel {next(numbers)}")) is None:
            return op
        return replace(op, kernel_size=int(size), padding=_padding(op, int(size)))

    return map_ops(ops, changed)


def _with_activation(architecture: Architecture, name: Choice) -> Architecture:
    kind = {kind.__name__: kind for kind in get_args(Activation)}.get(name)
    if kind is None:
        return architecture

    def changed(op: Op) -> Op:
        return kind() if isinstance(op, Activation) and not isinstance(op, kind) else op

    return replace(architecture, ops=map_ops(architecture.ops, changed))


def _with_dropout(architecture: Architecture, p: Choice) -> Architecture:
    return architecture if p == dropout_of(architecture) else vary(architecture, dropout=round(float(p), 3))


def _is_plain_pool(op: Op) -> bool:
    return isinstance(op, AvgPool) or (isinstance(op, MaxPool) and op.dilation == 1)


def _with_pool(architecture: Architecture, name: Choice) -> Architecture:
    if name not in ("MaxPool", "AvgPool"):
        return architecture

    def changed(op: Op) -> Op:
        if not isinstance(op, MaxPool | AvgPool) or not _is_plain_pool(op):
            return op
        window = op.kernel_size, op.stride, op.padding
        return MaxPool(*window) if name == "MaxPool" else AvgPool(*window)

    return replace(architecture, ops=map_ops(architecture.ops, changed))


def _with_recipe(recipe: Recipe, choices: Choices) -> Recipe:
    if "learning rate" in choices:
        recipe = replace(recipe, learning_rate=float(choices["learning rate"]), range_test=None)
    name = choices.get("optimizer", type(recipe.optimizer).__name__)
    if name != type(recipe.optimizer).__name__:
        recipe = replace(recipe, optimizer=OPTIMIZERS[str(name)]())
    if "augmentation" in choices:
        recipe = replace(recipe, augmentation=_stronger(recipe, float(choices["augmentation"])))
    return replace(recipe, batch_size=int(choices.get("batch size", recipe.batch_size)))


def _stronger(recipe: Recipe, factor: float) -> Augmentation:
    if factor == 1 and recipe.augmentation.changes:
        return recipe.augmentation
    own = recipe.augmentation if recipe.augmentation.changes else PLAIN_AUGMENTATION
    for name, most in MAX_STRENGTH.items():
        change = getattr(own, name)
        own = replace(own, **{name: replace(change, strength=min(most, round(factor * change.strength, 4)))})
    return own
