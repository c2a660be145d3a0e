"""What a design's own numbers say against it, in plain words, each with the change that would mend it where one would.

No rule here is a law: each names its numbers, so that it can be weighed. A remedy is tried before it is offered: it
leaves a network that gets further, or one that still ends in ten outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, pairwise
from math import gcd
from typing import Literal

from core.challenge import MAX_PARAMETERS
from core.edit import insert, move, put, remove
from core.errors import SpecError
from core.fit import Fit, fit
from core.spec import (
    Architecture,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Op,
    ReLU,
    Shape,
    describe,
)
from core.trace import CLASSES, Layer, Trace, classifier, spell
from core.vary import vary

Topic = Literal[
    "fit", "outputs", "budget", "field", "context", "bias", "activation", "early pool", "concentration", "dropout"
]
Level = Literal["error", "warning", "hint"]  # cannot be trained; likely costs accuracy or the challenge; worth weighing
LEVELS: tuple[Level, ...] = ("error", "warning", "hint")

DIGIT = 20  # pixels: the longer side of an MNIST digit, in an image of 28
EARLY = 5  # pixels: a unit that sees less has met edges, not yet their corners and crossings
HALF = 0.5  # share of the parameters above which one layer is said to hold most of them
HIGH_DROPOUT = 0.25
SMALL = 50_000  # parameters: below, networks on MNIST underfit rather than overfit
USUAL_DROPOUT = 0.05  # the lineages have 0.007 to 0.1


@dataclass(frozen=True)
class Advice:
    """One thing to mend or to weigh."""

    topic: Topic
    level: Level
    ops: tuple[int, ...]  # which ops it is about; empty for the whole network
    words: str
    remedy: Architecture | None = None
    remedy_label: str = ""  # what the remedy does, as a button says it


Remedy = tuple[str, Architecture]  # label, and what would become of the design
MOST_FLATTENS = 4  # that are tried to be taken out, the nearest first: each costs walks through the whole design


@lru_cache(maxsize=128)
def advice(architecture: Architecture) -> tuple[Advice, ...]:
    """All that there is to say, the gravest first. A network that does not fit is advised on as far as it does."""
    found = fit(architecture)
    said: list[Advice] = [] if not found.error else [_does_not_fit(architecture, found)]
    walked = found.trace
    if walked is None:
        return tuple(said)
    said += _convolution_bias(architecture, walked)
    if not found.error:
        for rule in (_outputs, _budget, _field, _no_context, _no_activation, _early_pool, _concentration, _dropout):
            said += rule(walked)
    return tuple(sorted(said, key=lambda each: LEVELS.index(each.level)))


def _first(remedies: Iterable[Remedy], mends: Callable[[Architecture], bool]) -> tuple[Architecture | None, str]:
    """The first remedy that mends, and its label; nothing where none does."""
    with suppress(SpecError):  # there is no room for as many ops
        for label, mended in remedies:
            if mends(mended):
                return mended, label
    return None, ""


def _trains(architecture: Architecture) -> bool:
    """Whether it fits and ends in ten outputs."""
    try:
        classifier(architecture)
    except SpecError:
        return False
    return True


def _named(layer: Layer) -> str:
    return f"op {layer.index} {describe(layer.op)}"


def _listed(indices: Iterable[int]) -> str:
    """`op 3`, `ops 3 and 7`, `ops 3, 7 and 9`."""
    numbers = [str(index) for index in indices]
    if len(numbers) == 1:
        return f"op {numbers[0]}"
    return f"ops {', '.join(numbers[:-1])} and {numbers[-1]}"


def _begun(words: str) -> str:
    return words[0].upper() + words[1:]


def _signed(parameters: int) -> str:
    return f"{parameters:+,} parameters".replace("-", "−")


# -------------------------------------------------------------------------------- what keeps it from being trained


def _does_not_fit(architecture: Architecture, found: Fit) -> Advice:
    """The first op that does not fit."""
    if found.broken is None:
        return Advice("fit", "error", (), "The design has no op yet. Add the first: a convolution, say.")
    index = found.broken
    shape: Shape = found.trace.output if found.trace else architecture.input
    left = len(architecture.ops) - index

    def further(mended: Architecture) -> bool:
        after = fit(mended)
        return not after.error or (after.broken is not None and len(mended.ops) - after.broken < left)

    remedy, label = _first(_ways_to_fit(architecture, index, shape), further)
    return Advice("fit", "error", (index,), f"{_begun(found.error)}.", remedy, label)


def _ways_to_fit(architecture: Architecture, index: int, shape: Shape) -> Iterator[Remedy]:
    """What might make op `index` fit behind a map or vector of that shape, the best first."""
    op, ops = architecture.ops[index], architecture.ops
    if len(shape) == 3 and isinstance(op, Linear):
        yield "Put GlobalAvgPool before it", insert(architecture, index, GlobalAvgPool())
    elif len(shape) == 3 and isinstance(op, LogSoftmax):
        added: tuple[Op, ...] = (Flatten(),) if shape[1] == 1 else (GlobalAvgPool(), Flatten())
        yield f"Put {' and '.join(map(describe, added))} before it", insert(architecture, index, *added)
    elif len(shape) != 3:
        for flatten in islice((i for i in range(index - 1, -1, -1) if isinstance(ops[i], Flatten)), MOST_FLATTENS):
            yield f"Take the Flatten at op {flatten} out", remove(architecture, flatten)
    else:
        yield from _smaller(architecture, index, shape)
    yield "Take it out", remove(architecture, index)


def _smaller(architecture: Architecture, index: int, shape: Shape) -> Iterator[Remedy]:
    """Another window or other groups for an op that stands on a map."""
    op, size = architecture.ops[index], shape[1]
    if isinstance(op, Conv):
        groups = gcd(shape[0], op.out_channels, op.groups)
        if groups != op.groups:
            yield f"Set groups to {groups}", put(architecture, index, replace(op, groups=groups))
        same = op.dilation * (op.kernel_size - 1) // 2
        if size >= op.kernel_size:  # it is the dilation that asks for more than there is
            yield f"Set padding to {same}", put(architecture, index, replace(op, padding=same))
        yield (
            f"Set its kernel to {size} x {size}",
            put(architecture, index, replace(op, kernel_size=size, padding=0, dilation=1)),
        )
    elif isinstance(op, MaxPool | AvgPool):
        if op.padding > op.kernel_size // 2:
            half = op.kernel_size // 2
            yield f"Set padding to {half}", put(architecture, index, replace(op, padding=half))
        if size > 1 and op.kernel_size > size:
            yield (
                f"Set its kernel to {size} x {size}",
                put(architecture, index, replace(op, kernel_size=size, stride=0)),
            )


def _outputs(walked: Trace) -> list[Advice]:
    """The ten digits need ten outputs."""
    if walked.output == (CLASSES,):
        return []
    remedy, label = _first(_ways_to_ten(walked), _trains)
    words = f"The network ends in {spell(walked.output)}; to be trained it needs {CLASSES} outputs, one for each digit."
    return [Advice("outputs", "error", (walked.layers[-1].index,), words, remedy, label)]


def _ways_to_ten(walked: Trace) -> Iterator[Remedy]:
    architecture, shape = walked.architecture, walked.output
    ops = architecture.ops
    end = len(ops) - isinstance(ops[-1], LogSoftmax)
    last = next((layer for layer in reversed(walked.layers) if isinstance(layer.op, Conv | Linear)), None)
    if last and not any(isinstance(op, ReLU | BatchNorm) for op in ops[last.index + 1 :]):
        ten = _with_outputs(architecture, last.index, CLASSES)
        yield f"Set op {last.index} to {CLASSES} outputs", ten
    added: list[Op] = []
    if len(shape) == 3:
        added += [GlobalAvgPool()] if shape[1] > 1 else []
        added += [Flatten()]
        if shape[0] == CLASSES:
            yield f"Add {_and(added)} at the end", insert(architecture, end, *added)
    added += [Linear(CLASSES)]
    yield f"Add {_and(added)} at the end", insert(architecture, end, *added)


def _and(ops: list[Op]) -> str:
    names = [describe(op) for op in ops]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _with_outputs(architecture: Architecture, index: int, count: int) -> Architecture:
    """With another number of output channels or features of a convolution or linear layer."""
    op = architecture.ops[index]
    if isinstance(op, Conv):
        return put(architecture, index, replace(op, out_channels=count))
    return put(architecture, index, replace(op, out_features=count)) if isinstance(op, Linear) else architecture


# -------------------------------------------------------------------------------------------- what it costs


def _budget(walked: Trace) -> list[Advice]:
    """The challenge allows 8,000 parameters."""
    over = walked.parameters - MAX_PARAMETERS
    if over <= 0:
        return []
    remedy, label = _first(_narrower(walked), _trains)
    words = f"{walked.parameters:,} parameters are {over:,} more than the challenge's {MAX_PARAMETERS:,}."
    return [Advice("budget", "warning", (), words, remedy, label)]


def _narrower(walked: Trace) -> Iterator[Remedy]:
    """The widest of the network's narrower copies that is within the budget, its width in hundredths."""
    least, most = 0, 100  # of them `most` is over the budget, and every wider one
    while most - least > 1:
        middle = (least + most) // 2
        if _parameters(vary(walked.architecture, width=middle / 100)) <= MAX_PARAMETERS:
            least = middle
        else:
            most = middle
    if least:
        mended = vary(walked.architecture, width=least / 100)
        yield f"Narrow all layers to {least}% ({_parameters(mended):,} parameters)", mended


