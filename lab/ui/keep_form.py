"""The form that keeps a drawn digit in the class's handwriting."""

from __future__ import annotations

import streamlit as st

from core.data.drawn_digit import Grey, prepare
from core.errors import LabError
from lab.ui.caches import handwriting
from lab.ui.links import link
from lab.ui.nickname import nickname, nickname_field
from lab.ui.owner import me
from lab.ui.words import show_error


def keep_form(picture: Grey) -> None:
    """Ask for the true digit of a drawing and keep it, prepared as MNIST was, whatever stages are switched off."""

    def keep(label: int) -> None:
        try:
            number = handwriting().keep(prepare(picture).digit, picture, label, nickname(), me().key)
        except LabError as error:
            st.session_state.keep_told = error
        else:
            st.session_state.keep_told = number

    nickname_field()
    st.markdown("Which digit is it meant to be? It is kept, prepared and as it was drawn, under your nickname.")
    grid = st.grid(10, min_column_width=40, gap="xsmall", key="keep-as")
    for label in range(10):
        grid.container().button(str(label), key=f"keep-{label}", on_click=keep, args=(label,), width="stretch")
    told = st.session_state.pop("keep_told", None)
    if isinstance(told, LabError):
        show_error(told)
    elif told is not None:
        st.success(f"Kept as number {told:,}.", icon=":material/check_circle:")
    link("use/handwriting", "Our handwriting")
