"""Dilation, and the table that was wrong: A3's receptive field, worked out and set beside the write-up's."""

from __future__ import annotations

from core.architecture.spec import Conv
from core.ladder.model import FieldClaim
from lab.learn.lessons.facts import GROWTH, layer, stated, step, walked
from lab.learn.lessons.scene import Check, ClaimedFields, Curves, Field, Lesson, Scene, Slip, Way

A3, PARTNER, D8 = "a3-dilation-5340", "x-evolution-step4-7840", "d8-third-2495"
DILATED = ("conv5", "conv6", "conv7")  # A3's dilated layers


def _claimed(name: str) -> int:
    found: FieldClaim = next(each for each in step(A3).field_claims if each.layer == name)
    return found.size or 0


def claimed_growth(slug: str, name: str) -> int:
    """By how much the field grows in a row of the write-up's table; its first row grows from the right size."""
    rows = {each.layer: each.size or 0 for each in step(slug).field_claims}
    place = list(rows).index(name)
    return rows[name] - (list(rows.values())[place - 1] if place else layer(slug, name).before.size)


def _without_jump() -> str:
    """The dilated layers whose growth in the write-up is (k − 1) · d, without the jump."""
    missing = [name for name in DILATED if claimed_growth(A3, name) == (3 - 1) * _conv(name).dilation]
    return "all three" if len(missing) == len(DILATED) else " and ".join(missing)


def _conv(name: str) -> Conv:
    op = layer(A3, name).op
    assert isinstance(op, Conv)  # as the name says
    return op


