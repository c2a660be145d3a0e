"""The weights of one module together: those of a file by their names, and those of a network that the lab built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from core.architecture.spec import Shape

UnitKind = Literal["layer", "norm", "prelu"]  # a layer is a convolution or linear

# Keras's and flax's names of what torch calls weight and bias.
PARTS = {
    "kernel": "weight",
    "gamma": "weight",
    "scale": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "depthwise_kernel": "weight",
    "alpha": "weight",
    "mean": "running_mean",
    "var": "running_var",
}
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")
UNNAMED = re.compile(r"(arr_)?\d+")  # numpy's and ours, of a list without names


@dataclass(frozen=True)
class Unit:
    """The weights of one module."""

    path: str  # the module's, without the names of its weights
    kind: UnitKind
    parts: dict[str, Tensor]  # by torch's names: weight, bias, running_mean, running_var
    place: int  # among all units of its side
    names: dict[str, str]  # of the parts, as its side writes them
    op_path: str = ""  # of ours: the op's path in the trace; a norm in a Repeat is one of several
    number: int = 0  # of ours: which of the op's modules it is

    @property
    def shapes(self) -> tuple[tuple[str, Shape], ...]:
        """What makes two units alike; a 1 x 1 convolution and a linear layer are."""
        return tuple(sorted((part, _squeezed(tuple(value.shape))) for part, value in self.parts.items()))

    def named(self, part: str) -> tuple[str, Tensor | None]:
        """The name and the values of a part; without it, "" and None."""
        return self.names.get(part, ""), self.parts.get(part)


def _squeezed(shape: Shape) -> Shape:
    return shape[:-2] if len(shape) == 4 and shape[-2:] == (1, 1) else shape


def our_units(network: nn.Sequential) -> tuple[Unit, ...]:
    """The modules with weights, in the order in which they run."""
    grouped = dict[str, dict[str, Tensor]]()
    for name, value in network.state_dict().items():
        path, _, part = name.rpartition(".")
        if part != "num_batches_tracked":
            grouped.setdefault(path, {})[part] = value
    units, counts = list[Unit](), dict[str, int]()
    for path, parts in grouped.items():
        op_path = re.sub(r"(\.norms\.\d+)+$|\.fc[12]$", "", path)
        number = counts.get(op_path, 0)
        counts[op_path] = number + 1
        module = network.get_submodule(path)
        kind: UnitKind = (
            "layer"
            if isinstance(module, nn.Conv2d | nn.Linear)
            else "prelu"
            if isinstance(module, nn.PReLU)
            else "norm"
        )
        names = {part: f"{path}.{part}" for part in parts}
        units.append(Unit(path, kind, parts, len(units), names, op_path, number))
    return tuple(units)


def their_units(named: Mapping[str, Tensor]) -> tuple[Unit, ...]:
    """The tensors of a file, taken together by the module that their names give; a list without names, by shape."""
    grouped = dict[str, dict[str, tuple[str, Tensor]]]()
    unnamed = all(UNNAMED.fullmatch(name) for name in named)
    current = ""
    for name, value in named.items():
        path, _, part = name.rpartition(".")
        if unnamed:
            if value.dim() > 1 or not current or not _continues(grouped[current], value):
                current = name
            path, part = current, _next_part(grouped.get(current, {}), value)
        grouped.setdefault(path, {})[PARTS.get(part, part)] = (name, value)
    units = list[Unit]()
    for path, found in grouped.items():
        parts = {part: value for part, (_, value) in found.items()}
        names = {part: name for part, (name, _) in found.items()}
        units.append(Unit(path, _kind(parts), parts, len(units), names))
    return tuple(units)


def _continues(unit: Mapping[str, tuple[str, Tensor]], value: Tensor) -> bool:
    """Whether an unnamed vector is one more part of the module before it."""
    weight = unit["weight"][1]
    if weight.dim() > 1:
        return len(unit) == 1 and len(value) in (weight.shape[0], weight.shape[-1])
    return len(unit) < len(NORM_PARTS) and weight.shape == value.shape


def _next_part(unit: Mapping[str, tuple[str, Tensor]], value: Tensor) -> str:
    return NORM_PARTS[len(unit)] if value.dim() <= 1 and unit else "weight"


def _kind(parts: Mapping[str, Tensor]) -> UnitKind:
    weight = parts.get("weight")
    if weight is not None and weight.dim() in (2, 4):
        return "layer"
    if set(parts) == {"weight"} and weight is not None and weight.dim() == 1:
        return "prelu"
    return "norm"
