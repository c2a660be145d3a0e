"""Skip connections: shapes, parameters and fields of a residual block, and what becomes of the gradient."""

from __future__ import annotations

import statistics

from core.architecture.spec import Architecture, Conv, ReLU, Residual
from core.architecture.trace import Layer, trace
from lab.learn.lessons.claims import HOW_FAR_APART, comparison, concluded
from lab.learn.lessons.facts import step
from lab.learn.lessons.scene import Check, GradientByDepth, Lesson, Pair, Scene, Slip, Way

C3, WITH = "c3-batchnorm-7448", "c3-with-a-skip"
OVER_ONE = Pair(C3, WITH)
DEPTHS = (1, 2, 4, 8, 16, 32)

BODY = (Conv(8, 3, padding=1), ReLU(), Conv(8, 3, padding=1))
WIDER = (Conv(16, 3, padding=1), ReLU(), Conv(16, 3, padding=1))
BLOCK = Residual(BODY)
PROJECTED = Residual(WIDER, (Conv(16, 1, bias=False),))


def _block(block: Residual) -> Layer:
    """The block after one convolution with 8 channels, so that its input has 8."""
    return trace(Architecture("block", (Conv(8, 3), block))).layers[1]


def _ratio() -> float:
    """How many times as long the gradient is with skips, at the largest depth: geometric means over the seeds."""
    from core.analysis.gradient_by_depth import first_gradients

    skips, plain = (statistics.geometric_mean(first_gradients(DEPTHS[-1], skips)) for skips in (True, False))
    return skips / plain


SIZES = ("less than ten times", "ten to a thousand times", "more than a thousand times")


def _size() -> str:
    return SIZES[0] if _ratio() < 10 else SIZES[1] if _ratio() < 1000 else SIZES[2]


def _seeds() -> int:
    from core.analysis.gradient_by_depth import SEEDS

    return len(SEEDS)


def _why() -> str:
    exponent = f"{_ratio():.0e}".split("e")[1].lstrip("+0") or "0"
    times = f"{_ratio():,.1f}" if _ratio() < 1000 else f"about 10 to the power of {exponent}"
    return (
        f"{times} times, by the geometric means of {_seeds()} seeds each. Without skips each layer multiplies the "
        "gradient by a factor below 1, and the factors multiply. With skips a part of it goes past every layer."
    )


LESSON = Lesson(
    "skips",
    "Skip connections",
    "Add a layer's input to its output: what must fit, what it costs, what a unit sees, and what it does to the "
    "gradient.",
    20,
    (
        Scene(
            "explain",
            "x + body(x)",
            "A **residual block** computes something from its input x and adds x to it: x + body(x). The path past the "
            "body is the **skip connection**. In the lab it is the op `Residual`, with a body of ops and, if needed, a "
            "shortcut of ops.\n\nThe layers of the body then only have to learn what must be *changed* about x. If "
            "nothing must be changed, weights near zero do it.",
            (Way("pages/experiment/design.py", "Try it in Design", (("from", C3),)),),
        ),
        Scene(
            "predict",
            "It must fit",
            lambda: (
                "A block's input is 8 x 26 x 26. Its body is one 3 x 3 convolution with 8 channels. Only equal shapes "
                "can be added."
            ),
            check=Check(
                "Which padding must the convolution have?",
                lambda: 1,
                lambda: (
                    "26 + 2 · 1 − 2 = 26. Without padding the body would give 24 x 24, which cannot be added to "
                    "26 x 26."
                ),
                hint="The window is three wide: one pixel is lost on each side.",
                unit="pixels",
                slips=(Slip(lambda: 2, "That makes the map larger: 28 x 28."),),
            ),
        ),
        Scene(
            "predict",
            "Another number of channels",
            lambda: (
                "The body is to give 16 channels from 8. Then x cannot be added as it is. The usual shortcut is a "
                "1 x 1 convolution without bias that makes 16 channels of 8."
            ),
            check=Check(
                "How many parameters does the shortcut add?",
                lambda: _block(PROJECTED).branches[1][0].parameters,
                lambda: f"{_block(PROJECTED).branches[1][0].arithmetic}.",
                hint="Output channels times input channels times 1 x 1.",
                slips=(
                    Slip(lambda: 16 * 8 * 9, "That is a 3 x 3 convolution."),
                    Slip(lambda: 16 * 8 + 16, "It has no bias."),
                ),
            ),
        ),
        Scene(
            "predict",
            "What a unit sees",
            lambda: (
                f"Before the block the field is {_block(BLOCK).before.size}, with a jump of 1. The body is two 3 x 3 "
                "convolutions. Through the skip a unit sees only its own place."
            ),
            check=Check(
                "How large is the field after the block?",
                lambda: _block(BLOCK).field.size,
                lambda: (
                    f"{_block(BLOCK).before.size} + 2 + 2 = {_block(BLOCK).field.size}. The output depends on all that "
                    "either path sees, so the larger field counts."
                ),
                hint="The sum depends on every pixel that one of the two paths depends on.",
                unit="pixels",
                slips=(
                    Slip(lambda: _block(BLOCK).before.size, "That is the skip alone. The body sees more."),
                    Slip(lambda: _block(BLOCK).before.size + 2, "The body has two convolutions."),
                ),
            ),
        ),
        Scene(
            "predict",
            "Deep networks",
            lambda: (
                f"Two networks with {DEPTHS[-1]} convolutions of 8 channels between the first and the last layer, both "
                "untrained and without a norm. One has a skip over each convolution. Learning needs a gradient in the "
                "first layer too."
            ),
            check=Check(
                "How much longer is the gradient of the first layer with skips?",
                _size,
                _why,
                choices=SIZES,
                hint="Without skips the gradient is multiplied by a factor below 1 in each layer.",
            ),
        ),
        Scene(
            "observe",
            "The gradient by depth",
            lambda: (
                f"The same two kinds of network, from {DEPTHS[0]} to {DEPTHS[-1]} convolutions. What is drawn is the "
                "length of the gradient of the loss by the first layer's weights."
            ),
            (GradientByDepth(DEPTHS),),
            recalls=True,
        ),
        Scene(
            "predict",
            "And in a small network?",
            lambda: (
                f"C3 has only eight convolutions, and batch norm, which also keeps the gradient on one scale. In a "
                f"variant of it a skip goes past the last 3 x 3 convolution; nothing else changes, "
                f"{step(C3).recipe.epochs} epochs."
            ),
            check=comparison(
                "With the skip the **test** accuracy, after the last epoch, is ...",
                OVER_ONE,
                better="higher",
                worse="lower",
                hint=HOW_FAR_APART,
            ),
        ),
        Scene(
            "explain",
            "What to take along",
            lambda: (
                f"C3 with and without the skip: {concluded(OVER_ONE)}\n\nSkip connections were made for networks with "
                "dozens of layers. Whether one is worth its place in a network of at most 8,000 parameters is a "
                "question for runs."
            ),
            (Way("pages/experiment/train.py", "Train it with several seeds", (("step", C3),)),),
        ),
    ),
)
