"""Links from page to page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def link(
    page: str, label: str, parameters: Mapping[str, str | Sequence[str]] | None = None, icon: str = "arrow_forward",
    at: DeltaGenerator | None = None,
) -> None:  # fmt: skip
    """A link to a page, such as "learn/step", with values for its URL. `at`: the column or container it stands in."""
    (at or st).page_link(f"pages/{page}.py", label=label, icon=f":material/{icon}:", query_params=parameters)
