"""The designer's other views: the maps drawn to scale, what changed against the start, code and files."""

from __future__ import annotations

import streamlit as st

from core.architecture.difference import difference
from core.architecture.fit import fit
from core.architecture.json_form import json_lines
from core.architecture.pytorch_code import pytorch_code
from core.words import significant
from lab.experiment.design import boxes
from lab.experiment.design import figures as design_figures
from lab.experiment.design.state import Opened
from lab.ui import url
from lab.ui.formats import millions
from lab.ui.live_plot import live_plot
from lab.ui.tables import difference_table
from lab.ui.words import escaped

FORMS = ("PyTorch", "JSON")


def diagram(now: Opened) -> None:
    """The feature maps as boxes, as far as the network fits."""
    walked = now.fit.trace
    if walked is None:
        st.info("There is nothing to draw yet: add the first op.", icon=":material/add:")
        return
    figure = design_figures.diagram(walked, now.selected)
    live_plot(
        figure, key="diagram", height=figure.layout.height, alt=f"The feature maps, to scale: {boxes.in_words(walked)}"
    )
    maps = boxes.feature_maps(walked)
    scale = boxes.channel_scale(maps)
    cut = [each.name for each in maps if boxes.is_cut(each, scale)]
    st.caption(
        f"Height and depth of a box: one unit for each pixel of its map. Thickness: its channels, "
        f"{significant(scale, 2)} of a "
        f"unit each{', cut short at ' + ', '.join(cut) if cut else ''}. Norms, activations and dropout change no "
        "shape; the selected op's box is framed."
    )
    if any(layer.branches for layer in walked.layers):
        st.caption(
            "A grey line leads around a body to where its values are added (+) or stand beside the body's (∥). What is "
            "in a dashed frame runs several times with the same weights."
        )
    st.caption(f"In words: {boxes.in_words(walked)}.")


def changed(now: Opened) -> None:
    """Op by op against the start, with the difference in parameters, multiply-adds and field."""
    before, after = now.start.architecture, now.architecture
    if all(row.kind == "same" for row in difference(before, after)):
        st.info(f"Nothing yet: it is {escaped(now.start.title)}, unchanged.", icon=":material/equal:")
        return
    _totals(now)
    difference_table(before, after, ("before", "now"))


def _totals(now: Opened) -> None:
    """The sums of both, and their difference; of a network that does not fit only what fits is summed."""
    start = fit(now.start.architecture).trace
    sides = [(each.parameters, each.macs, each.field.size) if each else (0, 0, 1) for each in (start, now.fit.trace)]
    (parameters, macs, field), (parameters_now, macs_now, field_now) = sides
    partly = " · as far as it fits" if now.fit.error else ""
    st.markdown(
        f"Against **{escaped(now.start.title)}**{partly}: parameters {parameters:,} → {parameters_now:,} "
        f"(**{signed(parameters_now - parameters)}**) · MACs {millions(macs)} → {millions(macs_now)} "
        f"(**{signed(macs_now - macs)}**) · field {field} → {field_now} (**{signed(field_now - field)}**)"
    )


def signed(value: int) -> str:
    """+1,234 or −1,234."""
    return f"{value:+,}".replace("-", "−")


def code(now: Opened) -> None:
    """The design as PyTorch code and as JSON; the files are in the menu File."""
    form = url.switch("Form", FORMS, "form")
    if form == "JSON":
        st.caption("For File → Open a JSON file, and for `python -m lab trace FILE`. To download: File.")
        st.code(json_lines(now.architecture), language="json")
    elif now.fit.error:
        st.info("There is no code for a network that does not fit: see the advice under Layers.")
    else:
        st.caption("Runs as it stands, with torch alone. To download, and for ONNX: File.")
        st.code(pytorch_code(now.architecture), language="python")
