"""Changes that may fix a design's fault, as labels and what the design would become. `advice` tries them first.

Nothing here is promised: a change may not fit, cost too much or help nothing. Whoever offers one looks at it before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from itertools import islice, pairwise
from math import gcd, lcm

from core.architecture.edit import insert, move, put, remove
from core.architecture.fit import fit
from core.architecture.receptive_field import Window
from core.architecture.spec import (
    MAX_CHANNELS,
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
from core.architecture.trace import CLASSES, Layer, Trace
from core.architecture.vary import vary
from core.challenge import MAX_PARAMETERS

Remedy = tuple[str, Architecture]  # what a button says, and what would become of the design
Pointwise = BatchNorm | ReLU | Dropout  # they work on single values, and follow the layer that they belong to

EARLY = 5  # pixels: a unit that sees less has met edges, not yet their corners and crossings
USUAL_WIDTHS = (8, 6, 4)  # channels that a layer of one to three is widened to, the best first
FLOORS = (1, 4, 6, 8)  # channels that narrowing leaves a layer, so that none becomes a bottleneck
MOST_FLATTENS = 4  # that are tried to be taken out, the nearest first: each costs walks through the whole design
MOST_WIDER = 10  # times that a network is widened, at most
MOST_BLOCKS = 5  # that are added at once


# -------------------------------------------------------------------------------------------------- what makes it run


def ways_to_fit(architecture: Architecture, index: int, shape: Shape) -> Iterator[Remedy]:
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


def ways_to_ten(walked: Trace) -> Iterator[Remedy]:
    """What might make the network end in ten outputs."""
    architecture, shape = walked.architecture, walked.output
    ops = architecture.ops
    end = len(ops) - isinstance(ops[-1], LogSoftmax)
    last = next((layer for layer in reversed(walked.layers) if isinstance(layer.op, Conv | Linear)), None)
    if last and not any(isinstance(op, ReLU | BatchNorm) for op in ops[last.index + 1 :]):
        yield f"Set op {last.index} to {CLASSES} outputs", with_outputs(architecture, {last.index: CLASSES})
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


# ---------------------------------------------------------------------------------------------------- ops, one by one


def without(architecture: Architecture, indices: Iterable[int]) -> Architecture:
    """Without those ops."""
    gone = set(indices)
    return replace(architecture, ops=tuple(op for index, op in enumerate(architecture.ops) if index not in gone))


def with_ops(architecture: Architecture, changed: Mapping[int, Op]) -> Architecture:
    """With other ops in those places."""
    return reduce(lambda design, index: put(design, index, changed[index]), changed, architecture)


def with_outputs(architecture: Architecture, counts: Mapping[int, int]) -> Architecture:
    """With other numbers of output channels or features of convolutions and linear layers.

    A convolution before a grouped one, or itself grouped, gets the next number that the groups divide.
    """
    changed: dict[int, Op] = {}
    for index, count in counts.items():
        op = architecture.ops[index]
        if isinstance(op, Conv):
            unit = lcm(op.groups, _groups_behind(architecture, index))
            changed[index] = replace(op, out_channels=min(MAX_CHANNELS, unit * -(-count // unit)))
        elif isinstance(op, Linear):
            changed[index] = replace(op, out_features=count)
    return with_ops(architecture, changed)


def _groups_behind(architecture: Architecture, index: int) -> int:
    return next((op.groups for op in architecture.ops[index + 1 :] if isinstance(op, Conv)), 1)


def taken_out(walked: Trace, indices: Iterable[int]) -> Iterator[Remedy]:
    """Without those ops."""
    gone = sorted(indices)
    yield f"Take {listed(gone)} out", without(walked.architecture, gone)


def listed(indices: Iterable[int]) -> str:
    """`op 3`, `ops 3 and 7`, `ops 3, 7 and 9`."""
    numbers = [str(index) for index in indices]
    if len(numbers) == 1:
        return f"op {numbers[0]}"
    return f"ops {', '.join(numbers[:-1])} and {numbers[-1]}"


def without_blocks(walked: Trace, indices: list[int]) -> Iterator[Remedy]:
    """Without those ops and the ones on single values that follow each: all of them, or the last alone."""
    ops = walked.architecture.ops
    for dropped in ([*indices], indices[-1:]) if len(indices) > 1 else (indices,):
        gone = {after for index in dropped for after in range(index, _block_end(ops, index) + 1)}
        label = f"Take {listed(sorted(gone))} out" if len(gone) < 4 else f"Take {len(gone)} ops out"
        yield label, without(walked.architecture, gone)


def _block_end(ops: tuple[Op, ...], index: int) -> int:
    """The last of the ops on single values that follow op `index`; itself where none does."""
    while index + 1 < len(ops) and isinstance(ops[index + 1], Pointwise):
        index += 1
    return index


# --------------------------------------------------------------------------------------------------------- parameters


def narrower(walked: Trace) -> Iterator[Remedy]:
    """The widest of the network's narrower copies that is within the budget, its width in hundredths."""
    for floor in FLOORS:
        least, most = 0, 100  # of them `most` is over the budget, and every wider one
        while most - least > 1:
            middle = (least + most) // 2
            if parameters_of(_narrowed(walked.architecture, middle, floor)) <= MAX_PARAMETERS:
                least = middle
            else:
                most = middle
        if least:
            found = _narrowed(walked.architecture, least, floor)
            but = f", none below {floor} channels" if floor > 1 else ""
            yield f"Narrow all layers to {least}%{but} ({parameters_of(found):,} parameters)", found


