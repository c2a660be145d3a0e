"""One module of the code as a network: its forward followed with an image of the right size, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from core.architecture.spec import Architecture
from core.architecture.trace import trace
from core.errors import SpecError
from core.reading.graph import Graph
from core.reading.interpreter import Interpreter
from core.reading.keras import PREFIX, size_of
from core.reading.lowering import steps_between
from core.reading.record import Network, Note, Problem, ReadOp, Unused
from core.reading.repeats import Step, every_step, with_bodies
from core.reading.torch_signatures import CONTAINERS, parameters_of
from core.reading.values import BATCH, Module, Node, Tensor, TooMuch, Unknown, Value, Weight
from core.words import plural

Size = tuple[int, int, int]
SIDES = (28, 32, 64, 224, 96, 128, 227, 48, 16, 8)  # tried in this order where nothing in the code says the size
CLASSES = 10


@dataclass(frozen=True)
class Made:
    """A module that the code makes, or that is made with its defaults."""

    name: str
    line: int
    module: Module
    complaints: tuple[tuple[int, str, str], ...] = ()
    notes: tuple[Note, ...] = ()
    variable: str = ""  # that the file gives it


@dataclass(frozen=True)
class _Walk:
    """One try of forward with one size of image."""

    size: Size
    graph: Graph
    end: Node | None
    start: Node
    too_much: bool = False


def read_network(run: Interpreter, made: Made, hints: list[Size], lines: list[str]) -> Network:
    """The network that a module is. Never raises; what went wrong is among its problems."""
    walk = _best_walk(run, made.module, hints)
    graph, end = walk.graph, walk.end
    steps = steps_between(graph, walk.start, end) if end is not None else []
    architecture = Architecture(made.name[:100], with_bodies(steps), walk.size) if steps else None
    complaints = [*made.complaints, *graph.complaints]
    if not steps:
        complaints.append((made.line, "forward calls no layer that the lab has", "paste the whole class with forward"))
    parameters = None
    if architecture is not None:
        try:
            parameters = trace(architecture).parameters
        except SpecError as failure:
            if not complaints:
                complaints.append((made.line, str(failure), ""))
    notes = [*made.notes, *(Note(*each) for each in graph.notes)]
    paths = {id(module): path for path, module in made.module.named()}
    unused = _unused(made.module, graph, steps)
    notes += _discarded(made.module, graph, steps)
    return Network(
        name=made.name,
        line=made.line,
        architecture=architecture,
        ops=tuple(_read_ops(steps, "", paths)),
        unused=unused,
        parameters=parameters,
        total=parameters if _is_keras(made.module) else _total(made.module),
        notes=tuple(notes),
        problems=tuple(
            Problem(line, _source(lines, line), message, instead)
            for line, message, instead in dict.fromkeys(complaints)
        ),
    )


def _source(lines: list[str], line: int) -> str:
    return lines[line - 1].strip()[:120] if 0 < line <= len(lines) else ""


# ------------------------------------------------------------------------------------------------------ the image size


def _best_walk(run: Interpreter, module: Module, hints: list[Size]) -> _Walk:
    """forward with the first size of image that raises no complaint, else the one with the fewest."""
    channels = _first_channels(module)
    hints = [*_keras_sizes(module), *hints]
    sizes = [*hints, *((channels or 1, side, side) for side in SIDES)]
    sizes = [*((channels or size[0], *size[1:]) for size in sizes), *hints]
    sizes += [(1, *size[1:]) for size in sizes]  # the first convolution may come after a concatenation
    best: _Walk | None = None
    for size in dict.fromkeys(sizes):
        walk = _walk(run, module, size)
        if best is None or len(walk.graph.complaints) < len(best.graph.complaints):
            best = walk
        if not walk.graph.complaints or walk.too_much:
            return walk
    assert best is not None
    return _walk(run, module, best.size)  # lazy layers take their sizes from the last walk


def _first_channels(module: Module) -> int | None:
    """The channels of the image: what the first convolution takes, as modules are declared in order."""
    for _, each in module.named():
        channels = each.fields.get("in_channels")
        if each.kind == "Conv2d" and isinstance(channels, int):
            return channels
    return None


def _keras_sizes(module: Module) -> list[Size]:
    """The size that a layer of Keras states: `input_shape`, `batch_input_shape` or `shape`."""
    stated = [
        size_of(value)
        for _, each in module.named()
        for name, value in each.fields.items()
        if each.kind.startswith(PREFIX) and name in ("input_shape", "batch_input_shape", "batch_shape", "shape")
    ]
    return [size for size in stated if size is not None]


def _walk(run: Interpreter, module: Module, size: Size) -> _Walk:
    done, end = module.fields.get("graph"), module.fields.get("end")
    if isinstance(done, Graph) and isinstance(end, Tensor):  # a functional model of Keras was followed already
        shape = done.nodes[0].shape or (BATCH, 1, 28, 28)
        return _Walk((shape[1], shape[2], shape[3]), done, end.node, done.nodes[0])
    graph = Graph()
    image = graph.start((BATCH, *size))
    run.graph = graph
    try:
        result = run.call(module, (image,), {}, module.line)
    except TooMuch as failure:
        graph.complaints = [*graph.complaints[:9], (module.line, str(failure), "paste the network only")]
        return _Walk(size, graph, None, image.node, too_much=True)
    finally:
        run.graph = None
    end = _output(graph, result)
    if end is None and len(graph.nodes) > 1:
        graph.line = module.line
        why = result.why if isinstance(result, Unknown) else "forward returns nothing"
        graph.complain(f"what forward returns is not understood: {why}", "return the ten outputs")
        end = graph.nodes[-1]
    return _Walk(size, graph, end, image.node)


def _output(graph: Graph, result: Value) -> Node | None:
    """The step that forward returns; of several results the one with ten outputs, else the first."""
    if isinstance(result, Tensor):
        return result.node
    values = list(result.values()) if isinstance(result, dict) else result if isinstance(result, list | tuple) else []
    tensors = [each for each in values if isinstance(each, Tensor)]
    if len(tensors) > 1:
        graph.note("forward returns several results; the one with ten outputs, or else the first, is the network's")
    ten = [each for each in tensors if each.shape and each.shape[1:] == (CLASSES,)]
    return (ten or tensors)[0].node if tensors else None


# ------------------------------------------------------------------------------------------------ what is told of it


def _read_ops(steps: list[Step], path: str, paths: dict[int, str]) -> list[ReadOp]:
    found: list[ReadOp] = []
    for index, step in enumerate(steps):
        (op,) = with_bodies([step])
        names = tuple(paths[id(each)] for part in step.modules for each in part if id(each) in paths)
        found.append(ReadOp(f"{path}{index}", op, step.line, names))
        for name, body in zip(("body", "shortcut"), step.bodies, strict=False):
            found += _read_ops(body, f"{path}{index}.{name}.", paths)
    return found


def _leaves(module: Module) -> list[tuple[str, Module]]:
    inner = ("Module", "object", f"{PREFIX}Model", f"{PREFIX}Input", f"{PREFIX}InputLayer", *CONTAINERS)
    return [(path, each) for path, each in module.named() if each.kind not in inner]


def _called(graph: Graph) -> set[int]:
    return {id(each) for node in graph.nodes for each in (node.module, *node.also) if each is not None} | graph.seen


def _in_steps(steps: list[Step]) -> set[int]:
    return {id(each) for step in every_step(steps) for part in step.modules for each in part}


def _unused(module: Module, graph: Graph, steps: list[Step]) -> tuple[Unused, ...]:
    """The modules that forward never calls."""
    called = _called(graph) | _in_steps(steps)
    return tuple(
        Unused(path, each.kind, each.line, parameters_of(each))
        for path, each in _leaves(module)
        if id(each) not in called
    )


def _discarded(module: Module, graph: Graph, steps: list[Step]) -> list[Note]:
    """Modules that are called, and whose result goes nowhere."""
    used = _in_steps(steps)
    lost = [
        (path, each)
        for path, each in _leaves(module)
        if id(each) in _called(graph) and id(each) not in used and parameters_of(each)
    ]
    return [
        Note(
            each.line,
            f"{path} is called, but its result does not reach the end; its "
            f"{plural(parameters_of(each) or 0, 'parameter')} are left out",
        )
        for path, each in lost
    ]


def _is_keras(module: Module) -> bool:
    return any(each.kind.startswith(PREFIX) for _, each in module.named())


def _total(module: Module) -> int | None:
    """The trained values that torch counts: of all modules, called or not."""
    total = 0
    for _, each in module.named():
        own = parameters_of(each)
        weights = [value for value in each.attributes.values() if isinstance(value, Weight) and value.trained]
        if own is None or any(weight.shape is None for weight in weights):
            return None
        total += own + sum(prod(weight.shape or ()) for weight in weights)
    return total