def _parameters(architecture: Architecture) -> int:
    walked = fit(architecture)
    return walked.trace.parameters if walked.trace and not walked.error else MAX_PARAMETERS + 1


def _concentration(walked: Trace) -> list[Advice]:
    """One layer with more than half of the parameters is where a saving would count."""
    weighted = [layer for layer in walked.layers if isinstance(layer.op, Conv | Linear)]
    if len(weighted) < 3:
        return []
    largest = max(weighted, key=lambda layer: layer.parameters)
    share = largest.parameters / max(1, walked.parameters)
    if share <= HALF:
        return []

    def saves(mended: Architecture) -> bool:
        return _trains(mended) and classifier(mended).parameters < walked.parameters

    remedy, label = _first(_lighter(walked, largest), saves)
    if remedy:
        label = f"{label} ({_signed(classifier(remedy).parameters - walked.parameters)})"
    words = f"{_begun(_named(largest))} holds {share:.0%} of all parameters: {largest.arithmetic}."
    return [Advice("concentration", "hint", (largest.index,), words, remedy, label)]


def _lighter(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """A global average in place of weights for every place of the map; or half the channels."""
    architecture, index, op = walked.architecture, layer.index, layer.op
    before = architecture.ops[index - 1] if index else None
    if isinstance(op, Linear) and isinstance(before, Flatten) and walked.layers[index - 1].input[-1] > 1:
        yield "Put GlobalAvgPool before its Flatten", insert(architecture, index - 1, GlobalAvgPool())
    if isinstance(op, Conv) and op.kernel_size > 1 and layer.output[-1] == 1:
        averaged = put(architecture, index, replace(op, kernel_size=1, padding=0, dilation=1))
        yield "Average the map first, then a 1 x 1 convolution", insert(averaged, index, GlobalAvgPool())
    width = op.out_channels if isinstance(op, Conv) else op.out_features if isinstance(op, Linear) else 1
    if width > 1:
        yield f"Halve it to {width // 2} outputs", _with_outputs(architecture, index, width // 2)


def _convolution_bias(architecture: Architecture, walked: Trace) -> list[Advice]:
    """Batch norm subtracts the mean, and the bias with it."""
    vain = [
        (layer.index, layer.op)
        for layer, following in pairwise(walked.layers)
        if isinstance(layer.op, Conv) and layer.op.bias and isinstance(following.op, BatchNorm)
    ]
    if not vain:
        return []
    remedy, saved = architecture, 0
    for index, op in vain:
        remedy, saved = put(remedy, index, replace(op, bias=False)), saved + op.out_channels
    indices = tuple(index for index, _ in vain)
    words = (
        f"The batch norm after {_listed(indices)} takes each channel's mean away, and a bias with it: "
        f"{saved:,} parameters do nothing."
    )
    return [Advice("bias", "hint", indices, words, remedy, f"Set bias=False ({_signed(-saved)})")]


# -------------------------------------------------------------------------------------------- what it can see


def _field(walked: Trace) -> list[Advice]:
    """An output should depend on the whole image, and on more than an average of small views of it."""
    size = walked.architecture.input[1]
    seen, words, index = walked.field.size, "", walked.layers[-1].index
    wanted = size
    if seen < size:
        words = f"An output sees {seen} of the image's {size} pixels: what lies outside cannot count."
    elif (average := _average_of_all(walked)) and average.before.size < min(DIGIT, size):
        seen, index, wanted = average.before.size, average.index, min(DIGIT, size)
        words = (
            f"{_begun(_named(average))} averages units that have each seen {seen} x {seen} pixels; a digit is "
            f"{DIGIT} wide. Which strokes there are is counted, how they lie to one another is not."
        )
    if not words:
        return []

    remedy, label = _widest(walked, _wider_views(walked), _seen, wanted)
    return [Advice("field", "warning", (index,), words, remedy, label)]


def _seen(walked: Trace) -> int:
    """The least that an output can be said to see: of an average of the whole map, what one of the averaged sees."""
    average = _average_of_all(walked)
    return average.before.size if average and walked.field.size >= walked.architecture.input[1] else walked.field.size


def _widest(
    walked: Trace, remedies: Iterable[Remedy], seen: Callable[[Trace], int], wanted: int
) -> tuple[Architecture | None, str]:
    """The first remedy that makes `seen` as large as wanted, else the one that does most for it; its label says so."""
    best, label, most = None, "", seen(walked)
    for name, mended in remedies:
        if _trains(mended) and (reached := seen(classifier(mended))) > most:
            best, label, most = mended, f"{name} ({seen(walked)} → {reached} pixels)", reached
            if most >= wanted:
                break
    return best, label


def _average_of_all(walked: Trace) -> Layer | None:
    """The average pool that makes a single value of each map, if there is one."""
    for layer in walked.layers:
        if len(layer.input) == 3 and layer.input[1] > 1 and layer.output[1:] in ((1, 1), ()):
            return layer if isinstance(layer.op, GlobalAvgPool | AvgPool) else None
    return None


def _wider_views(walked: Trace) -> Iterator[Remedy]:
    """A max pool where there is none yet; or the last convolutions dilated, padded so that the maps keep their size."""
    architecture = walked.architecture
    if all(layer.window.stride == 1 for layer in walked.layers if len(layer.output) == 3 and layer.output[1] > 1):
        for index in _block_ends(walked):
            if walked.layers[index].field.size >= EARLY:
                yield f"Put MaxPool(2) after op {index}", insert(architecture, index + 1, MaxPool(2))
    dilated = architecture
    count = 0
    for layer in reversed(walked.layers):
        op = layer.op
        if isinstance(op, Conv) and op.kernel_size % 2 and op.kernel_size > 1 and layer.output[1] > 1:
            wider = replace(op, dilation=op.dilation + 1, padding=op.padding + (op.kernel_size - 1) // 2)
            dilated, count = put(dilated, layer.index, wider), count + 1
            which = "convolution" if count == 1 else f"{count} convolutions"
            yield f"Dilate the last {which}, padded", dilated


def _block_ends(walked: Trace) -> list[int]:
    """The last op of each block: a convolution and the ops on single values that follow it."""
    return [
        layer.index
        for layer, following in pairwise(walked.layers)
        if len(layer.output) == 3 and not isinstance(following.op, BatchNorm | ReLU | Dropout)
    ]


def _no_context(walked: Trace) -> list[Advice]:
    """Behind an op whose units see the whole image, a window shows nothing new."""
    size = walked.architecture.input[1]
    vain = [
        layer
        for layer in walked.layers
        if layer.before.size >= size and layer.window.kernel_size > 1 and len(layer.output) == 3 and layer.output[1] > 1
    ]
    if not vain:
        return []
    cost = sum(layer.parameters for layer in vain)
    remedy, label = _first(_without_blocks(walked, [layer.index for layer in vain]), _trains)
    if remedy:
        label = f"{label} ({_signed(classifier(remedy).parameters - walked.parameters)})"
    words = (
        f"Before {_listed(layer.index for layer in vain)} a unit already sees {vain[0].before.size} pixels of {size}: "
        f"no context is added, only depth" + (f", for {cost:,} parameters." if cost else ".")
    )
    return [Advice("context", "hint", tuple(layer.index for layer in vain), words, remedy, label)]


def _without_blocks(walked: Trace, indices: list[int]) -> Iterator[Remedy]:
    """Without those ops and the ones on single values that follow each: all of them, or the last alone."""
    ops = walked.architecture.ops
    for dropped in ([*indices], indices[-1:]) if len(indices) > 1 else (indices,):
        gone = set(dropped)
        for index in dropped:
            for after in range(index + 1, len(ops)):
                if not isinstance(ops[after], BatchNorm | ReLU | Dropout):
                    break
                gone.add(after)
        kept = tuple(op for index, op in enumerate(ops) if index not in gone)
        label = f"Take {_listed(sorted(gone))} out" if len(gone) < 4 else f"Take {len(gone)} ops out"
        yield label, replace(walked.architecture, ops=kept)


def _early_pool(walked: Trace) -> list[Advice]:
    """To halve the map while units see next to nothing is to throw away what they have not looked at yet."""
    early = next((layer for layer in _shrinking(walked) if layer.before.size < EARLY), None)
    if early is None:
        return []
    remedy, label = _widest(walked, _pools_moved_back(walked), _seen_by_first_pool, EARLY)
    seen = early.before.size
    words = (
        f"{_begun(_named(early))} shrinks the map when a unit has seen only {seen} x {seen} "
        f"pixel{'s' if seen > 1 else ''}: detail is gone before edges are put together."
    )
    return [Advice("early pool", "warning", (early.index,), words, remedy, label)]


def _shrinking(walked: Trace) -> list[Layer]:
    """The pools that halve a map, or more; the one that makes a single value of it is none of them."""
    pools = [layer for layer in walked.layers if isinstance(layer.op, MaxPool | AvgPool)]
    return [layer for layer in pools if layer.window.stride > 1 and layer.output[1] > 1]


def _seen_by_first_pool(walked: Trace) -> int:
    """What units see before the first pool; later pools' units see more."""
    pools = _shrinking(walked)
    return pools[0].before.size if pools else EARLY


def _pools_moved_back(walked: Trace) -> Iterator[Remedy]:
    """The first pool, or the first few, each behind a block of its own that sees enough; then the first alone."""
    architecture = walked.architecture
    pools = [layer.index for layer in _shrinking(walked)]
    for count in range(1, len(pools) + 1):
        moved = replace(architecture, ops=tuple(op for i, op in enumerate(architecture.ops) if i not in pools[:count]))
        without = fit(moved)
        if without.trace is None or without.error:
            continue
        seeing = [end for end in _block_ends(without.trace) if without.trace.layers[end].field.size >= EARLY]
        for end, index in reversed(list(zip(seeing, pools[:count], strict=False))):
            moved = insert(moved, end + 1, architecture.ops[index])
        if len(seeing) >= count:
            yield "Move it back" if count == 1 else f"Move {count} pools back", moved
    for end in _block_ends(walked):
        if end > pools[0]:
            yield f"Move it behind op {end}", move(architecture, pools[0], end)


# -------------------------------------------------------------------------------------------- what it can learn


def _no_activation(walked: Trace) -> list[Advice]:
    """Two linear maps in a row are one linear map. A max pool counts as an activation: it is not linear."""
    pairs: list[tuple[int, int]] = []
    since: int | None = None  # the last layer with weights, as long as nothing bent what it gave
    for layer in walked.layers:
        if isinstance(layer.op, Conv | Linear):
            if since is not None:
                pairs.append((since, layer.index))
            since = layer.index
        elif isinstance(layer.op, ReLU) or (isinstance(layer.op, MaxPool) and layer.window.kernel_size > 1):
            since = None
    if not pairs:
        return []
    remedy = walked.architecture
    for first, _ in reversed(pairs):
        normed = first + 1 < len(remedy.ops) and isinstance(remedy.ops[first + 1], BatchNorm)
        try:
            remedy = insert(remedy, first + 1 + normed, ReLU())
        except SpecError:  # there is no room for as many ops
            break
    if len(pairs) == 1:
        where, label = f"op {pairs[0][0]} and op {pairs[0][1]}", "Put a ReLU between"
    else:
        between = ", ".join(f"{one} and {two}" for one, two in pairs)
        where, label = f"ops {between}", f"Put {len(pairs)} ReLUs between"
    words = f"No activation between {where}: two layers in a row are one linear map, and can do no more than one layer."
    ops = tuple(sorted({index for pair in pairs for index in pair}))
    return [Advice("activation", "warning", ops, words, remedy, label)]


def _dropout(walked: Trace) -> list[Advice]:
    """Dropout is for networks that overfit, which small ones on MNIST do not."""
    high = [layer for layer in walked.layers if isinstance(layer.op, Dropout) and layer.op.p > HIGH_DROPOUT]
    if not high or walked.parameters > SMALL:
        return []
    remedy = walked.architecture
    for layer in high:
        remedy = put(remedy, layer.index, Dropout(USUAL_DROPOUT))
    most = max(layer.op.p for layer in high if isinstance(layer.op, Dropout))
    indices = tuple(layer.index for layer in high)
    words = (
        f"{_begun(_listed(indices))} set{'s' if len(high) == 1 else ''} up to {most:.0%} of the values to zero. "
        f"With {walked.parameters:,} parameters there is little to overfit with: it will underfit."
    )
    return [Advice("dropout", "warning", indices, words, remedy, f"Set p to {USUAL_DROPOUT}")]
