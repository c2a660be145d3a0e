"""The three lineages, step by step: what each step changed, and what that gave."""

from __future__ import annotations

from core.evidence import p_stated
from lab.lessons.facts import accuracy, log, percent, walked, whose
from lab.lessons.scene import Check, Comparisons, Curves, Ladder, Lesson, Scene, Slip, TrainAndTest, Way
from lab.studies import compared, study_of

A1, A2, A3 = "a1-skeleton-509946", "a2-final-7758", "a3-dilation-5340"
B2, B3, B4 = "b2-dropout-6864", "b3-gap-8008", "b4-rotation-7852"
C1, C2, C3, C4, C6 = (
    "c1-setup-6379786", "c2-skeleton-7272", "c3-batchnorm-7448", "c4-dropout-7448", "c6-steplr-7416",
)  # fmt: skip
TWIN = "x-evolution-step4-7840"  # whose log is printed with A2
NEAREST = ("about 92%", "about 98%", "about 99.3%")


def _nearest(share: float) -> str:
    return min(NEAREST, key=lambda each: abs(float(each[6:-1]) / 100 - share))


def _a2_to_a3() -> str:
    """How far apart they are, and whether that may be chance."""
    points = f"{100 * abs(accuracy(A3) - accuracy(A2)):.2f} points"
    before, after = study_of(A2), study_of(A3)
    found = compared(before, after) if before and after else None
    if found is None or found.p is None:
        return f"They are {points} apart; so few runs cannot say whether that is more than chance."
    if found.told == "cannot be told":
        return f"They are {points} apart, which {found.pairs} seeds of each cannot tell from chance."
    better = "A3" if found.told == "better" else "A2"
    return f"{better} is better by {points}, more than chance explains (n {found.pairs} pairs; {p_stated(found.p)})."


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
            "99.4% on MNIST's test digits, held in the last epochs, in at most 15 epochs and 8,000 parameters. Each "
            "hollow mark is what a team reported: its best epoch on the test set, of one run. Each filled mark is what "
            "we measured: the mean of our runs' last epochs, with a bar where there are several.",
            (Ladder(),),
        ),
        Scene(
            "predict",
            "A1: half a million parameters",
            lambda: (
                f"Lineage A starts wide: {walked(A1).parameters:,} parameters, no batch norm, no dropout, no "
                "augmentation. Its last training accuracy is "
                f"{percent(log(A1, 'train')[-1])}."
            ),
            check=Check(
                "Where does its test accuracy end?",
                lambda: "below 99.4%" if accuracy(A1) < 0.994 else "above 99.4%",
                lambda: (
                    f"{percent(accuracy(A1))} ({whose(A1)}). It can afford to learn the training digits by heart, and "
                    "nothing makes it do better."
                ),
                choices=("below 99.4%", "above 99.4%"),
                hint="What does a network do that has eight weights for every training image?",
            ),
        ),
        Scene(
            "observe",
            "The gap",
            "Training accuracy climbs to the ceiling, test accuracy stays where it was: the network **overfits**.",
            (TrainAndTest((A1, A2)),),
            Check(
                "A1's training accuracy ends above its test accuracy. And A2's, with augmented training images?",
                lambda: "below" if log(A2, "train")[-1] < log(A2, "test")[-1] else "above",
                lambda: (
                    "The training images are distorted and dropout is on while training accuracy is measured: it "
                    "faces a harder exam than the test. (The log printed with A2 is that of its near twin, "
                    f"{walked(TWIN).parameters:,} parameters, which was trained in the same way.)"
                ),
                choices=("above", "below"),
                hint="Read the two pictures' last epochs.",
            ),
        ),
        Scene(
            "predict",
            "A3: fewer still",
            lambda: (
                f"A3 has {walked(A3).parameters:,} parameters, two thirds of A2's {walked(A2).parameters:,}, and its "
                f"last layers are dilated: they see {walked(A3).field.size} pixels where A2's see "
                f"{walked(A2).field.size}."
            ),
            check=Check(
                "Which of the two has the higher mean?",
                lambda: "A3" if accuracy(A3) > accuracy(A2) else "A2",
                lambda: (
                    f"A2 {percent(accuracy(A2))} ({whose(A2)}), A3 {percent(accuracy(A3))} ({whose(A3)}). "
                    f"{_a2_to_a3()} A third of the parameters lies between them: how many there are is not all, "
                    "where they stand matters."
                ),
                choices=("A2", "A3"),
                hint="More parameters, or a larger field?",
            ),
        ),
        Scene(
            "observe",
            "A3's curve",
            "The dotted line is the write-up's log, the band ours. Its best epoch was chosen on the test set; the last "
            "epoch was not chosen by anyone.",
            (Curves(A3), Comparisons(A3)),
        ),
        Scene(
            "predict",
            "B3: global average pooling",
            lambda: (
                f"Lineage B replaces a 5 x 5 convolution of 2,500 parameters by an average, which has none. B2 has "
                f"{walked(B2).parameters:,} parameters."
            ),
            check=Check(
                "B3 has ...",
                lambda: (
                    "more parameters than B2" if walked(B3).parameters > walked(B2).parameters else "fewer parameters"
                ),
                lambda: (
                    f"{walked(B3).parameters:,}: the average saves 2,500, and the layers that were added with it cost "
                    "more. The step's name says one thing, and its numbers another."
                ),
                choices=("more parameters than B2", "fewer parameters"),
                hint="A step may change more than its name says. Look B3 up, if you like.",
            ),
        ),
        Scene(
            "explain",
            "What a step can show",
            lambda: (
                f"B4 adds rotation and a falling learning rate, and ends at {percent(accuracy(B4))} ({whose(B4)}). It "
                "also halves the batch, raises the rate tenfold and changes the widths. When five things change at "
                "once, "
                "nothing can be credited to one of them: the steps are **confounded**. A clean comparison changes one."
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
                lambda: _nearest(accuracy(C2)),
                lambda: (
                    f"{percent(accuracy(C2))} ({whose(C2)}). Convolutions in a row make one linear map; the max "
                    f"pool is "
                    "the only bend in it."
                ),
                choices=NEAREST,
                hint="A linear model reads about 92% of MNIST. This one has a max pool besides.",
            ),
        ),
        Scene(
            "observe",
            "C3: batch norm ... and ReLU",
            "The largest gain of the ladder. The write-up credits batch norm; but every ReLU came with it. The clean "
            "comparison takes them apart.",
            (Comparisons(C3),),
            Check(
                "How many parameters did the step add?",
                lambda: walked(C3).parameters - walked(C2).parameters,
                lambda: (
                    f"{walked(C3).parameters:,} − {walked(C2).parameters:,}: two for each channel that is normalised. "
                    "ReLU has none."
                ),
                hint="Both counts are in their slugs.",
                slips=(Slip(lambda: walked(C3).parameters, "That is C3's total: how much more is it than C2's?"),),
            ),
        ),
        Scene(
            "predict",
            "C4: dropout",
            "C3's training accuracy runs ahead of its test accuracy a little. C4 adds dropout of 0.1 after every ReLU.",
            check=Check(
                "Test accuracy ...",
                lambda: "falls" if accuracy(C4) < accuracy(C3) else "rises",
                lambda: (
                    f"C3 {percent(accuracy(C3))} ({whose(C3)}), C4 {percent(accuracy(C4))} ({whose(C4)}). A network so "
                    "small has little to overfit with; taking a tenth of it away leaves too little to fit with."
                ),
                choices=("rises", "falls"),
                hint="How much can 7,448 parameters learn by heart?",
            ),
        ),
        Scene(
            "observe",
            "C6: a falling rate",
            "C6 lowers the learning rate to a tenth after six epochs, and also reorders its layers.",
            (Curves(C6), Comparisons(C6)),
        ),
        Scene(
            "explain",
            "And ours",
            "A ladder of our own takes C3's network and changes its recipe step by step, then takes another network "
            "and makes it smaller; its failures are kept. Every choice was made on 5,000 images held out of the "
            "60,000, never on the test set.",
            (Ladder("d"), Way("pages/learn/ladder.py", "The whole ladder")),
        ),
    ),
)
