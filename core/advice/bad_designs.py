"""Networks with one fault each. The student finds it, fixes it, and trains both networks to compare them.

They all run and end in ten outputs. The fault is the most serious one that `advice` finds. The names do not tell it:
the student looks first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from core.advice.faults.fault import Topic
from core.architecture.spec import (
    Architecture,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Op,
    ReLU,
)
from core.architecture.trace import trace
from core.challenge import CHALLENGE
from core.ladder.blocks import END, conv_alone, conv_bn_relu, conv_bn_relu_dropout, conv_relu, stack

BUDGET = CHALLENGE.parameters  # they are made for this one, whatever a class asks for


@dataclass(frozen=True)
class BadDesign:
    """A network with a fault."""

    slug: str
    title: str  # the fault in a few words; shown only after the student has looked
    wrong: str  # the fault and why it matters; also shown later
    topic: Topic  # of the advice about it
    architecture: Architecture


def _bad(slug: str, title: str, topic: Topic, wrong: str, *ops: Op) -> BadDesign:
    """The bad design; `wrong` is a template for the network's own numbers."""
    architecture = Architecture(title, ops)
    parameters = trace(architecture).parameters
    told = wrong.format(parameters=parameters, times=round(parameters / BUDGET), budget=BUDGET)
    return BadDesign(slug, title, told, topic, architecture)


def _numbered(designs: tuple[BadDesign, ...]) -> tuple[BadDesign, ...]:
    """The designs with names that do not tell the fault."""
    return tuple(
        replace(each, architecture=replace(each.architecture, name=f"Bad design {number}"))
        for number, each in enumerate(designs, 1)
    )


def _conv_bn(channels: int) -> tuple[Op, ...]:
    return (*conv_alone(channels), BatchNorm())


def _padded(channels: int) -> tuple[Op, ...]:
    return (Conv(channels, 3, padding=1, bias=False), BatchNorm(), ReLU())


_half = partial(conv_bn_relu_dropout, dropout=0.5)
_averaged: tuple[Op, ...] = (GlobalAvgPool(), Flatten(), Linear(10))

BAD_DESIGNS: tuple[BadDesign, ...] = _numbered((
    _bad(
        "bad-no-activation", "No activation", "activation",
        "Six convolutions and no ReLU. Only the max pool is not linear: the two convolutions before it are one linear "
        "map, and so are the four after it.",
        *stack(_conv_bn, 10, 16), MaxPool(2), *stack(_conv_bn, 16, 12, 10), *conv_alone(10), GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-small-field", "Field too small", "field",
        "Every unit has seen 7 of 28 pixels when the global average comes. The network can count strokes and hooks, "
        "but does not see how they are arranged.",
        *stack(conv_bn_relu, 12, 16), *conv_bn_relu(24, 1), *conv_bn_relu(16), *conv_bn_relu(16, 1),
        Conv(10, 1, bias=False), GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-early-pool", "Pool too early", "early pool",
        "It halves the image before any layer has looked at it, and again after a single convolution: neighbouring "
        "units are 4 pixels apart before the network can combine edges.",
        MaxPool(2), *_padded(12), MaxPool(2), *stack(_padded, 16, 16, 20), Conv(10, 1, bias=False),
        GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-large-head", "A 5 x 5 head", "concentration",
        "The last convolution has a weight for every place of its 5 x 5 map. It takes most of the {parameters:,} "
        "parameters, and each of its weights works at one position only.",
        *stack(conv_bn_relu, 8, 8, 8), MaxPool(2), *stack(conv_bn_relu, 8, 8, 16), Conv(10, 5, bias=False), *END,
    ),
    _bad(
        "bad-too-wide", "Three hundred thousand parameters", "budget",
        "{parameters:,} parameters are {times} times the budget of {budget:,}. A2 has more layers and fits into it, "
        "with 10 to 16 channels a layer.",
        *stack(conv_bn_relu, 32, 64, 64), MaxPool(2), *stack(conv_bn_relu, 96, 96, 112),
        Conv(10, 1, bias=False), GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-dropout", "Dropout 0.5 everywhere", "dropout",
        "Half of every map is set to zero, seven times over. Dropout is for networks that learn the training images by "
        "heart; {parameters:,} parameters are too few to give half of them away.",
        *stack(_half, 8, 16), *_half(8, 1), MaxPool(2), *stack(_half, 16, 8, 16, 16), AvgPool(4),
        Conv(10, 1, bias=False), *END,
    ),
    _bad(
        "bad-beyond", "Looks beyond the image", "context",
        "Two pools, and then convolutions whose middle units have seen the whole image already. Padding keeps the map "
        "from shrinking, so that one could go on like this; each adds parameters, and shows those units nothing new.",
        *stack(_padded, 8, 8), MaxPool(2), *stack(_padded, 8, 10), MaxPool(2), *stack(_padded, 10, 10, 10, 10, 10),
        Conv(10, 1, bias=False), GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-negative-scores", "ReLU on the scores", "negative scores",
        "A ReLU follows the last layer, as it follows every other one. It cuts all scores off at zero: where a digit's "
        "score is negative it passes no gradient, and no score can be evidence against a digit.",
        *stack(conv_bn_relu, 10, 10, 12), MaxPool(2), *stack(conv_bn_relu, 12, 12, 14), *_averaged, ReLU(),
        LogSoftmax(),
    ),
    _bad(
        "bad-bottleneck", "One channel", "bottleneck",
        "A 1 x 1 convolution leaves a single channel before the pool. All later layers see this one map, whatever the "
        "layers before it have found.",
        *stack(conv_bn_relu, 10, 12, 12), *conv_bn_relu(1, 1), MaxPool(2), *stack(conv_bn_relu, 12, 12, 14), *_averaged,
        LogSoftmax(),
    ),
    _bad(
        "bad-stride", "A first stride of 4", "early pool",
        "The first convolution takes steps of 4 pixels with a window of 3. Its map is 7 wide, and one row and column "
        "in four is never looked at.",
        Conv(12, 3, stride=4, bias=False), BatchNorm(), ReLU(), *stack(_padded, 16, 16, 20), *_averaged, LogSoftmax(),
    ),
    _bad(
        "bad-no-batch-norm", "No batch norm", "batch norm",
        "Seven convolutions, and nothing that keeps their values on one scale: the learning rate has to be lower. "
        "Batch norm would cost two parameters a channel.",
        *stack(conv_relu, 10, 10, 12), MaxPool(2), *stack(conv_relu, 12, 12, 14), Conv(10, 1, bias=False),
        GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-dropped-scores", "Dropout on the scores", "dropped scores",
        "Dropout sets half of the ten scores to zero at random, the right digit's as often as the others'. No layer "
        "follows that could learn to do without them.",
        *stack(conv_bn_relu, 10, 10, 12), MaxPool(2), *stack(conv_bn_relu, 12, 12, 14), *_averaged, Dropout(0.5),
        LogSoftmax(),
    ),
))  # fmt: skip
