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
