"""Step: one network of the ladder, its numbers, its receptive field, its story and its code."""

import streamlit as st

from core.architecture.link import to_code
from core.architecture.pytorch_code import pytorch_code
from core.architecture.trace import classifier
from core.errors import LabError
from core.ladder.catalogue import label
from lab.learn.step import links_of, story
from lab.studies import own_ladder
from lab.studies.results import why_unreadable
from lab.ui import frame, url
from lab.ui.export_menu import export_menu, of_step
from lab.ui.headline import runs_of, step_headline
from lab.ui.links import link, train_this
from lab.ui.step import FROM, design_to_train, knobs, link_parameters, step_picker, varied
from lab.ui.tables import field_view, layer_table, totals
from lab.ui.words import show_error, told

frame.heading("A step of the ladder", "Pick a network, read what it costs and what it sees, and turn its knobs.")
narrow, wide = st.columns([1, 3.6], gap="large")

with narrow:
    step = step_picker(design_to_train())
    train_this(link_parameters(step))
    menu = st.container()
    previous = own_ladder.before(step)
    if step.target:
        st.markdown(f"**Target.** {step.target}")
    links_of(step)
    if previous:
        st.caption(f"After {label(previous)}: {step.change}")
    knobs(step)

try:
    architecture = varied(step)
    walked = classifier(architecture)
except LabError as error:
    with wide:
        show_error(error)
    st.stop()

with menu:
    export_menu(lambda: [of_step(step, architecture)])
with wide:
    if reason := why_unreadable(step.slug):
        st.warning(told(f"The study of this step cannot be read: {reason}"), icon=":material/warning:")
    step_headline(step, walked)
    view = url.switch("View", ["Layers", "Receptive field", "Result", "Code"], "view")
    if view == "Layers":
        totals(walked)
        layer_table(walked)
    elif view == "Receptive field":
        field_view(walked, step)
        link(
            "learn/field",
            "Grow it op by op, and see what of it counts",
            link_parameters(step),
            icon="center_focus_strong",
        )
    elif view == "Result":
        if architecture != step.architecture:
            st.warning(
                f"All figures below are of {label(step)} as it was, not of the network that your knobs made.",
                icon=":material/tune:",
            )
        if step.slug:
            story(step, runs_of(step))
        else:
            st.info("Your design is no step of the ladder: train it to measure it.", icon=":material/info:")
    else:
        st.caption("Runs as it stands, with torch alone.")
        st.code(pytorch_code(architecture), language="python")
    started = {"from": step.slug or url.given(FROM), "design": to_code(architecture)}
    link("experiment/design", "Design a network that starts from it", started, icon="architecture")
