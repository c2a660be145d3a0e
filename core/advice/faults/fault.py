"""A fault of a design, and the parts of sentences about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import UnionType
from typing import Literal, ParamSpec, get_args

from core.advice.remedies.ops import Remedy
from core.architecture.spec import (
    Architecture,
    AvgPool,
    Conv,
    GlobalAvgPool,
    GlobalMaxPool,
    Linear,
    MaxPool,
    Op,
    Repeat,
    op_words,
)
from core.architecture.trace import Layer, Trace

P = ParamSpec("P")

Topic = Literal[
    "fit", "outputs", "input",
    "budget", "left over", "concentration", "bias", "batch norm", "wide start",
    "field", "context", "early pool", "skipped places", "left-out edge", "holes", "late pool", "padding",
    "unmet weights", "even kernel", "large kernel", "single pixels",
    "activation", "squeeze", "convolution", "depth", "bottleneck", "groups", "dropout",
    "negative scores", "dropped scores", "log-softmax", "softmax", "no effect", "repeated", "order", "image",
]  # fmt: skip
Level = Literal["error", "warning", "hint"]  # cannot be trained; may cost the challenge; worth a look
LEVELS: tuple[Level, ...] = ("error", "warning", "hint")
FEW_LAYERS = 4  # with weights; a network with fewer is shallow
ANY: tuple[Topic, ...] = get_args(Topic)


def no_remedy() -> Iterable[Remedy]:
    return ()


def price(before: Trace, after: Trace) -> str:
    """The difference in parameters for the label of a button; "" if there is none."""
    more = after.parameters - before.parameters
    return f" ({more:+,} parameter{'s' if abs(more) != 1 else ''})".replace("-", "−") if more else ""


@dataclass(frozen=True)
class Fault:
    """One thing to fix or to consider, and the changes that might fix it, the best first."""

    topic: Topic
    level: Level
    ops: tuple[int, ...]  # the ops that it is about; empty: the whole network
    words: str
    remedies: Callable[[], Iterable[Remedy]] = no_remedy
    measure: Callable[[Trace], float] | None = None  # what a remedy must raise; None: it leaves fewer ops at fault
    enough: float = 0.0  # of the measure
    told: Callable[[Trace, Trace], str] = price  # the end of the button's label, from the trace before and after
    brings: tuple[Topic, ...] = ("left over",)  # other faults that a remedy may bring


def single(
    label: str, change: Callable[P, Architecture], *args: P.args, **kwargs: P.kwargs
) -> Callable[[], Iterable[Remedy]]:
    """The remedies of a fault that has only one; the change is made when it is needed."""
    return lambda: ((label, change(*args, **kwargs)),)


def untold(_before: Trace, _after: Trace) -> str:
    return ""


def named(layer: Layer) -> str:
    """`op 7 Conv(16, kernel_size=3)`: without its bias, which does not matter here."""
    op = replace(layer.op, bias=True) if isinstance(layer.op, Conv | Linear) else layer.op
    return f"op {layer.index} {op_words(op)}"


def begin(words: str) -> str:
    """The words as the beginning of a sentence, with a capital letter."""
    return words[0].upper() + words[1:]


def percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def sets(probabilities: list[float]) -> str:
    """`sets 50%` for one dropout, `set up to 50%` for several."""
    up_to = "up to " if len(set(probabilities)) > 1 else ""
    return f"set{'s' if len(probabilities) == 1 else ''} {up_to}{percent(max(probabilities))}"


def weighted(walked: Trace) -> list[Layer]:
    """The convolutions and linear layers, and the ops with one in a body."""
    return [layer for layer in walked.layers if depth_of(layer)]


def depth_of(layer: Layer) -> int:
    """How many layers with weights come one after the other in the op; in parallel paths, in the longest."""
    if isinstance(layer.op, Conv | Linear):
        return 1
    depths = [sum(map(depth_of, branch)) for branch in layer.branches]
    return sum(depths) if isinstance(layer.op, Repeat) else max(depths, default=0)


def has(layer: Layer, kind: type[Op] | UnionType) -> bool:
    """Whether the op, or one in its bodies, is of that kind."""
    return isinstance(layer.op, kind) or any(has(inner, kind) for branch in layer.branches for inner in branch)


def hidden(walked: Trace) -> list[Layer]:
    """The layers with weights except the last, which gives the outputs."""
    return weighted(walked)[:-1]


def on_scores(walked: Trace) -> tuple[Layer, ...]:
    """The layers after the last one with weights; all layers if none has weights."""
    last = max((layer.index for layer in weighted(walked)), default=-1)
    return walked.layers[last + 1 :]


def average_of_all(walked: Trace) -> Layer | None:
    """The pool that reduces each map to a single value, if there is one."""
    for layer in walked.layers:
        if len(layer.input) == 3 and layer.input[1] > 1 and layer.output[1:] in ((1, 1), ()):
            return layer if isinstance(layer.op, GlobalAvgPool | GlobalMaxPool | AvgPool | MaxPool) else None
    return None
