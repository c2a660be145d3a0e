"""Step: one network of the ladder, its numbers, its receptive field, its story and its code."""

import streamlit as st

from core.architecture.link import to_code
from core.architecture.pytorch_code import pytorch_code
from core.architecture.trace import classifier
from core.errors import LabError
from core.ladder import catalogue
from core.ladder.catalogue import label
from lab.learn.step import story
from lab.studies.results import run_of, study_of, summarised, why_unreadable
from lab.studies.shelf import shipped
from lab.ui import frame
from lab.ui.headline import headline, step_headline
from lab.ui.step import knobs, link_parameters, step_picker, varied
from lab.ui.tables import field_view, layer_table, totals
from lab.ui.words import escaped, show_error

frame.heading("A step of the ladder", "Pick a network, read what it costs and what it sees, and turn its knobs.")
narrow, wide = st.columns([1, 3], gap="large")

with narrow:
    step = step_picker()
    previous = catalogue.before(step)
    if step.target:
        st.markdown(f"**Target.** {step.target}")
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

with wide:
    study = study_of(step.slug)
    runs = study.runs if study else tuple(run_of(each.card) for each in shipped() if each.card.slug == step.slug)
    if reason := why_unreadable(step.slug):
        st.warning(escaped(f"The study of this step cannot be read: {reason}"), icon=":material/warning:")
    if architecture == step.architecture:
        step_headline(step, walked, summarised(runs))
    else:
        headline(walked, None, "train it to find out")
    view = st.segmented_control(
        "View", ["Layers", "Receptive field", "Result", "Code"], default="Layers", required=True, key="view",
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip
    if view == "Layers":
        totals(walked)
        layer_table(walked)
    elif view == "Receptive field":
        field_view(walked, step)
        st.page_link(
            "pages/learn/field.py", label="Grow it op by op, and see what of it counts",
            icon=":material/center_focus_strong:", query_params=link_parameters(step),
        )  # fmt: skip
    elif view == "Result":
        if architecture != step.architecture:
            st.warning(
                f"All figures below are of {label(step)} as it was, not of the network that your knobs made.",
                icon=":material/tune:",
            )
        story(step, runs)
    else:
        st.caption("Runs as it stands, with torch alone.")
        st.code(pytorch_code(architecture), language="python")
    st.page_link(
        "pages/experiment/train.py", label="Train this network", icon=":material/arrow_forward:",
        query_params=link_parameters(step),
    )  # fmt: skip
    st.page_link(
        "pages/experiment/design.py", label="Design a network that starts from it", icon=":material/architecture:",
        query_params={"from": step.slug, "design": to_code(architecture)},
    )  # fmt: skip
