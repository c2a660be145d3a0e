"""Code that people have is read as torch runs it: the same parameters, layers, shapes, order and outputs."""

from __future__ import annotations

import ast
import re
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import pytest
import torch
from torch import nn

from core.architecture.spec import Repeat, SqueezeExcite
from core.architecture.trace import Layer, trace
from core.reading.code import read_code
from core.reading.record import Network, ReadOp
from core.reading.source import _of_notebook
from core.training.network import build

pytestmark = pytest.mark.own_data

CASES = sorted((Path(__file__).parent / "code_cases").iterdir())
NOT_RUN = re.compile(r"^\s*(print\s+[^(\s].*|[%!].*)$", re.MULTILINE)  # Python 2 and a notebook's magics
ON_DEVICE = re.compile(r"\.to\([^()]*\)|\.cuda\(\)")
ADDS = re.compile(r"add_module|add_argument|set_defaults")
RUN = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.For, ast.AugAssign)

# ------------------------------------------------------------------------------------- what torch makes of the code


def run_by_torch(code: str, name: str) -> nn.Module:
    """The module that the code itself makes: the last one of the class by that name, or the variable."""
    names = {key: getattr(nn, key) for key in dir(nn) if not key.startswith("_")}
    names |= {"torch": torch, "nn": nn, "F": nn.functional, "__name__": "__main__"}
    names["pl"] = types.SimpleNamespace(LightningModule=nn.Module)
    for node in ast.parse(ON_DEVICE.sub("", NOT_RUN.sub("", code))).body:
        keep = isinstance(node, RUN) or (isinstance(node, ast.Expr) and ADDS.search(ast.unparse(node)) is not None)
        if not keep or "torchsummary" in ast.unparse(node)[:60] or "torchinfo" in ast.unparse(node)[:60]:
            continue
        exec(compile(ast.Module([node], []), "case", "exec"), names)
    _, several, variable = name.partition(" as ")
    if several:
        name = variable
    made = [
        value for value in names.values() if isinstance(value, nn.Module) and type(value).__name__ == name
    ] or names[name]
    network = made[-1] if isinstance(made, list) else made() if isinstance(made, type) else made
    assert isinstance(network, nn.Module)
    return network


@dataclass(frozen=True)
class Call:
    path: str
    shape: tuple[int, ...]  # of the output, without the batch


def calls_of(network: nn.Module, image: torch.Tensor) -> tuple[list[Call], torch.Tensor]:
    """The layers that forward calls, in order, and what it returns."""
    calls: list[Call] = []
    handles = []
    for path, module in network.named_modules():
        ghost = "ghost" in type(module).__name__.lower()
        kinds = [each for each in type(module).__mro__ if each.__module__.startswith("torch.nn")]
        of_torch = bool({*kinds} - {nn.Module})  # a class of ones own that derives from a layer too
        if (of_torch or ghost) and not list(module.children()) and not isinstance(module, nn.Identity | nn.Sequential):
            handles.append(module.register_forward_hook(_noting(calls, path)))
    network.eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = network(image)
    for handle in handles:
        handle.remove()
    if isinstance(output, tuple | list | dict):
        values = list(output.values()) if isinstance(output, dict) else list(output)
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        output = next((value for value in tensors if value.shape[1:] == (10,)), tensors[0])
    return calls, output


def _noting(calls: list[Call], path: str):  # type: ignore[no-untyped-def]
    def note(module: nn.Module, given: object, output: torch.Tensor) -> None:
        calls.append(Call(path, tuple(output.shape[1:])))

    return note


# ----------------------------------------------------------------------------------------- what was read of the code


@dataclass(frozen=True)
class Fork:
    """Paths that run side by side: torch may call either first."""

    parts: tuple[tuple[Call | Fork, ...], ...]


def read_calls(network: Network) -> tuple[Call | Fork, ...]:
    """The layers that were read."""
    assert network.architecture is not None
    by_path = {each.path: each for each in network.ops}
    return _all_calls(trace(network.architecture).layers, by_path, ())


def _all_calls(
    layers: tuple[Layer, ...], by_path: dict[str, ReadOp], rounds: tuple[int, ...]
) -> tuple[Call | Fork, ...]:
    return tuple(call for layer in layers for call in _calls(layer, by_path, rounds))


