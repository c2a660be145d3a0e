"""Faults of what a design can learn: activations, batch norm, depth, bottlenecks, dropout."""

from __future__ import annotations

from functools import lru_cache, partial

from core.advice.faults.fault import (
    FEW_LAYERS,
    Fault,
    Level,
    Topic,
    begin,
    depth_of,
    has,
    hidden,
    named,
    on_scores,
    sets,
    weighted,
)
from core.advice.remedies.learning import less_dropout, mixed, normed, widened, with_activations
from core.advice.remedies.ops import listed, outputs_of
from core.advice.remedies.sight import deeper
from core.architecture.spec import (
    Activation,
    BatchNorm,
    Composite,
    Conv,
    Dropout,
    Dropout2d,
    GlobalMaxPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Norm,
    Softmax,
    SqueezeExcite,
)
from core.architecture.trace import Layer, Trace, trace
from core.challenge import Challenge
from core.ladder.catalogue import LADDER
from core.words import plural

NARROW = 3  # channels: so few let little information through
HIGH_DROPOUT, HIGHEST_DROPOUT = 0.25, 0.5  # more is too much for a small network; and for any
SMALL = 50_000  # parameters: a network with fewer has too few for much dropout
USUAL_DROPOUT = 0.05  # the lineages have 0.007 to 0.1


def activation(walked: Trace) -> list[Fault]:
    """Two linear maps in a row are one linear map. A max pool counts as an activation: it is not linear."""
    pairs = [pair for pair in linear_pairs(walked) if not is_separable(*pair)]
    squeezed = [pair for pair in pairs if _saves_weights(*pair)]
    plain = [(one.index, two.index) for one, two in pairs if (one, two) not in squeezed]
    found = []
    if plain:
        if len(plain) == 1:
            where = f"op {plain[0][0]} and op {plain[0][1]}"
        else:
            where = f"ops {', '.join(f'{one} and {two}' for one, two in plain)}"
        words = (
            f"No activation between {where}: two layers in a row are one linear map, and can do no more than one layer."
        )
        ops = tuple(sorted({index for pair in plain for index in pair}))
        remedies = partial(with_activations, walked.architecture, plain)
        found.append(Fault("activation", "warning", ops, words, remedies))
    for one, two in squeezed:
        both = _weights(one) + _weights(two)
        words = (
            f"No activation between {named(one)} and {named(two)}: together they are one linear layer, with {both:,} "
            f"weights where it alone would have {_as_one(one, two):,}. That saves weights; a ReLU between would make "
            "them two layers."
        )
        pair = (one.index, two.index)
        found.append(Fault("squeeze", "hint", pair, words, partial(with_activations, walked.architecture, [pair])))
    return found


def linear_pairs(walked: Trace) -> list[tuple[Layer, Layer]]:
    """Each two layers with weights and nothing nonlinear between them."""
    pairs, since = [], None
    for layer in walked.layers:
        if isinstance(layer.op, Conv | Linear):
            if since is not None:
                pairs.append((since, layer))
            since = layer
        elif isinstance(layer.op, Activation | LogSoftmax | Softmax | GlobalMaxPool | SqueezeExcite | Composite) or (
            isinstance(layer.op, MaxPool) and layer.window.kernel_size > 1
        ):
            since = None  # a body may be linear; what is said of pairs is not said of it
    return pairs


def is_separable(one: Layer, two: Layer) -> bool:
    """A depthwise convolution and a 1 x 1 convolution that mixes the channels, in either order.

    They are meant as one layer, and were better without an activation between them (Chollet 2017, arXiv:1610.02357).
    """
    return (_is_depthwise(one) and _is_1x1(two)) or (_is_1x1(one) and _is_depthwise(two))


def _is_depthwise(layer: Layer) -> bool:
    return isinstance(layer.op, Conv) and 1 < layer.op.groups == layer.input[0]


def _is_1x1(layer: Layer) -> bool:
    return isinstance(layer.op, Conv) and layer.op.kernel_size == 1 and layer.op.groups == 1


def _saves_weights(one: Layer, two: Layer) -> bool:
    """Whether the two, one of them 1 x 1, have fewer weights than the single layer that computes the same."""
    if not (_is_1x1(one) or _is_1x1(two)) or not (isinstance(one.op, Conv) and isinstance(two.op, Conv)):
        return False
    if one.field != two.before:  # a pool between widens what the two amount to
        return False
    return one.op.groups == two.op.groups == 1 and _weights(one) + _weights(two) < _as_one(one, two)


def _weights(layer: Layer) -> int:
    """The weights of a layer, without biases."""
    op = layer.op
    return layer.parameters - outputs_of(op) if isinstance(op, Conv | Linear) and op.bias else layer.parameters


def _as_one(one: Layer, two: Layer) -> int:
    """The weights of the single convolution that computes the same as both, one of which is 1 x 1."""
    kernel = max(one.window.kernel_size, two.window.kernel_size)
    return two.output[0] * one.input[0] * kernel**2


