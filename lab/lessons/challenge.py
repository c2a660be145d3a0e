"""The challenge: three conditions, who meets them, and how to start."""

from __future__ import annotations

from core import catalogue
from core.challenge import MAX_PARAMETERS
from lab.lessons.facts import IMAGES, measured, percent, step, walked
from lab.lessons.scene import Check, Conditions, Knobs, Lesson, Scene, Slip, Way
from lab.studies import challenge_of

A3, B3, C3 = "a3-dilation-5340", "b3-gap-8008", "c3-batchnorm-7448"


def _meeting() -> list[str]:
    """The measured steps of which more than half of the runs meet all three conditions."""
    found = [(each, measured(each.slug)) for each in catalogue.LADDER]
    return [each.slug for each, figures in found if figures is not None and challenge_of(each, figures).mostly_met]


def _smallest() -> str:
    """The one with the fewest parameters."""
    return min(_meeting(), key=lambda slug: walked(slug).parameters, default="none of them")


def _choices() -> tuple[str, ...]:
    return tuple(dict.fromkeys((A3, B3, "d3-averaged-7448", "d5-dilated-7784", _smallest())))


LESSON = Lesson(
    "challenge",
    "The challenge",
    "Three conditions at once: know what each of them asks, see who meets them, and build a network of your own.",
    15,
    (
        Scene(
            "explain",
            "Three conditions",
            "**99.4% of the test digits**, held in the last three epochs, not touched once. **At most 15 epochs.** "
            "**At "
            "most 8,000 parameters.** Each is easy without the others: a large network gets the accuracy, a long "
            "training helps a small one.",
        ),
        Scene(
            "predict",
            "Held",
            "A run's last three epochs are 99.38%, 99.46% and 99.44%.",
            check=Check(
                "Does it hold 99.4%?",
                lambda: "yes" if min(0.9938, 0.9946, 0.9944) >= 0.994 else "no",
                lambda: (
                    "The least of the three counts, 99.38%: two digits short. A target that is touched and lost again "
                    "was luck in part."
                ),
                choices=("yes", "no"),
                hint="Every one of the last three has to be there.",
            ),
        ),
        Scene(
            "do",
            "Eight parameters too many",
            lambda: f"B3 has {walked(B3).parameters:,} parameters: {walked(B3).parameters - MAX_PARAMETERS} too many.",
            (Knobs(B3),),
            Check(
                "Its first convolution has 8 channels. How many parameters does that layer have?",
                lambda: next(each.parameters for each in walked(B3).layers if each.name == "conv1"),
                lambda: (
                    "8 x 1 x 3 x 3. Taking a single channel out of it would save these nine weights, its batch norm's "
                    "two, and nine for each of the next layer's channels: more than enough."
                ),
                hint="8 windows of 3 x 3.",
                slips=(Slip(lambda: 80, "Its convolutions have no bias."),),
            ),
        ),
        Scene(
            "observe",
            "Who meets them",
            "Every step that we have measured. Held is the least of the last three epochs' means.",
            (Conditions(),),
            Check(
                "Which is the smallest network that meets all three?",
                _smallest,
                lambda: (
                    f"{_smallest()}, with {walked(_smallest()).parameters:,} parameters: held "
                    f"{percent(measured(_smallest()).held)} of {IMAGES:,}."  # type: ignore[union-attr]
                    if _meeting()
                    else "None of those that we have measured holds it."
                ),
                choices=_choices,
                hint="Three marks in one row; then the fewest parameters.",
            ),
        ),
        Scene(
            "explain",
            "Where to begin",
            lambda: (
                f"Begin with a network that is close, and ask what holds it back. C3 ({walked(C3).parameters:,}) has a "
                "constant rate: it never settles. A falling rate costs nothing. Then ask whether the field covers "
                "the digit, "
                "where most of the parameters are, and whether training lies above test (restrain it) or below (let "
                "it fit)."
                f"\n\n{step('d1-falling-7448').analysis}"
            ),
            (
                Way("pages/experiment/train.py", "Train C3 with a rate of your own", (("step", C3),)),
                Way("pages/experiment/design.py", "Or design a network of your own", (("from", A3),)),
                Way("pages/experiment/board.py", "See who stands where"),
            ),
        ),
    ),
)
