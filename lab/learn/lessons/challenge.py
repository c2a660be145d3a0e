"""The challenge: three conditions, who meets them, and how to start."""

from __future__ import annotations

from dataclasses import replace

from core.architecture.spec import Conv
from core.architecture.trace import classifier
from core.challenge import CHALLENGE, DIGITS, NUMBERS, Challenge, holds
from core.data.mnist import test_images
from core.ladder import catalogue
from core.words import plural
from lab.learn.lessons.claims import in_words
from lab.learn.lessons.facts import MEASURED_APART, layer, mark, measured, percent, stated, step, walked
from lab.learn.lessons.scene import Check, Conditions, Knobs, Lesson, Pair, Scene, Slip, Way
from lab.studies.results import challenge_of, met_in_words

A3, B3, C3, D1, D3, D5 = (
    "a3-dilation-5340", "b3-gap-8008", "c3-batchnorm-7448", "d1-falling-7448", "d3-averaged-7448", "d5-dilated-7784",
)  # fmt: skip
BESIDE = (-0.0002, 0.0006, 0.0004)  # made up: how far a run's last epochs are from the target
LADDER_DATA = "MNIST"  # what the ladder was measured on
NONE = "none of them"


def _example(challenge: Challenge) -> tuple[float, ...]:
    """As many last epochs as have to reach the accuracy; the first of them does not."""
    turns = (BESIDE[0], *(BESIDE[1 + place % 2] for place in range(challenge.held_epochs - 1)))
    return tuple(min(1.0, round(challenge.accuracy + each, DIGITS)) for each in turns)


def _elsewhere(challenge: Challenge) -> str:
    """That the ladder's figures are not about the challenge's data, where it is so."""
    if challenge.dataset == LADDER_DATA:
        return ""
    return f" The ladder was measured on {LADDER_DATA}, and this challenge is about {challenge.dataset}."


def _beside_budget(challenge: Challenge) -> str:
    """B3's parameters beside the budget."""
    used = walked(B3).parameters
    over = used - challenge.parameters
    if over == 0:
        return f"B3 has {used:,} parameters: as many as the challenge allows."
    return f"B3 has {used:,} parameters: {f'{over:,} too many' if over > 0 else f'{-over:,} are left'}."


def _met(slug: str, challenge: Challenge) -> str:
    """How many of its runs meet the challenge."""
    found = measured(slug, challenge)
    return met_in_words(challenge_of(step(slug), found)) if found else "not measured"


def _large(challenge: Challenge) -> str:
    """How the measured networks over the budget do."""
    found = [each.slug for each in catalogue.LADDER if walked(each.slug).parameters > challenge.parameters]
    done = [(slug, figures) for slug in found if (figures := measured(slug, challenge)) is not None]
    if not done:
        return "No larger network has been measured here yet."
    holding = sum(challenge_of(step(slug), figures).mostly_held for slug, figures in done)
    shown = ", ".join(f"{mark(slug)} {stated(slug)}" for slug, _ in done)
    return (
        f"Size alone is no answer: of the {len(done)} larger networks that we have measured, {holding or 'none'} held "
        f"{challenge.target} in most of their runs. Their last epochs: {shown}."
        if holding < len(done)
        else f"All {len(done)} larger networks that we have measured held it in most of their runs: {shown}."
    )


def _meeting(challenge: Challenge) -> list[str]:
    """The measured steps of which more than half of the runs meet the challenge, without the test set's help."""
    found = [(each, measured(each.slug, challenge)) for each in catalogue.LADDER if not each.recipe.watches_test]
    return [each.slug for each, figures in found if figures is not None and challenge_of(each, figures).mostly_met]


def _count(slug: str) -> str:
    return f"{walked(slug).parameters:,} parameters"


def _smallest(challenge: Challenge) -> str:
    """The size of the smallest of them: several steps may share a network."""
    found = _meeting(challenge)
    return _count(min(found, key=lambda slug: walked(slug).parameters)) if found else NONE


def _why_smallest(challenge: Challenge) -> str:
    size = _smallest(challenge)
    if size == NONE:
        return f"{NONE.capitalize()}: no measured step meets all three in more than half of its runs."
    shown = "; ".join(f"{mark(slug)}: {_met(slug, challenge)}" for slug in _meeting(challenge) if _count(slug) == size)
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


