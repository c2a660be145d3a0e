"""An architecture as a PyTorch script that runs without the lab."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import fields
from pathlib import Path

from core.architecture import spec
from core.architecture.trace import Layer, Trace, trace
from core.outside import plain

MODULES = Path(__file__).parents[1] / "training" / "modules.py"  # of the ops that torch has no module for
INDENT = "    "

# What code that leaves the lab may import: module and names; None where the module itself is imported.
IMPORTS: tuple[tuple[str | None, tuple[str, ...]], ...] = (
    (None, ("math",)),
    ("collections.abc", ("Iterable", "Iterator")),
    (None, ("numpy as np",)),
    (None, ("torch",)),
    ("torch", ("Tensor", "nn")),
    ("torch.nn", ("functional as F",)),
    ("torch.optim.swa_utils", ("AveragedModel", "get_ema_multi_avg_fn")),
    ("torchvision", ("datasets",)),
    ("torchvision.transforms", ("v2",)),
)


def pytorch_code(architecture: spec.Architecture) -> str:
    """A module that defines `network`, an nn.Sequential, with each layer's output shape as a comment."""
    walked = trace(architecture)
    channels, height, width = architecture.input
    return (
        f"{network_code(walked)}\n\n"
        f"output = network(torch.zeros(2, {channels}, {height}, {width}))\n"  # batch norm on one pixel needs two images
        "parameters = sum(values.numel() for values in network.parameters())\n"
        'print(f"{parameters:,} parameters, output {tuple(output.shape)}")\n'
    )


def network_code(walked: Trace) -> str:
    """The imports, the classes of ops that torch has no module for, and `network`."""
    classes, network = class_code(walked), sequential_code(walked)
    imports = import_code("\n".join(["torch", classes, network]))
    return "\n\n\n".join([imports, classes, network]) if classes else f"{imports}\n\n{network}"


def sequential_code(walked: Trace) -> str:
    """`network`, an nn.Sequential, with each layer's output shape as a comment."""
    lines = list(_lines(walked.layers, INDENT))
    wide = max(len(code) for code, _ in lines)
    body = "\n".join(f"{code:<{wide}}  # {comment}" if comment else code for code, comment in lines)
    return f"network = nn.Sequential(  # {_comment(walked)}\n{body}\n)"


def import_code(code: str) -> str:
    """The import statements that the code needs, sorted: the standard library's first."""
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    standard: list[str] = []
    others: list[str] = []
    for module, names in IMPORTS:
        found = [each for each in names if each.split(" as ")[-1] in used]
        if found:
            line = f"import {found[0]}" if module is None else f"from {module} import {', '.join(found)}"
            (standard if (module or names[0]).partition(".")[0] in sys.stdlib_module_names else others).append(line)
    return "\n".join([*standard, *([""] if standard and others else []), *others])


def _comment(walked: Trace) -> str:
    return plain(walked.architecture.name)


def class_code(walked: Trace) -> str:
    """The source of those classes of `core.training.modules` that the network needs; "" if torch has all of them."""
    needed = {type(layer.op).__name__ for layer in walked.every_layer}
    needed |= {"PerRound"} if "Repeat" in needed else set()
    return "\n\n\n".join(source_of(MODULES, needed))


def source_of(path: Path, names: Collection[str]) -> list[str]:
    """The source of the classes, functions and constants of those names in a module, in its order."""
    text = path.read_text(encoding="utf-8")
    found = [ast.get_source_segment(text, each) or "" for each in ast.parse(text).body if _name(each) in names]
    return [re.sub(r"  # type: ignore.*", "", each) for each in found]


def _name(statement: ast.stmt) -> str:
    match statement:
        case ast.ClassDef(name) | ast.FunctionDef(name) | ast.Assign([ast.Name(name)]):
            return name
    return ""


