"""The challenge: three conditions, who meets them, and how to start."""

from __future__ import annotations

from dataclasses import replace

from core.architecture.spec import Conv
from core.architecture.trace import classifier
from core.challenge import LAST, MAX_PARAMETERS, TARGET_ACCURACY, holds
from core.ladder import catalogue
from lab.learn.lessons.claims import in_words
from lab.learn.lessons.facts import IMAGES, MEASURED_APART, layer, mark, measured, percent, stated, step, walked
from lab.learn.lessons.scene import Check, Conditions, Knobs, Lesson, Pair, Scene, Slip, Way
from lab.studies.results import challenge_of, met_in_words

A3, B3, C3, D1, D3, D5 = (
    "a3-dilation-5340", "b3-gap-8008", "c3-batchnorm-7448", "d1-falling-7448", "d3-averaged-7448", "d5-dilated-7784",
)  # fmt: skip
EXAMPLE = (0.9938, 0.9946, 0.9944)  # made up: a run's last epochs
NONE = "none of them"


def _met(slug: str) -> str:
    """How many of its runs meet the challenge."""
    found = measured(slug)
    return met_in_words(challenge_of(step(slug), found)) if found else "not measured"


def _large() -> str:
    """How the measured networks over the budget do."""
    found = [each.slug for each in catalogue.LADDER if walked(each.slug).parameters > MAX_PARAMETERS]
    done = [(slug, figures) for slug in found if (figures := measured(slug)) is not None]
    if not done:
        return "No larger network has been measured here yet."
    holding = sum(challenge_of(step(slug), figures).mostly_held for slug, figures in done)
    shown = ", ".join(f"{mark(slug)} {stated(slug)}" for slug, _ in done)
    return (
        f"Size alone is no answer: of the {len(done)} larger networks that we have measured, {holding or 'none'} held "
        f"{TARGET_ACCURACY:.1%} in most of their runs. Their last epochs: {shown}."
        if holding < len(done)
        else f"All {len(done)} larger networks that we have measured held it in most of their runs: {shown}."
    )


def _meeting() -> list[str]:
    """The measured steps of which more than half of the runs meet the challenge, without the test set's help."""
    found = [(each, measured(each.slug)) for each in catalogue.LADDER if not each.recipe.watches_test]
    return [each.slug for each, figures in found if figures is not None and challenge_of(each, figures).mostly_met]


def _count(slug: str) -> str:
    return f"{walked(slug).parameters:,} parameters"


def _smallest() -> str:
    """The size of the smallest of them: several steps may share a network."""
    found = _meeting()
    return _count(min(found, key=lambda slug: walked(slug).parameters)) if found else NONE


def _why_smallest() -> str:
    size = _smallest()
    if size == NONE:
        return f"{NONE.capitalize()}: no measured step meets all three in more than half of its runs."
    shown = "; ".join(f"{mark(slug)}: {_met(slug)}" for slug in _meeting() if _count(slug) == size)
    return f"{size}. With this network, {shown}."


def _steered() -> str:
    """The steps whose rate the test set has set."""
    found = [each.slug for each in catalogue.LADDER if each.recipe.watches_test]
    return " and ".join(mark(slug) for slug in found)


def _without_a_channel() -> int:
    """B3's parameters with one channel fewer in its first layer."""
    first, *others = step(B3).architecture.ops
    assert isinstance(first, Conv)  # as in every network of the ladder
    narrower = replace(first, out_channels=first.out_channels - 1)
    return classifier(replace(step(B3).architecture, ops=(narrower, *others))).parameters


LESSON = Lesson(
    "challenge",
    "The challenge",
    "Three conditions at once: know what each of them asks, see who meets them, and build a network of your own.",
    15,
    (
        Scene(
            "explain",
            "Three conditions",
            lambda: (
                f"**{TARGET_ACCURACY:.1%} of the test digits**, in each of the last three epochs. **At most 15 "
                f"epochs.** **At most {MAX_PARAMETERS:,} parameters.** A run meets the challenge when it meets all "
                f"three.\n\n{_large()}"
            ),
        ),
        Scene(
            "predict",
            "Held",
            f"Suppose that a run's last three epochs are {', '.join(map(percent, EXAMPLE[:-1]))} and "
            f"{percent(EXAMPLE[-1])}.",
            check=Check(
                f"Does it hold {TARGET_ACCURACY:.1%}?",
                lambda: "yes" if holds(EXAMPLE) else "no",
                lambda: (
                    f"The lowest of the three counts, {percent(min(EXAMPLE))}: "
                    f"{round((TARGET_ACCURACY - min(EXAMPLE)) * IMAGES)} digits short."
                ),
                choices=("yes", "no"),
                hint=f"Each of the last {LAST} epochs must reach it.",
            ),
        ),
        Scene(
            "do",
            "Eight parameters too many",
            lambda: f"B3 has {walked(B3).parameters:,} parameters: {walked(B3).parameters - MAX_PARAMETERS} too many.",
            (Knobs(B3),),
            Check(
                "Its first convolution has 8 channels. How many parameters does that layer have?",
                lambda: layer(B3, "conv1").parameters,
                lambda: (
                    "8 x 1 x 3 x 3. Without one of its channels, B3 would have "
                    f"{_without_a_channel():,} parameters, {walked(B3).parameters - _without_a_channel()} fewer: nine "
                    "weights of this layer, two of its batch norm, and nine for each of the next layer's 8 channels."
                ),
                hint="8 windows of 3 x 3.",
                slips=(Slip(lambda: 80, "Its convolutions have no bias."),),
            ),
        ),
        Scene(
            "observe",
            "Who meets them",
            lambda: (
                f"Every step that we have measured. The table says how many of its runs hold {TARGET_ACCURACY:.1%}, "
                f"and the lowest of the last three epochs on the mean curve. {_steered()} do not count below: the "
                "test loss sets their learning rate, so the test set cannot judge them."
            ),
            (Conditions(),),
            Check(
                "How large is the smallest network that meets all three in most of its runs?",
                _smallest,
                _why_smallest,
                choices=lambda: tuple(dict.fromkeys((*map(_count, (A3, D3, D5, B3)), _smallest(), NONE))),
                hint="Three marks in one row, and no mark in the last column; then the fewest parameters.",
            ),
        ),
        Scene(
            "explain",
            "Where to begin",
            lambda: (
                "Begin with a network that is close, and ask what it lacks: does its field cover the digit, where are "
                f"most of its parameters, how far apart are training and test accuracy? {MEASURED_APART}\n\nAn "
                f"example: D1 is C3's network ({walked(C3).parameters:,} parameters) with another recipe. "
                f"{in_words(Pair(C3, D1))} Of C3, {_met(C3)}; of D1, {_met(D1)}; of D5, another network, {_met(D5)}."
            ),
            (
                Way("pages/experiment/train.py", "Train C3 with a rate of your own", (("step", C3),)),
                Way("pages/experiment/design.py", "Or design a network of your own", (("from", A3),)),
                Way("pages/experiment/board.py", "See who stands where"),
            ),
        ),
    ),
)
