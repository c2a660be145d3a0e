"""The Mistakes page's view of two networks: which images each classifies correctly, and those on which they differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.analysis.evidence import p_stated
from core.analysis.mistakes import MistakeOrder, ordered
from core.analysis.pairs import Pair, mcnemar, pair
from core.training.predictions import Predictions
from core.words import plural
from lab.studies.shelf import Shelved
from lab.ui import images, url
from lab.ui.formats import percent
from lab.ui.names import apart


def disagreement(
    view: images.InView, first: Shelved, second: Shelved, found: Predictions, other: Predictions, order: MistakeOrder,
    look: images.Look,
) -> None:  # fmt: skip
    """Counts, whether the difference may be chance, and a gallery of a chosen group.

    Raises DataError for predictions about different images.
    """
    one, two = apart(first, second)
    groups = grouped(found, other)
    told = pair(found, other)
    left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
    left.table(
        quadrants(told, one, two), alt="How many images both, one or neither of the networks classifies correctly."
    )
    right.markdown(_judged(told, one, two))
    group = _group_picker(groups, one, two)
    chosen = ordered(found, groups[group], order)
    if not len(chosen):
        st.info("No image is in this group.", icon=":material/info:")
        look(chosen)
        return
    labels, answers, others = found.labels, found.predicted, other.predicted

    def words(index: int) -> str:
        sure = (percent(float(each.confidence[index])) for each in (found, other))
        return f"{labels[index]}: {answers[index]} {next(sure)}, {others[index]} {next(sure)}"  # more would be cut

    images.images(view, chosen, words, f"differ-{first.reference}-{second.reference}-{group}-{order}", look)
    st.caption(f"Under each image its label, then what {one} and {two} read and how sure they were. Order: by {one}.")


def grouped(found: Predictions, other: Predictions) -> dict[str, NDArray[np.int64]]:
    """Indices by group: read differently, right in the first alone, in the second alone, wrong in both."""
    told = pair(found, other)
    differ = found.predicted != other.predicted
    wrong = told.wrong_in_both
    return {
        "differ": np.flatnonzero(differ),
        "first": told.broken,
        "second": told.fixed,
        "neither": wrong[differ[wrong]],
        "alike": wrong[~differ[wrong]],
    }


def quadrants(told: Pair, one: str, two: str) -> pd.DataFrame:
    """Counts of images by which network classifies them correctly, two rows and two columns."""
    counts = [[told.right_in_both, len(told.broken)], [len(told.fixed), len(told.wrong_in_both)]]
    return pd.DataFrame(
        [[f"{count:,}" for count in row] for row in counts],
        index=[f"{one} right", f"{one} wrong"],
        columns=[f"{two} right", f"{two} wrong"],
    )


def _judged(told: Pair, one: str, two: str) -> str:
    """How many more images one classifies correctly, and whether chance alone would explain it."""
    lead = len(told.broken) - len(told.fixed)
    ahead, behind = (one, two) if lead >= 0 else (two, one)
    uneven, p = len(told.broken) + len(told.fixed), mcnemar(len(told.fixed), len(told.broken))
    if not uneven:
        return f"**{one}** and **{two}** classify exactly the same images correctly."
    if not lead:
        return (
            f"{plural(uneven, 'image')} classified correctly by only one of them, equally many by each: no difference."
        )
    verdict = "chance alone rarely does this" if p < 0.05 else "this may be chance"
    return (
        f"{plural(uneven, 'image')} classified correctly by only one of them; **{ahead}** has {abs(lead):,} more than "
        f"{behind}. If each of the {uneven:,} were a coin toss, a split at least this uneven has **{p_stated(p)}**: "
        f"{verdict}.\n\n"
        ":small[McNemar's exact test, two-sided; it says nothing about other seeds.]"
    )


def _group_picker(groups: dict[str, NDArray[np.int64]], one: str, two: str) -> str:
    """Choose whose images are shown, ?group=NAME in the URL."""
    titles = {
        "differ": "Read differently",
        "first": f"Only {one} right",
        "second": f"Only {two} right",
        "neither": "Both wrong, differently",
        "alike": "Both wrong, alike",
    }
    labels = {group: f"{title} · {len(groups[group]):,}" for group, title in titles.items()}
    return url.choice("Images", "group", labels, clears=("image",))
