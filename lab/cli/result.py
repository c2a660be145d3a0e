"""How a command ends that did not do all it was asked."""

from __future__ import annotations

from dataclasses import dataclass

from core.record import Json


@dataclass(frozen=True)
class Incomplete:
    """A command's document, although part of what was asked for failed."""

    document: Json
    reason: str
    status: int = 2  # to exit with
