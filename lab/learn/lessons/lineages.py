"""The three lineages, step by step: what each step changed, and what the runs say about it."""

from __future__ import annotations

from core.challenge import CHALLENGE  # the teams' own
from core.ladder import catalogue
from core.ladder.ours import OURS
from lab.learn.lessons.claims import HOW_FAR_APART, comparison, concluded, evident, in_words
from lab.learn.lessons.facts import (
    MEASURED_APART,
    TRAIN_IMAGES,
    accuracy,
    layer,
    log,
    mark,
    measured,
    percent,
    plain_training,
    stated,
    walked,
)
from lab.learn.lessons.scene import Check, Comparisons, Curves, Ladder, Lesson, Pair, Scene, Slip, TrainAndTest, Way
from lab.studies.results import challenge_of

A1, A2, A3 = "a1-skeleton-509946", "a2-final-7758", "a3-dilation-5340"
B2, B3, B4 = "b2-dropout-6864", "b3-gap-8008", "b4-rotation-7852"
C1, C2, C3, C4, C5, C6 = (
    "c1-setup-6379786", "c2-skeleton-7272", "c3-batchnorm-7448", "c4-dropout-7448", "c5-rotation-7448",
    "c6-steplr-7416",
)  # fmt: skip
TWIN = "x-evolution-step4-7840"  # whose log is printed with A2
NEAREST = {f"about {share:.3g}%": share / 100 for share in (92, 98, 99.3)}
RELU, BATCH_NORM = Pair(C2, "c3-without-batchnorm"), Pair("c3-without-batchnorm", C3)
BATCHES_OF_64 = Pair("b4-batch-128", B4)
BELOW, ABOVE = f"below {CHALLENGE.target}", f"above {CHALLENGE.target}"


def _log_ends(slug: str) -> str:
    """Whether the training accuracy ends below the test accuracy, in the write-up's log."""
    train, test = log(slug, "train")[-1], log(slug, "test")[-1]
    return "below" if train < test else "above" if train > test else "at the same height"


def _gains() -> dict[str, float]:
    """By how much each measured step's mean lies above that of the step before it, by slug."""
    pairs = [(before, each) for each in catalogue.LADDER if (before := catalogue.before(each))]
    found = {each.slug: evident(Pair(before.slug, each.slug)) for before, each in pairs}
    return {slug: each.difference for slug, each in found.items() if each}


def _rank_of_c3() -> str:
    """Whether the step from C2 to C3 is the largest gain of the ladder."""
    gains = _gains()
    if C3 not in gains:
        return ""
    largest = max(gains, key=lambda slug: gains[slug])
    if largest == C3:
        return f"That is the largest rise from one step to the next on our ladder, of {len(gains)} such pairs. "
    return f"The largest rise from one step to the next on our ladder is {mark(largest)}'s. "


def _own_steps_that_meet() -> str:
    """Which steps of the lab's own lineage meet the challenge in most of their runs, with k of n."""
    found = [(each, figures) for each in OURS if (figures := measured(each.slug)) is not None]
    shown = [
        f"{mark(each.slug)} ({met.meeting} of {met.n})"
        for each, figures in found
        if (met := challenge_of(each, figures)).mostly_met
    ]
    if not shown:
        return f"Of the {len(found)} steps that we have measured, none meets the challenge in most of its runs."
    return f"Those that meet the challenge in most of their runs: {', '.join(shown)}."