def lesson(challenge: Challenge = CHALLENGE) -> Lesson:
    """The lesson about a challenge."""
    example = _example(challenge)
    *earlier, latest = map(percent, example)
    shown = f"{', '.join(earlier)} and {latest}" if earlier else latest
    images = test_images(challenge.dataset)
    few = len(example) < len(NUMBERS)
    counts = f"The lowest of the {NUMBERS[len(example)] if few else len(example)} counts" if earlier else "It counts"
    return Lesson(
        "challenge",
        "The challenge",
        "Three conditions at once: know what each of them asks, see who meets them, and build a network of your own.",
        15,
        (
            Scene(
                "explain",
                "Three conditions",
                lambda: (
                    f"**{challenge.target} of the test {challenge.noun}**, in {challenge.each_of()}. **At most "
                    f"{plural(challenge.epochs, 'epoch')}.** **At most {challenge.parameters:,} parameters.** A run "
                    f"meets the challenge when it meets all three.{_elsewhere(challenge)}\n\n{_large(challenge)}"
                ),
            ),
            Scene(
                "predict",
                "Held",
                f"Suppose that a run's {challenge.last_epochs} {'is' if len(example) == 1 else 'are'} {shown}.",
                check=Check(
                    f"Does it hold {challenge.target}?",
                    lambda: "yes" if holds(example, challenge) else "no",
                    lambda: (
                        f"{counts}, {percent(min(example))}: "
                        f"{plural(round((challenge.accuracy - min(example)) * images), challenge.noun[:-1])} short."
                    ),
                    choices=("yes", "no"),
                    hint=f"Each of the last {challenge.held_epochs} epochs must reach it."
                    if earlier
                    else "It must reach it.",
                ),
            ),
            Scene(
                "do",
                "Eight parameters too many" if challenge.parameters == CHALLENGE.parameters else "What a channel costs",
                lambda: _beside_budget(challenge),
                (Knobs(B3),),
                Check(
                    "Its first convolution has 8 channels. How many parameters does that layer have?",
                    lambda: layer(B3, "conv1").parameters,
                    lambda: (
                        "8 x 1 x 3 x 3. Without one of its channels, B3 would have "
                        f"{_without_a_channel():,} parameters, {walked(B3).parameters - _without_a_channel()} fewer: "
                        "nine weights of this layer, two of its batch norm, and nine for each of the next layer's 8 "
                        "channels."
                    ),
                    hint="8 windows of 3 x 3.",
                    slips=(Slip(lambda: 80, "Its convolutions have no bias."),),
                ),
            ),
            Scene(
                "observe",
                "Who meets them",
                lambda: (
                    f"Every step that we have measured. The table says how many of its runs hold {challenge.target}, "
                    f"and {challenge.lowest_of()} on the mean curve. {_steered()} do not count below: the "
                    f"test loss sets their learning rate, so the test set cannot judge them.{_elsewhere(challenge)}"
                ),
                (Conditions(),),
                Check(
                    "How large is the smallest network that meets all three in most of its runs?",
                    lambda: _smallest(challenge),
                    lambda: _why_smallest(challenge),
                    choices=lambda: tuple(dict.fromkeys((*map(_count, (A3, D3, D5, B3)), _smallest(challenge), NONE))),
                    hint="Three marks in one row, and no mark in the last column; then the fewest parameters.",
                ),
            ),
            Scene(
                "explain",
                "Where to begin",
                lambda: (
                    "Begin with a network that is close, and ask what it lacks: does its field cover the digit, where "
                    f"are most of its parameters, how far apart are training and test accuracy? {MEASURED_APART}\n\nAn "
                    f"example: D1 is C3's network ({walked(C3).parameters:,} parameters) with another recipe. "
                    f"{in_words(Pair(C3, D1))} Of C3, {_met(C3, challenge)}; of D1, {_met(D1, challenge)}; of D5, "
                    f"another network, {_met(D5, challenge)}."
                ),
                (
                    Way("pages/experiment/train.py", "Train C3 with a rate of your own", (("step", C3),)),
                    Way("pages/experiment/design.py", "Or design a network of your own", (("from", A3),)),
                    Way("pages/experiment/board.py", "See who stands where"),
                ),
            ),
        ),
    )
