"""Overfitting: how to see it, and what helps a network that has it."""

from __future__ import annotations

from lab.lessons.facts import IMAGES, accuracy, log, percent, walked, whose
from lab.lessons.scene import Check, Comparisons, Knobs, Lesson, Scene, Slip, TrainAndTest, Way

A1, C1, C2, C3, C4 = (
    "a1-skeleton-509946", "c1-setup-6379786", "c2-skeleton-7272", "c3-batchnorm-7448", "c4-dropout-7448",
)  # fmt: skip


def _gap(slug: str) -> float:
    """By the logs, training minus test accuracy after the last epoch."""
    return log(slug, "train")[-1] - log(slug, "test")[-1]


def _overfits() -> str:
    both = [name for name, slug in (("C1", C1), ("C2", C2)) if _gap(slug) > 0.003]
    return "both" if len(both) == 2 else both[0]


def _wrong(share: float, images: int) -> int:
    return round((1 - share) * images)


LESSON = Lesson(
    "overfitting",
    "Overfitting, and what helps",
    "Tell overfitting from underfitting by two curves, and see why the same medicine helps one network and harms "
    "another.",
    20,
    (
        Scene(
            "explain",
            "Two curves",
            "**Training accuracy** says how well the network does on the digits it learns from, **test accuracy** on "
            "digits it has never seen. Only the second counts; the first explains it.\n\nBoth low: it "
            "**underfits**, it "
            "cannot or could not yet learn the task. First high, second behind: it **overfits**, it has learned the "
            "training digits themselves.",
        ),
        Scene(
            "predict",
            "Which is which?",
            lambda: (
                f"C1 has {walked(C1).parameters:,} parameters, C2 {walked(C2).parameters:,} and no activation function."
            ),
            check=Check(
                "Which of them overfits?",
                _overfits,
                lambda: (
                    f"By the logs, C1's training accuracy ends at {percent(log(C1, 'train')[-1])} and its test "
                    f"accuracy at {percent(log(C1, 'test')[-1])}. C2 ends at {percent(log(C2, 'train')[-1])} and "
                    f"{percent(log(C2, 'test')[-1])}: it does **better** on the digits it has not seen."
                ),
                choices=("C1", "C2", "both"),
                hint="Who can afford to learn by heart?",
            ),
        ),
        Scene(
            "observe",
            "See it",
            "Left the giant, right the skeleton. The distance between the curves is the **gap**.",
            (TrainAndTest((C1, C2)),),
            Check(
                "C1's log: of 60,000 training digits, how many are wrong after the last epoch?",
                lambda: _wrong(log(C1, "train")[-1], 60_000),
                lambda: (
                    f"{1 - log(C1, 'train')[-1]:.2%} of 60,000. Of the 10,000 test digits "
                    f"{_wrong(log(C1, 'test')[-1], IMAGES)} are wrong: six times fewer digits, more mistakes."
                ),
                tolerance=6,
                hint=f"100% − {percent(log(C1, 'train')[-1])}, of 60,000.",
                slips=(Slip(lambda: _wrong(log(C1, "test")[-1], IMAGES), "Those are the test digits."),),
            ),
        ),
        Scene(
            "explain",
            "What helps",
            "**Fewer parameters** leave nothing to learn by heart with. **Augmentation** shows no digit twice the "
            "same. "
            "**Dropout** lets no unit rely on another. **Weight decay** keeps the weights small. **Stopping early** is "
            "a choice by a curve, and must not be made on the test set.\n\nNone of these adds ability; each takes some "
            "away. They help only where there is too much of it.",
        ),
        Scene(
            "predict",
            "The same medicine for a small network",
            lambda: f"C3 has {walked(C3).parameters:,} parameters and a small gap. C4 is C3 with dropout of 0.1.",
            check=Check(
                "What becomes of the **training** accuracy?",
                lambda: "it falls" if log(C4, "train")[-1] < log(C3, "train")[-1] else "it stays",
                lambda: (
                    f"By the logs from {percent(log(C3, 'train')[-1])} to {percent(log(C4, 'train')[-1])}. And "
                    f"test: {percent(accuracy(C3))} ({whose(C3)}) to {percent(accuracy(C4))} ({whose(C4)})."
                ),
                choices=("it rises", "it stays", "it falls"),
                hint="Dropout is on while training accuracy is measured.",
            ),
        ),
        Scene(
            "observe",
            "Both fall",
            "The gap closes, from above: both curves are lower. A gap that is gone is no success by itself.",
            (TrainAndTest((C3, C4)),),
        ),
        Scene(
            "do",
            "Size is the strongest lever",
            "Turn the width of A1. At a quarter it still has over four times the challenge's budget.",
            (Knobs(A1), Way("pages/experiment/train.py", "Train it narrower", (("step", A1), ("width", "0.25")))),
        ),
        Scene(
            "explain",
            "In the lab",
            "After a run, Train says in plain words whether it overfits, and from which epoch on. Augmentation is "
            "worth "
            "a comparison of its own: here is what a little of it gave a network that hardly overfits.",
            (Comparisons("d2-augmented-7448"), Way("pages/experiment/train.py", "Train a network", (("step", C3),))),
        ),
    ),
)
