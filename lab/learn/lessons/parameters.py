"""Parameters by hand: where a network's numbers come from, and what they cost."""

from __future__ import annotations

from core.architecture.spec import BatchNorm, Conv, op_words
from core.architecture.trace import classifier
from core.architecture.vary import vary
from core.challenge import CHALLENGE, Challenge
from lab.learn.lessons.facts import first, layer, step, walked
from lab.learn.lessons.scene import Check, ConvArithmetic, ForChallenge, Knobs, Layers, Lesson, Scene, Slip, Way

A2, B1, C3 = "a2-final-7758", "b1-setup-10970", "c3-batchnorm-7448"

WIDTHS = ("0.75", "1.0", "1.25", "1.5")
FACTORS = {"twice as large": 2, "four times as large": 4, "eight times as large": 8}


def _count(width: str) -> int:
    return classifier(vary(step(C3).architecture, width=float(width))).parameters


def _channels_times_channels() -> float:
    """The share of A2's parameters in convolutions that read more than one channel."""
    inner = [each for each in walked(A2).layers if isinstance(each.op, Conv) and each.input[0] > 1]
    return sum(each.parameters for each in inner) / walked(A2).parameters


def _against(challenge: Challenge) -> str:
    """B1's parameters beside the challenge's budget."""
    used = walked(B1).parameters
    over = used - challenge.parameters
    return f"{used:,} parameters, {f'{over:,} too many' if over > 0 else f'{-over:,} fewer than the challenge allows'}"


LESSON = Lesson(
    "parameters",
    "Parameters by hand",
    "Count a network's parameters layer by layer, and see what fits into a budget of 8,000.",
    15,
    (
        Scene(
            "explain",
            "What a parameter is",
            "A convolution slides small windows of weights over its input. One **output channel** has one window for "
            "**each input channel**, and adds up what they see; it may have one **bias** more. The weights are "
            "learned, and each of them is a parameter. How large the image is does not matter: the same window is "
            "used everywhere.\n\nMove the sliders and watch the product.",
            (ConvArithmetic(1, 8),),
        ),
        Scene(
            "predict",
            "The first layer of A2",
            "A2 reads grey digits, **one** channel. Its first convolution puts out **10** channels with windows of "
            "3 x 3, without bias.",
            check=Check(
                "How many parameters does it have?",
                lambda: layer(A2, "conv1").parameters,
                lambda: f"{layer(A2, 'conv1').arithmetic}: output channels x input channels x height x width.",
                hint="Ten output channels. How many weights does each of them have?",
                slips=(
                    Slip(lambda: 100, "That has a bias for each output channel; this convolution has none."),
                    Slip(lambda: 9, "That is one window. Every output channel has its own."),
                    Slip(lambda: 30, "A window of 3 x 3 has nine weights, not three."),
                ),
            ),
        ),
        Scene(
            "do",
            "The second layer",
            "The second convolution looks the same, 3 x 3 and 10 channels out. But it reads the **10 channels** of the "
            "first.",
            (ConvArithmetic(1, 10),),
            Check(
                "How many parameters does it have?",
                lambda: layer(A2, "conv2").parameters,
                lambda: (
                    f"{layer(A2, 'conv2').arithmetic}. Ten times the first layer, for ten times the input channels. "
                    f"{_channels_times_channels():.0%} of A2's parameters are in such layers, which read more than "
                    "one channel."
                ),
                hint="Set the sliders to this layer.",
                slips=(
                    Slip(lambda: 90, "That is a layer with one input channel. This one reads ten."),
                    Slip(lambda: 910, "That has ten biases; this convolution has none."),
                ),
            ),
        ),
        Scene(
            "do",
            "Batch norm",
            "Batch norm shifts and scales every channel: it learns **two** numbers a channel. It also keeps two "
            "running figures, mean and variance, which are stored but not learned, and do not count.",
            check=Check(
                "How many parameters has A2's first batch norm, on 10 channels?",
                lambda: first(A2, BatchNorm).parameters,
                lambda: (
                    f"{first(A2, BatchNorm).arithmetic}. Batch norm subtracts each channel's mean, and a bias before "
                    "it is subtracted with it. So these convolutions have none."
                ),
                hint="A scale and a shift for each of the ten channels.",
                slips=(
                    Slip(lambda: 40, "The running mean and variance are stored, not learned: they do not count."),
                    Slip(lambda: 10, "A scale **and** a shift for each channel."),
                    Slip(lambda: 2, "Two for each of the ten channels."),
                ),
            ),
        ),
        Scene(
            "predict",
            "Pool, ReLU, dropout",
            "A max pool takes the largest of four values. ReLU cuts off what is negative. Dropout zeroes values at "
            "random while training.",
            check=Check(
                "How many parameters have the three of them together?",
                lambda: sum(
                    each.parameters
                    for each in walked(A2).layers
                    if type(each.op).__name__ in ("MaxPool", "ReLU", "Dropout")
                ),
                lambda: "None: there is nothing in them to learn.",
                hint="What of them is learned?",
            ),
        ),
        Scene(
            "observe",
            "Where they all are",
            ForChallenge(lambda challenge: f"B1 has {_against(challenge)}. Look for the largest share."),
            (Layers(B1),),
            Check(
                "How many parameters would go if the last convolution, 7 x 7 on 10 channels, were taken out?",
                lambda: layer(B1, "conv8").parameters,
                lambda: (
                    f"{layer(B1, 'conv8').arithmetic}, "
                    f"{layer(B1, 'conv8').parameters / walked(B1).parameters:.0%} of the network in one layer. An "
                    "average over the last map has no parameters at all: B3 ends in one, and a small convolution."
                ),
                hint=f"The row {op_words(layer(B1, 'conv8').op)}.",
                slips=(Slip(lambda: 490, "Ten channels in **and** ten channels out."),),
            ),
        ),
        Scene(
            "predict",
            "Twice as wide",
            lambda: (
                f"C3 has {walked(C3).parameters:,} parameters. Make every layer twice as wide, and keep ten classes."
            ),
            check=Check(
                "The count becomes about ...",
                lambda: min(FACTORS, key=lambda words: abs(FACTORS[words] - _count("2.0") / walked(C3).parameters)),
                lambda: (
                    f"{walked(C3).parameters:,} becomes {_count('2.0'):,}, times "
                    f"{_count('2.0') / walked(C3).parameters:.1f}. Where input **and** output channels double, a layer "
                    "has four times as many weights; the first and the last layer only twice as many."
                ),
                choices=tuple(FACTORS),
                hint="What happens to channels in times channels out?",
            ),
        ),
        Scene(
            "do",
            "Try it",
            "Turn the width and see what the budget allows.",
            (Knobs(C3), Way("pages/experiment/design.py", "Change C3 layer by layer", (("from", C3),))),
            Check(
                "Which is the widest of these that stays within 8,000 parameters?",
                lambda: max((width for width in WIDTHS if _count(width) <= CHALLENGE.parameters), key=float),
                lambda: "; ".join(f"{width} gives {_count(width):,}" for width in WIDTHS) + ".",
                choices=WIDTHS,
                hint="Set the slider to each of them.",
            ),
        ),
    ),
)
