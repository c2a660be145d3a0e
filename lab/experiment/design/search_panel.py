"""A search as it stands: how far it is, the Pareto front as a picture and as a list, and what to do with each."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.architecture.spec import Architecture
from core.search.choice_words import choice_words
from core.words import loss_words, percent, plural
from lab.experiment.design.search_figure import search_figure
from lab.experiment.design.state import adopt
from lab.runs import supervisor
from lab.runs.person import owns
from lab.runs.searches import Search, Try, front, is_under_way, search_of, searches_by, tries_of
from lab.runs.searching import go_on, stop_search
from lab.runs.turn_words import turn_in_words
from lab.server.pace import in_turn
from lab.ui import url
from lab.ui.caches import expectations, store
from lab.ui.links import link
from lab.ui.live_plot import live_plot
from lab.ui.owner import me
from lab.ui.tables import data_table, text_column
from lab.ui.words import errors_shown, escaped, told

SEARCH = "search"  # its id, in the URL
TICK = 1.0  # seconds between two looks while it goes on


def search_shown() -> str:
    """The search in the URL, else one's latest; "" where there is none."""
    return url.given(SEARCH) or next((each.id for each in reversed(searches_by(store(), me().key))), "")


def search_panel(search_id: str) -> None:
    """The search, live while it goes on, and the menu of one's others. An error is said in its place."""
    with errors_shown():
        search = search_of(store(), search_id)
        titles = {each.id: _title(each) for each in (search, *reversed(searches_by(store(), me().key)))}
        if len(titles) > 1:
            st.selectbox("Search", list(titles), format_func=titles.__getitem__, **url.bound(SEARCH, search_id))
        clock = TICK if is_under_way(search, tries_of(store(), search_id)) else None

        def panel() -> None:
            with errors_shown(), in_turn():
                now, tries = search_of(store(), search_id), tries_of(store(), search_id)
                if waiting := [each.run for each in tries if each.run and each.unfinished]:
                    supervisor.watch(store(), waiting[0])
                if (clock is None) == is_under_way(now, tries):
                    st.rerun()  # only the full run can change the panel's clock
                _panel(now, tries)

        st.fragment(panel, run_every=clock)()


def _title(search: Search) -> str:
    return f"{search.architecture.name}: {search.tries} networks of at most {search.spec.budget:,} parameters"


def _panel(search: Search, tries: Sequence[Try]) -> None:
    under_way = is_under_way(search, tries)
    done = sum(each.run is not None and not each.run.unfinished for each in tries)
    with st.container(horizontal=True, vertical_alignment="center"):
        icon = "play_arrow" if under_way else "stop_circle" if search.stopped else "check_circle"
        st.markdown(f":material/{icon}: **{escaped(_title(search))}** · {_status(search, tries)}", width="stretch")
        if owns(me(), search.owner_key):
            _buttons(search, tries, under_way)
    st.progress(min(1.0, done / search.tries), text=f"{done} of {plural(search.tries, 'network')} trained")
    if search.error:
        st.warning(told(search.error), icon=":material/warning:")
    failed = [each.run for each in tries if each.run and each.run.status == "failed"]
    if failed:
        st.caption(
            f":material/error: {plural(len(failed), 'network')} failed, the last one so: {told(failed[-1].error)}"
        )
    best = front(tries)
    start = next((each for each in tries if _is_start(search, each)), None)
    live_plot(
        search_figure(search, tries, best, start),
        key=f"search-{search.id}",
        alt=f"Parameters against held-out loss of {plural(len(tries), 'network')}; the list below has the front.",
    )
    if search.dataset != "MNIST":
        st.caption(f"Trained on the {search.dataset}: these figures are not MNIST's.")
    if best:
        _front(best)
    if tries:
        _all(tries)


def _is_start(search: Search, each: Try) -> bool:
    run = each.run
    return run is not None and (run.architecture.ops, run.recipe) == (search.architecture.ops, search.recipe)


def _status(search: Search, tries: Sequence[Try]) -> str:
    running = sum(each.run is not None and each.run.status == "running" for each in tries)
    waiting = [each.run for each in tries if each.run and each.run.status == "queued"]
    if running:
        return f"{running} in training"
    if waiting:
        return f"waiting: {turn_in_words(expectations().get(waiting[0].id))}"
    if search.stopped:
        return "stopped"
    if search.error:
        return "ended early"
    return "choosing the next" if len(tries) < search.tries else "finished"


def _buttons(search: Search, tries: Sequence[Try], under_way: bool) -> None:
    def stop() -> None:
        with errors_shown():
            stop_search(store(), search.id, me())

    def resume() -> None:
        with errors_shown():
            go_on(store(), search.id, me())

    if under_way:
        st.button("Stop", icon=":material/stop:", key="search-stop", on_click=stop, disabled=search.stopped)
    elif search.stopped or search.error:
        st.button("Go on", icon=":material/play_arrow:", key="search-go-on", on_click=resume)


def _front(best: Sequence[Try]) -> None:
    """The networks on the front, each with the ways on from it."""
    st.header("The best at each size", anchor=False)
    for each in reversed(best):
        if each.run is None or each.last is None or each.loss is None:
            continue
        with st.container(horizontal=True, vertical_alignment="center", border=True, key=f"front-{each.run.id}"):
            st.markdown(
                f"**{each.parameters:,}** parameters · loss **{loss_words(each.loss)}** · "
                f"**{percent(each.last.held_out_accuracy)}** right  \n"
                f":small[{escaped(choice_words(each.choices))}]",
                width="stretch",
            )
            if st.button(
                "Open in Design", icon=":material/edit:", key=f"open-{each.run.id}", type="tertiary", on_click=_open,
                args=(each.run.architecture,),
            ):  # fmt: skip
                st.rerun()  # the whole page, of which this list is a fragment
            link("experiment/train", "Train longer", {"run": each.run.id}, "play_arrow")


def _open(architecture: Architecture) -> None:
    st.session_state["view"] = "Layers"
    adopt(architecture)


def _all(tries: Sequence[Try]) -> None:
    with st.expander("All tries", icon=":material/table_rows:"):
        words = [choice_words(each.choices) for each in tries]
        rows = [
            {
                "try": each.number + 1,
                "status": each.run.status if each.run else "deleted",
                "parameters": each.parameters,
                "held-out loss": each.loss,
                "held-out, %": 100 * each.last.held_out_accuracy if each.last else None,
                "choices": words[each.number],
            }
            for each in tries
        ]
        columns = {
            "parameters": st.column_config.NumberColumn(format="localized"),
            "held-out loss": st.column_config.NumberColumn(format="%.4f"),
            "held-out, %": st.column_config.NumberColumn(format="%.2f"),
            "choices": text_column(words),
        }
        data_table(rows, "All tries of the search, in their order.", columns, most=20)
