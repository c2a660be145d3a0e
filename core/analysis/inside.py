"""Inside a trained network: the output of each op for a digit, the arithmetic of one value, what decides the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.architecture.spec import Architecture, Conv, ReLU, Softmax, op_words
from core.architecture.trace import Layer, trace
from core.errors import SpecError
from core.training.evaluation import images_at_once, log_probabilities, log_scores
from core.training.network import evaluating
from core.training.resident import Normalisation, grey, normalised

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]
Exact = NDArray[np.float64]

MAX_OCCLUDED = 5e9  # multiply-adds of one occlusion map: about two seconds of a CPU
STRIDES = (1, 2, 4)  # pixels between neighbouring squares, the finest first


# ------------------------------------------------------------------------------------------------------- feature maps


@dataclass(frozen=True)
class Maps:
    """What goes through a network for one digit, (C, H, W) or (F,), by the layers' names."""

    image: Values  # the normalised digit, (1, H, W)
    inputs: dict[str, Values]
    outputs: dict[str, Values]


@torch.no_grad()
def feature_maps(
    network: nn.Sequential, architecture: Architecture, digit: Pixels, normalisation: Normalisation
) -> Maps:
    """What each op, also in bodies, is given and puts out for a digit (H, W), in evaluation mode."""
    image = normalised(grey(torch.tensor(digit[None])), normalisation)
    inputs: dict[str, Values] = {}
    outputs: dict[str, Values] = {}

    def see(layer: Layer, given: Tensor, output: Tensor) -> None:
        inputs[layer.name], outputs[layer.name] = (each[0].contiguous().numpy().copy() for each in (given, output))

    with _watched(network, architecture, see):
        network(image)
    return Maps(image[0].numpy(), inputs, outputs)


@contextmanager
def _watched(
    network: nn.Sequential, architecture: Architecture, see: Callable[[Layer, Tensor, Tensor], None]
) -> Iterator[None]:
    """In evaluation mode, `see` gets each layer with its input and output; a body that is repeated each time."""
    calls: dict[str, list[Layer]] = {}
    for layer in trace(architecture).every_layer:
        calls.setdefault(layer.path, []).append(layer)

    def hook_of(layers: list[Layer]) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        turn = cycle(layers)
        return lambda _, given, output: see(next(turn), given[0], output)

    handles = [network.get_submodule(path).register_forward_hook(hook_of(layers)) for path, layers in calls.items()]
    try:
        with evaluating(network):
            yield
    finally:
        for handle in handles:
            handle.remove()


def probabilities_of(architecture: Architecture, maps: Maps) -> Exact:
    """(10,) the softmax of what the network puts out; its output itself if it ends in Softmax."""
    scores = next(reversed(maps.outputs.values())).reshape(-1).astype(np.float64)
    if isinstance(architecture.ops[-1], Softmax):
        return scores
    odds = np.exp(scores - scores.max())
    return np.asarray(odds / odds.sum(), np.float64)


def filters_of(network: nn.Sequential, layer: Layer) -> Values:
    """The kernels of a convolution, (out, in / groups, k, k). Raises SpecError for another op."""
    module = network.get_submodule(layer.path)
    if not isinstance(module, nn.Conv2d):
        raise SpecError(f"op {layer.path} {op_words(layer.op)}: only a convolution has filters")
    weights: Values = module.weight.detach().contiguous().numpy()
    return weights


# ------------------------------------------------------------------------------------------------ one value worked out


@dataclass(frozen=True)
class PixelArithmetic:
    """One value of a convolution's output: the sum of patch times kernel over the input channels, and the bias."""

    layer: Layer
    channel: int  # of the output
    row: int
    column: int
    inputs: tuple[int, ...]  # the input channels that the output channel reads: all, unless there are groups
    patches: Exact  # (inputs, k, k), 0 in the padding
    padded: NDArray[np.bool_]  # (k, k), where the window lies in the padding
    kernels: Exact  # (inputs, k, k)
    bias: float  # 0 for a convolution without one
    network_value: float  # the network's own output there

    @property
    def products(self) -> Exact:
        """(inputs, k, k)"""
        return self.patches * self.kernels

    @property
    def sums(self) -> Exact:
        """(inputs,) the sum for each input channel."""
        return np.asarray(self.products.sum((1, 2)), np.float64)

    @property
    def value(self) -> float:
        """The value from this arithmetic, in float64."""
        return float(self.sums.sum()) + self.bias


def pixel_arithmetic(
    network: nn.Sequential, layer: Layer, maps: Maps, channel: int, row: int, column: int
) -> PixelArithmetic:
    """The arithmetic behind one value of a convolution. `maps`: of `feature_maps`.

    Raises SpecError for an op that is not a convolution, and for a unit outside its map.
    """
    op, module = layer.op, network.get_submodule(layer.path)
    if not isinstance(op, Conv) or not isinstance(module, nn.Conv2d):
        raise SpecError(f"op {layer.path} {op_words(op)}: only a convolution multiplies a patch by a kernel")
    channels, height, width = layer.output
    for name, value, count in (("channel", channel, channels), ("row", row, height), ("column", column, width)):
        if not 0 <= value < count:
            raise SpecError(f"op {layer.path} {op_words(op)}: there is no {name} {value}; they are 0 to {count - 1:,}")
    per_group = layer.input[0] // op.groups
    first = channel // (op.out_channels // op.groups) * per_group
    inputs = tuple(range(first, first + per_group))
    given = maps.inputs[layer.name].astype(np.float64)
    steps = op.dilation * np.arange(op.kernel_size) - op.padding
    rows, columns = row * op.stride + steps, column * op.stride + steps
    inside = np.outer((rows >= 0) & (rows < given.shape[1]), (columns >= 0) & (columns < given.shape[2]))
    clipped = np.ix_(np.array(inputs), rows.clip(0, given.shape[1] - 1), columns.clip(0, given.shape[2] - 1))
    return PixelArithmetic(
        layer=layer,
        channel=channel,
        row=row,
        column=column,
        inputs=inputs,
        patches=np.where(inside, given[clipped], 0.0),
        padded=~inside,
        kernels=filters_of(network, layer)[channel].astype(np.float64),
        bias=float(module.bias[channel].detach()) if module.bias is not None else 0.0,
        network_value=float(maps.outputs[layer.name][channel, row, column]),
    )


