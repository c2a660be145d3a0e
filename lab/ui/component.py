"""A component of our own: its HTML, CSS and JavaScript lie beside its module, under the module's name."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer


def component(module: str, isolate_styles: bool = True) -> ComponentRenderer:
    """Register the component of a module, given as its `__file__`; once, when that is imported."""
    html, css, js = (Path(module).with_suffix(f".{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    name = f"lab_{Path(module).stem}"
    return st.components.v2.component(name, html=html, css=css, js=js, isolate_styles=isolate_styles)
