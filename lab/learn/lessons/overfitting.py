"""Overfitting: how to see it, what is tried against it, and what the runs say about that."""

from __future__ import annotations

from core.analysis.diagnosis.fitting import GAP
from core.architecture.trace import classifier
from core.architecture.vary import vary
from lab.learn.lessons.claims import HOW_FAR_APART, comparison, concluded
from lab.learn.lessons.facts import (
    IMAGES,
    MEASURED_APART,
    TRAIN_IMAGES,
    accuracy,
    log,
    percent,
    plain_training,
    stated,
    step,
    walked,
)
from lab.learn.lessons.scene import (
    Check,
    Comparisons,
    ForChallenge,
    Knobs,
    Lesson,
    Pair,
    Scene,
    Slip,
    TrainAndTest,
    Way,
)

A1, C1, C2, C3, C4 = (
    "a1-skeleton-509946", "c1-setup-6379786", "c2-skeleton-7272", "c3-batchnorm-7448", "c4-dropout-7448",
)  # fmt: skip
D1, D2 = "d1-falling-7448", "d2-augmented-7448"
DROPOUT, AUGMENTATION = Pair(C3, C4), Pair(D1, D2)


def _overfits() -> str:
    """Which of the two, by training minus test accuracy after the last epoch, of our runs, or else of the log."""
    both = [name for name, slug in (("C1", C1), ("C2", C2)) if accuracy(slug, "train") - accuracy(slug) >= GAP]
    return "both" if len(both) == 2 else "neither" if not both else both[0]


def _wrong(share: float, images: int) -> int:
    return round((1 - share) * images)


def _quarter() -> int:
    return classifier(vary(step(A1).architecture, width=0.25)).parameters


LESSON = Lesson(
    "overfitting",
    "Overfitting, and what is tried against it",
    "Tell overfitting from underfitting by two curves, and see what the runs say about dropout and augmentation.",
    20,
    (
        Scene(
            "explain",
            "Two curves",
            "**Training accuracy** says how well the network does on the digits it learns from, **test accuracy** on "
            "digits it has never seen. Only the second counts; the first explains it.\n\nBoth low: it "
            "**underfits**, it cannot or could not yet learn the task. First high, second behind: it **overfits**, it "
            f"has learned the training digits themselves.\n\n{MEASURED_APART} So the first can lie below the second.",
        ),
        Scene(
            "predict",
            "Which is which?",
            lambda: (
                f"C1 has {walked(C1).parameters:,} parameters, C2 {walked(C2).parameters:,} and no activation "
                f"function. {MEASURED_APART} These two networks have neither. Say that a network overfits when "
                f"training accuracy ends at least {100 * GAP:g} points above test accuracy."
            ),
            check=Check(
                "Which of them overfits?",
                _overfits,
                lambda: (
                    f"C1: training {stated(C1, 'train')}, test {stated(C1)}.{plain_training(C1)} C2: training "
                    f"{stated(C2, 'train')}, test {stated(C2)}.{plain_training(C2)}"
                ),
                choices=("C1", "C2", "both", "neither"),
                hint="How many weights are there for each training digit?",
            ),
        ),
        Scene(
            "observe",
            "See it",
            f"C1 and C2 as their write-up logged them, one run each. The distance between the curves is the **gap**. "
            f"{MEASURED_APART} These two networks have neither.",
            (TrainAndTest((C1, C2)),),
            Check(
                "C1's log: of 60,000 training digits, how many are wrong in the last epoch?",
                lambda: _wrong(log(C1, "train")[-1], TRAIN_IMAGES),
                lambda: (
                    f"{1 - log(C1, 'train')[-1]:.2%} of {TRAIN_IMAGES:,}. Of the {IMAGES:,} test digits "
                    f"{_wrong(log(C1, 'test')[-1], IMAGES)} are wrong."
                ),
                tolerance=6,
                hint=f"100% − {percent(log(C1, 'train')[-1])}, of 60,000.",
                slips=(Slip(lambda: _wrong(log(C1, "test")[-1], IMAGES), "Those are the test digits."),),
            ),
            recalls=True,
        ),
        Scene(
            "explain",
            "What is tried against it",
            "**Fewer parameters** leave less to learn by heart with. **Dropout** zeroes values at random while "
            "training, so that no unit can rely on one other. **Weight decay** keeps the weights small. **Stopping "
            "early** leaves less time. All four limit what the network can fit.\n\n**Augmentation** does not limit "
            "the network: it changes the images, so that no digit comes twice the same.\n\nWhether one of them helps "
            "your network is a question for runs. When to stop is decided on held-out images, never on the test set.",
        ),
        Scene(
            "predict",
            "The same for a small network",
            lambda: (
                f"C3 has {walked(C3).parameters:,} parameters. Its training accuracy ends at {stated(C3, 'train')}, "
                f"its test accuracy at {stated(C3)}. C4 is C3 with dropout of 0.1. {MEASURED_APART}"
            ),
            check=comparison(
                "C4's **training** accuracy, measured with dropout on, is ...",
                Pair(C3, C4, "train"),
                better="higher",
                worse="lower",
                hint="Dropout is on while training accuracy is measured.",
                more=lambda: (
                    "C4's figure is measured with dropout on, C3 has none: the two do not measure the same, and say "
                    "nothing yet about new digits."
                ),
            ),
        ),
        Scene(
            "observe",
            "And on new digits?",
            f"The means of our runs. {MEASURED_APART} Test accuracy is measured in the same way for both networks: "
            "it decides.",
            (TrainAndTest((C3, C4), ours=True),),
            comparison(
                "C4's **test** accuracy, after the last epoch, is ...",
                DROPOUT,
                better="higher",
                worse="lower",
                hint=HOW_FAR_APART,
                more=lambda: "A gap that has closed says nothing about the test accuracy.",
            ),
            recalls=True,
        ),
        Scene(
            "do",
            "Fewer parameters",
            ForChallenge(
                lambda challenge: (
                    f"Turn the width of A1. At a quarter it has {_quarter():,} parameters, "
                    f"{_quarter() / challenge.parameters:.1f} times the challenge's budget. What that does to the two "
                    "curves, a run will tell."
                )
            ),
            (Knobs(A1), Way("pages/experiment/train.py", "Train it narrower", (("step", A1), ("width", "0.25")))),
        ),
        Scene(
            "explain",
            "In the lab",
            lambda: (
                "After a run, Train says in plain words whether it overfits, and from which epoch on. Augmentation is "
                f"worth a comparison of its own. D1 ends at a training accuracy of {stated(D1, 'train')} and a test "
                f"accuracy of {stated(D1)}; D2 is D1 with a little augmentation. {MEASURED_APART}\n\n"
                f"What becomes of the test accuracy? {concluded(AUGMENTATION)}"
            ),
            (Comparisons(D2), Way("pages/experiment/train.py", "Train a network", (("step", C3),))),
        ),
    ),
)
