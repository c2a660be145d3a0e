"""Receptive field: how much of the image one unit sees, how that grows, and how much of it counts."""

import streamlit as st

from core.errors import LabError
from lab.learn.field import view as field_page
from lab.ui import frame
from lab.ui.words import show_error

frame.heading(
    "The receptive field",
    "How much of the image does one unit see? Press play and watch its square grow, op by op; then choose a unit.",
)
narrow, wide = st.columns([1, 3.6], gap="large")

with narrow:
    try:
        network = field_page.network_picker()
        place = field_page.place_in_url(network)
    except LabError as error:
        with wide:
            show_error(error)
        st.stop()
    field_page.place_inputs(network, place)
    digit = field_page.digit_picker()
    words = st.container()

with wide:
    field_page.field_headline(network)
    show = st.segmented_control(
        "Show", field_page.VIEWS, default=field_page.VIEWS[0], required=True, key="show", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    if show != "Grow it":  # the explorer says it itself, as it moves
        words.markdown(field_page.seen_by(network, place))
    try:
        if show == "Grow it":
            field_page.grow(network, place, digit)
        elif show == "Formulas":
            field_page.formulas(network, place)
        elif show == "Effective field":
            field_page.effective(network, place)
        else:
            field_page.wrong_tables(network)
    except LabError as error:
        show_error(error)
    field_page.way_on(network)
