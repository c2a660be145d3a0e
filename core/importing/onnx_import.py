"""An ONNX file as an architecture with weights, checked: both must give the same outputs.

Nothing in the file is followed: weights in other files are refused, and no path is used.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto
from onnx.checker import ValidationError
from torch import nn

from core.architecture.json_form import architecture_from_dict, architecture_to_dict
from core.architecture.spec import Architecture, Flatten, Shape
from core.architecture.trace import trace
from core.errors import ImportingError, LabError
from core.importing.checkpoint import MAX_TENSORS
from core.importing.onnx_constant import tensor_values
from core.importing.onnx_link import Flow, Index, Values, add, as_map, as_vector, first_flow, ops_of, weights_of
from core.importing.onnx_walk import Walk
from core.importing.tensors import MAX_VALUES
from core.outside import cut
from core.record import short, short_number
from core.training.network import build
from core.words import plural

MAX_NODES = 3_000
IMAGES = 4  # that both are given
MAX_MACS = 5_000_000_000  # for one image; the largest of the ladder takes 159 million
MAX_CALLS = 20  # of functions, one in another
MAX_INPUT = 1_000_000  # values of one image
# What reading a file raises that is damaged, or made to be: an attribute of another type than ONNX gives it, and so on.
DAMAGED = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError),
    *(ArithmeticError, RuntimeError, MemoryError),
)
CLOSE = 1e-4  # of the outputs, or of the largest of them where that is above 1


@dataclass(frozen=True)
class OnnxNetwork:
    """What the file holds."""

    architecture: Architecture
    network: nn.Sequential
    notes: tuple[str, ...]
    difference: float  # the largest between the outputs of the file and of the network, for IMAGES random images
    runtime: str  # what ran the file
    factor: float = 1.0  # the graph begins with pixels * factor + shift, which the network does not
    shift: float = 0.0


def read_onnx(content: bytes, name: str) -> OnnxNetwork:
    """The network in an ONNX file. Raises LabError: the first node that the lab cannot say, with its kind."""
    called = short(name)
    model = _model(content, called)
    walk = Walk(Values())
    try:
        for tensor in model.graph.initializer:
            walk.values[tensor.name] = tensor_values(tensor)
        given = _input(model, called)
        flow, walk.batch = _first(given, called)
        walk.values[given.name] = flow
        walk.through(model.graph)
        end = _end(walk, model)
    except ImportingError as error:
        raise ImportingError(f"{called}: {error}" if not str(error).startswith(called) else str(error)) from None
    except DAMAGED as error:
        kind = type(error).__name__
        raise ImportingError(f"{called}: {walk.place}: it is damaged, or not as ONNX defines it ({kind})") from None
    links = ops_of(end.link)
    if not links:
        raise ImportingError(f"{called} computes nothing from its input")
    ops = tuple(link.op for link in links if link.op)
    title = cut(name.rsplit(".", 1)[0], 80)
    try:
        written = architecture_to_dict(Architecture(title or "From ONNX", ops, flow.link.shape))  # type: ignore[arg-type]
        architecture = architecture_from_dict(written)
        if (macs := trace(architecture).macs) > MAX_MACS:
            raise ImportingError(f"it takes {macs:,} multiply-adds an image, at most {MAX_MACS:,} are read")
        network = _loaded(architecture, weights_of(links))
    except LabError as error:
        raise ImportingError(f"{called}: {error}") from None
    if shared := sum(1 for count in walk.used.values() if count > 1):
        walk.notes.append(
            f"{plural(shared, 'weight')} of the file are used more than once; here each op has its own copy, "
            "which counts again."
        )
    factor, shift = walk.input_line
    difference, runtime = _compared(model, given, flow, network, factor, shift, called)
    return OnnxNetwork(architecture, network, tuple(walk.notes), difference, runtime, factor, shift)


def _model(content: bytes, called: str) -> ModelProto:
    try:
        model = onnx.load_model_from_string(content)
        if model.functions:
            from onnx.inliner import inline_local_functions

            _check_nodes(model, called)
            model = inline_local_functions(model)
    except ImportingError:
        raise
    except (DecodeError, ValueError, RuntimeError, MemoryError, ValidationError) as error:
        raise ImportingError(f"{called} is no ONNX file, or a damaged one: {cut(str(error), 120)}") from None
    if not model.graph.node:
        raise ImportingError(f"{called} is no ONNX file, or one without a graph")
    _check_nodes(model, called)
    if (count := len(model.graph.initializer)) > MAX_TENSORS:
        raise ImportingError(f"{called} has {count:,} tensors, at most {MAX_TENSORS:,} are read")
    names = [name for node in model.graph.node for name in (node.name, node.op_type, *node.input, *node.output)]
    if not all(isinstance(name, str) for name in names):  # protobuf hands on as bytes what is no text
        raise ImportingError(f"{called} is a damaged ONNX file: a name in it is no text")
    if model.graph.sparse_initializer:
        raise ImportingError(f"{called} has sparse weights, which the lab does not read")
    return model


def _check_nodes(model: ModelProto, called: str) -> None:
    """Counts what the graph comes to with its functions in it, each as often as it is called. Raises ImportingError."""
    functions = {(each.domain, each.name): each for each in model.functions}
    sizes = dict[tuple[str, str], int]()

    def size(nodes: Iterable[NodeProto], within: tuple[tuple[str, str], ...] = ()) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in within or len(within) > MAX_CALLS:
                raise ImportingError(f"{called}: the function {short(node.op_type)} calls itself, or too deep")
            if key in functions and key not in sizes:
                sizes[key] = size(functions[key].node, (*within, key))
            total += sizes.get(key, 1)
        return total

    if (count := size(model.graph.node)) > MAX_NODES:
        raise ImportingError(f"{called} has {short_number(count)} nodes, at most {MAX_NODES:,} are read")
    if (count := sum(len(each.node) for each in model.functions)) > MAX_NODES:
        raise ImportingError(f"{called} has {count:,} nodes in functions, at most {MAX_NODES:,} are read")


def _input(model: ModelProto, called: str) -> ValueInfoProto:
    constants = {tensor.name for tensor in model.graph.initializer}
    found = [each for each in model.graph.input if each.name not in constants]
    if len(found) != 1:
        raise ImportingError(f"{called} has {plural(len(found), 'input')}; the lab takes a network of one image")
    first: ValueInfoProto = found[0]
    return first


def _first(given: ValueInfoProto, called: str) -> tuple[Flow, int]:
    """The image as the graph takes it, and the batch that the graph is made for. Unknown sizes are those of digits."""
    sizes = [dim.dim_value for dim in given.type.tensor_type.shape.dim]
    batch, inner = (sizes[0] or 1, sizes[1:]) if sizes else (1, [])
    values = prod(each or 28 for each in inner)
    if min(sizes, default=0) < 0 or values > MAX_INPUT or batch * values > MAX_VALUES:
        raise ImportingError(
            f"{called}: its input has the shape {short(list(sizes))}; at most {MAX_INPUT:,} values an image are read, "
            f"and {MAX_VALUES:,} in a batch"
        )
    match inner:
        case [c, h, w] if h == w:
            shape: Shape = (c or 1, h or 28, w or 28)
            return first_flow(shape, _counted(shape)), batch
        case [h, w, c] if h == w:
            shape = (c or 1, h or 28, w or 28)
            turned = np.ascontiguousarray(_counted(shape).transpose(0, 2, 3, 1))
            return first_flow(shape, turned), batch
        case [h, w] if h == w:
            return first_flow((1, h or 28, w or 28), _counted((h or 28, w or 28))), batch
        case [n] if n in (0, 784):
            return first_flow((1, 28, 28), _counted((784,))), batch
        case _:
            raise ImportingError(
                f"{called}: its input has the shape {list(sizes)}; the lab takes square images, or 784 values"
            )


def _counted(shape: Shape) -> Index:
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(1, *shape)


def _end(walk: Walk, model: ModelProto) -> Flow:
    """What the graph gives: the first output with ten values, or the only one."""
    flows = [walk.values.get(each.name) for each in model.graph.output]
    found = [walk.resolved(each) for each in flows if isinstance(each, Flow)]
    if not found:
        raise ImportingError("its output does not depend on the image")
    ten = [each for each in found if each.index.size == 10] or found
    if len(found) > 1:
        walk.notes.append(f"The graph has {len(found)} outputs; the first with ten values was taken.")
    end = ten[0]
    if len(end.link.shape) == 3 and end.index.shape != (1, *end.link.shape):
        end, order = as_vector(end, "the output")
        if not np.array_equal(order, np.arange(order.size)):
            raise ImportingError("its output stands in an order that is not channels, height, width")
    elif len(end.link.shape) == 3 and end.link.shape[1:] == (1, 1):
        end = add(as_map(end, "the output"), Flatten(), "the output")
    return end


def _loaded(architecture: Architecture, weights: dict[str, NDArray[np.float32]]) -> nn.Sequential:
    network = build(architecture)
    own = network.state_dict()
    counters = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    given = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in weights.items()}
    for name, value in given.items():
        if name not in own or own[name].shape != value.shape:
            raise ImportingError(f"the weight {name} of shape {list(value.shape)} has no place in the network")
        if not bool(value.isfinite().all()):
            raise ImportingError(f"the weight {name} holds values that are infinite or not a number")
    network.load_state_dict({**counters, **given})
    return network.eval()


# ------------------------------------------------------------------------------------------------------------ the check


def _compared(
    model: ModelProto,
    given: ValueInfoProto,
    flow: Flow,
    network: nn.Sequential,
    factor: float,
    shift: float,
    called: str,
) -> tuple[float, str]:
    """The largest difference of their outputs, and what ran the file. Raises ImportingError if it is large."""
    batch = given.type.tensor_type.shape.dim[0].dim_value if given.type.tensor_type.shape.dim else 0
    count = batch or IMAGES
    index, size = flow.index, flow.index.size
    pixels = np.random.default_rng(1).random((count, size), np.float32)
    fed = pixels[:, index.ravel()].reshape(count, *index.shape[1:])
    with torch.no_grad():
        ours = network(
            torch.from_numpy(pixels.reshape(count, *flow.link.shape) * np.float32(factor) + np.float32(shift))
        )
    kind = onnx.helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type or 1)
    theirs, runtime = _run(model, given.name, fed.astype(kind), called)
    shaped = [each for each in theirs if each.size == ours.numel()]
    if not shaped:
        raise ImportingError(f"{called}: its outputs have another size than the network's")
    if not bool(ours.isfinite().all()):
        raise ImportingError(f"{called}: its outputs for random images are infinite or not a number")
    one, other = shaped[0].reshape(count, -1).astype(np.float64), ours.reshape(count, -1).double().numpy()
    with np.errstate(invalid="ignore"):
        difference = float(np.where(one == other, 0, abs(one - other)).max())  # the same infinity is the same
    if not difference <= CLOSE * max(1.0, float(ours.abs().max())):
        raise ImportingError(
            f"{called}: the lab's network gives other outputs than the file: they differ by up to {difference:.2g} for "
            f"{plural(count, 'random image')} ({runtime}); something in the file was misread, and nothing is imported"
        )
    return difference, runtime


def _run(model: ModelProto, name: str, fed: NDArray[Any], called: str) -> tuple[list[NDArray[Any]], str]:
    """The file's outputs, by onnxruntime where it is installed, else by ONNX's own reference."""
    try:
        if importlib.util.find_spec("onnxruntime"):
            import onnxruntime

            onnxruntime.disable_telemetry_events()  # on some systems it reports to its makers
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.log_severity_level = 1, 4
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
            return [np.asarray(each) for each in session.run(None, {name: fed})], "onnxruntime"
        from onnx.reference import ReferenceEvaluator

        found = ReferenceEvaluator(model).run(None, {name: fed})
        return [np.asarray(each) for each in found], "ONNX's reference evaluator"
    except Exception as error:  # both raise errors of many kinds of their own
        why = re.sub(r"\S*/\S*/\S*|\[ONNXRuntimeError\]|\s:(?= )", "", str(error))  # without the places in its own code
        raise ImportingError(f"{called} cannot be run: {cut(why, 160)}") from None
