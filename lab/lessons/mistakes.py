"""Reading mistakes: what an accuracy means in images, in chance, and in digits that anyone would misread."""

from __future__ import annotations

import math

from lab.lessons.facts import IMAGES, accuracy, percent, step, whose
from lab.lessons.scene import Check, Lesson, Scene, Slip, Way, Worst
from lab.shelf import shipped

A2, A3 = "a2-final-7758", "a3-dilation-5340"


def _wrong(slug: str) -> str:
    """How many test digits the shipped network gets wrong, by its card; "some" where none is shipped."""
    cards = [each.card for each in shipped() if each.card.slug == slug]
    return str(round((1 - cards[0].record.test_accuracy) * IMAGES)) if cards else "some"


def _deviation() -> float:
    """The standard error of an accuracy of 99.4% on the test set, in images."""
    return math.sqrt(IMAGES * 0.994 * 0.006)


def _claim(slug: str) -> float:
    claim = step(slug).claim
    return claim.best_test_accuracy if claim else 0.0


LESSON = Lesson(
    "mistakes",
    "Reading mistakes",
    "Look at the digits a network gets wrong, and learn how much of an accuracy is the network's and how much is "
    "chance.",
    20,
    (
        Scene(
            "predict",
            "In images",
            "MNIST's test set has 10,000 digits.",
            check=Check(
                "How many may be wrong at 99.4%?",
                lambda: round(0.006 * IMAGES),
                lambda: "0.6% of 10,000. Each tenth of a percent is ten digits; the best of the ladder differ by few.",
                hint="100% − 99.4%, of 10,000.",
                slips=(
                    Slip(lambda: 6, "One percent of 10,000 is 100."),
                    Slip(lambda: 600, "One percent of 10,000 is 100."),
                ),
            ),
        ),
        Scene(
            "observe",
            "The ones it hesitated over",
            lambda: (
                f"The shipped A2 gets {_wrong(A2)} test digits wrong. These are the ones it was least sure of. What "
                "would you have read?"
            ),
            (Worst(A2), Way("pages/use/mistakes.py", "All of them, in other orders", (("checkpoint", A2),))),
        ),
        Scene(
            "explain",
            "Confidence",
            "A network's last layer gives ten probabilities that add up to one. Its **confidence** is the largest of "
            "them. A mistake with low confidence is a digit between two classes. A mistake with high confidence is "
            "either a strange digit, a wrong label, or a network that has learned something it should not have.",
        ),
        Scene(
            "predict",
            "How much is chance?",
            "Suppose a network would read 99.4% of all the digits in the world. On a test set of 10,000 it gets some "
            "more or fewer right, by luck of the draw.",
            check=Check(
                "By how many images does its count vary, one standard deviation?",
                lambda: round(_deviation()),
                lambda: (
                    f"The square root of 10,000 · 0.994 · 0.006, which is {_deviation():.1f}: 0.08 points. And that is "
                    "only the test set's part; another seed shakes the network itself."
                ),
                tolerance=1,
                hint="The square root of n · p · (1 − p).",
                slips=(Slip(lambda: 60, "That is the number of wrong digits. It varies by about its square root."),),
            ),
        ),
        Scene(
            "do",
            "Is it a difference?",
            lambda: f"A3's write-up reports {percent(_claim(A3))}, and a second run of the same recipe 99.48%.",
            check=Check(
                "How many digits apart are they?",
                lambda: round((_claim(A3) - 0.9948) * IMAGES),
                lambda: (
                    "Seven digits: what chance does to two runs of the **same** network. A step that gains less than "
                    "that in one run has shown nothing. So the lab measures with several seeds, and always says n."
                ),
                hint="Count the hundredths of a percent.",
            ),
        ),
        Scene(
            "explain",
            "The best epoch flatters",
            lambda: (
                f"Fifteen epochs are fifteen tries. Whoever reports the best of them, by the test set, reports its "
                f"luck "
                f"too. A2's claim is {percent(_claim(A2))}; a last epoch gives {percent(accuracy(A2))} "
                f"({whose(A2)}). The lab's "
                "figure is always the **last** epoch's, and the best stands apart, labelled so."
            ),
            (Way("pages/learn/ladder.py", "Claims and means, side by side"),),
        ),
        Scene(
            "do",
            "Draw one yourself",
            "Draw a digit that a person reads at once and a network does not. What did you have to do?",
            (
                Way("pages/use/draw.py", "To the drawing pad", (("checkpoint", A2),)),
                Way("pages/use/read.py", "Or let the class say what they read"),
            ),
        ),
    ),
)
