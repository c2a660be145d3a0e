"""Links from page to page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def link(
    page: str, label: str, parameters: Mapping[str, str | Sequence[str]] | None = None, icon: str = "arrow_forward",
    at: DeltaGenerator | None = None, width: Literal["content", "stretch"] = "content",
) -> None:  # fmt: skip
    """A link to a page, such as "learn/step", with values for its URL. `at`: the column or container it stands in."""
    address, shown = f"pages/{page}.py", f":material/{icon}:"
    (at or st).page_link(address, label=label, icon=shown, query_params=parameters, width=width)


def train_this(parameters: Mapping[str, str], disabled: bool = False) -> None:
    """The way to train the network that a page shows, as its one filled button."""
    with st.container(key="train-this"):
        st.page_link(
            "pages/experiment/train.py", label="Train this network", icon=":material/play_arrow:",
            query_params=parameters, disabled=disabled, width="stretch",
        )  # fmt: skip
