"""The learning rate: what it does, how to find one, how to let it fall, and what the runs say about the fall."""

from __future__ import annotations

import statistics

from core.analysis.evidence import in_points
from core.training.recipe import ReduceLROnPlateau, StepLR, rate_at
from lab.learn.lessons.claims import comparison, concluded, in_words, told
from lab.learn.lessons.facts import log, measured, runs, step
from lab.learn.lessons.scene import Check, Comparisons, Curves, Lesson, Pair, Rates, Scene, Slip, Way

A2, A3, B4, C3, C5, C6, D1 = (
    "a2-final-7758", "a3-dilation-5340", "b4-rotation-7852", "c3-batchnorm-7448", "c5-rotation-7448", "c6-steplr-7416",
    "d1-falling-7448",
)  # fmt: skip
BATCHES = 469  # iterations of an epoch: 60,000 images in batches of 128
SCHEDULE_ALONE = Pair(C5, "c5-steplr")
BY_TEST_LOSS = Pair("a3-held-out-validation", "a3-held-out-test")


def _steps(slug: str) -> StepLR:
    schedule = step(slug).recipe.schedule
    assert isinstance(schedule, StepLR)  # B4's and C6's are
    return schedule


def _fall() -> int:
    """The first epoch, counted from 0, with C6's lower rate."""
    return _steps(C6).step_size


def _jump_in_log() -> float:
    """By how much C6's log changes from the epoch before it to that one."""
    return log(C6, "test")[_fall()] - log(C6, "test")[_fall() - 1]


def _jump(slug: str) -> str:
    """The same of our runs, on average, with n."""
    ours = [run.test_accuracies for run in runs(slug)]
    there = [each[_fall()] - each[_fall() - 1] for each in ours if len(each) > _fall()]
    return f"{in_points(statistics.mean(there))} points (n {len(there)})" if there else "not measured"


def _lesson_of_the_jump() -> str:
    """What the clean comparison makes of the schedule."""
    found = told(SCHEDULE_ALONE)
    if found == "better":
        return "So the falling rate helps C5, by the clean comparison; the one log would not have shown it."
    if found == "worse":
        return "So the falling rate makes C5 worse, by the clean comparison, whatever the one log shows."
    return "So nothing here shows that the falling rate makes C5 better or worse. One log cannot show it."


def _best_above_last(slug: str) -> str:
    """How far the best epoch lies above the last, on average over our runs."""
    found = measured(slug)
    return f"{100 * (found.best_mean - found.mean):.2f} points (n {found.n})" if found else "not measured"


def _plateau() -> ReduceLROnPlateau:
    schedule = step(A3).recipe.schedule
    assert isinstance(schedule, ReduceLROnPlateau)  # A3's is
    return schedule


