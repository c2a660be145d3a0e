"""The receptive field: how much of the digit one unit sees, worked out op by op."""

from __future__ import annotations

from lab.learn.lessons.facts import GROWTH, layer, walked
from lab.learn.lessons.scene import Check, Field, Lesson, Scene, Slip, Way

A2, A3, B1 = "a2-final-7758", "a3-dilation-5340", "b1-setup-10970"
MIDDLE = "conv7"  # the last layer before the average


def _covers() -> str:
    """The first layer whose field is at least as large as the image."""
    return next(each.name for each in walked(A2).layers if each.field.size >= 28)


LESSON = Lesson(
    "receptive-field",
    "The receptive field",
    "Follow what one unit sees, from three pixels to the whole digit, with two numbers: the size and the jump.",
    20,
    (
        Scene(
            "explain",
            "What one unit sees",
            "A unit of the first map is computed from a window of 3 x 3 pixels: that is its **receptive field**. A "
            "unit of the second map is computed from 3 x 3 units of the first, and each of them sees 3 x 3 pixels, one "
            "pixel apart.\n\nTwo numbers are carried from op to op: the **size** of the field, and the **jump**, how "
            f"many pixels lie between neighbouring units. An op with kernel k and dilation d adds {GROWTH} to "
            "the size, and multiplies the jump by its stride.",
            (Field(B1),),  # not A2, about which the next scenes ask
        ),
        Scene(
            "predict",
            "Two convolutions",
            "After one 3 x 3 convolution the field is 3, and the jump is 1. A second 3 x 3 convolution follows.",
            check=Check(
                "How large is the field after it?",
                lambda: layer(A2, "conv2").field.size,
                lambda: (
                    "3 + (3 − 1) · 1 · 1 = 5. Two 3 x 3 windows see as far as one of 5 x 5. From one channel to one, "
                    "they have 18 weights, and it has 25."
                ),
                hint="Neighbouring units see fields one pixel apart; three of them stand side by side.",
                unit="pixels",
                slips=(
                    Slip(lambda: 6, "The fields overlap: neighbours lie one pixel apart, not three."),
                    Slip(lambda: 9, "The fields overlap: neighbours lie one pixel apart, not three."),
                ),
            ),
        ),
        Scene(
            "predict",
            "A pool",
            lambda: (
                f"After four convolutions A2's field is {layer(A2, 'conv4').field.size}, and the jump is still 1. "
                "Then comes a 2 x 2 max pool with stride 2."
            ),
            check=Check(
                "How large is the field after the pool?",
                lambda: layer(A2, "maxpool1").field.size,
                lambda: (
                    f"{layer(A2, 'conv4').field.size} + (2 − 1) · 1 = {layer(A2, 'maxpool1').field.size}. A pool does "
                    "not double the field. What it doubles is the jump."
                ),
                hint="The pool's window is two units wide. How far apart are they?",
                unit="pixels",
                slips=(
                    Slip(
                        lambda: 2 * layer(A2, "conv4").field.size,
                        "The write-up says so too, but a pool does **not** double the field. Two neighbours, one "
                        "pixel apart, see one pixel more than one does.",
                    ),
                    Slip(lambda: 11, "The pool's window is two wide, not three."),
                ),
            ),
        ),
        Scene(
            "predict",
            "After the pool",
            "Now the jump is 2: neighbouring units are two pixels apart. One more 3 x 3 convolution.",
            check=Check(
                "By how much does the field grow?",
                lambda: layer(A2, "conv5").field.size - layer(A2, "maxpool1").field.size,
                lambda: (
                    f"(3 − 1) · 2 = 4, from {layer(A2, 'maxpool1').field.size} to {layer(A2, 'conv5').field.size}. "
                    "After a second pool the jump would be 4, and it would grow by 8."
                ),
                hint="(k − 1) times the jump.",
                unit="pixels",
                slips=(
                    Slip(lambda: 2, "That was before the pool, with a jump of 1. The jump is 2 now."),
                    Slip(lambda: 3, "A window of three reaches two steps, not three."),
                ),
            ),
        ),
        Scene(
            "do",
            "Until the digit is covered",
            "Move the slider through the layers, and find the first whose units can see 28 x 28 pixels, the whole "
            "image. A unit with a smaller field decides by a part of the digit.",
            (Field(A2),),
            Check(
                "Which layer is the first to see the whole image?",
                _covers,
                lambda: (
                    f"{_covers()}, with {layer(A2, _covers()).field.size} pixels. Before it, {MIDDLE} sees "
                    f"{layer(A2, MIDDLE).field.size}. A pool over the last map counts like a convolution with a "
                    f"large window."
                ),
                choices=tuple(each for each in ("conv6", "conv7", "avgpool1", "conv8")),
                hint="Read the column field in the table.",
            ),
        ),
        Scene(
            "do",
            "Work one out yourself",
            lambda: (
                f"{layer(A2, 'avgpool1').name} of A2 averages over windows of 4 x 4. Before it the field is "
                f"{layer(A2, MIDDLE).field.size}, and the jump {layer(A2, MIDDLE).field.jump}."
            ),
            check=Check(
                "How large is the field after it?",
                lambda: layer(A2, "avgpool1").field.size,
                lambda: (
                    f"{layer(A2, MIDDLE).field.size} + (4 − 1) · {layer(A2, MIDDLE).field.jump} = "
                    f"{layer(A2, 'avgpool1').field.size}."
                ),
                hint="(k − 1) times the jump, added to the size.",
                unit="pixels",
                slips=(
                    Slip(
                        lambda: layer(A2, MIDDLE).field.size + 3,
                        "The jump is 2: each of the three steps is two pixels.",
                    ),
                    Slip(lambda: layer(A2, MIDDLE).field.size + 8, "A window of four reaches three steps."),
                ),
            ),
        ),
        Scene(
            "explain",
            "What it may see, and what it uses",
            lambda: (
                "The field says what **can** reach a unit. How much each pixel really counts is another matter: there "
                "are many paths from the middle of the field to the unit, and few from its corners, so the effect "
                f"fades outwards (Luo et al. 2016). A2's field is {walked(A2).field.size} pixels wide, A3's "
                f"{walked(A3).field.size}: measure how much of them each network uses."
            ),
            (Way("pages/learn/field.py", "How much each pixel counts", (("step", A2), ("show", "Effective field"))),),
        ),
    ),
)
