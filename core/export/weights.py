"""Trained weights for the code that leaves the lab, `core.architecture.pytorch_code`: under the names they have there.

The lab's own checkpoints count ops. The code has a Flatten of its own before a linear layer that reads a map, so the
layers after it have other numbers there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from core.architecture import spec
from core.architecture.trace import Layer, trace

BODIES = {spec.Residual: ("body", "shortcut"), spec.Concatenate: ("body", "shortcut"), spec.Repeat: ("body",)}


def portable_weights(network: nn.Sequential, architecture: spec.Architecture) -> dict[str, Tensor]:
    """The weights and buffers, on the CPU, for `network.load_state_dict` of the exported code."""
    new = dict(_renamed(trace(architecture).layers, "", ""))
    found = {}
    for name, value in network.state_dict().items():
        owner = max((each for each in new if name.startswith(each)), key=len)
        found[new[owner] + name.removeprefix(owner)] = value.detach().cpu().contiguous()
    return found


def _renamed(layers: tuple[Layer, ...], ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    """The beginning of the names of each op's weights: in the lab, and in the code."""
    number = 0
    for index, layer in enumerate(layers):
        number += isinstance(layer.op, spec.Linear) and len(layer.input) == 3  # its Flatten
        yield f"{ours}{index}.", f"{theirs}{number}."
        for name, branch in zip(BODIES.get(type(layer.op), ()), layer.branches, strict=False):  # of a repeat the first
            yield from _renamed(branch, f"{ours}{index}.{name}.", f"{theirs}{number}.{name}.")
        number += 1


def state_dict_file(network: nn.Sequential, architecture: spec.Architecture) -> bytes:
    """What `torch.load(file, weights_only=True)` reads."""
    content = io.BytesIO()
    torch.save(portable_weights(network, architecture), content)
    return content.getvalue()


def safetensors_file(network: nn.Sequential, architecture: spec.Architecture) -> bytes:
    """What `safetensors.torch.load_file` reads: the same names."""
    return save_tensors(portable_weights(network, architecture), {"format": "pt"})
