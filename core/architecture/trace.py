"""One pass over an architecture: the shape, parameters, multiply-adds and receptive field after each op.

Every page that shows a number about a network reads it here. No torch: the tests compare these numbers with the
network that torch builds, and with its gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

from core.architecture.receptive_field import ReceptiveField, Window, extent, through
from core.architecture.sizes import buffers_of, macs_of, output_of, parameters_of, shape_words, window_of
from core.architecture.spec import (
    Architecture,
    AvgPool,
    Flatten,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Linear,
    MaxPool,
    Norm,
    Op,
    Repeat,
    Residual,
    Shape,
    SqueezeExcite,
    bodies,
    op_words,
)
from core.errors import SpecError

CLASSES = 10
MAX_NETWORK_PARAMETERS = 20_000_000  # that the lab builds: three times the largest network of the ladder
MAX_ACTIVATIONS = 4_000_000  # values of one image over all maps; the largest of the catalogue holds 0.55 million
MAX_RUN = 2_048  # ops, with those of repeated bodies as often as they run
MAX_JUMP = 2**31  # pixels between neighbouring units: far larger than any image, and still exact as a float
BYTES_PER_VALUE = 4  # float32


@dataclass(frozen=True)
class Layer:
    """One op in its network: its input, its output and its cost; of an op with bodies, the sums over them."""

    index: int  # among the ops that it stands with: of the network, or of a body
    path: str  # of its module, as torch writes it: `3`, or `3.body.0` for the first op in the body of op 3
    op: Op
    name: str  # such as conv3 or maxpool1; each kind of op is counted from 1
    input: Shape
    output: Shape
    parameters: int
    buffers: int  # stored values that are not trained: the running mean and variance of batch norm
    arithmetic: str  # of the parameters: `8 x 1 x 3 x 3 = 72`; empty for an op without any
    macs: int  # multiply-adds for one image, of convolutions and linear layers
    window: Window  # of an op with bodies, the smallest window that holds those of all paths
    before: ReceptiveField
    field: ReceptiveField
    branches: tuple[tuple[Layer, ...], ...] = ()  # body and shortcut; of Repeat, the body each time

    @property
    def uses_whole_map(self) -> bool:
        """Whether each output also depends on the whole input map, through a mean over it.

        The window does not count this: a norm over an image and a squeeze-and-excite see no shapes, only a mean.
        """
        return isinstance(self.op, GroupNorm | LayerNorm | InstanceNorm | SqueezeExcite) or any(
            layer.uses_whole_map for layers in self.branches for layer in layers
        )


@dataclass(frozen=True)
class Trace:
    """The layers of an architecture, in order, and their totals."""

    architecture: Architecture
    layers: tuple[Layer, ...]

    @property
    def every_layer(self) -> tuple[Layer, ...]:
        """All layers, each followed by those of its bodies; of Repeat each time."""
        return tuple(_every(self.layers))

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def buffers(self) -> int:
        return sum(layer.buffers for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def pool_reads(self) -> int:
        """How many values all pools read for one image: their cost, as they have no MACs."""
        pools = [
            (layer.op.kernel_size, layer.output)
            for layer in self.every_layer
            if isinstance(layer.op, MaxPool | AvgPool)
        ]
        return sum(prod(output) * k * k for k, output in pools)

    @property
    def field(self) -> ReceptiveField:
        return self.layers[-1].field

    @property
    def output(self) -> Shape:
        return self.layers[-1].output

    @property
    def input_bytes(self) -> int:
        return BYTES_PER_VALUE * prod(self.architecture.input)

    @property
    def activation_bytes(self) -> int:
        """Memory of all outputs for one image in float32, which training keeps for the backward pass."""
        return BYTES_PER_VALUE * sum(prod(layer.output) for layer in self.every_layer)

    @property
    def parameter_bytes(self) -> int:
        return BYTES_PER_VALUE * (self.parameters + self.buffers)


@lru_cache(maxsize=512)
def trace(architecture: Architecture) -> Trace:
    """The trace of an architecture. Raises SpecError for the first op that does not fit, with its name and numbers."""
    _, height, width = architecture.input
    if height != width:
        raise SpecError(f"input: the image must be square, got {height} x {width}")
    if not architecture.ops:
        raise SpecError("ops: the network is empty; it needs at least one op")
    _check_times(architecture.ops)
    layers = _walk(architecture.ops, _Flow(architecture.input, ReceptiveField(), 1), "", "", {})
    walked = Trace(architecture, layers)
    _within_bounds(walked)
    return walked


@dataclass(frozen=True)
class _Flow:
    """What flows from op to op."""

    shape: Shape
    field: ReceptiveField
    flattened: int  # width of the map before Flatten: a linear layer sees all of it


def _walk(
    ops: tuple[Op, ...], flow: _Flow, path: str, place: str, counts: dict[str, int], rounds: tuple[int, ...] = ()
) -> tuple[Layer, ...]:
    """The layers of ops that stand together. `path`, `place`: of their body; `counts`: of each kind so far.

    `rounds`: how often the repeats around them have run, the outermost first.
    """
    layers: list[Layer] = []
    for index, op in enumerate(ops):
        where = f"{place}op {index} {op_words(op)}"
        kind = type(op).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        name = f"{kind}{counts[kind]}" + ("." + ".".join(str(each + 1) for each in rounds) if any(rounds) else "")
        if isinstance(op, Flatten) and len(flow.shape) == 3:
            flow = replace(flow, flattened=flow.shape[1])
        branches = _branches(op, flow, f"{path}{index}", where, counts, rounds)
        window = _hull(branches, op) if branches else window_of(op, flow.shape, flow.flattened)
        output = _joined(op, flow.shape, branches, where) if branches else output_of(op, flow.shape, window, where)
        if (jump := flow.field.jump * window.stride) > MAX_JUMP:
            raise SpecError(f"{where}: the strides up to here multiply to {jump:,}, at most {MAX_JUMP:,} are allowed")
        parameters, arithmetic = _summed(branches) if branches else parameters_of(op, flow.shape)
        inner = tuple(layer for each in branches for layer in each)
        layers.append(
            Layer(
                index=index,
                path=f"{path}{index}",
                op=op,
                name=name,
                input=flow.shape,
                output=output,
                parameters=parameters,
                buffers=sum(layer.buffers for layer in inner) or buffers_of(op, flow.shape),
                arithmetic=arithmetic,
                macs=sum(layer.macs for layer in inner) or macs_of(op, flow.shape, output),
                window=window,
                before=flow.field,
                field=through(flow.field, window),
                branches=branches,
            )
        )
        flattened = 1 if isinstance(op, Linear) else flow.flattened
        flow = _Flow(output, layers[-1].field, flattened)
    return tuple(layers)


# ------------------------------------------------------------------------------------------------- ops with a body


def _every(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    for layer in layers:
        yield layer
        for branch in layer.branches:
            yield from _every(branch)


def _check_times(ops: tuple[Op, ...]) -> None:
    """Raises SpecError for repeats that run more ops than MAX_RUN: repeats in repeats multiply."""
    if (count := _run(ops)) > MAX_RUN:
        raise SpecError(f"ops: with its repeats the network runs {count:,} ops, at most {MAX_RUN:,} are allowed")


def _run(ops: tuple[Op, ...]) -> int:
    return sum(1 + (op.times if isinstance(op, Repeat) else 1) * sum(_run(body) for body in bodies(op)) for op in ops)


def _branches(
    op: Op, flow: _Flow, path: str, place: str, counts: dict[str, int], rounds: tuple[int, ...]
) -> tuple[tuple[Layer, ...], ...]:
    """The layers of each body; of Repeat those of each time, of which only the norms have parameters of their own."""
    if isinstance(op, Repeat):
        if not op.body:
            raise SpecError(f"{place}: the body is empty; it needs at least one op")
        found: list[tuple[Layer, ...]] = []
        before = dict(counts)
        for number in range(op.times):
            counts.clear()
            counts.update(before)  # the same names each time
            inner = _walk(op.body, flow, f"{path}.body.", f"{place}: body: ", counts, (*rounds, number))
            if number and [layer.input[0] for layer in inner] != [layer.input[0] for layer in found[0]]:
                raise SpecError(
                    f"{place}: the body takes {shape_words(found[0][0].input)} and gives "
                    f"{shape_words(found[0][-1].output)}; to be repeated with the same weights it must give as many "
                    "channels as it takes"
                )
            found.append(tuple(map(_shared, inner)) if number else inner)
            flow = replace(flow, shape=inner[-1].output, field=inner[-1].field)
        return tuple(found)
    parts = bodies(op)
    if parts and not any(parts):
        raise SpecError(f"{place}: it needs at least one op in its body")
    if isinstance(op, Residual) and not op.body:
        raise SpecError(f"{place}: the body is empty; it needs at least one op")
    names = ("body", "shortcut")
    return tuple(
        _walk(body, flow, f"{path}.{name}.", f"{place}: {name}: ", counts, rounds)
        for name, body in zip(names, parts, strict=False)
    )


def _shared(layer: Layer) -> Layer:
    """A layer of a body that runs again: only norms have new parameters."""
    branches = tuple(tuple(map(_shared, branch)) for branch in layer.branches)
    if branches:
        parameters = sum(each.parameters for branch in branches for each in branch)
        return replace(layer, branches=branches, parameters=parameters, arithmetic="")
    return layer if isinstance(layer.op, Norm) else replace(layer, parameters=0, arithmetic="")


def _ends(branches: tuple[tuple[Layer, ...], ...], start: Shape) -> list[Shape]:
    return [branch[-1].output if branch else start for branch in branches]


def _joined(op: Op, start: Shape, branches: tuple[tuple[Layer, ...], ...], place: str) -> Shape:
    """The shape after the paths are joined. Raises SpecError if they do not fit together."""
    if isinstance(op, Repeat):
        return branches[-1][-1].output
    body, shortcut = _ends(branches, start)
    ends = f"the body gives {shape_words(body)}, the {'shortcut' if branches[1] else 'input'} {shape_words(shortcut)}"
    if isinstance(op, Residual):
        if body != shortcut:
            raise SpecError(f"{place}: {ends}; only equal shapes can be added{_repair(body, shortcut)}")
        return body
    if body[1:] != shortcut[1:] or len(body) != len(shortcut):
        raise SpecError(f"{place}: {ends}; only maps of the same size can stand side by side; pad the convolutions")
    return (body[0] + shortcut[0], *body[1:])


def _repair(body: Shape, shortcut: Shape) -> str:
    if len(body) != 3 or len(shortcut) != 3:
        return ""
    if body[1:] == shortcut[1:]:
        return f"; put Conv({body[0]}, kernel_size=1) into the shortcut"
    return "; pad the body's convolutions, or change the shortcut's size as the body does"


def _hull(branches: tuple[tuple[Layer, ...], ...], op: Op) -> Window:
    """The window that holds those of all paths; of Repeat the window of all times together."""
    paths = [tuple(layer for branch in branches for layer in branch)] if isinstance(op, Repeat) else list(branches)
    fields = []
    for path in paths:
        field = ReceptiveField()
        for layer in path:
            field = through(field, layer.window)
        fields.append(field)
    first = min(extent(field, 0)[0] for field in fields)
    last = max(extent(field, 0)[1] for field in fields)
    return Window(round(last - first) + 1, max(field.jump for field in fields), padding=round(-first))


def _summed(branches: tuple[tuple[Layer, ...], ...]) -> tuple[int, str]:
    """The parameters of all bodies, and the sum in words."""
    parts = [layer.parameters for branch in branches for layer in branch if layer.parameters]
    total = sum(parts)
    return total, f"{' + '.join(f'{part:,}' for part in parts)} = {total:,}" if len(parts) > 1 else str(total or "")


def classifier(architecture: Architecture) -> Trace:
    """The trace of a network that ends in ten outputs. Raises SpecError for one that does not."""
    walked = trace(architecture)
    if walked.output != (CLASSES,):
        last = walked.layers[-1]
        hint = "; put Flatten at the end" if walked.output == (CLASSES, 1, 1) else ""
        raise SpecError(
            f"op {last.index} {op_words(last.op)}: the network ends in {shape_words(walked.output)}, "
            f"not in {CLASSES} outputs{hint}"
        )
    return walked


def _within_bounds(walked: Trace) -> None:
    if walked.parameters > MAX_NETWORK_PARAMETERS:
        largest = max(walked.layers, key=lambda layer: layer.parameters)
        raise SpecError(
            f"the network has {walked.parameters:,} parameters, at most {MAX_NETWORK_PARAMETERS:,} are allowed; "
            f"op {largest.index} {op_words(largest.op)} alone has {largest.parameters:,}"
        )
    activations = sum(prod(layer.output) for layer in walked.every_layer)
    if activations > MAX_ACTIVATIONS:
        raise SpecError(
            f"the feature maps of one image hold {activations:,} values, at most {MAX_ACTIVATIONS:,} are allowed"
        )
