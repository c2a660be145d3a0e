"""The spellings that people have for a recipe, to the lab's own. No torch."""

from __future__ import annotations

from core.record import Json


def plain_spelling(data: Json) -> Json:
    return data