LESSON = Lesson(
    "lineages",
    "Three lineages, step by step",
    "Climb the ladders of three teams, guess what each step gives before you see it, and learn to ask what a step "
    "shows.",
    30,
    (
        Scene(
            "explain",
            "One goal, three ways",
            f"{CHALLENGE.target} on MNIST's test digits, held in the last epochs, in at most {CHALLENGE.epochs} epochs "
            f"and {CHALLENGE.parameters:,} parameters. Each hollow mark is what a team reported: its best epoch on "
            "the test set, of one run. Each filled mark is what we measured: the mean of our runs' last epochs, with a "
            "bar where there are several.",
            (Ladder(),),
        ),
        Scene(
            "predict",
            "A1: half a million parameters",
            lambda: (
                f"Lineage A starts wide: {walked(A1).parameters:,} parameters, no batch norm, no dropout, no "
                f"augmentation. Its training accuracy ends at {stated(A1, 'train')}. {MEASURED_APART}"
            ),
            check=Check(
                "Where does its test accuracy end?",
                lambda: BELOW if accuracy(A1) < CHALLENGE.accuracy else ABOVE,
                lambda: f"{stated(A1)}. The training accuracy: {stated(A1, 'train')}.",
                choices=(BELOW, ABOVE),
                hint=f"It has {walked(A1).parameters / TRAIN_IMAGES:.1f} weights for every training image. Its "
                "training accuracy need not hold for new digits.",
            ),
        ),
        Scene(
            "observe",
            "The gap",
            lambda: (
                f"In the write-up's log, A1's training accuracy ends at {percent(log(A1, 'train')[-1])}, its test "
                f"accuracy at {percent(log(A1, 'test')[-1])}. The distance between the two curves is the **gap**. A "
                f"network with a large gap **overfits**. {MEASURED_APART}"
            ),
            (TrainAndTest((A1, A2)),),
            Check(
                "Where does A2's training curve end, against its test curve?",
                lambda: _log_ends(A2),
                lambda: (
                    f"Training {percent(log(A2, 'train')[-1])}, test {percent(log(A2, 'test')[-1])}, in one log. A2 "
                    "trains on distorted images and with dropout on, and is tested without either: the two curves "
                    f"measure different tasks. (The log printed with A2 is that of its near twin, "
                    f"{walked(TWIN).parameters:,} parameters, trained in the same way. Our own runs of A2: training "
                    f"{stated(A2, 'train')}, test {stated(A2)}.{plain_training(A2)})"
                ),
                choices=("above", "below", "at the same height"),
                hint="Read the right picture's last epoch.",
            ),
            recalls=True,
        ),
        Scene(
            "predict",
            "A3: fewer still",
            lambda: (
                f"A3 has {walked(A3).parameters:,} parameters, {walked(A3).parameters / walked(A2).parameters:.0%} of "
                f"A2's {walked(A2).parameters:,}, and its last layers are dilated: the network sees "
                f"{walked(A3).field.size} pixels where A2 sees {walked(A2).field.size}. Both let the test loss set "
                "their rate."
            ),
            check=comparison(
                "Which of the two has the higher test accuracy?",
                Pair(A2, A3),
                better="A3",
                worse="A2",
                hint=HOW_FAR_APART,
                more=lambda: (
                    "Parameters, field, last layers and patience differ at once: whatever the difference, no single "
                    "change can take the credit."
                ),
            ),
        ),
        Scene(
            "observe",
            "A3's curve",
            "The dotted line is the write-up's log, the band ours. The write-up's figure is its best epoch, chosen on "
            "the test set; ours is the last epoch. But the test loss sets A3's rate, so even the last epoch is not "
            "independent of the test set.",
            (Curves(A3), Comparisons(A3)),
        ),
        Scene(
            "predict",
            "B3: global average pooling",
            lambda: (
                f"Lineage B replaces a 5 x 5 convolution of {layer(B2, 'conv7').parameters:,} parameters by an "
                f"average, which has none. B2 has {walked(B2).parameters:,} parameters."
            ),
            check=Check(
                "B3 has ...",
                lambda: (
                    "more parameters than B2" if walked(B3).parameters > walked(B2).parameters else "fewer parameters"
                ),
                lambda: (
                    f"{walked(B3).parameters:,}: the average saves {layer(B2, 'conv7').parameters:,}, and the layers "
                    "that were added with it cost more. The step's name says one thing, and its numbers another."
                ),
                choices=("more parameters than B2", "fewer parameters"),
                hint="A step may change more than its name says. Look B3 up, if you like.",
            ),
        ),
        Scene(
            "explain",
            "What a step can show",
            lambda: (
                f"B3 ends at {stated(B3)}, B4 at {stated(B4)}. B4 adds rotation and a falling learning rate. It also "
                "halves the batch, starts at ten times the rate, and changes the dropout and the widths. When several "
                "things change at once, the difference cannot be credited to one of them: the steps are "
                "**confounded**. A clean comparison changes one thing, here the batch. "
                f"{concluded(BATCHES_OF_64)}"
            ),
            (Comparisons(B4),),
        ),
        Scene(
            "predict",
            "C2: a skeleton without ReLU",
            lambda: (
                f"Lineage C goes from {walked(C1).parameters:,} parameters to {walked(C2).parameters:,}. The small "
                "network has convolutions and a pool, and not one activation function."
            ),
            check=Check(
                "What does it reach on the test set?",
                lambda: min(NEAREST, key=lambda each: abs(NEAREST[each] - accuracy(C2))),
                lambda: f"{stated(C2)}. Convolutions in a row make one linear map; only the max pool is not linear.",
                choices=tuple(NEAREST),
                hint="A linear model, with no pool, comes close to the first of these. This network has a max pool.",
            ),
        ),
        Scene(
            "observe",
            "C3: batch norm ... and ReLU",
            lambda: (
                f"{in_words(Pair(C2, C3))} {_rank_of_c3()}The write-up credits batch norm; but every ReLU came with "
                "it. The clean comparisons take them apart: first ReLU alone, then batch norm as well."
            ),
            (Comparisons(C3),),
            Check(
                "How many parameters did the step add?",
                lambda: walked(C3).parameters - walked(C2).parameters,
                lambda: (
                    f"{walked(C3).parameters:,} − {walked(C2).parameters:,}: two for each channel that is normalised. "
                    "ReLU has none."
                ),
                hint=f"C2 has {walked(C2).parameters:,} parameters, C3 {walked(C3).parameters:,}.",
                slips=(Slip(lambda: walked(C3).parameters, "That is C3's total: how much more is it than C2's?"),),
            ),
        ),
        Scene(
            "predict",
            "C4: dropout",
            lambda: (
                f"C3's training accuracy ends at {stated(C3, 'train')}, its test accuracy at {stated(C3)}. C4 adds "
                f"dropout of 0.1 after every ReLU, and changes nothing else. {MEASURED_APART}"
            ),
            check=comparison(
                "C4's test accuracy ...",
                Pair(C3, C4),
                better="rises",
                worse="falls",
                hint=HOW_FAR_APART,
                more=lambda: (
                    f"In the write-up's logs, one run each, C3 ends at {percent(log(C3, 'test')[-1])} and C4 at "
                    f"{percent(log(C4, 'test')[-1])}."
                ),
            ),
        ),
        Scene(
            "observe",
            "C6: a falling rate",
            lambda: (
                f"C6 lowers the learning rate to a tenth after six epochs, and also reorders its layers. C5 ends at "
                f"{stated(C5)}, C6 at {stated(C6)}. Part of the difference may be the schedule's, part the layers': "
                "the clean comparisons ask for one at a time."
            ),
            (Comparisons(C6), Curves(C6)),
        ),
        Scene(
            "explain",
            "And ours",
            lambda: (
                "A ladder of our own takes C3's network and changes its recipe step by step, then takes another "
                f"network and makes it smaller. Steps that miss their target stay on it. {_own_steps_that_meet()}"
            ),
            (Ladder("d"), Way("pages/learn/ladder.py", "The whole ladder")),
        ),
    ),
)
