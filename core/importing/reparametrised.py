"""Weights that torch keeps in parts, put together again: weight norm, spectral norm and pruning."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from core.errors import ImportingError
from core.record import short

_ENDS = re.compile(r"(.*?)(?:parametrizations\.)?(weight|bias)(?:\.(original[01]?)|_([gvu]|orig|mask)|\.\d+\._([uv]))$")
# Of each kind: the names of its parts. Older versions of torch wrote weight_g, newer parametrizations.weight.original0.
_KINDS = ({"g", "v"}, {"original0", "original1"}, {"orig", "u", "v"}, {"original", "u", "v"}, {"orig", "mask"})


def put_together(found: Mapping[str, Tensor], called: str, notes: list[str]) -> dict[str, Tensor]:
    """The weights with those in parts as one. Raises ImportingError where the parts do not fit each other."""
    parts = dict[str, dict[str, str]]()  # of each weight, the names of its parts
    for name in found:
        if ends := _ENDS.match(name):
            part = ends[3] or ends[4] or ends[5]
            parts.setdefault(f"{ends[1]}{ends[2]}", {})[part] = name
    parts = {weight: names for weight, names in parts.items() if set(names) in _KINDS and weight not in found}
    whole = dict[str, Tensor]()
    for name, value in found.items():
        ends = _ENDS.match(name)
        weight = f"{ends[1]}{ends[2]}" if ends else name
        if weight not in parts:
            whole[name] = value
        elif weight not in whole:
            try:
                whole[weight] = _whole({part: found[each] for part, each in parts[weight].items()})
            except RuntimeError:
                raise ImportingError(f"{called}: the parts of {short(weight)} do not fit each other") from None
    if parts:
        notes.append(f"{', '.join(short(each) for each in list(parts)[:3])} was put together from its parts.")
    return whole


def _whole(parts: Mapping[str, Tensor]) -> Tensor:
    """The weight that torch works with."""
    value = {part: each.float() for part, each in parts.items()}
    if len(value) == 2 and "mask" not in value:  # the length of each output's weights, and their direction
        length, direction = (value[part] for part in sorted(value))
        norms: Tensor = torch.linalg.vector_norm(direction.flatten(1), dim=1)
        return length * direction / norms.view(-1, *(1,) * (direction.dim() - 1))
    original = value["orig"] if "orig" in value else value["original"]
    if "mask" in value:
        return original * value["mask"]
    return original / torch.dot(value["u"], original.flatten(1) @ value["v"])  # by the largest singular value
