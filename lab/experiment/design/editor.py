"""The designer's inputs and first view: the list of ops, the panel of the selected one, the advice, the headline."""

from __future__ import annotations

from dataclasses import fields

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.advice.advice import Advice, advice
from core.architecture.edit import redo, undo
from core.architecture.link import to_code
from core.architecture.sizes import shape_words
from core.architecture.spec import OPS, BatchNorm, Conv, Dropout, Op, ReLU, op_words
from core.challenge import MAX_PARAMETERS
from core.ladder import catalogue
from core.record import range_of
from lab.classroom.designs import owner_of, saved_names
from lab.experiment.design.op_list import INPUT, Asked, Row, op_list
from lab.experiment.design.start import start_titles
from lab.experiment.design.state import (
    SELECTED,
    Opened,
    act_on,
    add,
    attempt,
    begin,
    choose_op,
    forget,
    go,
    rename,
    save,
    set_field,
    upload,
)
from lab.runs.person import owns
from lab.ui import url
from lab.ui.headline import step_headline
from lab.ui.owner import me
from lab.ui.tables import totals
from lab.ui.words import escaped

VIEWS = ("Layers", "Diagram", "What changed", "Code")
BLOCKS: dict[str, tuple[type[Op], ...]] = {
    "Conv, BatchNorm, ReLU": (Conv, BatchNorm, ReLU),
    "Conv, BatchNorm, ReLU, Dropout": (Conv, BatchNorm, ReLU, Dropout),
}
MAX_ADVICE = 4  # of more, the hints are folded
LEVEL_ICONS = {"error": ":material/block:", "warning": ":material/warning:", "hint": ":material/lightbulb:"}
KEYS = (
    "Keys in the list: ↑ ↓ select · Alt + ↑ ↓ move · Del · Ctrl + D duplicate · Enter edits the fields · "
    "a letter adds below: C Conv, B BatchNorm, R ReLU, D Dropout, M MaxPool, A AvgPool, G GlobalAvgPool, F Flatten, "
    "L Linear, S LogSoftmax. Rows can be dragged."
)


# ---------------------------------------------------------------------------------------------------- the left column


def start_picker(now: Opened) -> None:
    """What to start from, and the way back and forth."""
    titles = start_titles()
    st.session_state["design-start"] = now.start.key
    st.selectbox("Start from", list(titles), key="design-start", on_change=begin, format_func=lambda key: titles[key])
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
    st.button(
        "Replace the saved one" if now.architecture.name in names else "Save", key="design-save", on_click=save,
        icon=":material/save:", width="stretch", disabled=not now.architecture.ops,
        help="Everybody who uses this lab sees it, under Start from.",
    )  # fmt: skip
    if names:
        chosen = st.selectbox("Saved", names, key="design-saved")
        mine = owns(me(), owner_of(chosen))
        st.button(
            "Delete it", key="design-delete", icon=":material/delete:", on_click=forget, args=(chosen,),
            disabled=not mine, help=None if mine else "Only its owner's browser, or the teacher, can delete it.",
        )  # fmt: skip
    st.file_uploader("Open a JSON file", "json", key="design-upload", on_change=upload)


def op_panel(now: Opened) -> None:
    """The selected op: where it stands, what can be done with it, its fields, and its numbers."""
    ops, at = now.architecture.ops, now.selected
    titles = {INPUT: "the input", **{index: f"{index} · {_brief(op)}" for index, op in enumerate(ops)}}
    st.session_state["op-select"] = at
    st.selectbox("Selected op", list(titles), key="op-select", on_change=choose_op, format_func=titles.__getitem__)
    _op_buttons(now)
    if at != INPUT:
        with st.container(key="op-fields"):
            _op_fields(ops[at], at)
    _op_numbers(now)


