"""What the rest of the code says about a network: the size of its images, and the arguments it is made with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from core.architecture.spec import MAX_CHANNELS, MAX_EXTENT
from core.reading.values import Dotted, Module, Unknown, Value

Size = tuple[int, int, int]
RANDOM = ("randn", "rand", "zeros", "ones", "empty", "randint")
GUESSES: tuple[tuple[str, Value], ...] = (  # of arguments that the code gives no value: by their names
    (r"class|label|^(dim_out|out(put)?_(dim|size|features|ch|channels)|n(um)?_outputs?|k)$", 10),
    (r"^(?!out|hid|conv).*(channels?|in_ch|in_c|ch_in|nc|inp)$|^(in|input|img|image)_ch", 1),
    (r"^(dim_in|in(put)?_(dim|size|features)|n(um)?_inputs?|num_pixels)$", 784),
    (r"hidden", 128),
    (r"^p$|drop", 0.1),
    (r"^act|activation|nonlin", Dotted("torch.nn.ReLU")),
    (r"norm_layer|norm_fn|norm_func", Dotted("torch.nn.BatchNorm2d")),
    (r"^norm", "bn"),
    (r"^(use|with|is|batch_?norm|bias|bn)", True),
    (r"^(img|image|input)_?(size|dim|h|w|height|width)|^(size|dim|height|width|h|w)$", 28),
)
CONFIGURATION = ("args", "arg", "config", "cfg", "conf", "hparams", "params", "opt", "opts", "options", "hp", "flags")

COLLECTIONS = ("torchvision.models", "timm", "keras.applications", "tensorflow.keras.applications")  # of networks
# What else networks are written with, by the module that is imported: what stands on another comes first.
OTHERS = {
    "flax": "Flax", "haiku": "Haiku", "equinox": "Equinox", "jax": "JAX", "mlx": "MLX", "paddle": "PaddlePaddle",
    "mindspore": "MindSpore", "mxnet": "MXNet", "tinygrad": "tinygrad", "chainer": "Chainer", "lasagne": "Lasagne",
    "theano": "Theano", "fastai": "fastai's learners",
}  # fmt: skip


def guess(name: str) -> Value:
    """A likely value of an argument by its name; Unknown if the name says nothing."""
    lower = name.lower()
    if lower in CONFIGURATION:
        return Module("configuration", 0)
    found = [value for pattern, value in GUESSES if re.search(pattern, lower)]
    return found[0] if found else Unknown(f"the code gives no value for {name[:40]}")


def elsewhere(body: tuple[ast.stmt, ...]) -> str:
    """Why there is no network in the code, by what it imports, and what to do; empty if that cannot be told."""
    imported = set[str]()
    for node in (each for statement in body for each in ast.walk(statement)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    packages = {name.partition(".")[0] for name in imported}
    for collection in COLLECTIONS:
        if any(f"{name}.".startswith(f"{collection}.") for name in imported):
            return (
                f"the code of the network is not in this text, it is in {collection}: export the network with "
                "torch.onnx.export and bring the file, or paste its class"
            )
    other = next((OTHERS[name] for name in OTHERS if name in packages), "")
    if not other or packages & {"torch", "keras"}:
        return ""
    return (
        f"this code is written with {other}, and the lab reads PyTorch and Keras: write the network as a class that "
        "derives from torch.nn.Module, with its forward"
    )


def sizes(body: tuple[ast.stmt, ...]) -> list[Size]:
    """The sizes of images that the code states, the surest first: in summary(...), then in random images and Resize."""
    found: dict[int, list[Size]] = {0: [], 1: [], 2: []}
    for call in _calls(body):
        name = _last_name(call.func)
        if name == "summary":
            given = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "input_size")]
            found[0] += [size for each in given for size in _size(each)]
        elif name in RANDOM:
            given = [call.args[0]] if len(call.args) == 1 else [ast.Tuple(elts=call.args)] if call.args else []
            given += [each.value for each in call.keywords if each.arg == "size"]
            found[1] += [size for each in given for size in _size(each, axes=(4,))]
        elif name == "Resize" and call.args:
            sides = _numbers(call.args[0])
            found[2] += [(1, sides[0], sides[0])] if sides and set(sides) == {sides[0]} else []
    return [
        size
        for each in found.values()
        for size in each
        if size[1] == size[2] and 2 <= size[1] <= MAX_EXTENT and 1 <= size[0] <= MAX_CHANNELS
    ][:6]


def calls_by_name(body: tuple[ast.stmt, ...]) -> dict[str, list[tuple[ast.Call, list[ast.stmt]]]]:
    """The calls outside classes by the name that is called, in order of their lines; each with what is around it.

    What is around it is the body of its function, whose names its arguments may use; empty for the file itself.
    """
    found: dict[str, list[tuple[ast.Call, list[ast.stmt]]]] = {}
    functions = [each for each in body if isinstance(each, ast.FunctionDef)]
    for inner, around in [(body, []), *(((each,), each.body) for each in functions)]:
        for call in _calls(tuple(each for each in inner if around or each not in functions)):
            if isinstance(call.func, ast.Name):
                found.setdefault(call.func.id, []).append((call, around))
    return {name: sorted(calls, key=lambda each: each[0].lineno) for name, calls in found.items()}


def compared_with(nodes: list[ast.AST], name: str) -> str | None:
    """The first text that the code compares a name with: `if norm == "BN"`, `self.norm == "BN"`."""
    for node in (each for one in nodes for each in ast.walk(one)):
        if isinstance(node, ast.Compare) and _last_name(node.left) == name:
            wanted = node.comparators[0]
            wanted = wanted.elts[0] if isinstance(wanted, ast.Tuple | ast.List) and wanted.elts else wanted
            if isinstance(wanted, ast.Constant) and isinstance(wanted.value, str):
                return wanted.value
    return None


def _calls(body: tuple[ast.stmt, ...]) -> Iterator[ast.Call]:
    """All calls of the code, outside classes."""
    waiting: list[ast.AST] = [*body]
    found: list[ast.Call] = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            found.append(node)
        waiting += [each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.ClassDef)]
    return iter(sorted(found, key=lambda each: each.lineno))


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _numbers(node: ast.expr) -> list[int]:
    """The whole numbers of a tuple or list; where one is not a number, it is a batch: 0."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
    values = [each.value if isinstance(each, ast.Constant) else 0 for each in parts]
    return [each if isinstance(each, int) else 0 for each in values]


def _size(node: ast.expr, axes: tuple[int, ...] = (3, 4)) -> list[Size]:
    """The size of one image in a literal such as (1, 28, 28) or (64, 1, 28, 28)."""
    if isinstance(node, ast.List | ast.Tuple) and len(node.elts) == 1:
        node = node.elts[0]  # summary takes a list of sizes too
    if isinstance(node, ast.Call) and node.args:
        node = node.args[0]
    numbers = _numbers(node)
    if len(numbers) not in axes:
        return []
    channels, height, width = numbers[-3:]
    return [(channels, height, width)] if channels and height and width else []
