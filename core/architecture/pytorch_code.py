"""An architecture as a PyTorch script that runs without the lab."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from core.architecture import spec
from core.architecture.trace import Layer, Trace, trace

MODULES = Path(__file__).parents[1] / "training" / "modules.py"  # of the ops that torch has no module for
INDENT = "    "


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
    lines = list(_lines(walked.layers, INDENT))
    wide = max(len(code) for code, _ in lines)
    body = "\n".join(f"{code:<{wide}}  # {comment}" if comment else code for code, comment in lines)
    classes = _classes(walked)
    imports = ["from collections.abc import Iterator\n"] if "Iterator[" in classes else []
    imports += ["import torch", *(["from torch import Tensor, nn"] if classes else ["from torch import nn"])]
    imports += ["from torch.nn import functional as F"] if "F." in classes else []
    gap = "\n\n\n" if classes else "\n\n"
    return "\n".join(imports) + f"{classes}{gap}network = nn.Sequential(  # {_comment(walked)}\n{body}\n)"


def _comment(walked: Trace) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in walked.architecture.name).split())


def _classes(walked: Trace) -> str:
    """The source of those classes of `core.training.modules` that the network needs."""
    needed = {type(layer.op).__name__ for layer in walked.every_layer}
    needed |= {"PerRound"} if "Repeat" in needed else set()
    text = MODULES.read_text(encoding="utf-8")
    found = [each for each in ast.parse(text).body if isinstance(each, ast.ClassDef) and each.name in needed]
    return "".join(f"\n\n\n{ast.get_source_segment(text, each)}" for each in found)


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
    values = [(each.name, getattr(op, each.name)) for each in fields(op)]
    options = [f"{key}={value!r}" for key, value in values if key in _changed(op) and key != "num_groups"]
    return f"nn.{name}({', '.join([*([first] if first else []), *options])})"


def _changed(op: spec.Op) -> set[str]:
    return {each.name for each in fields(op) if each.default != getattr(op, each.name)}


def _options(**values: tuple[int, int]) -> str:
    """The arguments that differ from their default, given as name=(value, default)."""
    return "".join(f", {name}={value}" for name, (value, default) in values.items() if value != default)
