"""Undo and an immediate Clear for a canvas, in place of its own toolbar, which catches strokes at the upper edge."""

from __future__ import annotations

from lab.ui.component import component

UNDO_WIDTH = 84  # pixels
_component = component(__file__)


def canvas_controls(name: str, covered: bool) -> None:
    """For the canvas in the container of the key `canvas-NAME`.

    `covered`: whether one that began with a drawing, to which its own reset goes back, lies over an empty one.
    """
    _component(key=f"{name}_controls", data={"name": name, "covered": covered}, height="content", width=UNDO_WIDTH)
