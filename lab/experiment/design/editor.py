"""The designer's start and files, its headline, and its first view: the list of ops beside the advice on them."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.advice.advice import Advice, Recommended, advice, recommended
from core.architecture.edit import redo, undo
from core.architecture.place import place_of
from lab.classroom.designs import owner_of, saved_names
from lab.experiment.design.listed import listed
from lab.experiment.design.op_list import Asked, op_list
from lab.experiment.design.saving import forget, note_seen, save, start_over
from lab.experiment.design.start import start_titles
from lab.experiment.design.state import (
    Opened,
    act_on,
    go,
    rename,
    take,
    upload,
)
from lab.runs.person import owns
from lab.studies import own_ladder
from lab.ui import url
from lab.ui.caches import challenge
from lab.ui.export_menu import export_menu, of_network
from lab.ui.headline import step_headline
from lab.ui.owner import me
from lab.ui.step import recipe_to_train
from lab.ui.tables import totals
from lab.ui.words import escaped

VIEWS = ("Layers", "Diagram", "What changed", "Code", "Search")
MAX_ADVICE = 4  # of more, the hints are folded
LEVEL_ICONS = {"error": ":material/block:", "warning": ":material/warning:", "hint": ":material/lightbulb:"}
KEYS = (
    "Keys in the list: ↑ ↓ select, with Shift several · Alt + ↑ ↓ move, Alt + → into a block, Alt + ← out of it · "
    "+ puts the selected ops into a Residual, & into a Concatenate, \\* into a Repeat, U takes them out · Del · "
    "Ctrl + D duplicate · Enter edits the fields · "
    "a letter adds below: C Conv, B BatchNorm, R ReLU, D Dropout, M MaxPool, A AvgPool, G GlobalAvgPool, F Flatten, "
    "L Linear, S LogSoftmax. Rows can be dragged, also into a body."
)


# ---------------------------------------------------------------------------------------------------- the left column


def start_picker(now: Opened) -> None:
    """What to start from, and the way back and forth."""
    titles = start_titles()
    st.session_state["design-start"] = now.start.key
    st.selectbox(
        "Start from", list(titles), key="design-start", on_change=start_over, format_func=lambda key: titles[key]
    )
    row = st.container(horizontal=True, gap="small")  # not columns: on a phone they would stack
    row.button(
        "", key="undo", icon=":material/undo:", help="Undo", shortcut="Ctrl+Z", disabled=not now.history.past,
        on_click=go, args=(undo,), width="stretch",
    )  # fmt: skip
    row.button(
        "", key="redo", icon=":material/redo:", help="Redo", shortcut="Ctrl+Y", disabled=not now.history.future,
        on_click=go, args=(redo,), width="stretch",
    )  # fmt: skip


def _files(now: Opened) -> None:
    """Name it, save it, open or delete one, read one from a JSON file."""
    st.session_state["design-name"] = now.architecture.name
    st.text_input("Name", key="design-name", max_chars=100, on_change=rename)
    names = saved_names()
    note_seen(now.architecture.name)
    st.button(
        "Replace the saved one" if now.architecture.name in names else "Save", key="design-save", on_click=save,
        icon=":material/save:", width="stretch", disabled=not now.architecture.ops,
        help="Everybody who uses this lab sees it, under Start from.",
    )  # fmt: skip
    if names:
        chosen = st.selectbox("Saved", names, key="design-saved")
        mine = owns(me(), owner_of(chosen))
        note_seen(chosen)
        st.button(
            "Delete it", key="design-delete", icon=":material/delete:", on_click=forget, args=(chosen,),
            disabled=not mine, help=None if mine else "Only its owner's browser, or the teacher, can delete it.",
        )  # fmt: skip
    st.file_uploader("Open a JSON file", "json", key="design-upload", on_change=upload)


# --------------------------------------------------------------------------------------------------- the right column


def design_headline(now: Opened) -> None:
    """The headline's figures, of as much as fits, and the budget as a bar."""
    step = next((each for each in own_ladder.ladder() if each.slug == now.start.key), None)
    broken = now.fit.broken
    step_headline(step, now.walked, "train it to find out" if broken is None else f"op {broken} does not fit")


def budget_bar(now: Opened) -> None:
    """How much of the challenge's budget is used."""
    used, most = now.walked.parameters, challenge().parameters
    left = most - used
    rest = f"parameters · {left:,} left" if left >= 0 else f"· :red[**{-left:,} too many**]"
    st.progress(min(1.0, used / most), text=f"**{used:,}** of {most:,} {rest}")


