"""Our handwriting on a page: keeping a drawing, every checkpoint's score on the set, and the set to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from core.analysis.proportion import wilson
from core.data.mnist import EMBEDDED
from core.errors import LabError
from core.words import share_words
from lab.classroom.handwriting import Drawing, as_split
from lab.studies.robustness import table as beyond_the_test_set
from lab.studies.shelf import Shelved
from lab.ui import url
from lab.ui.caches import handwriting
from lab.ui.colours import CLAIM, TEST, TRAIN
from lab.ui.figures import laid_out
from lab.ui.images import enlarged
from lab.ui.names import brief, named, told_apart
from lab.ui.owner import me
from lab.ui.predictions import answers_to
from lab.ui.tables import data_table
from lab.ui.words import escaped, plotted, show_error

PER_PAGE = 48
MAX_OWN = 12  # of this lab's own checkpoints, the newest, are scored beside the shipped ones
READ_AS_DIGITS = ("MNIST", EMBEDDED)  # of what data set a checkpoint must be


@dataclass(frozen=True)
class Score:
    """A checkpoint's answers to the set."""

    shelved: Shelved
    answers: NDArray[np.int64]  # (N,)
    right: int
    embedded: float | None  # its accuracy on the embedded digits, where it was measured

    @property
    def n(self) -> int:
        return len(self.answers)


def scored(drawings: Sequence[Drawing], shelf: Sequence[Shelved]) -> list[Score]:
    """Every shipped checkpoint and the newest of this lab's own, best first. One that cannot be opened is reported."""
    split, numbers = as_split(drawings), tuple(each.number for each in drawings)
    measured = beyond_the_test_set()
    fit = [each for each in shelf if each.card.dataset in READ_AS_DIGITS]
    fit = [each for each in fit if each.shipped] + [each for each in fit if not each.shipped][:MAX_OWN]
    found = []
    for shelved in fit:
        try:
            answers = answers_to(str(shelved.stem), shelved.card.weights_sha256, numbers, split.images)
        except LabError as error:
            show_error(error)
            continue
        other = measured.get(shelved.reference) if shelved.shipped else None
        right = int((answers == split.labels).sum())
        found.append(Score(shelved, answers, right, other.embedded_accuracy if other else None))
    return sorted(found, key=lambda each: (-each.right, each.shelved.card.parameters))


def scores_view(scores: Sequence[Score]) -> None:
    """The best in words, and all of them as a chart or a table."""
    best = scores[0]
    low, high = wilson(best.right, best.n)
    name = escaped(named(best.shelved))
    st.markdown(
        f"**{name}** classifies the most correctly: **{best.right:,} of {best.n:,}**, "
        f"{share_words(best.right / best.n, 1)} "
        f"(95% interval {share_words(low, 1)} to {share_words(high, 1)}); of MNIST's test set "
        f"{best.shelved.card.record.test_accuracy:.2%}."
    )
    shown = url.switch("Figures as", ["Table", "Chart"], "scores_as")
    if shown == "Table":
        number = st.column_config.NumberColumn
        data_table(
            score_table(scores),
            "Every checkpoint with its score on our handwriting, the embedded digits and its test set.",
            {
                "checkpoint": st.column_config.TextColumn(width="medium"),
                "parameters": number(format="localized"),
                **{name: number(format="%.1f") for name in ("our digits, %", f"{EMBEDDED}, %")},
                "test set, %": number(format="%.2f"),
            },
        )
    else:
        st.plotly_chart(
            score_chart(scores),
            key="handwriting-scores",
            config={"displayModeBar": False},
            alt="; ".join(f"{brief(each.shelved)}: {share_words(each.right / each.n, 1)}" for each in scores),
        )
    st.caption(
        "The 95% interval is Wilson's: what digits like these would give. Two networks whose intervals overlap widely "
        f"may well be equal. The {EMBEDDED} are 1,797 by other people; the test set is the one of the card."
    )


def score_table(scores: Sequence[Score]) -> pd.DataFrame:
    """A row for each checkpoint."""
    spans = [wilson(each.right, each.n) for each in scores]
    return pd.DataFrame(
        {
            "checkpoint": told_apart([each.shelved for each in scores], named),
            "parameters": [each.shelved.card.parameters for each in scores],
            "n": [each.n for each in scores],
            "right": [each.right for each in scores],
            "our digits, %": [100 * each.right / each.n for each in scores],
            "95% interval": [f"{share_words(low, 1)} to {share_words(high, 1)}" for low, high in spans],
            f"{EMBEDDED}, %": [None if each.embedded is None else 100 * each.embedded for each in scores],
            "test set, %": [100 * each.shelved.card.record.test_accuracy for each in scores],
        }
    )


