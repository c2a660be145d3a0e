"""Undo and an immediate Clear for a canvas, in place of its own toolbar, which catches strokes at the upper edge."""

from __future__ import annotations

from lab.ui.component import component

UNDO_WIDTH = 84  # pixels
_component = component(__file__)


def canvas_controls(name: str, empties: bool) -> None:
    """For the canvas in the container of the key `canvas-NAME`.

    `empties`: whether its own reset empties it; one that began with a drawing goes back to that, and the server clears.
    """
    _component(key=f"{name}_controls", data={"name": name, "empties": empties}, height="content", width=UNDO_WIDTH)
