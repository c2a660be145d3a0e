"""The board's page: who is shown, the headline, the picture and the table, refreshed while something runs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.challenge import Challenge
from core.words import plural
from lab.experiment.board import figures as board_figures
from lab.studies.imported import imported
from lab.studies.ranking import Standing, chosen, ladder
from lab.studies.results import in_words
from lab.studies.shelf import Shelved
from lab.ui import url
from lab.ui.caches import challenge, ranking, store
from lab.ui.colours import ink
from lab.ui.live_plot import live_plot
from lab.ui.presentation import presenting
from lab.ui.run_rows import compare_button, opened, table_key
from lab.ui.tables import data_table, text_column, without_empty
from lab.ui.words import errors_shown, escaped

ALL = "all"
LADDER_DATA = "MNIST"  # what the ladder was measured on
SOON, LATE = 2.5, 12.0  # seconds between two refreshes: while something runs, and otherwise
YES, NO = "✓", "✗"
PROJECTED_LESS = ("tags", "note", "data", "imported")  # columns that a projector leaves out


def filters() -> tuple[str, str]:
    """Choose a nickname and a tag: ?nickname= and ?tag= in the URL."""
    everyone = ranking()
    nickname = _filter("nickname", "Nickname", sorted({each.owner for each in everyone if each.owner}))
    return nickname, _filter("tag", "Tag", sorted({tag for each in everyone for tag in each.tags}))


def _filter(name: str, label: str, there: Sequence[str]) -> str:
    chosen = url.one_of(name, there, ALL)
    if there:
        st.selectbox(label, [ALL, *there], **url.bound(name, chosen, default=ALL))
    return "" if chosen == ALL else chosen


def board(nickname: str, tag: str, with_ladder: bool) -> None:
    """The board; it refreshes every few seconds, sooner while something runs."""
    clock = SOON if _running() else LATE

    def panel() -> None:
        with errors_shown():
            if (SOON if _running() else LATE) != clock:
                st.rerun()  # only a full run of the page can change how often the board refreshes
            _board(chosen(ranking(), nickname, tag), with_ladder)

    st.fragment(panel, run_every=clock)()


def _running() -> int:
    """How many training runs are queued or running."""
    return sum(run.kind == "train" for run in store().runs(limit=100, statuses=("running", "queued")))


def _board(everyone: Sequence[Standing], with_ladder: bool) -> None:
    asked = challenge()
    here = tuple(each for each in everyone if each.dataset == asked.dataset)
    elsewhere = [each for each in everyone if each.dataset != asked.dataset]
    behind = ladder(asked) if with_ladder and asked.dataset == LADDER_DATA else ()
    if presenting():  # beside the picture, which then fills the screen
        picture, side = st.columns([7, 2])
        places = [side.container() for _ in range(4)]
    else:
        places, picture = list(st.columns(4)), st.container()
    _headline(here, places)
    with picture:
        live_plot(
            board_figures.board(here, behind, ink(), 400 if presenting() else 440, challenge=asked),
            key="board",
            alt=f"Parameters against held accuracy of {plural(len(here), 'run')}; the table below has the same "
            "figures.",
        )
    brought = [each for each in imported() if each.card.dataset == asked.dataset]
    others = [each for each in imported() if each.card.dataset != asked.dataset]
    if here or brought:
        _table(here, "board", brought)
    else:
        st.info(
            f"Nobody has finished a run on {asked.dataset} yet. Train a network under your nickname, and it appears "
            "here.",
            icon=":material/flag:",
        )
    if elsewhere or others:
        st.header("On other data", anchor=False)
        st.caption(f"The challenge is about {asked.dataset}: these figures do not count for it.")
        _table(elsewhere, "elsewhere", others)


def _headline(here: Sequence[Standing], places: Sequence[DeltaGenerator]) -> None:
    passed = [each for each in here if each.passed]
    fitting = sorted(
        (each for each in here if each.challenge.small and each.challenge.short), key=lambda each: -each.figures.held
    )
    meeting = f"{sum(each.challenge.meeting for each in here)} of {sum(each.figures.n for each in here)}"
    smallest, highest = (escaped(some[0].who) if some else "nobody yet" for some in (passed, fitting))
    figures = (
        ("Meet the challenge", meeting, "by all three conditions"),
        ("Smallest that meets it", f"{passed[0].parameters:,}" if passed else "—", smallest),
        ("Highest within limits", f"{fitting[0].figures.held:.2%}" if fitting else "—", highest),
        ("Running or waiting", f"{_running()}", "training runs"),
    )
    for column, (label, value, beside) in zip(places, figures, strict=True):
        column.metric(label, value, beside, delta_color="off", delta_arrow="off", border=True)


def _table(some: Sequence[Standing], key: str, brought: Sequence[Shelved] = ()) -> None:
    """Rank, nickname, network, the three conditions in signs and words, and the figures behind them.

    `brought`: imported weights, which have no rank: how they were trained is not known.
    """
    rows = [*(_row(place, each) for place, each in enumerate(some, 1)), *map(_imported_row, brought)]
    frame = without_empty(pd.DataFrame(rows), ("nickname", "tags", "note", "imported"))
    keys = [*(each.key for each in some), *(each.reference for each in brought)]
    if frame["data"].eq(challenge().dataset).all():
        frame = frame.drop(columns="data")
    if presenting():
        frame = frame.drop(columns=[name for name in PROJECTED_LESS if name in frame])
        data_table(frame, "Every finished run, and which of the three conditions it meets.")
        return
    state = st.dataframe(
        frame, hide_index=True, on_select="rerun", placeholder="", selection_mode=["multi-row", "single-cell"],
        height=min(38 + 35 * len(frame), 458), key=table_key(key, keys),
        column_config={
            "": st.column_config.NumberColumn(width=32),
            **{name: text_column([name, *frame[name].dropna()]) for name in frame.columns[1:]},
        },
        alt="Every finished run with its nickname, and which of the three conditions it meets.",
    )  # fmt: skip
    side, _ = st.columns([1, 4])
    with side:
        compare_button([keys[row] for row in state.selection.rows], key)

    def open_row(row: int) -> None:
        if row < len(some):
            st.switch_page("pages/experiment/train.py", query_params={"run": some[row].run})
        st.switch_page("pages/use/mistakes.py", query_params={"checkpoint": keys[row]})

    opened(state, key, open_row)


def _row(place: int, each: Standing) -> dict[str, object]:
    met, n = each.challenge, each.figures.n
    held_of, epochs_of, parameters_of = _conditions(each.figures.challenge)
    of_runs = "" if n == 1 else f", {met.meeting} of {n} runs"
    held = f"{each.figures.held:.2%}" if n == 1 else f"{met.holding} of {n} runs, mean {each.figures.held:.2%}"
    return {
        "": place,
        "nickname": each.owner,
        "network": each.name,
        "challenge": f"{YES} meets it{of_runs}" if each.passed else f"{NO} misses it{of_runs}",
        held_of: _condition(met.mostly_held, held),
        epochs_of: _condition(met.short, f"{each.epochs}"),
        parameters_of: _condition(met.small, f"{each.parameters:,}"),
        "last epoch": in_words(each.figures),
        "data": each.dataset,
        "tags": ", ".join(each.tags),
        "imported": "",
        "note": each.note,
    }


def _imported_row(each: Shelved) -> dict[str, object]:
    """A row of imported weights: what was measured here, and that the rest is not known."""
    card = each.card
    small = card.parameters <= challenge().parameters
    held_of, epochs_of, parameters_of = _conditions(challenge())
    return {
        "": None,
        "nickname": card.imported.by if card.imported else "",
        "network": card.name,
        "challenge": "? not known",
        held_of: "? not known",
        epochs_of: "? not known",
        parameters_of: _condition(small, f"{card.parameters:,}"),
        "last epoch": f"{card.record.test_accuracy:.2%}, n 1",
        "data": card.dataset,
        "tags": "",
        "imported": f"{YES} {card.created[:10]}",
        "note": "trained elsewhere, evaluated here",
    }


def _conditions(asked: Challenge) -> tuple[str, str, str]:
    """The titles of the three conditions' columns."""
    return f"≥ {asked.target} held", f"≤ {plural(asked.epochs, 'epoch')}", f"≤ {asked.parameters:,} parameters"


def _condition(met: bool, figure: str) -> str:
    return f"{YES} pass, {figure}" if met else f"{NO} fail, {figure}"


def explanation() -> None:
    """How to read the board."""
    asked = challenge()
    last = "its last epoch reaches" if asked.held_epochs == 1 else f"all of its last {asked.held_epochs} epochs reach"
    st.caption(
        f"A run **holds** {asked.target} when {last} it; a run of fewer epochs "
        "holds nothing yet. Several seeds in one row count as passed when more than half of their runs are; the figure "
        "is then the least of the last epochs on their mean curve."
    )
    st.caption(
        "First come those that meet all three conditions, the smallest first; then those that miss one, two, three. "
        "Click a row to open its run; tick two or more to compare them."
    )
    st.caption("The chart's accuracy axis is stretched towards 100%. It shows every run; **98–100%** zooms in.")
