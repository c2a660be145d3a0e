"""Faults of the place of an op: on the image, on the scores, without effect, twice, in the wrong order."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from core.advice.faults.fault import (
    Fault,
    Level,
    average_of_all,
    begin,
    depth_of,
    has,
    named,
    on_scores,
    percent,
    sets,
    single,
    weighted,
)
from core.advice.faults.learning import HIGH_DROPOUT
from core.advice.remedies.ops import listed, taken_out, without
from core.architecture.activations import Hardsigmoid, ReLU6, Sigmoid, Softplus
from core.architecture.edit import move, with_ops
from core.architecture.spec import (
    Activation,
    Architecture,
    AvgPool,
    BatchNorm,
    Composite,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LogSoftmax,
    MaxPool,
    Norm,
    ReLU,
    Softmax,
)
from core.architecture.trace import CLASSES, Layer, Trace

# Activations that give no value below 0.
NEVER_NEGATIVE = (ReLU, ReLU6, Sigmoid, Hardsigmoid, Softplus)


def on_the_image(walked: Trace) -> list[Fault]:
    """Ops on the image itself, before the first layer with weights."""
    found: list[Fault] = []
    for layer in walked.layers:
        if depth_of(layer) or isinstance(layer.op, LogSoftmax | Softmax):
            break
        if isinstance(layer.op, Dropout | Dropout2d) and 0 < layer.op.p <= HIGH_DROPOUT:
            does = f"sets {percent(layer.op.p)} of the image to zero"
        elif isinstance(layer.op, Norm):
            does = "normalises the image, which the lab has normalised already"
        elif isinstance(layer.op, ReLU) and not any(isinstance(walked.layers[each.ops[0]].op, ReLU) for each in found):
            does = "makes all pixels that are darker than the mean alike, as normalised they are negative"
        else:
            continue
        words = f"{begin(named(layer))} comes before any layer with weights: it {does}."
        found.append(Fault("image", "hint", (layer.index,), words, partial(taken_out, walked, (layer.index,))))
    return found


def negative_scores(walked: Trace) -> list[Fault]:
    """A score must be able to be negative, as evidence against a digit."""
    average = average_of_all(walked)
    last_pool = "pool" if average and isinstance(average.op, MaxPool) else "average"
    found, after_softmax = [], False
    for layer in on_scores(walked):
        after_softmax = after_softmax or isinstance(layer.op, LogSoftmax)
        if not isinstance(layer.op, NEVER_NEGATIVE):
            continue
        averaged_later = len(layer.output) == 3 and layer.output[1] > 1
        level: Level = "hint" if averaged_later else "warning"
        if after_softmax:
            words = f"{begin(named(layer))} comes after LogSoftmax, whose values are never above 0: {_left(layer)}."
        else:
            where = f"before the last {last_pool}" if averaged_later else f"on the {CLASSES} scores"
            normed_later = any(has(each, Norm) for each in walked.layers[layer.index + 1 :])
            words = f"{begin(named(layer))} works {where}: "
            words += (
                "what speaks against a digit is cut off before the norm."
                if normed_later
                else "no score is ever negative, so the network can argue for a digit but not against one."
            )
        found.append(Fault("negative scores", level, (layer.index,), words, partial(taken_out, walked, (layer.index,))))
    return found


def _left(layer: Layer) -> str:
    return "all scores become 0" if isinstance(layer.op, ReLU | ReLU6) else "all scores become nearly the same"


def dropped_scores(walked: Trace) -> list[Fault]:
    """Dropout helps the layer that reads its output, and no layer reads the scores."""
    dropped = [layer for layer in on_scores(walked) if isinstance(layer.op, Dropout | Dropout2d) and layer.op.p > 0]
    if not dropped:
        return []
    indices = tuple(layer.index for layer in dropped)
    averaged_later = all(len(layer.output) == 3 and layer.output[1] > 1 for layer in dropped)
    share = sets([layer.op.p for layer in dropped if isinstance(layer.op, Dropout | Dropout2d)])
    what = "the values that the scores are made of" if averaged_later else f"the {CLASSES} scores"
    words = (
        f"{begin(named(dropped[0]) if len(dropped) == 1 else listed(indices))} {share} of {what} to zero. No layer "
        "follows that could learn to do without them: it only makes the loss noisy."
    )
    level: Level = "hint" if averaged_later else "warning"
    return [Fault("dropped scores", level, indices, words, partial(taken_out, walked, indices))]


def log_softmax(walked: Trace) -> list[Fault]:
    """LogSoftmax belongs at the end, once."""
    scores = on_scores(walked)
    found = []
    inner = tuple(layer.index for layer in walked.layers if isinstance(layer.op, LogSoftmax) and layer not in scores)
    if inner:
        words = (
            f"{begin(listed(inner))} {'is' if len(inner) == 1 else 'are'} LogSoftmax, and layers with weights follow. "
            "It turns scores into log-probabilities, and belongs at the end, once."
        )
        found.append(Fault("log-softmax", "warning", inner, words, partial(taken_out, walked, inner)))
    again = tuple(layer.index for layer in scores if isinstance(layer.op, LogSoftmax))[1:]
    if again:
        words = (
            f"{begin(listed(again))} {'is' if len(again) == 1 else 'are'} LogSoftmax once more. It gives back the "
            "log-probabilities that it is given: it does nothing."
        )
        found.append(Fault("log-softmax", "hint", again, words, partial(taken_out, walked, again)))
    return found


def softmax(walked: Trace) -> list[Fault]:
    """The loss takes the logarithm of a softmax itself: after a Softmax it takes it of probabilities."""
    found = [layer for layer in walked.layers if isinstance(layer.op, Softmax)]
    if not found:
        return []
    indices = tuple(layer.index for layer in found)
    words = (
        f"{begin(named(found[0]))} gives probabilities, and the cross-entropy that follows takes the softmax of them "
        "once more: of ten numbers from 0 to 1 it can never give more than 23%, so the loss stays above 1.46 and the "
        "gradients are small. Give it the scores, or their logarithm by LogSoftmax."
    )
    remedies = single(
        "Put LogSoftmax in its place", with_ops, walked.architecture, dict.fromkeys(indices, LogSoftmax())
    )
    return [Fault("softmax", "warning", indices, words, remedies)]


def no_effect(walked: Trace) -> list[Fault]:
    """Ops whose output is their input."""
    vain: list[tuple[Layer, str]] = []
    positive = False  # whether all values are known to be at least 0
    scores = on_scores(walked) if walked.output == (CLASSES,) else ()
    for layer in walked.layers:
        op, window = layer.op, layer.window
        if isinstance(op, ReLU):
            if positive and layer not in scores:
                vain.append((layer, "the values are at least 0 already"))
            positive = True
        elif isinstance(op, Norm | Activation | LogSoftmax | Softmax | Composite) or depth_of(layer):
            positive = isinstance(op, (*NEVER_NEGATIVE, Softmax))
        elif isinstance(op, Dropout | Dropout2d) and op.p == 0:
            vain.append((layer, "it drops nothing"))
        elif isinstance(op, MaxPool | AvgPool) and (window.kernel_size, window.stride) == (1, 1):
            vain.append((layer, "its window is a single place"))
        elif isinstance(op, GlobalAvgPool | GlobalMaxPool) and layer.input[1:] == (1, 1):
            vain.append((layer, "the map is 1 x 1 already"))
        elif isinstance(op, Flatten) and len(layer.input) == 1:
            vain.append((layer, "it is given a vector already"))
    if not vain:
        return []
    reasons: dict[str, list[int]] = {}
    for layer, reason in vain:
        reasons.setdefault(reason, []).append(layer.index)
    told = "; ".join(f"{listed(indices)}, as {reason}" for reason, indices in reasons.items())
    indices = tuple(layer.index for layer, _ in vain)
    words = f"{'This op changes' if len(vain) == 1 else 'These ops change'} nothing: {told}."
    return [Fault("no effect", "hint", indices, words, partial(taken_out, walked, indices))]


def repeated(walked: Trace) -> list[Fault]:
    """Two ops of the same kind, one right after the other."""
    found = []
    scores = on_scores(walked) if walked.output == (CLASSES,) else ()
    for layer, following in pairwise(walked.layers):
        pair = (layer.index, following.index)
        if isinstance(layer.op, Norm) and type(layer.op) is type(following.op):
            words = (
                f"{begin(named(following))} normalises what op {layer.index} has just normalised: its "
                f"{following.parameters} parameters add nothing."
            )
            remedies = single(f"Take op {following.index} out", without, walked.architecture, pair[1:])
        elif isinstance(layer.op, Dropout) and isinstance(following.op, Dropout) and layer not in scores:
            one, two = layer.op.p, following.op.p
            if not (one and two) or max(one, two) > HIGH_DROPOUT:
                continue
            both = round(1 - (1 - one) * (1 - two), 4)
            words = f"{begin(listed(pair))} are two dropouts in a row: they act as one of {both:g}."
            remedies = single(f"Make it one Dropout({both:g})", _joined, walked.architecture, layer.index, both)
        else:
            continue
        found.append(Fault("repeated", "hint", pair, words, remedies))
    return found


def _joined(architecture: Architecture, index: int, p: float) -> Architecture:
    """The architecture with one dropout instead of op `index` and the one after it."""
    return without(with_ops(architecture, {index: Dropout(p)}), (index + 1,))


def order(walked: Trace) -> list[Fault]:
    """Dropout changes the variance, and batch norm uses the variance that it saw in training.

    Li, Chen, Hu & Yang 2019, arXiv:1801.05134.
    """
    found = []
    scores = on_scores(walked) if walked.output == (CLASSES,) else ()
    for layer in walked.layers:
        if not isinstance(layer.op, Dropout) or layer.op.p == 0 or layer in scores:
            continue
        norm = next((each for each in walked.layers[layer.index + 1 :] if not isinstance(each.op, Activation)), None)
        if norm is None or not isinstance(norm.op, BatchNorm) or not _weighted_before(walked, layer.index):
            continue
        words = (
            f"{begin(named(layer))} comes before op {norm.index} BatchNorm, which learns the variance of values with "
            "some set to zero, and is then used on values with none set to zero. Put dropout after it."
        )
        remedies = single(f"Move it behind op {norm.index}", move, walked.architecture, layer.index, norm.index)
        found.append(Fault("order", "hint", (layer.index, norm.index), words, remedies))
    return found


def _weighted_before(walked: Trace, index: int) -> bool:
    return any(layer.index < index for layer in weighted(walked))
