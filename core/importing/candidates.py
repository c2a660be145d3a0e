"""The networks that weights fit, among those that the lab knows."""

from __future__ import annotations

from collections.abc import Mapping

from core.architecture.spec import Architecture, Dropout, Dropout2d, Op
from core.architecture.trace import trace
from core.errors import LabError
from core.importing.match import Match, match
from core.importing.tensors import Tensors

MOST = 12  # networks that are tried: those with as many values as the file


def candidates(tensors: Tensors, networks: Mapping[str, Architecture]) -> dict[str, Match]:
    """The complete matches by the networks' names: those by name first."""
    values = sum(value.numel() for value in tensors.named.values())
    found, tried = dict[str, Match](), 0
    for name, architecture in networks.items():
        try:
            walked = trace(architecture)
            if walked.parameters + walked.buffers != values or tried >= MOST:
                continue
            tried += 1
            fitting = match(tensors, architecture)
        except LabError:
            continue
        if fitting.complete:
            found[name] = fitting
    return dict(sorted(found.items(), key=lambda each: each[1].how != "by name"))


def same_answers(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    """The ops without dropout, which does nothing in a trained network: those of two networks that answer alike."""
    return tuple(op for op in ops if not isinstance(op, Dropout | Dropout2d))
