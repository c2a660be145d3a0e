"""Compare: any runs side by side, what differs in them, whether the difference is real, and on which images."""

import streamlit as st

from lab.experiment.compare.pair import differences, is_it_real, on_the_images
from lab.experiment.compare.view import curve_knobs, curves, figures_row, invitation, pair_picker, run_picker
from lab.experiment.train.run_actions import run_actions
from lab.ui import frame
from lab.ui.export_menu import export_menu, of_entry
from lab.ui.links import link
from lab.ui.report.view import downloads
from lab.ui.words import errors_shown

VIEWS = ["Curves", "Differences", "Is it real?", "Images"]

frame.heading(
    "Compare runs", "Put runs side by side: how they learned, what was done differently, and whether it mattered."
)
narrow, wide = st.columns([1, 3], gap="large")

with narrow:
    shown = run_picker()
with wide:
    invitation(shown)
with narrow:
    first, second = pair_picker(shown) if len(shown) > 1 else (shown[0], None)
with wide:
    with errors_shown():
        figures_row(first, second)
        view = st.segmented_control(
            "View", VIEWS, default="Curves", required=True, key="view", bind="query-params",
            label_visibility="collapsed", disabled=second is None,
        )  # fmt: skip
        if view == "Curves" or second is None:
            with narrow:
                name, weight = curve_knobs()
            curves(shown, name, weight)
        elif view == "Differences":
            differences(first, second)
        elif view == "Is it real?":
            is_it_real(first, second, shown)
        else:
            on_the_images(first, second)
    link("experiment/board", "Who meets the challenge?")
with narrow:
    export_menu(lambda: [of_entry(each.entry) for each in shown])
    downloads(shown)
    run_actions([each.entry for each in shown])
