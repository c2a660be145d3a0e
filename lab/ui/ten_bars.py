"""Ten probabilities as bars, drawn by the page itself: Plotly takes 0.1 s, and in a new browser two seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from jinja2 import Template
from numpy.typing import NDArray

from lab.ui.formats import percent

BARS = Template(Path(__file__).with_name("ten_bars.html").read_text(encoding="utf-8"), autoescape=True)
TOLD = 0.005  # a smaller probability is not written on its bar


def ten_bars(values: NDArray[np.float32], true: int) -> None:
    """Probabilities (10,): the true digit's green, and the answer's red where it is another."""
    best = int(values.argmax())
    bars = [
        {
            "share": float(value),
            "told": percent(float(value)),
            "look": "true" if digit == true else "wrong" if digit == best else "",
        }
        for digit, value in enumerate(values)
    ]
    st.html(BARS.render(bars=bars, least=TOLD))