LESSON = Lesson(
    "dilation",
    "Dilation, and the table that was wrong",
    "Spread nine weights over 5 x 5 pixels, follow how the field grows, and find what a published table left out.",
    20,
    (
        Scene(
            "explain",
            "Nine weights, spread out",
            "A 3 x 3 window with **dilation** 2 leaves a gap of one pixel between its weights: it spans 5 x 5 pixels, "
            f"and reads nine of these 25. It still has nine weights. The field grows by {GROWTH}: twice as much "
            "as without dilation, with the same number of parameters.",
            (Field(D8),),  # not A3, about which the next scenes ask
        ),
        Scene(
            "predict",
            "Before the dilated layers",
            lambda: (
                f"A3 has three 3 x 3 convolutions and a 2 x 2 pool with stride 2. After the convolutions the field is "
                f"{layer(A3, 'conv3').field.size}."
            ),
            check=Check(
                "How large is it after the pool?",
                lambda: layer(A3, "maxpool1").field.size,
                lambda: (
                    f"{layer(A3, 'conv3').field.size} + (2 − 1) · 1 = {layer(A3, 'maxpool1').field.size}; the jump "
                    f"becomes 2. The write-up says {_claimed('maxpool1')}."
                ),
                hint="(k − 1) times the jump, which is 1 still.",
                unit="pixels",
                slips=(
                    Slip(
                        lambda: _claimed("maxpool1"),
                        "That is what the write-up says. A pool does not double the field.",
                    ),
                    Slip(lambda: 14, "A pool does not double the field."),
                ),
            ),
        ),
        Scene(
            "predict",
            "The first dilated layer",
            lambda: (
                f"conv5 is 3 x 3 with dilation 2. The field before it is {layer(A3, 'conv4').field.size}, the jump "
                f"{layer(A3, 'conv4').field.jump}."
            ),
            check=Check(
                "How large is the field after it?",
                lambda: layer(A3, "conv5").field.size,
                lambda: (
                    f"{layer(A3, 'conv4').field.size} + (3 − 1) · 2 · {layer(A3, 'conv4').field.jump} = "
                    f"{layer(A3, 'conv5').field.size}."
                ),
                hint="(k − 1) · d · jump, and all three are at least 2.",
                unit="pixels",
                slips=(
                    Slip(
                        lambda: layer(A3, "conv4").field.size + 4,
                        "You carried one of the two twos: dilation **and** jump.",
                    ),
                    Slip(
                        lambda: _claimed("conv5"),
                        "That is the write-up's figure: 15 + 4, from a wrong start and with the jump left out.",
                    ),
                ),
            ),
        ),
        Scene(
            "observe",
            "Two tables",
            "What the write-up says, beside what the recurrence gives, checked against a gradient through the real "
            "network. Follow from row to row by how much the field grows.",
            (ClaimedFields(A3),),
            Check(
                "In which dilated layer does the write-up leave the jump of 2 out of the growth?",
                _without_jump,
                lambda: (
                    f"In {_without_jump()} the write-up's field grows by {claimed_growth(A3, 'conv5')} = (3 − 1) · 2 · "
                    f"1, where (3 − 1) · 2 · 2 = 8 is right. In conv6 and conv7 it grows by "
                    f"{claimed_growth(A3, 'conv6')} and {claimed_growth(A3, 'conv7')}, as it should, but from a wrong "
                    f"start: at the pool it grew by {claimed_growth(A3, 'maxpool1')} in place of 1. For the "
                    f"{_claimed('globalavgpool1')} in the last row the write-up gives no derivation."
                ),
                choices=(*DILATED, "all three"),
                hint="A dilated layer adds (3 − 1) · 2 · jump. Which one adds less than that in the write-up?",
            ),
            recalls=True,
        ),
        Scene(
            "predict",
            "How wide is the map?",
            lambda: (
                f"conv5's input is {layer(A3, 'conv5').input[-1]} wide. Its padding is {_conv('conv5').padding} on "
                f"each "
                f"side, its kernel 3 with dilation {_conv('conv5').dilation}. The write-up says that the width stays."
            ),
            check=Check(
                "How wide is its output?",
                lambda: layer(A3, "conv5").output[-1],
                lambda: (
                    f"{layer(A3, 'conv5').input[-1]} + 2 · 1 − 2 · (3 − 1) = {layer(A3, 'conv5').output[-1]}. To keep "
                    "the width, dilation 2 would need padding 2."
                ),
                hint="The window is five wide now: it fits in fewer places.",
                unit="pixels",
                slips=(
                    Slip(lambda: layer(A3, "conv5").input[-1], "That would take a padding of 2 with this dilation."),
                    Slip(lambda: layer(A3, "conv5").input[-1] - 4, "You left out the padding."),
                ),
            ),
        ),
        Scene(
            "do",
            "To the end",
            lambda: (
                f"Two more dilated layers bring the field to {layer(A3, 'conv7').field.size}, then an average over the "
                f"last map, {layer(A3, 'conv7').output[-1]} x {layer(A3, 'conv7').output[-1]}, with a jump of "
                f"{layer(A3, 'conv7').field.jump}."
            ),
            check=Check(
                "How large is the field of the network?",
                lambda: walked(A3).field.size,
                lambda: (
                    f"{layer(A3, 'conv7').field.size} + ({layer(A3, 'conv7').output[-1]} − 1) · "
                    f"{layer(A3, 'conv7').field.jump} = {walked(A3).field.size}; the write-up says "
                    f"{_claimed('globalavgpool1')}. It is larger than the image: its edge lies in the padding and "
                    f"outside."
                ),
                hint="The average is a window as wide as the map.",
                unit="pixels",
                slips=(
                    Slip(
                        lambda: _claimed("globalavgpool1"),
                        "That is the write-up's figure, for which it gives no derivation.",
                    ),
                ),
            ),
        ),
        Scene(
            "explain",
            "Did it help?",
            lambda: (
                f"A3 has {walked(A3).parameters:,} parameters; last epoch: {stated(A3)}. The network that it came from "
                f"has {walked(PARTNER).parameters:,}; last epoch: {stated(PARTNER)}. The global average came together "
                "with the dilation, so whatever the difference, these runs cannot say which of the two it is due to. "
                "Design the clean comparison yourself: A3 without dilation."
            ),
            (
                Curves(A3),
                Way("pages/experiment/design.py", "Design A3 without dilation", (("from", A3),)),
                Way("pages/learn/field.py", "A3's wrong table, row by row", (("step", A3), ("show", "Wrong tables"))),
            ),
        ),
    ),
)