def _narrowed(architecture: Architecture, hundredths: int, floor: int) -> Architecture:
    """With its channels times that, but no layer below `floor` unless it already was."""
    varied = vary(architecture, width=hundredths / 100)
    outputs = zip(map(outputs_of, architecture.ops), map(outputs_of, varied.ops), strict=True)
    raised = {index: min(floor, old) for index, (old, new) in enumerate(outputs) if new < min(floor, old)}
    return with_outputs(varied, raised)


def outputs_of(op: Op) -> int:
    """How many channels or features it puts out; 0 where it is not for the op to say."""
    return op.out_channels if isinstance(op, Conv) else op.out_features if isinstance(op, Linear) else 0


def wider(walked: Trace) -> Iterator[Remedy]:
    """The widest of the network's wider copies that is within the budget, its width in hundredths."""
    least, most = 100, MOST_WIDER * 100 + 1
    while most - least > 1:
        middle = (least + most) // 2
        if parameters_of(vary(walked.architecture, width=middle / 100)) <= MAX_PARAMETERS:
            least = middle
        else:
            most = middle
    found = vary(walked.architecture, width=least / 100)
    yield f"Widen all layers to {least}% ({parameters_of(found):,} parameters)", found


def parameters_of(architecture: Architecture) -> int:
    """How many it has; more than the budget where it does not fit."""
    found = fit(architecture)
    return found.trace.parameters if found.trace and not found.error else MAX_PARAMETERS + 1


