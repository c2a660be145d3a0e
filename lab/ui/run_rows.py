"""What the tables of runs share: a click opens a run, ticks choose runs to compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import streamlit as st

from lab.studies.entries import MOST


def table_key(name: str, rows: Sequence[str]) -> str:
    """A key that changes with the rows, so that no tick moves to another run when one is added, and with each opening.

    After the second, the same row can be opened again.
    """
    version = st.session_state.setdefault(f"{name}_table_version", 0)
    return f"{name}-{version}-{crc32(','.join(rows).encode())}"


def opened(state: Any, name: str, open_row: Callable[[int], None]) -> None:  # Any: what st.dataframe returns
    """Where a cell was clicked, open its row in a fresh table; a tick is no click."""
    if state.selection.cells:
        st.session_state[f"{name}_table_version"] += 1
        open_row(int(state.selection.cells[0][0]))


def compare_button(ticked: Sequence[str], key: str) -> None:
    """Lay the ticked rows over each other, on the Compare page."""
    few, many = len(ticked) < 2, len(ticked) > MOST
    label = f"Compare ({len(ticked)})" if ticked else "Compare"
    help_text = f"At most {MOST} at once." if many else "Tick two rows or more at their left edge." if few else None
    if st.button(
        label, icon=":material/compare_arrows:", disabled=few or many, help=help_text, key=f"compare-{key}",
        width="stretch",
    ):  # fmt: skip
        st.switch_page("pages/experiment/compare.py", query_params={"runs": ",".join(ticked)})
