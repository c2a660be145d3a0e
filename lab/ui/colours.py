"""The colours and symbols of all figures, from Okabe and Ito: one thing has one colour on every page."""

from __future__ import annotations

import streamlit as st

TRAIN, VALIDATION, TEST, PASS = "#0072B2", "#E69F00", "#D55E00", "#009E73"
CLAIM = "#8A929B"  # grey, readable on white and on black
FRONT = "#56B4E9"
LINEAGE = {"a": "#0072B2", "b": "#D55E00", "c": "#CC79A7", "d": "#E69F00"}
SYMBOL = {"a": "circle", "b": "square", "c": "diamond", "d": "star", "e": "triangle-up"}  # a lineage has its form too


def faded(colour: str, opacity: float) -> str:
    """A colour such as #0072B2, as Plotly reads one that lets others through."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def ink() -> str:
    """The colour of the theme's words, for those within a figure: Plotly's own is pale on one of the themes."""
    return "#E8ECF0" if st.context.theme.type == "dark" else "#1B1F24"  # as in config.toml