def lighter(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """A global average in place of weights for every place of the map; or half the channels."""
    yield from averaged(walked, layer)
    width = outputs_of(layer.op)
    if width > 1:
        halved = with_outputs(walked.architecture, {layer.index: width // 2})
        yield f"Halve it to {outputs_of(halved.ops[layer.index])} outputs", halved


def averaged(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """A global average before a layer that has a weight for every place of the map."""
    architecture, index, op = walked.architecture, layer.index, layer.op
    before = architecture.ops[index - 1] if index else None
    if isinstance(op, Linear) and isinstance(before, Flatten) and walked.layers[index - 1].input[-1] > 1:
        yield "Put GlobalAvgPool before its Flatten", insert(architecture, index - 1, GlobalAvgPool())
    if isinstance(op, Conv) and op.kernel_size > 1 and layer.output[-1] == 1:
        single = put(architecture, index, replace(op, kernel_size=1, padding=0, dilation=1))
        yield "Average the map first, then a 1 x 1 convolution", insert(single, index, GlobalAvgPool())


def without_bias(architecture: Architecture, indices: Iterable[int]) -> Architecture:
    """With bias=False in those convolutions."""
    convs = {index: op for index in indices if isinstance(op := architecture.ops[index], Conv)}
    return with_ops(architecture, {index: replace(op, bias=False) for index, op in convs.items()})


def normed(walked: Trace, indices: list[int]) -> Iterator[Remedy]:
    """Batch norm right after each of those convolutions, and no bias in them: batch norm would take it away."""
    changed = without_bias(walked.architecture, indices)
    for index in reversed(indices):
        changed = insert(changed, index + 1, BatchNorm())
    biased = any(isinstance(op := walked.architecture.ops[index], Conv) and op.bias for index in indices)
    label = f"Put BatchNorm after {'it' if len(indices) == 1 else f'these {len(indices)}'}"
    yield label + (", without their bias" if biased else ""), changed


def widened(walked: Trace, indices: list[int]) -> Iterator[Remedy]:
    """More outputs for those layers."""
    for width in USUAL_WIDTHS:
        found = with_outputs(walked.architecture, dict.fromkeys(indices, width))
        yield f"Set {listed(indices)} to {outputs_of(found.ops[indices[0]])} outputs", found


# --------------------------------------------------------------------------------------------------- what a unit sees


def wider_views(walked: Trace) -> Iterator[Remedy]:
    """A max pool where there is none yet; more blocks; the last convolutions dilated and padded; pool and dilation."""
    pooled = []
    if not shrinking(walked):
        ends = [index for index in block_ends(walked) if walked.layers[index].field.size >= EARLY]
        pooled = [(f"Put MaxPool(2) after op {end}", insert(walked.architecture, end + 1, MaxPool(2))) for end in ends]
    yield from pooled
    yield from deeper(walked)
    yield from _dilated(walked.architecture)
    for label, changed in pooled:
        yield from _labelled(label, islice(_dilated(changed), 4))


def deeper(walked: Trace) -> Iterator[Remedy]:
    """More blocks as wide as the last one that compares neighbouring places, right behind it."""
    ops = walked.architecture.ops
    looking = [layer for layer in walked.layers if isinstance(layer.op, Conv) and _looks(layer)]
    if not looking:
        return
    index, op = looking[-1].index, looking[-1].op
    end = _block_end(ops, index)
    dropout = tuple(each for each in ops[index : end + 1] if isinstance(each, Dropout))
    block: tuple[Op, ...] = (Conv(outputs_of(op), 3, bias=False), BatchNorm(), ReLU(), *dropout[:1])
    for count in range(1, MOST_BLOCKS + 1):
        label = f"Add {'a block' if count == 1 else f'{count} blocks'} after op {end}"
        yield label, insert(walked.architecture, end + 1, *(block * count))


def _looks(layer: Layer) -> bool:
    return layer.window.kernel_size > 1 and layer.window.stride == 1 and layer.output[1] > 1


def _dilated(architecture: Architecture) -> Iterator[Remedy]:
    """One more of dilation in the last convolution, in the last two, and so on."""
    found = fit(architecture)
    if found.trace is None or found.error:
        return
    count = 0
    for layer in reversed(found.trace.layers):
        op = layer.op
        if isinstance(op, Conv) and op.kernel_size % 2 and op.kernel_size > 1 and layer.output[1] > 1:
            wider = replace(op, dilation=op.dilation + 1, padding=op.padding + (op.kernel_size - 1) // 2)
            architecture, count = put(architecture, layer.index, wider), count + 1
            which = "convolution" if count == 1 else f"{count} convolutions"
            yield f"Dilate the last {which}, padded", architecture


def block_ends(walked: Trace) -> list[int]:
    """The last op of each block: a convolution and the ops on single values that follow it."""
    return [
        layer.index
        for layer, following in pairwise(walked.layers)
        if len(layer.output) == 3 and not isinstance(following.op, Pointwise)
    ]


def shrinking(walked: Trace) -> list[Layer]:
    """The pools and convolutions that halve a map, or more; what makes a single value of it is none of them."""
    return [
        layer for layer in walked.layers if layer.window.stride > 1 and len(layer.output) == 3 and layer.output[1] > 1
    ]


def shrunk_later(walked: Trace) -> Iterator[Remedy]:
    """The first op that shrinks the map, or the first few, further back, where a unit sees enough.

    As each unit then sees less, the same again with a block more, or with dilation.
    """
    later = list(_shrunk_later(walked))
    yield from later
    for label, changed in later:
        found = fit(changed)
        if found.trace and not found.error:
            yield from _labelled(label, islice(deeper(found.trace), 2))
            yield from _labelled(label, islice(_dilated(changed), 3))
            for blocks, longer in islice(deeper(found.trace), 1):
                yield from _labelled(f"{label}, {_uncapitalised(blocks)}", islice(_dilated(longer), 3))


def _labelled(label: str, remedies: Iterable[Remedy]) -> Iterator[Remedy]:
    """The remedies after another one, whose label comes first."""
    for then, changed in remedies:
        yield f"{label} and {_uncapitalised(then)}", changed


def _uncapitalised(label: str) -> str:
    return label[0].lower() + label[1:]


def _shrunk_later(walked: Trace) -> Iterator[Remedy]:
    """A pool moves. A convolution keeps its place with stride 1, and a max pool shrinks the map later."""
    architecture = walked.architecture
    early = shrinking(walked)
    for count in range(1, len(early) + 1):
        pools = [layer for layer in early[:count] if isinstance(layer.op, MaxPool | AvgPool)]
        strided = {layer.index: replace(op, stride=1) for layer in early[:count] if isinstance(op := layer.op, Conv)}
        unshrunk = without(with_ops(architecture, strided), [layer.index for layer in pools])
        shrinks = [layer.op if layer in pools else MaxPool(2) for layer in early[:count]]
        shrinks += [MaxPool(2) for layer in early[:count] if layer not in pools and layer.window.stride > 2]
        for kept in range(len(shrinks), 0, -1):
            pooled = "MaxPool(2)" if kept == 1 else f"{kept} MaxPool(2)"
            moved = "Move it back" if count == 1 else f"Move {count} pools back"
            if strided:
                moved = f"Set stride to 1, with {pooled} later"
            elif kept < count:
                moved = f"Take {count} pools out, with {kept} later"
            yield from _shrunk_where_enough_is_seen(unshrunk, shrinks[:kept], moved)
        if strided and len(strided) == count:
            yield "Set stride to 1", unshrunk
    for layer in early[:1]:
        if isinstance(layer.op, MaxPool | AvgPool):
            for end in block_ends(walked):
                if end > layer.index:
                    yield f"Move it behind op {end}", move(architecture, layer.index, end)
        elif isinstance(layer.op, Conv) and layer.op.stride > 2:
            yield "Set stride to 2", put(architecture, layer.index, replace(layer.op, stride=2))


def _shrunk_where_enough_is_seen(architecture: Architecture, shrinks: list[Op], label: str) -> Iterator[Remedy]:
    """With each of those ops behind a block of its own, at the first place where a unit sees enough for it."""
    start = 0
    for op in shrinks:
        found = fit(architecture)
        if found.trace is None or found.error:
            return
        stride = op.stride if isinstance(op, Conv | MaxPool | AvgPool) else 1
        seeing = [
            end
            for end in block_ends(found.trace)
            if end >= start
            and isinstance(found.trace.layers[end].op, Pointwise | Conv)
            and found.trace.layers[end].field.size >= enough_seen(found.trace.layers[end].field.jump * stride)
        ]
        if not seeing:
            return
        architecture = insert(architecture, seeing[0] + 1, op)
        start = seeing[0] + 2
    yield label, architecture


def enough_seen(jump: int) -> int:
    """Pixels that a unit should see before neighbouring units lie `jump` pixels apart: 5 for 2, 10 for 4."""
    return EARLY * jump // 2


def every_place_read(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """Strides that leave out no row and column."""
    op = layer.op
    if isinstance(op, Conv | MaxPool | AvgPool):
        for stride in (op.kernel_size, 1) if op.kernel_size > 1 else (1,):
            yield f"Set stride to {stride}", put(walked.architecture, layer.index, replace(op, stride=stride))


def undilated(walked: Trace) -> Iterator[Remedy]:
    """Less dilation, first in one convolution, then in all, padded as much less."""
    convs = {layer.index: op for layer in walked.layers if isinstance(op := layer.op, Conv) and op.dilation > 1}
    single = {index: _undilated(op) for index, op in convs.items()}
    for index, op in single.items():
        yield f"Set dilation of op {index} to 1", put(walked.architecture, index, op)
    if len(convs) > 1:
        yield "Set dilation to 1 everywhere", with_ops(walked.architecture, single)


def _undilated(op: Conv) -> Conv:
    return replace(op, dilation=1, padding=max(0, op.padding - (op.dilation - 1) * (op.kernel_size - 1) // 2))


def met_weights(walked: Trace, layer: Layer, window: Window) -> Iterator[Remedy]:
    """The convolution with only the weights that meet the map: the same results."""
    op = layer.op
    if isinstance(op, Conv):
        k = window.kernel_size
        smaller = replace(
            op, kernel_size=k, padding=max(0, window.padding), dilation=1 if k == 1 else op.dilation,
            stride=1 if layer.output[1] == 1 else op.stride,
        )  # fmt: skip
        yield (
            f"Set its kernel to {k} x {k}, padding to {smaller.padding}",
            put(walked.architecture, layer.index, smaller),
        )


def odd_kernels(walked: Trace, indices: list[int]) -> Iterator[Remedy]:
    """One row and column less in those convolutions, or one more."""
    convs = {index: op for index in indices if isinstance(op := walked.architecture.ops[index], Conv)}
    for by in (-1, 1):
        changed: dict[int, Op] = {}
        for index, op in convs.items():
            kernel = max(3, op.kernel_size + by)
            changed[index] = replace(op, kernel_size=kernel, padding=min(op.padding, op.dilation * (kernel - 1) // 2))
        kernels = sorted({op.kernel_size for op in changed.values() if isinstance(op, Conv)})
        sizes = " and ".join(f"{kernel} x {kernel}" for kernel in kernels[:2])
        yield (
            f"Set {'its kernel' if len(convs) == 1 else 'their kernels'} to {sizes}" if len(kernels) < 3 else
            f"Make {len(convs)} kernels odd",
            with_ops(walked.architecture, changed),
        )  # fmt: skip


def small_kernels(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """Convolutions of 3 x 3 one after another that see as much as a large kernel, each with its block's other ops."""
    op, ops, index = layer.op, walked.architecture.ops, layer.index
    if not isinstance(op, Conv) or op.stride > 1 or op.dilation > 1 or op.padding not in (0, op.kernel_size // 2):
        return
    end = _block_end(ops, index)
    block = (replace(op, kernel_size=3, padding=min(1, op.padding)), *ops[index + 1 : end + 1])
    if not any(isinstance(each, ReLU) for each in block):
        return
    count = op.kernel_size // 2
    changed = insert(without(walked.architecture, range(index, end + 1)), index, *(block * count))
    if parameters_of(changed) < walked.parameters:
        yield f"Put {count} of 3 x 3 in its place", changed


# ---------------------------------------------------------------------------------------------------- what it can learn


def with_activations(architecture: Architecture, pairs: list[tuple[int, int]]) -> Iterator[Remedy]:
    """A ReLU after the first layer of each pair, behind its batch norm; as many as there is room for."""
    changed = architecture
    for first, _ in reversed(pairs):
        normed = first + 1 < len(changed.ops) and isinstance(changed.ops[first + 1], BatchNorm)
        changed = insert(changed, first + 1 + normed, ReLU())
    yield "Put a ReLU between" if len(pairs) == 1 else f"Put {len(pairs)} ReLUs between", changed


def less_dropout(walked: Trace, indices: Iterable[int], p: float) -> Iterator[Remedy]:
    """That probability in those dropouts."""
    yield f"Set p to {p:g}", with_ops(walked.architecture, dict.fromkeys(indices, Dropout(p)))


def mixed(walked: Trace, index: int, channels: int) -> Iterator[Remedy]:
    """A 1 x 1 convolution before op `index`, through which groups meet."""
    yield (
        f"Put Conv({channels}, 1) before op {index}",
        insert(walked.architecture, index, Conv(channels, 1, bias=False)),
    )
