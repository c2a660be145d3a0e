"""The learning rate: the one number that decides most, how to find it, and how to let it fall."""

from __future__ import annotations

from core.recipe import ReduceLROnPlateau, StepLR, rate_at
from lab.lessons.facts import step
from lab.lessons.scene import Check, Comparisons, Curves, Lesson, Rates, Scene, Slip, Way

A2, A3, B4, C5, C6, D1 = (
    "a2-final-7758", "a3-dilation-5340", "b4-rotation-7852", "c5-rotation-7448", "c6-steplr-7416", "d1-falling-7448",
)  # fmt: skip
BATCHES = 469  # iterations of an epoch: 60,000 images in batches of 128


def _steps(slug: str) -> StepLR:
    schedule = step(slug).recipe.schedule
    assert isinstance(schedule, StepLR)  # B4's and C6's are
    return schedule


def _jump() -> float:
    """By how much C6's log rises with the first epoch at the lower rate, in points."""
    claim = step(C6).claim
    first = _steps(C6).step_size
    return round(100 * (claim.test_log[first] - claim.test_log[first - 1]), 2) if claim else 0.0


def _patience() -> int:
    schedule = step(A3).recipe.schedule
    return schedule.patience if isinstance(schedule, ReduceLROnPlateau) else 0


LESSON = Lesson(
    "learning-rate",
    "The learning rate",
    "Too low and it never arrives, too high and it never settles: find a rate, let it fall, and see what the fall "
    "gives.",
    20,
    (
        Scene(
            "explain",
            "One step downhill",
            "An iteration looks at a batch, computes which way the loss falls, and moves every weight a little that "
            "way. How little is the **learning rate**. Too low: the loss falls slowly. Too high: the weights jump "
            "across "
            "the valley, and the loss goes up or stops being a number.",
        ),
        Scene(
            "explain",
            "The range test",
            "Start far too low and raise the rate with every batch, evenly on a logarithmic scale. The loss first "
            "stays, "
            "then falls, then explodes (Smith 2015). A good rate lies where it falls steeply, well before the minimum. "
            "A suggestion at the **edge** of the range only says that the range was wrong.",
            (Way("pages/experiment/learning_rate.py", "Run a range test", (("step", A2),)),),
        ),
        Scene(
            "predict",
            "A suggestion to doubt",
            "The write-ups of lineage A ran the test from 0.1 upwards, over 4,500 iterations for A2 and 1,500 for A3. "
            "The tool skips its first ten points. It suggested 0.1008 and 0.1047.",
            check=Check(
                "What do they tell?",
                lambda: "nothing: they are the start of the range",
                lambda: (
                    "Each is one of the first points that the tool did not skip: the loss fell at once, for the "
                    "range began too high to show where it starts to fall."
                ),
                choices=("the best rate is 0.1", "nothing: they are the start of the range", "the network is broken"),
                hint="How far from the start of the range are the suggestions?",
            ),
        ),
        Scene(
            "do",
            "Rates over the epochs",
            "C5 keeps its rate, C6 divides it by ten after six epochs, B4 multiplies it by 0.6 after every second, and "
            "ours, D1, falls to zero on a straight line.",
            (Rates((C5, C6, B4, D1)),),
            Check(
                "What is B4's rate in its fifth epoch?",
                lambda: rate_at(step(B4).recipe, 4 * BATCHES, BATCHES),
                lambda: (
                    f"{step(B4).recipe.learning_rate:g} · {_steps(B4).gamma:g} · {_steps(B4).gamma:g}: after two "
                    f"epochs "
                    f"and after four it is multiplied by {_steps(B4).gamma:g}."
                ),
                tolerance=0.0005,
                hint=f"It starts at {step(B4).recipe.learning_rate:g}. How often has it fallen after four epochs?",
            ),
        ),
        Scene(
            "predict",
            "What a fall gives",
            "C6's rate falls to a tenth after six epochs.",
            check=Check(
                "What does the test accuracy do in the next epoch?",
                lambda: "it jumps up" if _jump() > 0.1 else "it stays",
                lambda: (
                    f"In the write-up's log by {_jump():+.2f} points. A large rate finds the valley, a small one "
                    f"settles "
                    "down in it: what was noise around a good place becomes that place."
                ),
                choices=("it jumps up", "it stays", "it falls, for it learns more slowly"),
                hint="The weights stop jumping about.",
            ),
        ),
        Scene(
            "observe",
            "The jump",
            "Look at epoch 7, the first with the lower rate. But C6 also changed its layers; the clean comparison "
            "gives "
            "C5 the same schedule and nothing else.",
            (Curves(C6), Comparisons(C6)),
        ),
        Scene(
            "explain",
            "A plateau, and whose loss",
            lambda: (
                f"A3's rate falls when the loss has not improved for more than {_patience()} epoch. In the write-up "
                f"that "
                "is the **test** loss: the test set has a say in the training, and can no longer judge it. What "
                "that is "
                "worth is measured, below."
            ),
            (Comparisons(A3),),
        ),
        Scene(
            "do",
            "To zero",
            "D1 takes C3's network and recipe, with a ten times higher rate that falls to zero: the last epoch is "
            "where "
            "the weights come to rest, so nobody needs to choose the best.",
            (Curves(D1), Way("pages/experiment/train.py", "Try a schedule", (("step", D1),))),
            Check(
                "D1 trains 15 epochs from 0.1. What is its rate half-way?",
                lambda: rate_at(step(D1).recipe, (15 * BATCHES - 1) // 2, BATCHES),
                lambda: "Half of 0.1: on a straight line to zero.",
                tolerance=0.001,
                hint="A straight line from 0.1 to 0.",
                slips=(Slip(lambda: 7.5, "That is the epoch; what is the rate then?"),),
            ),
        ),
    ),
)