def score_chart(scores: Sequence[Score]) -> go.Figure:
    """A line for each checkpoint, best on top: our digits with their interval, embedded digits and test set beside."""
    said = told_apart([each.shelved for each in scores], brief)
    names = [f"{plotted(name)}, {each.shelved.card.parameters:,}" for name, each in zip(said, scores, strict=True)]
    rates = [100 * each.right / each.n for each in scores]
    spans = [wilson(each.right, each.n) for each in scores]
    figure = go.Figure()
    figure.add_scatter(
        x=rates, y=names, mode="markers", name="our handwriting, 95% interval", marker={"color": TRAIN, "size": 11},
        error_x={
            "type": "data", "symmetric": False, "color": TRAIN, "thickness": 1.5,
            "array": [100 * high - rate for (_, high), rate in zip(spans, rates, strict=True)],
            "arrayminus": [rate - 100 * low for (low, _), rate in zip(spans, rates, strict=True)],
        },
        hovertemplate="%{x:.1f}% of our handwriting<extra></extra>",
    )  # fmt: skip
    embedded = [(100 * each.embedded, name) for each, name in zip(scores, names, strict=True) if each.embedded]
    figure.add_scatter(
        x=[rate for rate, _ in embedded], y=[name for _, name in embedded], mode="markers", name=EMBEDDED,
        marker={"color": CLAIM, "size": 9, "symbol": "diamond-open", "line": {"width": 2}},
        hovertemplate="%{x:.1f}% of the embedded digits<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[100 * each.shelved.card.record.test_accuracy for each in scores], y=names, mode="markers", name="test set",
        marker={"color": TEST, "size": 9, "symbol": "line-ns", "line": {"width": 3, "color": TEST}},
        hovertemplate="%{x:.2f}% of the test set<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="classified correctly, %", range=[None, 100.8], ticksuffix="")
    figure.update_yaxes(autorange="reversed", title=None, automargin=True)
    return laid_out(figure, 110 + 30 * len(scores))


def set_gallery(drawings: Sequence[Drawing], scores: Sequence[Score]) -> None:
    """The set, the hardest first: each with its label, who drew it, and how many checkpoints read it."""
    label, person = _label_picker(), me()
    agreed = np.zeros(len(drawings), np.int64)
    for score in scores:
        agreed += score.answers == np.array([each.label for each in drawings])
    order = sorted(range(len(drawings)), key=lambda place: (agreed[place], -drawings[place].number))
    places = [place for place in order if label is None or drawings[place].label == label]
    pages = max(1, -(-len(places) // PER_PAGE))
    page = st.pagination(pages, key=f"set-{label}") if pages > 1 else 1
    if not places:
        st.caption(f"Nobody has drawn a {label} yet.")
    grid = st.grid(8, min_column_width=84, gap=("small", "xsmall"), key="handwriting-set")
    for place in places[PER_PAGE * (page - 1) : PER_PAGE * page]:
        each = drawings[place]
        with grid.container(gap="xxsmall", horizontal_alignment="center"):
            said = f"{agreed[place]} of {len(scores)} read it" if scores else ""
            st.image(enlarged(each.digit), width=84, output_format="PNG", alt=f"A {each.label}; {said}.")
            st.markdown(f":small[**{each.label}** {escaped(each.nickname)}  \n{said}]", text_alignment="center")
            if person.teacher or each.author == person.key:
                st.button(
                    "Delete", key=f"delete-{each.number}", on_click=_delete, args=(each.number,),
                    type="tertiary", icon=":material/delete:", help="Take it out of the set.",
                )  # fmt: skip
    if refused := st.session_state.pop("delete_refused", None):
        show_error(refused)


def _delete(number: int) -> None:
    try:
        handwriting().delete(number, me())
    except LabError as error:
        st.session_state.delete_refused = error


def _label_picker() -> int | None:
    """Choose a digit, ?label= in the URL; None of all."""
    chosen = st.pills(
        "One digit alone", list(map(str, range(10))), key="label", bind="query-params", label_visibility="collapsed"
    )
    return None if chosen is None else int(chosen)
