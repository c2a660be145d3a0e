"""Changes of what a design can see: pools, dilation, kernels, more blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, pairwise

from core.advice.remedies.ops import Pointwise, Remedy, block_end, outputs_of, parameters_of, without
from core.architecture.edit import insert, move, put, with_ops
from core.architecture.fit import fit
from core.architecture.receptive_field import Window
from core.architecture.spec import Activation, Architecture, AvgPool, BatchNorm, Conv, Dropout, MaxPool, Op, ReLU
from core.architecture.trace import Layer, Trace

EARLY = 5  # pixels: a unit that sees less can find edges, but not corners and crossings
MAX_BLOCKS = 5  # that are added at once


def wider_views(walked: Trace) -> Iterator[Remedy]:
    """A max pool if there is none; more blocks; dilation in the last convolutions; a pool and dilation."""
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
    """More blocks after the last one that compares neighbouring pixels, and as wide as that one."""
    ops = walked.architecture.ops
    looking = [layer for layer in walked.layers if isinstance(layer.op, Conv) and _looks(layer)]
    if not looking:
        return
    index, op = looking[-1].index, looking[-1].op
    end = block_end(ops, index)
    dropout = tuple(each for each in ops[index : end + 1] if isinstance(each, Dropout))
    block: tuple[Op, ...] = (Conv(outputs_of(op), 3, bias=False), BatchNorm(), ReLU(), *dropout[:1])
    for count in range(1, MAX_BLOCKS + 1):
        label = f"Add {'a block' if count == 1 else f'{count} blocks'} after op {end}"
        yield label, insert(walked.architecture, end + 1, *(block * count))


def _looks(layer: Layer) -> bool:
    return layer.window.kernel_size > 1 and layer.window.stride == 1 and layer.output[1] > 1


def _dilated(architecture: Architecture) -> Iterator[Remedy]:
    """Dilation increased by 1 in the last convolution, then in the last two, and so on."""
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
    """The index of the last op of each block: a convolution with the batch norm, ReLU and dropout after it."""
    return [
        layer.index
        for layer, following in pairwise(walked.layers)
        if len(layer.output) == 3 and not isinstance(following.op, Pointwise)
    ]


def shrinking(walked: Trace) -> list[Layer]:
    """The pools and convolutions with a stride above 1, except those that reduce a map to a single value."""
    return [
        layer for layer in walked.layers if layer.window.stride > 1 and len(layer.output) == 3 and layer.output[1] > 1
    ]


def shrunk_later(walked: Trace) -> Iterator[Remedy]:
    """The first ops that shrink the map, moved later, where a unit sees enough.

    Each unit then sees less, so the same change is also offered with one more block, or with dilation.
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
    """The remedies with another label put before theirs."""
    for then, changed in remedies:
        yield f"{label} and {_uncapitalised(then)}", changed


def _uncapitalised(label: str) -> str:
    return label[0].lower() + label[1:]


def _shrunk_later(walked: Trace) -> Iterator[Remedy]:
    """A pool is moved. A convolution gets stride 1, and a max pool shrinks the map later instead."""
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
    """With each of those ops after a block, at the first place where a unit sees enough."""
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
    """How many pixels a unit should see before the jump grows to `jump` pixels: 5 for 2, 10 for 4."""
    return EARLY * jump // 2


def every_place_read(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """Strides that skip no row or column."""
    op = layer.op
    if isinstance(op, Conv | MaxPool | AvgPool):
        for stride in (op.kernel_size, 1) if op.kernel_size > 1 else (1,):
            yield f"Set stride to {stride}", put(walked.architecture, layer.index, replace(op, stride=stride))


def undilated(walked: Trace) -> Iterator[Remedy]:
    """No dilation in one convolution, then in all, with as much less padding."""
    convs = {layer.index: op for layer in walked.layers if isinstance(op := layer.op, Conv) and op.dilation > 1}
    single = {index: _undilated(op) for index, op in convs.items()}
    for index, op in single.items():
        yield f"Set dilation of op {index} to 1", put(walked.architecture, index, op)
    if len(convs) > 1:
        yield "Set dilation to 1 everywhere", with_ops(walked.architecture, single)


def _undilated(op: Conv) -> Conv:
    return replace(op, dilation=1, padding=max(0, op.padding - (op.dilation - 1) * (op.kernel_size - 1) // 2))


def met_weights(walked: Trace, layer: Layer, window: Window) -> Iterator[Remedy]:
    """The convolution with only those weights that ever touch the map: its output stays the same."""
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
    """Kernels one pixel smaller in those convolutions, or one pixel larger."""
    convs = {index: op for index in indices if isinstance(op := walked.architecture.ops[index], Conv)}
    for by in (-1, 1):
        changed: dict[int, Op] = {}
        for index, op in convs.items():
            kernel = max(3, op.kernel_size + by)
            changed[index] = replace(op, kernel_size=kernel, padding=min(op.padding, op.dilation * (kernel - 1) // 2))
        kernels = sorted({op.kernel_size for op in changed.values() if isinstance(op, Conv)})
        sizes = " and ".join(f"{kernel} x {kernel}" for kernel in kernels[:2])
        yield (
            f"Set {'its kernel' if len(convs) == 1 else 'their kernels'} to {sizes}"
            if len(kernels) < 3
            else f"Make {len(convs)} kernels odd",
            with_ops(walked.architecture, changed),
        )


def small_kernels(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """Several 3 x 3 convolutions in place of one with a large kernel, each followed by the ops of its block."""
    op, ops, index = layer.op, walked.architecture.ops, layer.index
    if not isinstance(op, Conv) or op.stride > 1 or op.dilation > 1 or op.padding not in (0, op.kernel_size // 2):
        return
    end = block_end(ops, index)
    block = (replace(op, kernel_size=3, padding=min(1, op.padding)), *ops[index + 1 : end + 1])
    if not any(isinstance(each, Activation) for each in block):
        return
    count = op.kernel_size // 2
    changed = insert(without(walked.architecture, range(index, end + 1)), index, *(block * count))
    if parameters_of(changed) < walked.parameters:
        yield f"Put {count} of 3 x 3 in its place", changed