LESSON = Lesson(
    "learning-rate",
    "The learning rate",
    "See what the learning rate does, find one, let it fall, and ask the runs what the fall gives.",
    20,
    (
        Scene(
            "explain",
            "One step downhill",
            "An iteration looks at a batch, computes which way the loss falls, and moves every weight a little that "
            "way. How little is the **learning rate**. Too low: the loss falls slowly. Too high: the weights jump "
            "across the valley, and the loss goes up or stops being a number.",
        ),
        Scene(
            "explain",
            "The range test",
            "Start far too low and raise the rate with every batch, evenly on a logarithmic scale. The loss first "
            "stays, then falls, then explodes (Smith 2015). The usual advice: take a rate where the loss falls "
            "steeply, well before its minimum. A suggestion at the **edge** of the range only says that the range was "
            "wrong.",
            (Way("pages/experiment/learning_rate.py", "Run a range test", (("step", A2),)),),
        ),
        Scene(
            "predict",
            "A suggestion to doubt",
            lambda: (
                "The write-ups of lineage A ran the test from 0.1 upwards, over 4,500 iterations for A2 and 1,500 for "
                f"A3. The tool skips its first ten points. It suggested {step(A2).recipe.learning_rate:.4f} and "
                f"{step(A3).recipe.learning_rate:.4f}."
            ),
            check=Check(
                "What do they tell?",
                lambda: "nothing: they are the start of the range",
                lambda: (
                    "They stand at iteration 12 of 4,500 and 23 of 1,500, right after the points that the tool skips. "
                    "A test that starts at 0.1 cannot show what a lower rate does."
                ),
                choices=("the best rate is 0.1", "nothing: they are the start of the range", "the network is broken"),
                hint="How far from the start of the range are the suggestions?",
            ),
        ),
        Scene(
            "do",
            "Rates over the epochs",
            lambda: (
                f"C5 keeps its rate. C6 divides it by {1 / _steps(C6).gamma:g} after every {_steps(C6).step_size} "
                f"epochs. B4 multiplies it by {_steps(B4).gamma:g} after every {_steps(B4).step_size}. Ours, D1, "
                "falls to zero on a straight line."
            ),
            (Rates((C5, C6, B4, D1)),),
            Check(
                "What is B4's rate in its fifth epoch?",
                lambda: rate_at(step(B4).recipe, 4 * BATCHES, BATCHES),
                lambda: (
                    f"{step(B4).recipe.learning_rate:g} · {_steps(B4).gamma:g} · {_steps(B4).gamma:g}: after two "
                    f"epochs and after four it is multiplied by {_steps(B4).gamma:g}."
                ),
                tolerance=0.0005,
                hint=f"It starts at {step(B4).recipe.learning_rate:g}. How often has it fallen after four epochs?",
            ),
        ),
        Scene(
            "predict",
            "What a fall gives",
            lambda: (
                f"C6's rate falls after {_fall()} epochs. In the write-up's log its test accuracy then changes by "
                f"{in_points(_jump_in_log())} points from one epoch to the next. That is one run, and C6 has other "
                "layers than C5 too. The clean comparison gives C5 the same falling rate and changes nothing else."
            ),
            check=comparison(
                "After the last epoch, C5 with the falling rate is ...",
                SCHEDULE_ALONE,
                better="better than with a constant rate",
                worse="worse than with a constant rate",
                hint="A jump within one run is one thing. The accuracy at the end, over several runs, is another.",
            ),
        ),
        Scene(
            "observe",
            "One jump, and what it shows",
            lambda: (
                f"From epoch {_fall()} to {_fall() + 1}, the first with the lower rate, C6's test accuracy changes by "
                f"{in_points(_jump_in_log())} points in the write-up's log, which is one run. In our runs of C6 it "
                f"changes by {_jump(C6)} on average; in our runs of C5, whose rate stays the same, by {_jump(C5)}. "
                f"{_lesson_of_the_jump()}"
            ),
            (Comparisons(C6), Curves(C6)),
            recalls=True,
        ),
        Scene(
            "explain",
            "A plateau, and whose loss",
            lambda: (
                f"A3's rate falls when the loss has not improved for more than {_plateau().patience} "
                f"epoch{'' if _plateau().patience == 1 else 's'}. In the write-up that is the **test** loss: the test "
                "set has a say in the training, so it is no longer an independent judge. How much does that flatter? "
                "We trained A3 with 5,000 training images held out, its rate once by their loss, once by the test "
                f"loss (see the table). {concluded(BY_TEST_LOSS)}"
            ),
            (Comparisons(A3),),
        ),
        Scene(
            "do",
            "To zero",
            lambda: (
                "D1 takes C3's network. Three things change in its recipe: the rate starts "
                f"{step(D1).recipe.learning_rate / step(C3).recipe.learning_rate:g} times as high, it falls to zero on "
                f"a straight line, and the momentum is Nesterov's. {in_words(Pair(C3, D1))} The runs cannot say which "
                "of the three a difference is due to.\n\nHow far the best epoch lies above the last, on average: "
                f"{_best_above_last(C3)} in C3's runs, {_best_above_last(D1)} in D1's."
            ),
            (Curves(D1), Way("pages/experiment/train.py", "Try a schedule", (("step", D1),))),
            Check(
                f"D1 trains {step(D1).recipe.epochs} epochs from {step(D1).recipe.learning_rate:g}. What is its rate "
                "half-way?",
                lambda: rate_at(step(D1).recipe, (step(D1).recipe.epochs * BATCHES - 1) // 2, BATCHES),
                lambda: f"Half of {step(D1).recipe.learning_rate:g}: it falls to zero on a straight line.",
                tolerance=0.001,
                hint=f"A straight line from {step(D1).recipe.learning_rate:g} to 0.",
                slips=(Slip(lambda: step(D1).recipe.epochs / 2, "That is the epoch; what is the rate then?"),),
            ),
        ),
    ),
)
