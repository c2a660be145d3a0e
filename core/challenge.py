"""The challenge that all three lineages set, and when a run meets it."""

from __future__ import annotations

from collections.abc import Sequence

TARGET_ACCURACY = 0.994
MAX_PARAMETERS = 8_000
MAX_EPOCHS = 15


def first_reached(accuracies: Sequence[float], target: float = TARGET_ACCURACY) -> int | None:
    """The first epoch, counted from 0, whose accuracy is at least the target."""
    return next((epoch for epoch, accuracy in enumerate(accuracies) if accuracy >= target), None)


def held_from(accuracies: Sequence[float], target: float = TARGET_ACCURACY) -> int | None:
    """The first epoch from which every later one, to the last, is at least the target."""
    below = [epoch for epoch, accuracy in enumerate(accuracies) if accuracy < target]
    start = below[-1] + 1 if below else 0
    return start if start < len(accuracies) else None