def batch_norm(walked: Trace) -> list[Fault]:
    """Batch norm keeps the values on one scale, so that a small network can use a higher learning rate."""
    together = {one.index for one, two in linear_pairs(walked) if is_separable(one, two)}
    convs = [layer for layer in hidden(walked) if isinstance(layer.op, Conv) and layer.index not in together]
    bare = [layer.index for layer in convs if not _normed_next(walked, layer)]
    if len(convs) < 2 or not bare:
        return []
    none = not any(has(layer, Norm) for layer in walked.layers)
    others = any(isinstance(layer.op, Norm) and not isinstance(layer.op, BatchNorm) for layer in walked.every_layer)
    words = f"No {'norm' if others else 'batch norm'} after {listed(bare)}"
    words += "." if len(bare) == len(convs) else "; the other hidden convolutions have one."
    words += (
        " It keeps the values of each channel on one scale, so that a higher learning rate works, for 2 "
        "parameters a channel."
    )
    return [Fault("batch norm", "warning" if none else "hint", tuple(bare), words, partial(normed, walked, bare))]


def _normed_next(walked: Trace, layer: Layer) -> bool:
    """Whether a norm stands between this layer and the next one with weights, or first in the op with that one."""
    for following in walked.layers[layer.index + 1 :]:
        if isinstance(following.op, Conv | Linear):
            return False
        if has(following, Norm):
            return True
        if depth_of(following):
            return False
    return False


@lru_cache(maxsize=4)
def _layers_of_the_ladder(most: int) -> int:
    """The fewest layers with weights of a network of the ladder within the budget; 0 where there is none."""
    traces = (trace(step.architecture) for step in LADDER)
    return min((len(weighted(walked)) for walked in traces if walked.parameters <= most), default=0)


def depth(walked: Trace, challenge: Challenge) -> list[Fault]:
    """A network with few layers sees little, and combines what it sees only once or twice."""
    indices = tuple(layer.index for layer in weighted(walked))
    if _layers_with_weights(walked) >= FEW_LAYERS:
        return []
    are = "is a convolution or linear layer" if len(indices) == 1 else "are convolutions or linear layers"
    words = f"Only {listed(indices)} {are}" if indices else "There is no convolution or linear layer"
    if least := _layers_of_the_ladder(challenge.parameters):
        words += f"; the ladder's networks within the budget have {least} or more"
    words += ". Add blocks of convolution, batch norm and ReLU."
    level: Level = "hint" if _layers_with_weights(walked) == FEW_LAYERS - 1 else "warning"
    brings: tuple[Topic, ...] = ("left over", "batch norm")  # an added block has batch norm
    remedies = partial(deeper, walked)
    return [Fault("depth", level, indices, words, remedies, _layers_with_weights, FEW_LAYERS, brings=brings)]


def _layers_with_weights(walked: Trace) -> float:
    return sum(map(depth_of, walked.layers))


def bottleneck(walked: Trace) -> list[Fault]:
    """All information goes through the channels between two layers, so a few channels let little through."""
    narrow = [layer for layer in hidden(walked) if 0 < outputs_of(layer.op) <= NARROW]
    if not narrow:
        return []
    indices = tuple(layer.index for layer in narrow)
    tightest = min(narrow, key=lambda layer: outputs_of(layer.op))
    count = outputs_of(tightest.op)
    noun = "channel" if isinstance(tightest.op, Conv) else "value"
    words = f"{begin(named(tightest))} passes on only {plural(count, noun)}: all later layers see nothing else."
    if others := [index for index in indices if index != tightest.index]:
        words += f" {begin(listed(others))} {'is' if len(others) == 1 else 'are'} hardly wider."
    level: Level = "warning" if count == 1 else "hint"
    return [Fault("bottleneck", level, indices, words, partial(widened, walked, [*indices]))]


def groups(walked: Trace) -> list[Fault]:
    """Two grouped convolutions need a layer between them that mixes the groups."""
    found, since = [], None
    for layer in weighted(walked):
        groups = _groups_of(layer)
        if since is not None and groups > 1 and _groups_of(since) == groups:
            words = (
                f"{begin(named(since))} and {named(layer)} have {groups} groups each, and nothing between mixes them: "
                f"up to here the network is {groups} networks side by side."
            )
            remedies = partial(mixed, walked, layer.index, layer.input[0])
            found.append(Fault("groups", "hint", (since.index, layer.index), words, remedies))
        since = layer
    return found


def _groups_of(layer: Layer) -> int:
    return layer.op.groups if isinstance(layer.op, Conv) else 1


def high_dropout(walked: Trace) -> list[Fault]:
    """Dropout is for networks that overfit, which small ones on MNIST do not."""
    small = walked.parameters <= SMALL
    most = HIGH_DROPOUT if small else HIGHEST_DROPOUT
    scores = on_scores(walked)
    high = {
        layer.index: layer.op.p
        for layer in walked.layers
        if isinstance(layer.op, Dropout | Dropout2d) and layer.op.p > most and layer not in scores
    }
    if not high:
        return []
    words = f"{begin(listed(high))} {sets(list(high.values()))} of the values to zero. "
    words += (
        f"That leaves a network of {walked.parameters:,} parameters too little to learn with."
        if small
        else "What is left is too little to learn with."
    )
    remedies = partial(less_dropout, walked, tuple(high), USUAL_DROPOUT)
    return [Fault("dropout", "warning", tuple(high), words, remedies)]
