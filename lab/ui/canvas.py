"""A canvas for one digit, whose drawing is kept when the user visits another page."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit_drawable_canvas import st_canvas

from core.data.drawn_digit import from_rgba
from lab.ui.canvas_controls import UNDO_WIDTH, canvas_controls


def canvas(name: str, side: int, stroke: int, shortcut: str | None = None) -> None:
    """Draw on `side` x `side` pixels; the drawing is in the session as NAME_picture, grey, or None.

    The canvas forgets its strokes with each visit to another page, so they are kept and given back once.
    """
    state = st.session_state
    key = f"{name}_{state.setdefault(f'{name}_version', 0)}"
    if key not in state:  # a new visit, or a cleared canvas
        state[f"{name}_strokes_before"] = state.get(f"{name}_strokes")
    st.caption("Mouse, pen or finger")
    with st.container(key=f"canvas-{name.replace('_', '-')}", width=side):
        result = st_canvas(
            stroke_width=stroke, stroke_color="#FFFFFF", background_color="#000000", width=side, height=side,
            return_image_data=True, initial_drawing=state[f"{name}_strokes_before"], key=key,
        )  # fmt: skip
        if result.image_data is not None:
            state[f"{name}_strokes"] = result.json_data
            state[f"{name}_picture"] = from_rgba(np.asarray(result.image_data, np.uint8))
        with st.container(horizontal=True, gap="small"):
            canvas_controls(name.replace("_", "-"), empties=state[f"{name}_strokes_before"] is None)
            st.button(
                "Clear", on_click=_clear, args=(name,), icon=":material/delete:", width=side - UNDO_WIDTH - 16,
                shortcut=shortcut,
            )  # fmt: skip


def _clear(name: str) -> None:
    st.session_state[f"{name}_version"] += 1
    st.session_state[f"{name}_strokes"] = st.session_state[f"{name}_picture"] = None
