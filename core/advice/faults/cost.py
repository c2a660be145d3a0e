"""Faults of a design's input and cost: another image size, over the budget, parameters without use."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from core.advice.faults.fault import (
    ANY,
    FEW_LAYERS,
    Fault,
    Level,
    Topic,
    begin,
    hidden,
    named,
    price,
    single,
    untold,
    weighted,
)
from core.advice.faults.sight import field
from core.advice.remedies.cost import averaged, lighter, narrower, wider, without_bias
from core.advice.remedies.ops import listed, outputs_of, with_outputs
from core.advice.remedies.sight import deeper
from core.architecture.sizes import shape_words
from core.architecture.spec import (
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Dropout2d,
    GhostBatchNorm,
    GlobalAvgPool,
    GlobalMaxPool,
    InstanceNorm,
    MaxPool,
    Norm,
)
from core.architecture.trace import Layer, Trace
from core.challenge import Challenge
from core.words import plural

MNIST_INPUT = (1, 28, 28)
HALF = 0.5  # share of the parameters from which one layer has most of them
VERY_FEW_USED = 1 / 4  # share of the budget: the smallest network of the ladder has more of 8,000, and misses 99.4%
FAR_OVER = 10  # times the budget
FILTERS_A_PIXEL = 2  # of a first layer, for each of the pixels under its window: more is called wide


def input_size(walked: Trace) -> list[Fault]:
    """The lab's data sets have images of one size."""
    architecture = walked.architecture
    if architecture.input == MNIST_INPUT:
        return []
    words = (
        f"The design takes images of {shape_words(architecture.input)}. MNIST has {shape_words(MNIST_INPUT)}, and the "
        "lab trains on no other size."
    )
    remedies = single(f"Set the input to {shape_words(MNIST_INPUT)}", replace, architecture, input=MNIST_INPUT)
    return [Fault("input", "warning", (), words, remedies)]


def budget(walked: Trace, challenge: Challenge) -> list[Fault]:
    """The challenge allows so many parameters."""
    most = challenge.parameters
    over = walked.parameters - most
    if over <= 0:
        return []
    words = f"{walked.parameters:,} parameters are {over:,} more than the challenge's {most:,}."
    if walked.parameters >= FAR_OVER * most:
        times = round(walked.parameters / most)
        words += f" That is {times:,} times as many: it may be easier to begin with a small network."
    return [Fault("budget", "warning", (), words, partial(narrower, walked, most), told=untold)]


def left_over(walked: Trace, challenge: Challenge) -> list[Fault]:
    """Parameters that the challenge allows and the network does not have."""
    used, most, few = walked.parameters, challenge.parameters, challenge.few_parameters
    if used >= few:
        return []
    words = f"{most - used:,} of the challenge's {most:,} parameters are left: widen the layers, or add one."
    level: Level = "warning" if used < VERY_FEW_USED * most else "hint"
    shallow = bool(field(walked)) or len(weighted(walked)) < FEW_LAYERS  # then depth is what it needs first
    remedies = partial(deeper, walked) if shallow else partial(wider, walked, most)
    brings: tuple[Topic, ...] = ("concentration", "context")  # they speak where parameters are scarce
    return [Fault("left over", level, (), words, remedies, _parameters, few, price if shallow else untold, brings)]


def _parameters(walked: Trace) -> float:
    return walked.parameters


def concentration(walked: Trace, challenge: Challenge) -> list[Fault]:
    """One layer with more than half of the parameters: the place to save some."""
    layers = weighted(walked)
    if len(layers) < 3 or walked.parameters < challenge.few_parameters:
        return []
    largest = max(layers, key=lambda layer: layer.parameters)
    share = largest.parameters / max(1, walked.parameters)
    over = walked.parameters > challenge.parameters
    head = _places(walked, largest)
    if share <= HALF or not (over or head > 1):
        return []
    words = f"{begin(named(largest))} holds {min(share, 0.99):.0%} of all parameters: {largest.arithmetic}."
    if head > 1:
        words += f" It has weights of its own for each of the {head} x {head} places."
    remedies = partial(lighter if over else averaged, walked, largest)
    fewer = 1 - walked.parameters
    brings: tuple[Topic, ...] = ANY if over else ("left over",)  # where it must shrink, even a view may be lost
    return [Fault("concentration", "hint", (largest.index,), words, remedies, _saved, fewer, brings=brings)]


