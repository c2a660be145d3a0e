"""The Mistakes page's view of calibration: is a network that is 90% sure correct nine times out of ten?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis.calibration import BINNINGS, BINS, Calibration, calibration
from core.analysis.evidence import in_points
from core.analysis.proportion import wilson
from core.training.predictions import Predictions
from core.words import plural, points_words, share_words
from lab.ui.live_plot import still_plot
from lab.ui.tables import data_table
from lab.use.mistakes.figures import reliability

EVEN = 0.001  # of confidence and accuracy: nearer than this they count as alike


def calibration_view(predictions: Predictions) -> None:
    """The expected calibration error in words, the reliability diagram or its table, and what the words mean."""
    left, right = st.columns(2)
    binning = left.segmented_control(
        f"{BINS} bins of", list(BINNINGS), default=BINNINGS[0], required=True, key="bins", bind="query-params",
        help="Equal width: the same range of confidence each, as the literature has it. Equal count: the same number "
        "of answers each, which tells the sure ones apart.",
    )  # fmt: skip
    shown = right.segmented_control(
        "Figures as", ["Chart", "Table"], default="Chart", required=True, key="calibration_as", bind="query-params"
    )
    found = calibration(predictions, binning)
    st.markdown(in_words(found))
    if shown == "Table":
        data_table(table(found), "The bins, one in each row.")
    else:
        worst = found.largest_gap
        still_plot(
            reliability(found),
            f"reliability-{binning}",
            f"Accuracy against confidence in {plural(len(found.bins), 'bin')}; the widest gap is at "
            f"{share_words(worst.confidence, 1)} confidence, where {share_words(worst.accuracy, 1)} of "
            f"{plural(worst.count, 'answer')} are "
            "right.",
        )
    st.caption(
        "Confidence is the probability of the network's own answer. Red: the gap to the dashed line, where a network "
        "is as sure as it is right; below the line it is too sure. A bin of few answers has a long interval: its gap "
        "may be chance. Guo et al. 2017, [arXiv:1706.04599](https://arxiv.org/abs/1706.04599)."
    )


def in_words(found: Calibration) -> str:
    """Too sure, too modest or even, and by how much; the expected calibration error with what it is made of."""
    lead = found.confidence - found.accuracy
    kind = "about as sure as it is right" if abs(lead) < EVEN else "too sure" if lead > 0 else "too modest"
    return (
        f"On average it is **{found.confidence:.2%}** sure and **{found.accuracy:.2%}** of its answers are right: "
        f"**{kind}**. Expected calibration error **{points_words(found.expected_error)} points** (n {found.images:,}, "
        f"{len(found.bins)} of {BINS} bins hold answers): the mean gap between confidence and accuracy, each bin "
        "weighed by its answers."
    )


def table(found: Calibration) -> pd.DataFrame:
    """The chart's figures, a row for each bin."""
    spans = [wilson(each.right, each.count) for each in found.bins]
    return pd.DataFrame(
        {
            "confidence between": [f"{each.low:.2%} and {each.high:.2%}" for each in found.bins],
            "answers": [each.count for each in found.bins],
            "right": [each.right for each in found.bins],
            "mean confidence": [f"{each.confidence:.2%}" for each in found.bins],
            "accuracy": [f"{each.accuracy:.2%}" for each in found.bins],
            "95% interval": [f"{share_words(low, 1)} to {share_words(high, 1)}" for low, high in spans],
            "gap, points": [in_points(each.gap) for each in found.bins],
        }
    )