# ------------------------------------------------------------------------------------------- what the answer rests on


@dataclass(frozen=True)
class Occlusion:
    """How the score of a class changes when a black square covers part of the digit."""

    fall: Exact  # (H, W) how much its log-odds fall with the square around that pixel; below 0 they rise
    probability: Exact  # (H, W) its probability then
    read_as: NDArray[np.int64]  # (H, W) the digit that the network then answers
    before: float  # its probability on the digit as it is
    side: int  # pixels of the square
    stride: int  # pixels between neighbouring squares; above 1, each result stands for as many pixels


def occlusion(
    network: nn.Sequential,
    architecture: Architecture,
    digit: Pixels,
    normalisation: Normalisation,
    label: int,
    side: int = 5,
) -> Occlusion:
    """Cover the digit (H, W) with a black square around each pixel in turn, and measure the class `label` each time.

    Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2. For a large network only every second or fourth pixel. Log-odds,
    log(p / (1 - p)), because a probability of 99.99% hardly moves before it falls.
    """
    size = digit.shape[0]
    macs = trace(architecture).macs
    stride = next((s for s in STRIDES if macs * len(range(0, size, s)) ** 2 <= MAX_OCCLUDED), STRIDES[-1])
    centres = range(0, size, stride)
    covered = np.repeat(digit[None], len(centres) ** 2 + 1, axis=0)  # the last one stays as it is
    for number, (row, column) in enumerate((row, column) for row in centres for column in centres):
        top, left = row + (stride - 1) // 2 - side // 2, column + (stride - 1) // 2 - side // 2
        covered[number, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
    scores = log_probabilities(network, torch.tensor(covered), normalisation).double()
    odds = log_odds(scores, label).numpy()
    probability, read = scores[:, label].exp().numpy(), scores.argmax(1).numpy()

    def spread(values: NDArray[np.generic]) -> NDArray[np.generic]:
        square = values[:-1].reshape(len(centres), len(centres))
        return np.kron(square, np.ones((stride, stride), square.dtype))[:size, :size]

    return Occlusion(
        fall=np.asarray(spread(odds[-1] - odds), np.float64),
        probability=np.asarray(spread(probability), np.float64),
        read_as=np.asarray(spread(read), np.int64),
        before=float(probability[-1]),
        side=side,
        stride=stride,
    )


def gradient_map(network: nn.Sequential, digit: Pixels, normalisation: Normalisation, label: int) -> Exact:
    """(H, W) the gradient of the log-odds of the class `label` with respect to each pixel's grey level, 0 to 1.

    Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034. In evaluation mode.
    """
    given = grey(torch.tensor(digit[None])).requires_grad_()
    with evaluating(network):
        scores = log_scores(network, network((given - normalisation.mean) / normalisation.sd))
    (gradient,) = torch.autograd.grad(log_odds(scores, label).sum(), given)
    return np.asarray(gradient[0, 0].numpy(), np.float64)


def log_odds(scores: Tensor, label: int) -> Tensor:
    """(N,) log(p / (1 - p)) of a class, from log-probabilities (N, 10)."""
    others = torch.cat([scores[:, :label], scores[:, label + 1 :]], 1)
    return scores[:, label] - others.logsumexp(1)


# ------------------------------------------------------------------------------------------------------- dead filters


@dataclass(frozen=True)
class Activity:
    """How often the channels of one ReLU are above 0."""

    layer: Layer
    answers: Exact  # (channels,) the share of the images for which the channel has any value above 0
    zeros: float  # the share of all values that are 0
    images: int

    @property
    def dead(self) -> list[int]:
        """The channels that are 0 everywhere for every image."""
        return [int(channel) for channel in np.flatnonzero(self.answers == 0)]


@torch.no_grad()
def activity(
    network: nn.Sequential, architecture: Architecture, images: Pixels, normalisation: Normalisation
) -> list[Activity]:
    """The activity of each ReLU over images (N, H, W), in evaluation mode; empty for a network without ReLU."""
    layers = [layer for layer in trace(architecture).every_layer if isinstance(layer.op, ReLU)]
    answers = {layer.name: torch.zeros(layer.output[0], dtype=torch.float64) for layer in layers}
    zeros = dict.fromkeys(answers, 0.0)
    shown = torch.tensor(images)

    def see(layer: Layer, _given: Tensor, values: Tensor) -> None:
        if layer.name in answers:
            highest = values.flatten(2).amax(2) if values.ndim == 4 else values
            answers[layer.name] += highest.gt(0).double().sum(0)
            zeros[layer.name] += values.le(0).double().mean().item() * len(values)

    parts = shown.split(images_at_once(network, shown))
    with _watched(network, architecture, see):
        for part in parts:
            network(normalised(grey(part), normalisation))
    count = len(images)
    return [
        Activity(layer, (answers[layer.name] / count).numpy(), zeros[layer.name] / count, count) for layer in layers
    ]
