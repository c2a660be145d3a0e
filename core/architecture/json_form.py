"""The JSON form of an architecture, read and written."""

from __future__ import annotations

from core.architecture.fit import fit
from core.architecture.place import BODIES
from core.architecture.spec import (
    MAX_CHANNELS,
    MAX_DEPTH,
    MAX_EXTENT,
    MAX_OPS,
    Architecture,
    Op,
    bodies,
    every_op,
    read_ops,
    write_ops,
)
from core.architecture.torch_names import stated_input
from core.architecture.trace import Layer
from core.errors import SpecError
from core.outside import plain
from core.record import Json, parse, short, short_number, to_json, write


def architecture_to_dict(architecture: Architecture) -> dict[str, Json]:
    """The architecture's JSON form."""
    return {"name": architecture.name, "input": list(architecture.input), "ops": write_ops(architecture.ops)}


def architecture_from_dict(data: Json) -> Architecture:
    """The architecture that a JSON object describes. Raises SpecError, naming the op and the field."""
    if not isinstance(data, dict):
        raise SpecError(f"an architecture is an object with name, input and ops, got {short(data)}")
    if surplus := [key for key in data if key not in ("name", "input", "ops")]:
        raise SpecError(f"architecture: unknown field {short(surplus[0])}; it has name, input and ops")
    name = data.get("name", "untitled")
    if not isinstance(name, str) or not plain(name) or len(name) > 100:
        raise SpecError(f"name: expected 1 to 100 characters, got {short(name)}")
    if any("\ud800" <= each <= "\udfff" for each in name):  # half of a pair: JSON can carry it, a page cannot
        raise SpecError(f"name: {short(name)} is not valid Unicode text")
    architecture = Architecture(plain(name), _ops(data.get("ops")), _input(data.get("input", [1, 28, 28])))
    _check_stated(architecture, data.get("ops"))
    return architecture


def _input(size: Json) -> tuple[int, int, int]:
    if not isinstance(size, list) or len(size) != 3:
        raise SpecError(f"input: expected [channels, height, width], got {short(size)}")
    for axis, value in enumerate(size):
        most = MAX_CHANNELS if axis == 0 else MAX_EXTENT
        if isinstance(value, bool) or not isinstance(value, int):
            raise SpecError(f"input[{axis}]: expected a whole number, got {short(value)}")
        if not 1 <= value <= most:
            raise SpecError(f"input[{axis}]: {short_number(value)} is outside 1 to {most:,}")
    channels, height, width = (value for value in size if isinstance(value, int))
    return channels, height, width


def _ops(data: Json) -> tuple[Op, ...]:
    if not isinstance(data, list):
        raise SpecError(f"ops: expected a list of ops, got {short(data)}")
    if not data:
        raise SpecError("ops: the network is empty; it needs at least one op")
    if len(data) > MAX_OPS:
        raise SpecError(f"ops: {len(data):,} ops, at most {MAX_OPS} are allowed")
    _check_depth(data)
    ops = read_ops(data)
    if (count := sum(1 for _ in every_op(ops))) > MAX_OPS:
        raise SpecError(f"ops: {count:,} ops with those in bodies, at most {MAX_OPS} are allowed")
    if not ops:
        raise SpecError("ops: the network has nothing but Identity; it needs at least one op")
    return ops


def _check_depth(data: Json) -> None:
    """Raises SpecError for bodies within bodies that go too deep; before they are read, one by one."""
    level, depth = [data], 0
    while level:
        level = [
            op[body]
            for ops in level
            if isinstance(ops, list)
            for op in ops
            if isinstance(op, dict)
            for body in ("body", "shortcut")
            if body in op
        ]
        depth += bool(level)
        if depth > MAX_DEPTH:
            raise SpecError(f"ops: bodies within bodies go more than {MAX_DEPTH} deep")


def _check_stated(architecture: Architecture, data: Json) -> None:
    """Raises SpecError where the JSON states other input channels than what flows in, as in torch's `in_channels`."""
    if not _any_stated(data):
        return
    walked = fit(architecture).trace
    _compare_stated(walked.layers if walked else (), data, "")


def _any_stated(data: Json) -> bool:
    return isinstance(data, list) and any(
        stated_input(op) is not None or any(_any_stated(op.get(body)) for body in ("body", "shortcut"))
        for op in data
        if isinstance(op, dict)
    )


def _compare_stated(layers: tuple[Layer, ...], data: Json, place: str) -> None:
    named = [op for op in data if isinstance(op, dict) and op.get("op") != "Identity"] if isinstance(data, list) else []
    for number, (layer, op) in enumerate(zip(layers, named, strict=False)):
        where, stated = f"{place}op {number} {op['op']}", stated_input(op)
        if stated is not None and stated != layer.input[0]:
            raise SpecError(f"{where}: it says {stated:,} inputs, {layer.input[0]:,} come from the op before it")
        for name, inner in zip(("body", "shortcut"), layer.branches[: len(bodies(layer.op))], strict=False):
            _compare_stated(inner, op.get(name), f"{where}: {name}: ")


def architecture_to_json(architecture: Architecture) -> str:
    """One line of JSON, the same for equal architectures: a key for caches and URLs."""
    return to_json(architecture_to_dict(architecture))


def json_lines(architecture: Architecture) -> str:
    """The architecture's JSON with a line for each op, those of bodies further in."""
    head = to_json({"name": architecture.name, "input": list(architecture.input)})[:-1]
    return f'{head},"ops":{_lines(architecture.ops, "")}}}\n'


def _lines(ops: tuple[Op, ...], indent: str) -> str:
    return "[" + ",".join(f"\n{indent}  {_line(op, indent + '  ')}" for op in ops) + (f"\n{indent}]" if ops else "]")


def _line(op: Op, indent: str) -> str:
    inner = {name: body for name, body in zip(BODIES, bodies(op), strict=False) if body or name == BODIES[0]}
    own = {name: value for name, value in write(op, "op").items() if name not in inner}
    return to_json(own)[:-1] + "".join(f',"{name}":{_lines(body, indent)}' for name, body in inner.items()) + "}"


def architecture_from_json(text: str) -> Architecture:
    """The inverse of `architecture_to_json`; fields with a default may be left out. Raises SpecError."""
    return architecture_from_dict(parse(text, "the architecture", SpecError))
