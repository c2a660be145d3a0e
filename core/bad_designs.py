"""A shelf of networks that are each bad in one way, to be found out, mended and trained against the mended one.

They all run and end in ten outputs. What is wrong with each is what `core.advice` finds in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from core.advice import Topic
from core.catalogue import END, conv_alone, conv_bn_relu, conv_bn_relu_dropout, conv_relu, stack
from core.spec import Architecture, AvgPool, Conv, GlobalAvgPool, MaxPool, Op


@dataclass(frozen=True)
class BadDesign:
    """A network with something wrong with it."""

    slug: str
    title: str
    wrong: str  # what, and why it matters; for after one has looked for oneself
    topic: Topic  # of the advice that finds it
    architecture: Architecture


def _bad(slug: str, title: str, topic: Topic, wrong: str, *ops: Op) -> BadDesign:
    return BadDesign(slug, title, wrong, topic, Architecture(title, ops))


_padded = partial(conv_relu, padding=1)
_half = partial(conv_bn_relu_dropout, dropout=0.5)

BAD_DESIGNS: tuple[BadDesign, ...] = (
    _bad(
        "bad-no-activation", "No activation", "activation",
        "Six convolutions and no ReLU. But for its max pool the whole network is one linear map: depth buys nothing.",
        *stack(conv_alone, 10, 16), MaxPool(2), *stack(conv_alone, 16, 12, 10, 10), GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-small-field", "Field too small", "field",
        "Every unit has seen 7 of 28 pixels when the global average comes. It knows how many strokes and hooks there "
        "are, and not where: a 6 and a 9 have the same ones.",
        *stack(conv_bn_relu, 12, 16), *conv_bn_relu(24, 1), *conv_bn_relu(16), *conv_bn_relu(16, 1),
        Conv(10, 1, bias=False), GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-early-pool", "Pool too early", "early pool",
        "It halves the image before it has looked at it, and halves it again soon after: strokes two pixels wide are "
        "gone before a convolution has found their edges.",
        MaxPool(2), *conv_bn_relu(10), MaxPool(2), *stack(conv_bn_relu, 16, 16), Conv(10, 1, bias=False),
        GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-large-head", "A 7 x 7 head", "concentration",
        "The last convolution has a weight for every place of its 7 x 7 map. It alone costs most of the budget, and "
        "ties what was found to where it was found.",
        *stack(conv_bn_relu, 8, 8, 10), MaxPool(2), *stack(conv_bn_relu, 12, 14), Conv(10, 7, bias=False), *END,
    ),
    _bad(
        "bad-too-wide", "Three hundred thousand parameters", "budget",
        "Wide because width was free. Forty times the budget; a network of the ladder does the same with 7,448.",
        *stack(conv_bn_relu, 32, 64, 64), MaxPool(2), *stack(conv_bn_relu, 96, 96, 112),
        Conv(10, 1, bias=False), GlobalAvgPool(), *END,
    ),
    _bad(
        "bad-dropout", "Dropout 0.5 everywhere", "dropout",
        "Half of every map is set to zero, seven times over. With so few parameters there is nothing to overfit with: "
        "it will learn slowly and end low.",
        *stack(_half, 8, 16), *_half(8, 1), MaxPool(2), *stack(_half, 16, 8, 16, 16), AvgPool(4),
        Conv(10, 1, bias=False), *END,
    ),
    _bad(
        "bad-beyond", "Looks beyond the image", "context",
        "Two pools, and then convolutions whose units have seen the whole image already. Padding keeps the map from "
        "shrinking, so that one could go on like this; each adds parameters and no context.",
        *stack(_padded, 8, 8), MaxPool(2), *stack(_padded, 8, 10), MaxPool(2), *stack(_padded, 10, 10, 10, 10, 10),
        Conv(10, 1, bias=False), GlobalAvgPool(), *END,
    ),
)  # fmt: skip
