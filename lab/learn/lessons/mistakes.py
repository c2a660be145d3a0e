"""Reading mistakes: what an accuracy means in images, in chance, and in digits that anyone would misread."""

from __future__ import annotations

import statistics

from core.analysis.proportion import standard_error
from core.challenge import CHALLENGE
from core.ladder import catalogue
from lab.learn.lessons.facts import IMAGES, lasts, log, mark, measured, percent, runs, step
from lab.learn.lessons.scene import Check, Lesson, Scene, Slip, Way, Worst
from lab.studies.shelf import shipped

A2, A3 = "a2-final-7758", "a3-dilation-5340"
SECOND_RUN = 0.9948  # of A3's recipe, on another machine: the note beside A3's claim


def _wrong(slug: str) -> str:
    """How many test digits the shipped network gets wrong, by its card; "some" where none is shipped."""
    cards = [each.card for each in shipped() if each.card.slug == slug]
    return str(round((1 - cards[0].record.test_accuracy) * IMAGES)) if cards else "some"


def _deviation() -> float:
    """The standard error of the challenge's accuracy on the test set, in images."""
    return IMAGES * standard_error(CHALLENGE.accuracy, IMAGES)


def _claim(slug: str) -> float:
    claim = step(slug).claim
    return claim.best_test_accuracy if claim else 0.0


def _apart() -> int:
    """Digits between the two runs of A3's recipe."""
    return round((_claim(A3) - SECOND_RUN) * IMAGES)


def _seeds_of_a3() -> str:
    """How far apart our own runs of it are."""
    found = lasts(A3)
    if len(runs(A3)) < 2:
        return "How far apart runs of A3 usually lie is a question for more of them."
    return (
        f"Our {len(found)} runs of A3 differ in nothing but their seed, and end between {percent(min(found))} and "
        f"{percent(max(found))}: {round((max(found) - min(found)) * IMAGES)} digits apart, with a standard deviation "
        f"of {100 * statistics.stdev(found):.2f} points."
    )


def _flattered() -> str:
    """The step whose best epochs lie furthest above its last ones, and by how much."""
    found = {each.slug: figures for each in catalogue.LADDER if (figures := measured(each.slug)) and figures.n > 1}
    if found:
        slug = max(found, key=lambda each: found[each].best_mean - found[each].mean)
        figures = found[slug]
        apart = figures.best_mean - figures.mean
        return (
            f"The widest case on our ladder is {mark(slug)}. In its {figures.n} runs the best epochs reach "
            f"{percent(figures.best_mean)} on average, the last ones {percent(figures.mean)}: {100 * apart:.2f} "
            f"points, or {round(apart * IMAGES)} digits, by choosing alone."
        )
    logs = {each.slug: log(each.slug, "test") for each in catalogue.LADDER if log(each.slug, "test")}
    slug = max(logs, key=lambda each: max(logs[each]) - logs[each][-1])
    best, last = max(logs[slug]), logs[slug][-1]
    return (
        f"The widest case among the write-ups' logs, one run each, is {mark(slug)}: its best epoch is "
        f"{percent(best)}, its last {percent(last)}: {100 * (best - last):.2f} points by choosing alone."
    )


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
            f"MNIST's test set has {IMAGES:,} digits.",
            check=Check(
                f"How many may be wrong at {CHALLENGE.target}?",
                lambda: round((1 - CHALLENGE.accuracy) * IMAGES),
                lambda: (
                    f"{1 - CHALLENGE.accuracy:.1%} of {IMAGES:,}. Each hundredth of a percentage point is one digit."
                ),
                hint=f"100% − {CHALLENGE.target}, of {IMAGES:,}.",
                slips=(
                    Slip(lambda: 6, f"One percent of {IMAGES:,} is {IMAGES // 100}."),
                    Slip(lambda: 600, f"One percent of {IMAGES:,} is {IMAGES // 100}."),
                ),
            ),
        ),
        Scene(
            "observe",
            "The ones it hesitated over",
            lambda: (
                f"The shipped A2 gets {_wrong(A2)} test digits wrong. These are the ones it was least sure of. What "
                "do you read? Decide before you look at the labels."
            ),
            (Worst(A2), Way("pages/use/mistakes.py", "All of them, in other orders", (("checkpoint", A2),))),
        ),
        Scene(
            "explain",
            "Confidence",
            "A network's last layer gives ten probabilities that add up to one. Its **confidence** is the largest of "
            "them. A mistake with low confidence: the network wavered between classes. A mistake with high "
            "confidence: look at the digit. It may be drawn strangely, its label may be wrong, or the network has "
            "learned something that it should not.",
        ),
        Scene(
            "predict",
            "How much is chance?",
            f"Suppose that a network would read {CHALLENGE.target} of all the digits in the world. On a test set of "
            f"{IMAGES:,} it gets some more or fewer right, by chance.",
            check=Check(
                "By how many images does its count vary, one standard deviation?",
                lambda: round(_deviation()),
                lambda: (
                    f"The square root of {IMAGES:,} · {CHALLENGE.accuracy:g} · {1 - CHALLENGE.accuracy:.3g}, which is "
                    f"{_deviation():.1f}: {100 * _deviation() / IMAGES:.2f} points. That is only the test set's part: "
                    "another seed gives another network."
                ),
                tolerance=1,
                hint="The square root of n · p · (1 − p).",
                slips=(Slip(lambda: 60, "That is the number of wrong digits. It varies by about its square root."),),
            ),
        ),
        Scene(
            "do",
            "Is it a difference?",
            lambda: (
                f"A3's write-up reports {percent(_claim(A3))}, and a second run of the same recipe "
                f"{percent(SECOND_RUN)}."
            ),
            check=Check(
                "How many digits apart are they?",
                _apart,
                lambda: (
                    f"{_apart()} digits, between two runs of the **same** network. Two runs cannot say how far apart "
                    f"runs usually lie. {_seeds_of_a3()} So the lab measures with several seeds, and always says n."
                ),
                hint="Count the hundredths of a percent.",
            ),
            recalls=True,
        ),
        Scene(
            "explain",
            "The best epoch flatters",
            lambda: (
                "Fifteen epochs are fifteen tries. A report of the best one, chosen on the test set, also reports its "
                f"luck. {_flattered()} The lab's figure is always the **last** epoch's, and the best stands apart, "
                "labelled so."
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