def _op_buttons(now: Opened) -> None:
    at, last = now.selected, len(now.architecture.ops) - 1
    buttons = (
        ("up", "arrow_upward", "Move it up", at > 0, Asked("move", at, at - 1)),
        ("down", "arrow_downward", "Move it down", 0 <= at < last, Asked("move", at, at + 1)),
        ("copy", "content_copy", "Duplicate it", at >= 0, Asked("duplicate", at)),
        ("remove", "delete", "Remove it", at >= 0, Asked("remove", at)),
    )
    row = st.container(horizontal=True, wrap=False, gap="xxsmall")
    for key, icon, words, possible, asked in buttons:
        row.button(
            "", key=f"op-{key}", icon=f":material/{icon}:", help=words, disabled=not possible, on_click=act_on,
            args=(asked,), width=36,
        )  # fmt: skip
    row.menu_button(
        "Add", [*BLOCKS, *OPS], key="op-add", on_click=_add_chosen, args=(at,), width="stretch",
        type="primary", help="After the selected op.",
    )  # fmt: skip


def _add_chosen(after: int) -> None:
    chosen = st.session_state["op-add"]
    if chosen:
        add(after, *BLOCKS.get(chosen, (OPS.get(chosen, ReLU),)))


def _op_fields(op: Op, index: int) -> None:
    """An input for each field, under torch's name and within the range that the op allows."""
    columns: list[DeltaGenerator] = []
    for field in fields(op):
        columns = columns or list(st.columns(2, vertical_alignment="bottom"))  # a row at a time: on a phone they stack
        value = getattr(op, field.name)
        key = f"field-{type(op).__name__}-{field.name}"
        st.session_state[key] = value
        change = (index, field.name, key)
        with columns.pop(0):
            if isinstance(value, bool):
                st.toggle(field.name, key=key, on_change=set_field, args=change)
                continue
            bounds = range_of(type(op), field.name)
            if isinstance(value, int):
                least, most = int(bounds.least), int(bounds.most)
                st.number_input(field.name, least, most, step=1, key=key, on_change=set_field, args=change)
            else:
                st.number_input(
                    field.name, float(bounds.least), float(bounds.most), step=0.01, format="%.3f", key=key,
                    on_change=set_field, args=change,
                )  # fmt: skip


def _op_numbers(now: Opened) -> None:
    """How the selected op's numbers are computed."""
    if now.selected == INPUT:
        st.caption(f"{shape_words(now.architecture.input)}: one grey image. An op that is added here comes first.")
        return
    if now.selected >= len(now.layers):
        st.caption("It has no numbers, because the network does not fit up to here.")
        return
    layer = now.layers[now.selected]
    lines = [f"{layer.name}: {shape_words(layer.input)} → {shape_words(layer.output)}"]
    if layer.arithmetic:
        lines.append(f"parameters: {layer.arithmetic}")
    if layer.macs:
        lines.append(f"MACs: {layer.macs:,}")
    before, after, window = layer.before, layer.field, layer.window
    if window.kernel_size > 1:
        lines.append(
            f"field: {before.size} + ({window.kernel_size} − 1) x {window.dilation} x {before.jump} = {after.size}; "
            f"jump: {before.jump} x {window.stride} = {after.jump}"
        )
    st.caption("  \n".join(escaped(line) for line in lines))


# --------------------------------------------------------------------------------------------------- the right column


def design_headline(now: Opened) -> None:
    """The headline's figures, of as much as fits, and the budget as a bar."""
    step = next((each for each in catalogue.LADDER if each.slug == now.start.key), None)
    broken = now.fit.broken
    step_headline(step, now.walked, "train it to find out" if broken is None else f"op {broken} does not fit")


def budget_bar(now: Opened) -> None:
    """How much of the challenge's 8,000 parameters is used."""
    used, left = now.walked.parameters, MAX_PARAMETERS - now.walked.parameters
    rest = f"parameters · {left:,} left" if left >= 0 else f"· :red[**{-left:,} too many**]"
    st.progress(min(1.0, used / MAX_PARAMETERS), text=f"**{used:,}** of {MAX_PARAMETERS:,} {rest}")


