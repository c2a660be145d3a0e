"""How others keep the same weights: kernels with the channels last, linear weights turned, batch norms folded in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from core.architecture.spec import Architecture, BatchNorm, Conv, Shape
from core.architecture.trace import Layer, trace
from core.importing.tensors import Tensors
from core.importing.unit import NORM_PARTS, Unit, our_units, their_units
from core.training.network import build

ARRAYS = "a file of NumPy"


def layouts(tensors: Tensors, architecture: Architecture) -> Iterator[tuple[tuple[Unit, ...], str]]:
    """The file's modules as they are, and as they would be kept otherwise; each with a sentence, or "" as they are."""
    named = tensors.named
    units = their_units(named)
    if not tensors.kind.startswith(ARRAYS):
        yield units, ""
        yield (
            their_units({name: value.T if value.dim() == 2 else value for name, value in named.items()}),
            ("The linear weights of the file are inputs x outputs; they were turned to torch's order."),
        )
    else:
        if not any("kernel" in name for name in named):
            yield units, ""
        yield their_units({name: _turned(value) for name, value in named.items()}), ""
    if not any(unit.kind == "norm" for unit in units) and (unfolded := _unfolded(units, architecture)):
        yield (
            unfolded,
            ("The file has no batch norms, their work is done by the biases before them; here they change nothing."),
        )


def _turned(value: Tensor) -> Tensor:
    """A kernel of Keras, (height, width, in, out), as torch has it."""
    if value.dim() == 4:
        return value.permute(3, 2, 0, 1).contiguous()
    return value.T.contiguous() if value.dim() == 2 else value


def _unfolded(theirs: Sequence[Unit], architecture: Architecture) -> tuple[Unit, ...]:
    """The file's modules with a batch norm after each layer that has one here and a bias there: y + bias, exactly."""
    eps = {layer.path: _eps_after(layer, following) for layer, following in _pairs(trace(architecture).layers)}
    ours = our_units(build(architecture))
    layers = [unit for unit in ours if unit.kind == "layer"]
    if len(layers) != len(theirs):
        return ()
    found = list[Unit]()
    for unit, here in zip(theirs, layers, strict=True):
        small = eps.get(here.op_path)
        bias = unit.parts.get("bias")
        if small is None:
            found.append(replace(unit, place=len(found)))
            continue
        wanted = ours[ours.index(here) + 1]
        if bias is None or wanted.kind != "norm":
            return ()
        kept = {part: value for part, value in unit.parts.items() if part != "bias"}
        if "bias" in here.parts:
            kept["bias"] = torch.zeros_like(bias)
        ones = torch.ones_like(bias)
        norm = dict(zip(NORM_PARTS, (ones, torch.zeros_like(bias), -bias, ones - small), strict=True))
        norm = {part: norm[part] for part in wanted.parts if part in norm}
        names = {part: unit.names.get("bias", "") for part in norm}
        found.append(replace(unit, parts=kept, place=len(found)))
        found.append(Unit(f"{unit.path}.norm", "norm", norm, len(found), names))
    return tuple(found) if len(found) > len(theirs) else ()


def _pairs(layers: Sequence[Layer]) -> Iterator[tuple[Layer, Layer]]:
    """Each layer with the one that runs right after it, those in bodies too."""
    yield from pairwise(layers)
    for layer in layers:
        for branch in layer.branches:
            yield from _pairs(branch)


def _eps_after(layer: Layer, following: Layer) -> float | None:
    """The eps of the batch norm right after a convolution; None where there is none."""
    is_pair = isinstance(layer.op, Conv) and isinstance(following.op, BatchNorm)
    return following.op.eps if is_pair and isinstance(following.op, BatchNorm) else None


def channels_first(
    weights: Mapping[str, Tensor], architecture: Architecture
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Keras's weights with the inputs of each linear layer after Flatten in the lab's order, and what is told of it."""
    found, notes = dict(weights), ["The file is Keras's: its kernels were turned to torch's order."]
    before: Shape = ()
    for layer in trace(architecture).every_layer:
        if type(layer.op).__name__ == "Flatten" and len(layer.input) == 3:
            before = layer.input
        elif type(layer.op).__name__ == "Linear" and before and max(before[1:]) > 1 and before[0] > 1:
            channels, height, width = before
            name = f"{layer.path}.weight"
            by_place = found[name].reshape(-1, height, width, channels)
            found[name] = by_place.permute(0, 3, 1, 2).reshape(found[name].shape).contiguous()
            notes.append(f"The inputs of {name} stood with the channels last; they were put in the lab's order.")
            before = ()
    return found, tuple(notes)
