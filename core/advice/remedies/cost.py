"""Changes of what a design costs: narrower, wider, fewer weights."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from core.advice.remedies.ops import Remedy, outputs_of, parameters_of, with_outputs
from core.architecture.edit import insert, put, with_ops
from core.architecture.spec import Architecture, Conv, Flatten, GlobalAvgPool, Linear
from core.architecture.trace import Layer, Trace
from core.architecture.vary import vary

FLOORS = (1, 4, 6, 8)  # least channels of a narrowed layer, so that none becomes a bottleneck
MAX_WIDER = 10  # times as wide, at most


def narrower(walked: Trace, most: int) -> Iterator[Remedy]:
    """The network with all layers narrower, as wide as a budget of `most` parameters allows."""
    for floor in FLOORS:
        changed = partial(_narrowed, walked.architecture, floor=floor)
        percent = bisect_right(range(1, 100), most, key=lambda width: parameters_of(changed(width)))
        if percent:
            found = changed(percent)
            but = f", none below {floor} channels" if floor > 1 else ""
            yield f"Narrow all layers to {percent}%{but} ({parameters_of(found):,} parameters)", found


def _narrowed(architecture: Architecture, percent: int, floor: int) -> Architecture:
    """The channels reduced to that percentage; a layer keeps at least `floor` channels, if it had them."""
    varied = vary(architecture, width=percent / 100)
    outputs = zip(map(outputs_of, architecture.ops), map(outputs_of, varied.ops), strict=True)
    raised = {index: min(floor, old) for index, (old, new) in enumerate(outputs) if new < min(floor, old)}
    return with_outputs(varied, raised)


def wider(walked: Trace, most: int) -> Iterator[Remedy]:
    """The network with all layers wider, as wide as a budget of `most` parameters allows."""

    def changed(percent: int) -> Architecture:
        return vary(walked.architecture, width=percent / 100)

    widths = range(101, 100 * MAX_WIDER + 1)
    percent = 100 + bisect_right(widths, most, key=lambda width: parameters_of(changed(width)))
    yield f"Widen all layers to {percent}% ({parameters_of(changed(percent)):,} parameters)", changed(percent)


def lighter(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """A global average before a layer with weights for each position of the map; or half its outputs."""
    yield from averaged(walked, layer)
    width = outputs_of(layer.op)
    if width > 1:
        halved = with_outputs(walked.architecture, {layer.index: width // 2})
        yield f"Halve it to {outputs_of(halved.ops[layer.index])} outputs", halved


def averaged(walked: Trace, layer: Layer) -> Iterator[Remedy]:
    """A global average before a layer that has weights for each position of the map."""
    architecture, index, op = walked.architecture, layer.index, layer.op
    before = architecture.ops[index - 1] if index else None
    if isinstance(op, Linear) and isinstance(before, Flatten) and walked.layers[index - 1].input[-1] > 1:
        yield "Put GlobalAvgPool before its Flatten", insert(architecture, index - 1, GlobalAvgPool())
    if isinstance(op, Conv) and op.kernel_size > 1 and layer.output[-1] == 1:
        single = put(architecture, index, replace(op, kernel_size=1, padding=0, dilation=1))
        yield "Average the map first, then a 1 x 1 convolution", insert(single, index, GlobalAvgPool())


def without_bias(architecture: Architecture, indices: Iterable[int]) -> Architecture:
    """The architecture with bias=False in those convolutions."""
    convs = {index: op for index in indices if isinstance(op := architecture.ops[index], Conv)}
    return with_ops(architecture, {index: replace(op, bias=False) for index, op in convs.items()})
