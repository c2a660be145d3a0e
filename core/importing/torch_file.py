"""A file of torch opened without running anything in it: tensors, numbers and texts; other objects stay closed.

torch.load runs with weights_only, which builds no object but these. A class that the file names besides, such as
argparse's Namespace or a dataclass of the script, is given a stand-in of that name, which does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from threading import Lock

import numpy as np
import torch

from core.errors import ImportingError
from core.importing.kind import SAVE_DO
from core.record import short

MAX_NAMES = 60  # of classes that a file names
_NAMED = re.compile(r"(?:GLOBAL|Type|type|class) [`']?([\w.]+)")
_FILLED = re.compile(r"Can only (\w+) (?:for|to|lists).*got <class '([\w.]+)'>")
_LOCK = Lock()  # torch keeps one list of allowed names for all threads

_SCALAR: Callable[..., object] = vars(np._core.multiarray)["scalar"]  # type: ignore[attr-defined]  # what pickles name numpy._core.multiarray.scalar
# A loss that was taken with .item() of numpy stands in many checkpoints; these build numbers and nothing else.
torch.serialization.add_safe_globals(
    [
        np.dtype,
        _SCALAR,
        (_SCALAR, "numpy.core.multiarray.scalar"),
        *{type(np.dtype(each)) for each in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")},
    ]
)


class StandIn:
    """An object of a class that the lab does not open."""

    def __init__(self, *given: object, **keywords: object) -> None:
        pass

    def __new__(cls, *given: object, **keywords: object) -> StandIn:
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        self.state = state


class _AsDict(StandIn):
    """Of a class that the file fills as a dict."""

    def __new__(cls, *given: object, **keywords: object) -> dict[object, object]:  # type: ignore[misc]
        return {}


class _AsList(StandIn):
    """Of a class that the file fills as a list."""

    def __new__(cls, *given: object, **keywords: object) -> list[object]:  # type: ignore[misc]
        return []


def load(content: bytes, called: str, notes: list[str]) -> object:
    """What the file holds. Raises ImportingError for one that is damaged, or that nothing can be taken from."""
    kinds: dict[str, type[StandIn]] = {}
    while True:
        allowed: list[object] = [(type(name, (kind,), {"__module__": ""}), name) for name, kind in kinds.items()]
        try:
            with _LOCK, torch.serialization.safe_globals(allowed):  # type: ignore[arg-type]
                found: object = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        except Exception as error:  # damaged files raise errors of many kinds; what is refused has one of its own
            told = _one_line(error) or type(error).__name__
            if type(error).__name__ != "UnpicklingError":
                raise ImportingError(f"{called} is a damaged torch file: {told}") from None
            if len(kinds) >= MAX_NAMES or not _add(str(error), kinds):
                raise ImportingError(_refusal(str(error), called)) from None
            continue
        if kinds:
            what = ", ".join(short(name) for name in list(kinds)[:4])
            notes.append(f"Besides the weights it holds {what}, which were not opened.")
        return found


def network_in(found: object) -> str:
    """The name of a whole pickled network's class, where the object is one or holds one; else ""."""
    inside = [found, *(found.values() if isinstance(found, dict) else ())]
    for each in inside:
        state = getattr(each, "state", None) if isinstance(each, StandIn) else None
        if isinstance(state, dict) and "_modules" in state:
            return type(each).__name__
    return ""


def whole_network(called: str, name: str) -> str:
    """What to do with a file that holds the network's object itself."""
    what = f"{called} is a whole pickled network ({short(name)}), and reading it would run the code that it names; "
    return what + SAVE_DO


def _add(message: str, kinds: dict[str, type[StandIn]]) -> bool:
    """Add a stand-in for what torch refused; False where there can be none."""
    message = message.rpartition("error:")[2]
    if filled := _FILLED.search(message):
        name = filled[2].lstrip(".")
        if kinds.get(name) is not StandIn:
            return False
        kinds[name] = _AsDict if filled[1].startswith("SETITEM") else _AsList
        return True
    named = re.search(r"GLOBAL ([\w.]+)", message)
    name = named[1].strip(".") if named else ""
    if name and "." not in name:
        name = f"builtins.{name}"  # torch leaves that out
    closed = not name or name in kinds or name.startswith(("torch._", "torch.Tensor", "torch.storage"))
    if not closed:
        kinds[name] = StandIn
    return not closed


def _refusal(message: str, called: str) -> str:
    """What torch says about an object that is no tensor, in one sentence."""
    message = message.rpartition("error:")[2]
    if "call reduce" in message:
        return f"{called} holds an object that only running code would make, and the lab runs none; {SAVE_DO}"
    found = _NAMED.search(message)
    thing = found[1].strip(".") if found else ""
    if not thing:
        return f"{called} is a damaged torch file: {_one_line(message.partition('Check')[0])}"
    return f"{called} holds an object of {short(thing)} besides the weights, which the lab does not open; {SAVE_DO}"


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200]
