"""Which parts of the digit the answer depends on: by covering them, and by the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from lab.ui.formats import percent
from lab.ui.live_plot import live_plot
from lab.ui.predictions import occluded, one_thread
from lab.use.inside import figures as inside_figures
from lab.use.inside.inputs import Subject
from lab.use.inside.maps import signed
from lab.use.inside.snapshots import Weights

if TYPE_CHECKING:  # torch takes two seconds to import
    from torch import nn

SIDES = (3, 5, 7, 9)  # of the square that covers


def counts_view(network: nn.Sequential, chosen: Weights, subject: Subject, probabilities: NDArray[np.float64]) -> None:
    """Occlusion and gradient: which parts of the digit the answer depends on."""
    from core.analysis.inside import gradient_map
    from core.checkpoints.checkpoint import normalisation_of

    which, square = st.columns([3, 2])
    best = int(probabilities.argmax())
    with which:
        label = st.segmented_control(
            "Evidence for the digit", list(range(10)), default=best, required=True,
            key=f"inside-label-{best}-{subject.words}-{chosen.sha256[:8]}",
        )  # fmt: skip
    side = square.select_slider("Side of the square that covers, pixels", SIDES, 5, key="inside-side")
    found = occluded(chosen.stem, chosen.sha256, subject.digit.tobytes(), label, side)
    with one_thread():
        gradient = gradient_map(network, subject.digit, normalisation_of(chosen.card), label)
    cover, slope = st.columns(2, gap="medium")
    row, column = np.unravel_index(int(found.fall.argmax()), found.fall.shape)
    with cover:
        st.markdown("**Covered by a black square**")
        live_plot(
            inside_figures.occluded(found, subject.digit),
            key="inside-occlusion",
            height=330,
            alt=f"How the evidence for {label} falls when a square is covered; most at row {row}, column {column}.",
        )
        st.markdown(
            f"With the square about row {row}, column {column}, the probability of a {label} goes from "
            f"{percent(found.before)} to {percent(float(found.probability[row, column]))}, and it "
            f"reads a **{found.read_as[row, column]}**. "
            f"{int((found.read_as != best).sum())} of {found.fall.size} squares change the answer."
        )
        step = f" Of so large a network, every {found.stride} pixels." if found.stride > 1 else ""
        st.caption(f"Orange: covering this takes evidence away (log-odds fall); blue: it adds some.{step}")
    top, left = np.unravel_index(int(np.abs(gradient).argmax()), gradient.shape)
    with slope:
        st.markdown("**A little brighter**")
        live_plot(
            inside_figures.gradients(gradient, subject.digit),
            key="inside-gradient",
            height=330,
            alt=f"The gradient of the evidence for {label}; strongest at row {top}, column {left}.",
        )
        st.markdown(
            f"The pixel at row {top}, column {left} counts most: white in place of black would change the log-odds by "
            f"about {signed(gradient[top, left])}, if the effect stayed linear."
        )
        st.caption(
            "Orange: more ink here is evidence for the digit; blue: against it. The line is the digit's outline."
        )