def _calls(layer: Layer, by_path: dict[str, ReadOp], rounds: tuple[int, ...]) -> Iterator[Call | Fork]:
    if isinstance(layer.op, Repeat):
        for number, branch in enumerate(layer.branches):
            yield from _all_calls(branch, by_path, (*rounds, number))
    elif layer.branches:
        yield Fork(tuple(_all_calls(branch, by_path, rounds) for branch in layer.branches))
    else:
        names = by_path[layer.path].modules
        if isinstance(layer.op, SqueezeExcite):
            widths = (layer.op.squeeze_channels, layer.input[0])
            yield from (Call(path, (width,)) for path, width in zip(names, widths, strict=True))
        else:
            times = by_path[layer.path].op
            assert times == layer.op
            yield from (Call(path, layer.output) for path in (names[rounds[-1] :][:1] if len(names) > 1 else names))


def in_line(calls: tuple[Call | Fork, ...], order: dict[str, int]) -> list[Call]:
    """The calls one after the other; of a fork, the part that torch calls first comes first."""
    found: list[Call] = []
    for call in calls:
        if isinstance(call, Call):
            found.append(call)
            continue
        parts = [in_line(part, order) for part in call.parts]
        parts.sort(key=lambda part: min((order.get(each.path, 10**6) for each in part), default=10**6))
        found += [each for part in parts for each in part]
    return found


def output_by_ours(network: Network, theirs: nn.Module, image: torch.Tensor) -> torch.Tensor:
    """What the lab's network gives with the weights of theirs, module by module."""
    assert network.architecture is not None
    built = build(network.architecture)
    modules = dict(theirs.named_modules())
    for read in network.ops:
        target = built.get_submodule(read.path)
        names = read.modules
        if isinstance(read.op, SqueezeExcite):
            targets = [target.fc1, target.fc2]
        elif type(target).__name__ == "PerRound":
            targets = list(target.norms)
        else:
            targets, names = [target], names[:1]
        for each, name in zip(targets, names, strict=False):
            _copy(modules[name], each)
    built.eval()
    with torch.no_grad():
        return built(image)


def _copy(source: nn.Module, target: nn.Module) -> None:
    own = {key: value for key, value in source.state_dict().items() if "num_batches" not in key and "." not in key}
    for key, value in target.state_dict().items():
        if key in own:
            got = own[key].reshape(-1)[: value.numel()].reshape(value.shape)  # a ghost norm keeps one row a part
            value.copy_(got)


def check(code: str, network: Network) -> None:
    """Assert that torch, running the code, does what was read."""
    architecture = network.architecture
    assert architecture is not None
    assert not network.problems, network.problems
    theirs = run_by_torch(code, network.name)
    torch.manual_seed(1)
    image = torch.randn(2, *architecture.input)
    for module in theirs.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    flat = any("flattened" in note.message for note in network.notes)
    calls, output = calls_of(theirs, image.flatten(1) if flat else image)
    called = {call.path for call in calls}
    used = {
        id(weights): weights
        for path, module in theirs.named_modules()
        if path in called
        for weights in module.parameters(recurse=False)
    }
    walked = trace(architecture)
    assert walked.parameters == network.parameters == sum(weights.numel() for weights in used.values())
    assert network.total == sum(weights.numel() for weights in theirs.parameters())
    if any(isinstance(each.op, SqueezeExcite) for each in network.ops):  # whose pool, ReLU and sigmoid are no ops
        calls = [call for call in calls if any(True for _ in theirs.get_submodule(call.path).parameters())]
    order: dict[str, int] = {}
    for number, call in enumerate(calls):
        order.setdefault(call.path, number)
    read = in_line(read_calls(network), order)
    assert [call.path for call in read] == [call.path for call in calls]
    gates = {path for each in network.ops if isinstance(each.op, SqueezeExcite) for path in each.modules}
    for one, other in zip(read, calls, strict=True):
        assert one.path in gates or one.shape == other.shape or (*one.shape, 1, 1) == other.shape, (one, other)
    assert prod(walked.output) == prod(output.shape[1:])
    given = output_by_ours(network, theirs, image)
    assert torch.allclose(given.flatten(1), output.flatten(1), atol=1e-4)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.split(".")[0])
def test_a_case_is_read_as_torch_runs_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    code = _of_notebook(text)[0] if path.suffix == ".ipynb" else text
    read = read_code(text, path.name)
    check(code, read.networks[0])
