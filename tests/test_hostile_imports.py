"""Files that claim more than they hold, or would grow without end: one sentence each, at once."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest
from onnx import FunctionProto, NodeProto, TensorProto, helper, numpy_helper

from core.errors import LabError
from core.importing.opened import open_file

pytestmark = pytest.mark.own_data

NODE, OPSETS = helper.make_node, [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
FLATTEN, LINEAR = NODE("Flatten", ["x"], ["f"]), NODE("MatMul", ["f", "w"], ["y"])
WEIGHTS = numpy_helper.from_array(np.zeros((784, 10), np.float32), "w")


def model(
    nodes: Sequence[NodeProto] = (FLATTEN, LINEAR),
    tensors: Sequence[TensorProto] = (WEIGHTS,),
    shape: Sequence[int | str] = ("N", 1, 28, 28),
    functions: Sequence[FunctionProto] = (),
) -> bytes:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))
    graph = helper.make_graph(
        nodes, "g", [given], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], tensors
    )
    return bytes(helper.make_model(graph, opset_imports=OPSETS, functions=functions, ir_version=8).SerializeToString())


def function(name: str, *calls: str) -> FunctionProto:
    """A function of one value that calls others, one after the other."""
    values = ["a", *(f"v{number}" for number in range(1, len(calls))), "b"]
    nodes = [
        NODE(kind, [values[number]], [values[number + 1]], domain="" if kind == "Relu" else "own")
        for number, kind in enumerate(calls)
    ]
    return helper.make_function("own", name, ["a"], ["b"], nodes, OPSETS)


def called(*functions: FunctionProto) -> bytes:
    """A network that calls the last of them."""
    use = NODE(functions[-1].name, ["f"], ["g"], domain="own")
    return model((FLATTEN, use, NODE("MatMul", ["g", "w"], ["y"])), functions=functions)


def elsewhere() -> TensorProto:
    tensor = TensorProto()
    tensor.CopyFrom(WEIGHTS)
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")
    tensor.ClearField("raw_data")
    return tensor


def safetensors(header: object, data: bytes = bytes(8)) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def npz(count: int) -> bytes:
    one, file = io.BytesIO(), io.BytesIO()
    np.save(one, np.zeros(1, np.float32))
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.npy", one.getvalue())
    return file.getvalue()


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
HUGE_BATCH = 2**40
DOUBLING = [function("f0", "Relu"), *(function(f"f{n}", f"f{n - 1}", f"f{n - 1}") for n in range(1, 18))]
BAD: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "a huge map": (lambda: model(shape=("N", 1, 100_000, 100_000)), "onnx", "at most 1,000,000 values an image"),
    "channels": (lambda: model(shape=("N", 10**12, 28, 28)), "onnx", "at most 1,000,000 values an image"),
    "a huge batch": (lambda: model(shape=(HUGE_BATCH, 1, 28, 28)), "onnx", "and 40,000,000 in a batch"),
    "a negative batch": (lambda: model(shape=(-5, 1, 28, 28)), "onnx", r"shape \[-5, 1, 28, 28\]"),
    "padding": (
        lambda: model(
            (NODE("Conv", ["x", "k"], ["c"], pads=[20_000] * 4), FLATTEN),
            (
                WEIGHTS,
                numpy_helper.from_array(np.zeros((10, 1, 3, 3), np.float32), "k"),
            ),
        ),
        "onnx",
        "values an image, at most 20,000,000 are read",
    ),
    "functions that double": (lambda: called(*DOUBLING), "onnx", "has 131,074 nodes, at most 3,000 are read"),
    "a circle of functions": (
        lambda: called(function("one", "two"), function("two", "one")),
        "onnx",
        "calls itself, or too deep",
    ),
    "a circle in the graph": (
        lambda: model((NODE("Add", ["x", "b"], ["a"]), NODE("Relu", ["a"], ["b"]))),
        "onnx",
        "its input is not known",
    ),
    "a path": (lambda: model(tensors=(elsewhere(),)), "onnx", "'w' is in another file"),
    "tensors": (
        lambda: model(tensors=[WEIGHTS, *(TensorProto(name=f"t{n}") for n in range(5_000))]),
        "onnx",
        "5,001 tensors, at most 5,000",
    ),
    "a large constant": (
        lambda: model(
            (NODE("ConstantOfShape", ["s"], ["w"]), FLATTEN, LINEAR),
            (numpy_helper.from_array(np.array([10**6, 10**6], np.int64), "s"),),
        ),
        "onnx",
        "the lab cannot work out this constant",
    ),
    "dimensions": (
        lambda: safetensors({"a": TENSOR | {"shape": [1] * 20_000 + [2]}}),
        "safetensors",
        "20,001 dimensions, at most 16",
    ),
    "names": (
        lambda: safetensors({f"a{n}": TENSOR | {"shape": [0], "data_offsets": [0, 0]} for n in range(5_001)}, b""),
        "safetensors",
        "names 5,001 tensors, at most 5,000",
    ),
    "a shape": (lambda: safetensors({"a": TENSOR | {"shape": [2**62, 4]}}), "safetensors", "damaged safetensors file"),
    "arrays": (lambda: npz(5_001), "npz", "has 5,001 arrays, at most 5,000 are read"),
    "two of one name": (
        lambda: safetensors({"a": TENSOR, "a\u200b": TENSOR | {"data_offsets": [8, 16]}}, bytes(16)),
        "safetensors",
        "two tensors are called 'a'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_asks_for_too_much_is_refused_in_one_sentence(case: str) -> None:
    make, ending, says = BAD[case]
    with pytest.raises(LabError, match=says) as found:
        open_file(make(), f"net.{ending}")
    assert len(str(found.value).splitlines()) == 1
    assert "/onnx" not in str(found.value)


def test_functions_within_bounds_are_still_read() -> None:
    opened = open_file(called(*DOUBLING[:4]), "net.onnx")
    assert opened.onnx is not None
    assert len(opened.onnx.architecture.ops) >= 2