def _lines(layers: tuple[Layer, ...], indent: str, rounds: tuple[int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Each line of the ops that stand together, and its comment: the shape that comes out."""
    for layer in layers:
        shape = f"(N, {', '.join(map(str, layer.output))})"
        match layer.op:
            case spec.Residual() | spec.Concatenate():
                yield f"{indent}{type(layer.op).__name__}(", shape
                for name, branch in zip(("body", "shortcut"), layer.branches, strict=True):
                    yield from _sequential(branch, f"{indent}{INDENT}{name}=", indent + INDENT, rounds)
                yield f"{indent}),", ""
            case spec.Repeat(_, times):
                yield f"{indent}Repeat(", shape
                inner = (times, *rounds)
                yield from _sequential(layer.branches[0], f"{indent}{INDENT}body=", indent + INDENT, inner)
                yield f"{indent}{INDENT}times={times},", ""
                yield f"{indent}),", ""
            case _:
                yield f"{indent}{_per_round(_module(layer), layer.op, rounds)},", shape


def _sequential(
    layers: tuple[Layer, ...], start: str, indent: str, rounds: tuple[int, ...]
) -> Iterator[tuple[str, str]]:
    if not layers:
        yield f"{start}nn.Sequential(),", "x itself"
        return
    yield f"{start}nn.Sequential(", ""
    yield from _lines(layers, indent + INDENT, rounds)
    yield f"{indent}),", ""


def _per_round(code: str, op: spec.Op, rounds: tuple[int, ...]) -> str:
    if not rounds or not isinstance(op, spec.Norm):
        return code
    return f"PerRound({', '.join([_per_round(code, op, rounds[1:])] * rounds[0])})"


def _module(layer: Layer) -> str:
    channels, on_map = layer.input[0], len(layer.input) == 3
    match layer.op:
        case spec.Conv(out, k, stride, padding, dilation, groups, bias):
            options = _options(stride=(stride, 1), padding=(padding, 0), dilation=(dilation, 1), groups=(groups, 1))
            return f"nn.Conv2d({channels}, {out}, {k}{options}{'' if bias else ', bias=False'})"
        case spec.MaxPool(k, stride, padding, dilation):
            return f"nn.MaxPool2d({k}{_options(stride=(stride, k), padding=(padding, 0), dilation=(dilation, 1))})"
        case spec.AvgPool(k, stride, padding):
            return f"nn.AvgPool2d({k}{_options(stride=(stride, k), padding=(padding, 0))})"
        case spec.GlobalAvgPool():
            return "nn.AdaptiveAvgPool2d(1)"
        case spec.GlobalMaxPool():
            return "nn.AdaptiveMaxPool2d(1)"
        case spec.Linear(out, bias):
            flatten = "nn.Flatten(), " if on_map else ""
            return f"{flatten}nn.Linear({channels}, {out}{'' if bias else ', bias=False'})"
        case spec.Dropout(p) | spec.Dropout2d(p):
            return f"nn.{type(layer.op).__name__}({p})"
        case spec.LogSoftmax() | spec.Softmax():
            return f"nn.{type(layer.op).__name__}(dim=1)"
        case spec.BatchNorm():
            return _named("BatchNorm2d" if on_map else "BatchNorm1d", layer.op, str(channels))
        case spec.GhostBatchNorm(splits, eps, momentum):
            return f"GhostBatchNorm({channels}, {splits}, {eps}, {momentum})"
        case spec.GroupNorm(groups):
            return _named("GroupNorm", layer.op, f"{groups}, {channels}")
        case spec.LayerNorm():
            return _named("LayerNorm", layer.op, repr(list(layer.input)))
        case spec.InstanceNorm():
            return _named("InstanceNorm2d", layer.op, str(channels))
        case spec.SqueezeExcite(squeeze):
            return f"SqueezeExcite({channels}, {squeeze})"
        case op:
            return _named(type(op).__name__, op)


def _named(name: str, op: spec.Op, first: str = "") -> str:
    """torch's module of that name, with the op's fields that differ from their default."""
    changed = [each.name for each in fields(op) if each.default != getattr(op, each.name)]
    options = [f"{field}={getattr(op, field)!r}" for field in changed if field != "num_groups"]
    return f"nn.{name}({', '.join([*([first] if first else []), *options])})"


def _options(**values: tuple[int, int]) -> str:
    """The arguments that differ from their default, given as name=(value, default)."""
    return "".join(f", {name}={value}" for name, (value, default) in values.items() if value != default)
