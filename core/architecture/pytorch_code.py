"""An architecture as a PyTorch script that runs without the lab."""

from __future__ import annotations

from core.architecture import spec
from core.architecture.trace import Layer, trace


def pytorch_code(architecture: spec.Architecture) -> str:
    """A module that defines `network`, an nn.Sequential, with each layer's output shape as a comment."""
    lines = [_line(layer) for layer in trace(architecture).layers]
    wide = max(len(code) for code, _ in lines)
    channels, height, width = architecture.input
    body = "\n".join(f"    {code:<{wide}}  # {comment}" for code, comment in lines)
    return (
        "import torch\n"
        "from torch import nn\n\n"
        f"network = nn.Sequential(  # {_comment(architecture.name)}\n{body}\n)\n\n"
        f"output = network(torch.zeros(2, {channels}, {height}, {width}))\n"  # batch norm on one pixel needs two images
        "parameters = sum(values.numel() for values in network.parameters())\n"
        'print(f"{parameters:,} parameters, output {tuple(output.shape)}")\n'
    )


def _comment(name: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())


def _line(layer: Layer) -> tuple[str, str]:
    shape = ", ".join(str(size) for size in layer.output)
    return f"{_module(layer)},", f"(N, {shape})"


def _module(layer: Layer) -> str:
    match layer.op:
        case spec.Conv(out, k, stride, padding, dilation, groups, bias):
            options = _options(stride=(stride, 1), padding=(padding, 0), dilation=(dilation, 1), groups=(groups, 1))
            return f"nn.Conv2d({layer.input[0]}, {out}, {k}{options}{'' if bias else ', bias=False'})"
        case spec.BatchNorm():
            return f"nn.BatchNorm2d({layer.input[0]})"
        case spec.ReLU():
            return "nn.ReLU()"
        case spec.Dropout(p):
            return f"nn.Dropout({p})"
        case spec.MaxPool(k, stride, padding, dilation):
            return f"nn.MaxPool2d({k}{_options(stride=(stride, k), padding=(padding, 0), dilation=(dilation, 1))})"
        case spec.AvgPool(k, stride, padding):
            return f"nn.AvgPool2d({k}{_options(stride=(stride, k), padding=(padding, 0))})"
        case spec.GlobalAvgPool():
            return "nn.AdaptiveAvgPool2d(1)"
        case spec.Flatten():
            return "nn.Flatten()"
        case spec.Linear(out, bias):
            flatten = "nn.Flatten(), " if len(layer.input) == 3 else ""
            return f"{flatten}nn.Linear({layer.input[0]}, {out}{'' if bias else ', bias=False'})"
        case spec.LogSoftmax():
            return "nn.LogSoftmax(dim=1)"


def _options(**values: tuple[int, int]) -> str:
    """The arguments that differ from their default, given as name=(value, default)."""
    return "".join(f", {name}={value}" for name, (value, default) in values.items() if value != default)
