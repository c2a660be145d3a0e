"""What a lesson may say about a difference between runs: the figures, their n, and what `evidence` makes of them.

No lesson says that one network is better than another in words of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.analysis.evidence import LEVEL, Evidence, Told, evidence, in_points, interval_in_points
from core.analysis.study import SeedRun
from lab.learn.lessons.facts import mark, runs, stated
from lab.learn.lessons.scene import Check, Pair
from lab.studies.results import CleanAnswer, clean_answers, compared, reading, studies, study_of

CANNOT = "cannot be told"  # a choice of every question that asks for a comparison


def evident(pair: Pair) -> Evidence | None:
    """What the runs of the two say; None where they are not both measured."""
    if not (runs(pair.before) and runs(pair.after)):
        return None
    if pair.split == "train":
        return evidence(
            [_by_training(run) for run in runs(pair.before)], [_by_training(run) for run in runs(pair.after)]
        )
    before, after = study_of(pair.before), study_of(pair.after)
    return compared(before, after) if before and after else None


def _by_training(run: SeedRun) -> SeedRun:
    """The run with its last training accuracy where `evidence` looks for the test accuracy."""
    last = run.history[-1]
    return replace(run, history=(replace(last, test_accuracy=last.train_accuracy),))


def _clean(pair: Pair) -> CleanAnswer | None:
    """The pair among the lab's clean comparisons, whose p is adjusted for all of them."""
    if pair.split == "train":
        return None
    asked = (
        each for each in clean_answers(studies()) if (each.asked.before, each.asked.after) == (pair.before, pair.after)
    )
    return next(asked, None)


def told(pair: Pair) -> Told:
    """Whether the second is better, as the table of clean comparisons has it too: after the adjustment."""
    found, clean = evident(pair), _clean(pair)
    if found is None or (clean and clean.adjusted is not None and clean.adjusted >= LEVEL):
        return "cannot be told"
    return found.told


def in_words(pair: Pair) -> str:
    """Both figures with their n, the difference with its interval, and the reading."""
    both = (
        f"{mark(pair.before)}: {stated(pair.before, pair.split)}. {mark(pair.after)}: {stated(pair.after, pair.split)}."
    )
    found, clean = evident(pair), _clean(pair)
    if found is None:
        return f"{both} Whether they differ cannot be told: they are not both measured."
    if found.test == "single runs":
        return f"{both} Difference: {in_points(found.difference)} points. With one run of each, it cannot be told."
    interval = "" if found.interval is None else f", 95% interval {interval_in_points(found.interval)}"
    read = reading(found, clean.adjusted, clean.questions) if clean else reading(found)
    return f"{both} Difference: {in_points(found.difference)} points{interval}: {read}."


def concluded(pair: Pair) -> str:
    """What to conclude from that, in a sentence."""
    found = evident(pair)
    if found is None or found.interval is None:
        return "There are too few runs to conclude anything."
    side = f"The figure of {mark(pair.after)} is {'higher' if found.difference > 0 else 'lower'}"
    if told(pair) != "cannot be told":
        return f"{side}: chance alone would rarely give a difference this large."
    if found.told != "cannot be told":
        return f"{side}, but the lab asks so many questions that chance alone may have answered this one."
    return (
        "The runs do not show a difference. They do not show that there is none either: they fit any difference from "
        f"{interval_in_points(found.interval)} points."
    )


# What to look at before one says that two things differ.
HOW_FAR_APART = "How far apart are the means, and how far apart are runs of one network?"


def comparison(
    question: str, pair: Pair, better: str, worse: str, hint: str, more: Callable[[], str] = lambda: ""
) -> Check:
    """A question whose answer is what the runs say: `better`, `worse` or CANNOT, in the words of the choices.

    `more`: what is to be said after the figures.
    """
    words: dict[Told, str] = {"better": better, "worse": worse, "cannot be told": CANNOT}
    return Check(
        question,
        lambda: words[told(pair)],
        lambda: " ".join(each for each in (in_words(pair), concluded(pair), more()) if each),
        choices=(better, worse, CANNOT),
        hint=hint,
        compares=pair,
    )
