"""A canvas for one digit, whose drawing is kept when the user visits another page."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit_drawable_canvas import CanvasResult, st_canvas

from core.data.drawn_digit import from_rgba
from lab.ui.canvas_controls import UNDO_WIDTH, canvas_controls


def canvas(name: str, side: int, stroke: int, shortcut: str | None = None) -> None:
    """Draw on `side` x `side` pixels; the drawing is in the session as NAME_picture, grey, or None.

    The canvas forgets its strokes with each visit to another page, so they are kept and given back once. One that
    begins with strokes, of an odd version, cannot be emptied by the browser: the next one lies empty under it, and
    Clear takes away what lies above, at once. `canvas_controls` does it, and the server follows.
    """
    state = st.session_state
    version = state.setdefault(f"{name}_version", 0)
    if f"{name}_{version}" not in state:  # a new visit
        state[f"{name}_strokes_before"] = state.get(f"{name}_strokes")
        version = state[f"{name}_version"] = version + (version + (state[f"{name}_strokes_before"] is not None)) % 2
    begun = state[f"{name}_strokes_before"]
    shown = name.replace("_", "-")

    def drawable(number: int, strokes: object) -> CanvasResult:
        return st_canvas(
            stroke_width=stroke, stroke_color="#FFFFFF", background_color="#000000", width=side, height=side,
            return_image_data=True, initial_drawing=strokes, key=f"{name}_{number}",
        )  # fmt: skip

    st.caption("Mouse, pen or finger")
    with st.container(key=f"canvas-{shown}", width=side):
        with st.container(key=f"sheets-{shown}"):
            under, over = st.container(), st.container()
            with under:
                result = drawable(version + version % 2, None)
            if begun is not None:
                with over:
                    result = drawable(version, begun)
        if result.image_data is not None:
            state[f"{name}_strokes"] = result.json_data
            state[f"{name}_picture"] = from_rgba(np.asarray(result.image_data, np.uint8))
        with st.container(horizontal=True, gap="small"):
            canvas_controls(shown, covered=begun is not None)
            st.button(
                "Clear", on_click=_clear, args=(name,), icon=":material/delete:", width=side - UNDO_WIDTH - 16,
                shortcut=shortcut,
            )  # fmt: skip


def _clear(name: str) -> None:
    """The sheet under one that began with strokes, or else a new one."""
    state = st.session_state
    state[f"{name}_version"] += 2 - state[f"{name}_version"] % 2
    state[f"{name}_strokes"] = state[f"{name}_picture"] = state[f"{name}_strokes_before"] = None
