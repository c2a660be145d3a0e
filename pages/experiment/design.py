"""Design: your own network, from a step, from nothing or from a bad one, with advice at each change."""

import streamlit as st

from core.architecture.link import to_code
from lab.experiment.design import editor as design_editor
from lab.experiment.design import views as design_views
from lab.experiment.design.op_panel import op_panel
from lab.experiment.design.saving import two_designs
from lab.experiment.design.search_form import search_view
from lab.experiment.design.state import opened
from lab.ui import frame
from lab.ui.links import train_this
from lab.ui.step import DESIGN, FROM

frame.heading(
    "Design a network",
    "Start from a step, change it op by op, and see at once what it costs and how much of the image it sees.",
)
narrow, wide = st.columns([1, 3], gap="large")

with wide:
    now = opened()
    two_designs(now)
with narrow:
    design_editor.start_picker(now)
    train_this({DESIGN: to_code(now.architecture), FROM: now.start.key}, disabled=not now.trains)

with wide:
    design_editor.design_headline(now)
    view = design_editor.view_switch(now)
if view != "Search":  # which is about the whole network
    with narrow:
        op_panel(now)

with wide:
    if view == "Layers":
        design_editor.layers_view(now)
    elif view == "Diagram":
        design_views.diagram(now)
    elif view == "What changed":
        design_views.changed(now)
    elif view == "Search":
        search_view(now)
    else:
        design_views.code(now)
    if now.start.wrong and view != "Layers":
        design_editor.what_is_wrong(now)
