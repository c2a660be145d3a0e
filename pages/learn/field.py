"""Receptive field: how much of the image one unit sees, how that grows, and how much of it counts."""

import streamlit as st

from core.errors import LabError
from lab.learn.field import network as field_page
from lab.learn.field.effective import effective
from lab.learn.field.formulas import formulas
from lab.learn.field.wrong_tables import wrong_tables
from lab.ui import frame, url
from lab.ui.headline import step_headline
from lab.ui.words import errors_shown, show_error

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
    step_headline(network.step, network.walked)
    show = url.switch("Show", field_page.VIEWS, "show")
    if show != "Grow it":  # the explorer says it itself, as it moves
        words.markdown(field_page.seen_by(network, place))
    with errors_shown():
        if show == "Grow it":
            field_page.grow(network, place, digit)
        elif show == "Formulas":
            formulas(network, place)
        elif show == "Effective field":
            effective(network, place)
        else:
            wrong_tables(network)
    field_page.way_on(network)