def view_switch(now: Opened) -> str:
    """Which view of the design is shown, beside the budget and the files."""
    views, budget, file = st.columns([5.2, 4, 1.6], vertical_alignment="center")
    with views:
        view = url.switch("View", VIEWS, "view")
    with budget:
        budget_bar(now)
    with file.popover("File", icon=":material/folder_open:", width="stretch"):
        _files(now)
    return view or VIEWS[0]


def layers_view(now: Opened) -> None:
    """The list of ops beside the advice on them, and the totals. A bad design's advice is folded until asked for."""
    said = advice(now.architecture)
    ops, words = st.columns([7, 3], gap="small")
    with words:
        if now.start.wrong:
            errors = tuple(each for each in said if each.level == "error")
            for number, each in enumerate(errors):
                _advice_box(each, number)
            if not what_is_wrong(now, said[len(errors) :], len(errors)):
                said = errors  # the marks in the list would show the answer
        else:
            advice_list(now, said)
    with ops:
        op_list(_rows(now, said), now.selected, to_code(now.architecture), act_on)
    if now.fit.trace:
        totals(now.fit.trace)
    st.caption(KEYS)


def _rows(now: Opened, said: tuple[Advice, ...]) -> list[Row]:
    """The input's row, and one for each op."""
    most_serious: dict[int, Advice] = {}
    for each in said:  # the most serious comes first
        for index in each.ops:
            most_serious.setdefault(index, each)
    rows = [Row("input", shape_words(now.architecture.input), "", 0.0, "", "", "1", "", "")]
    total = max(1, now.walked.parameters)
    for index, op in enumerate(now.architecture.ops):
        layer = now.layers[index] if index < len(now.layers) else None
        about = most_serious.get(index)
        rows.append(
            Row(
                op=_brief(op),
                output=shape_words(layer.output) if layer else "",
                parameters=f"{layer.parameters:,}" if layer and layer.parameters else "",
                share=layer.parameters / total if layer else 0.0,
                arithmetic=layer.arithmetic if layer else "",
                macs=f"{layer.macs:,}" if layer and layer.macs else "",
                field=str(layer.field.size) if layer else "",
                level=about.level if about else "",
                words=about.words if about else "",
            )
        )
    return rows


def _brief(op: Op) -> str:
    """The op in as few letters as keep it clear: `Conv(8, 3, bias=False)`."""
    return f"Dropout({op.p:g})" if isinstance(op, Dropout) else op_words(op).replace("kernel_size=", "")


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
        _advice_box(each, number)
    if folded:
        with st.expander(f"{folded} more to consider", icon=LEVEL_ICONS["hint"], key="more-advice"):
            for number, each in enumerate(said[-folded:], first + len(said) - folded):
                _advice_box(each, number)


def _nothing_to_fix(now: Opened) -> str:
    """The words for a network without a fault: what that means, and that it is no promise."""
    walked = now.walked
    return (
        f"Nothing to fix: {walked.parameters:,} of {MAX_PARAMETERS:,} parameters, and an output sees the whole image. "
        "It could meet the challenge: train it."
    )


def _advice_box(each: Advice, number: int) -> None:
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"{LEVEL_ICONS[each.level]} {escaped(each.words)}")
        buttons = st.container(horizontal=True, gap="xsmall")
        if each.ops:
            buttons.button(
                f"Op {each.ops[0]}", key=f"show-{number}", type="tertiary", icon=":material/arrow_back:",
                on_click=act_on, args=(Asked("select", each.ops[0]),), help="Select it.",
            )  # fmt: skip
        if each.remedy is not None:
            remedy = each.remedy
            buttons.button(
                escaped(each.remedy_label), key=f"remedy-{number}", icon=":material/build:", wrap=True,
                on_click=attempt, args=(lambda _, changed=remedy: changed, st.session_state[SELECTED]),
            )  # fmt: skip