def _saved(walked: Trace) -> float:
    return -walked.parameters


def _places(walked: Trace, layer: Layer) -> int:
    """For how many positions of a map, along one side, a layer has weights of its own; 1 if all share their weights."""
    if isinstance(layer.op, Conv):
        return layer.op.kernel_size if layer.output[1] == 1 and layer.input[1] > 1 else 1
    return layer.window.kernel_size


def bias(walked: Trace) -> list[Fault]:
    """Batch norm subtracts the mean and so the bias, even after a pool or a convolution without padding."""
    vain = [
        layer for layer in walked.layers if isinstance(layer.op, Conv) and layer.op.bias and _is_normed(walked, layer)
    ]
    if not vain:
        return []
    indices = tuple(layer.index for layer in vain)
    noisy = [layer for layer in vain if _dropout_before_norm(walked, layer.index)]
    silent = [layer for layer in vain if layer not in noisy]
    words = f"The norm after {listed(indices)} takes each channel's mean away, and a bias with it: "
    told = []
    if silent:
        saved = sum(outputs_of(layer.op) for layer in silent)
        told.append(f"{plural(saved, 'parameter')} {'does' if saved == 1 else 'do'} nothing")
    if noisy:
        saved = sum(outputs_of(layer.op) for layer in noisy)
        told.append(
            f"{plural(saved, 'parameter')} of {listed(layer.index for layer in noisy)} only "
            f"{'adds' if saved == 1 else 'add'} noise, through the dropout between"
        )
    words += f"{' and '.join(told)}."
    return [Fault("bias", "hint", indices, words, single("Set bias=False", without_bias, walked.architecture, indices))]


def _is_normed(walked: Trace, layer: Layer) -> bool:
    """Whether the bias of a channel reaches a batch norm as one constant."""
    for following in walked.layers[layer.index + 1 :]:
        match following.op:
            case BatchNorm() | GhostBatchNorm() | InstanceNorm():
                return True
            case MaxPool() | GlobalAvgPool() | GlobalMaxPool() | Dropout() | Dropout2d():
                pass
            case Conv(padding=0) | AvgPool(padding=0):
                pass
            case _:
                return False
    return False


def _dropout_before_norm(walked: Trace, index: int) -> bool:
    """Whether a dropout stands between op `index` and the next batch norm."""
    for following in walked.layers[index + 1 :]:
        if isinstance(following.op, Norm):
            return False
        if isinstance(following.op, Dropout | Dropout2d) and following.op.p > 0:
            return True
    return False


def wide_start(walked: Trace, challenge: Challenge) -> list[Fault]:
    """The first window has few pixels, so many filters look at the same ones."""
    first = next(iter(hidden(walked)), None)
    within = walked.parameters <= challenge.parameters
    if within or first is None or not isinstance(first.op, Conv) or first.input[0] != 1:
        return []
    pixels = first.op.kernel_size**2
    most, channels = FILTERS_A_PIXEL * pixels, first.op.out_channels
    if channels <= most or pixels == 1:
        return []
    words = (
        f"{begin(named(first))} has {channels} filters for the {plural(pixels, 'pixel')} under its window: at most "
        f"{pixels} of them can be independent, and the next layer pays for all {channels}."
    )
    width = 8 * (most // 8)
    remedies = single(f"Set it to {width} outputs", with_outputs, walked.architecture, {first.index: width})
    return [Fault("wide start", "hint", (first.index,), words, remedies)]