def view_switch(now: Opened) -> str:
    """Which view of the design is shown, beside the budget and the files."""
    views, budget, file = st.columns([6.1, 3.7, 1.8], vertical_alignment="center")
    with views:
        view = url.switch("View", VIEWS, "view")
    with budget:
        budget_bar(now)
    export_menu(lambda: [of_network(now.architecture, recipe_to_train())], at=file, above=partial(_files, now))
    return view or VIEWS[0]


def layers_view(now: Opened) -> None:
    """The list of ops beside the advice on them, and the totals. A bad design's advice is folded until asked for."""
    said = advice(now.architecture, challenge())
    ops, words = st.columns([7, 3], gap="small")
    with words:
        if now.start.wrong:
            errors = tuple(each for each in said if each.level == "error")
            for number, each in enumerate(errors):
                _advice_box(each, number, now)
            if not what_is_wrong(now, said[len(errors) :], len(errors)):
                said = errors  # the marks in the list would show the answer
        else:
            advice_list(now, said)
    with ops:
        op_list(listed(now, said), (now.selected, now.last), now.architecture, act_on)
    if now.fit.trace:
        totals(now.fit.trace)
    st.caption(KEYS)


def what_is_wrong(now: Opened, said: tuple[Advice, ...] | None = None, first: int = 0) -> bool:
    """What is wrong with a bad design, folded until asked for, and the advice on it. Whether it is open."""
    panel = st.expander(
        "What is wrong? Look for yourself first.",
        icon=":material/visibility:",
        key=f"wrong-{now.start.key}",
        on_change="rerun",
    )
    with panel:
        st.markdown(f"**{escaped(now.start.fault)}.** {escaped(now.start.wrong)}")
        if said is not None:
            advice_list(now, said, first)
    return bool(panel.open)


def advice_list(now: Opened, said: tuple[Advice, ...], first: int = 0) -> None:
    """Each thing to fix or consider, its remedy one click away; the buttons' keys count from `first`."""
    if not said and now.trains:
        st.success(_nothing_to_fix(now), icon=":material/check_circle:")
    hints = sum(each.level == "hint" for each in said)
    folded = hints if len(said) > MAX_ADVICE and hints > 1 else 0
    for number, each in enumerate(said[: len(said) - folded], first):
        _advice_box(each, number, now)
    if folded:
        with st.expander(f"{folded} more to consider", icon=LEVEL_ICONS["hint"], key="more-advice"):
            for number, each in enumerate(said[-folded:], first + len(said) - folded):
                _advice_box(each, number, now)


def _nothing_to_fix(now: Opened) -> str:
    """The words for a network without a fault: what that means, and that it is no promise."""
    walked = now.walked
    return (
        f"Nothing to fix: {walked.parameters:,} of {challenge().parameters:,} parameters, and an output sees the whole "
        "image. It could meet the challenge: train it."
    )


def _advice_box(each: Advice, number: int, now: Opened) -> None:
    best = recommended(now.architecture, challenge())
    chosen = best if best and best.advice == each and not now.start.wrong else None
    total = len(advice(now.architecture, challenge()))
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"{LEVEL_ICONS[each.level]} {escaped(each.words)}")
        buttons = st.container(horizontal=True, gap="xsmall")
        if each.ops:
            buttons.button(
                f"Op {each.ops[0]}", key=f"show-{number}", type="tertiary", icon=":material/arrow_back:",
                on_click=act_on, args=(Asked("select", *(place_of(each.ops[0]),) * 2),), help="Select it.",
            )  # fmt: skip
        if each.remedy is not None:
            remedy = each.remedy
            buttons.button(
                escaped(each.remedy_label), key=f"remedy-{number}", icon=":material/build:", wrap=True,
                on_click=take, args=(each.remedy_label, remedy), type="primary" if chosen else "secondary",
            )  # fmt: skip
        if chosen:
            st.markdown(f":small[:green[:material/recommend: {_why(chosen, total)}]]")


def _why(chosen: Recommended, total: int) -> str:
    """Why this one is recommended, of so many things to fix or to consider."""
    if not chosen.fits:
        return "Recommended: it gets the network furthest."
    if not chosen.left:
        return "Recommended: it leaves nothing to fix or consider."
    left = f"{chosen.left} of {total}" if chosen.left < total else str(chosen.left)
    return f"Recommended: it leaves the least to fix or consider, {left}."
