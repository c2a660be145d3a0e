"""A page large and alone, for a projector: ?present=1. No menu; type, tables and charts grow with the screen.

The size is the browser's to find: `presentation.css` sets the root's font size by the viewport, Streamlit measures in
it, and `live_plot.js` enlarges a chart by it. Nothing here knows how large the screen is.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lab.ui import url

PRESENT = "present"  # in the URL
STYLES = Path(__file__).with_suffix(".css")


def presenting() -> bool:
    """Whether the URL asks for the page large and alone."""
    return url.given(PRESENT) == "1"


def present_button(label: str = "Present") -> None:
    """The way in."""
    st.button(
        label,
        on_click=url.put,
        args=(PRESENT, "1"),
        icon=":material/slideshow:",
        key="present",
        help="Large and alone, for a projector. Esc ends it.",
    )


def leave_button() -> None:
    """The way out, by button or Escape; with it comes the large type."""
    st.html(STYLES)
    st.button(
        "Leave",
        on_click=url.drop,
        args=(PRESENT,),
        type="tertiary",
        shortcut="Esc",
        icon=":material/close:",
        key="leave_presentation",
    )


def columns(row: DeltaGenerator, narrow: float, wide: float, label: str) -> tuple[DeltaGenerator, DeltaGenerator]:
    """A page's narrow and wide column. Presented, the narrow one lies behind a button in the heading's `row`."""
    if presenting():
        return row.popover(label, icon=":material/tune:"), st.container()
    left, right = st.columns([narrow, wide], gap="large")
    return left, right
