"""The panel of the selected op: where it stands, what can be done with it, its fields, and its numbers."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import Literal, get_args, get_origin, get_type_hints

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.architecture.edit import GROUPS
from core.architecture.fresh import BLOCKS
from core.architecture.place import Place, op_at, path_of
from core.architecture.sizes import shape_words
from core.architecture.spec import (
    OPS,
    Activation,
    Composite,
    Conv,
    Dropout,
    Dropout2d,
    Linear,
    Norm,
    Op,
    SqueezeExcite,
    bodies,
)
from core.architecture.trace import Layer
from core.record import range_of
from core.words import plural
from lab.experiment.design.listed import brief, start_words
from lab.experiment.design.op_list import INPUT, Act, Asked, places_in
from lab.experiment.design.state import Opened, act_on, add, can_go, choose_op, set_field
from lab.ui.number_field import number_field
from lab.ui.tables import WHOLE_MAP
from lab.ui.words import escaped

KINDS: dict[str, tuple[type, ...]] = {  # of the ops to add, in the order of the menu; the rest are pools and ends
    "layer": (Conv, Linear, SqueezeExcite),
    "norm": get_args(Norm),
    "activation": get_args(Activation),
    "dropout": (Dropout, Dropout2d),
    "pool or end": (),
    "with a body": get_args(Composite),
}
GROUP_WORDS = {
    "Residual": "Into a Residual: body + shortcut",
    "Concatenate": "Into a Concatenate: side by side",
    "Repeat": "Into a Repeat: the same weights again",
    "ungroup": "Out of the block",
}


def op_panel(now: Opened) -> None:
    """The selected op, or the first of several."""
    places = places_in(now.architecture)
    st.session_state["op-select"] = now.selected
    st.selectbox(
        "Selected op",
        places,
        key="op-select",
        on_change=choose_op,
        format_func=partial(_title, now),
    )
    if (several := now.last[-1] - now.selected[-1]) > 0:
        st.caption(
            f"and {plural(several, 'op')} after it, to {_title(now, now.last)}. The buttons are for all of them."
        )
    _op_buttons(now)
    row = st.container(horizontal=True, wrap=False, gap="xxsmall")
    row.selectbox(
        "Add after it",
        [*BLOCKS, *_by_kind()],
        index=None,
        key="op-add",
        on_change=_add_chosen,
        args=(now.last,),
        format_func=_choice,
        placeholder="Add: type to search",
        label_visibility="collapsed",
    )
    _group_button(now, row)
    if now.selected[-1] >= 0:
        op = op_at(now.architecture, now.selected)
        with st.container(key="op-fields"):
            _op_fields(op, now.selected)
    _op_numbers(now)


def _title(now: Opened, place: Place) -> str:
    """How the panel calls a row: by torch's name of its module."""
    if place == INPUT:
        return "the input"
    if place[-1] < 0:
        return f"{path_of(place[:-1])} · {start_words(op_at(now.architecture, place[:-2]), place[-2])}"
    return f"{path_of(place)} · {brief(op_at(now.architecture, place))}"


def _op_buttons(now: Opened) -> None:
    first, last = now.selected, now.last
    is_op = first[-1] >= 0
    buttons: tuple[tuple[Act, str, str, bool], ...] = (
        ("up", "arrow_upward", "Move it up", can_go(now, "up")),
        ("down", "arrow_downward", "Move it down", can_go(now, "down")),
        ("out", "arrow_back", "Move it out of the body", can_go(now, "out")),
        ("in", "arrow_forward", "Move it into the block above it, or else below", can_go(now, "in")),
        ("duplicate", "content_copy", "Duplicate it", is_op),
        ("remove", "delete", "Remove it", is_op),
    )
    row = st.container(horizontal=True, wrap=False, gap="xxsmall")
    for act, icon, words, possible in buttons:
        row.button(
            "",
            key=f"op-{act}",
            icon=f":material/{icon}:",
            help=words,
            disabled=not possible,
            on_click=act_on,
            args=(Asked(act, first, last),),
            width=34,
        )


def _group_button(now: Opened, row: DeltaGenerator) -> None:
    first = now.selected
    is_op = first[-1] >= 0
    has_body = is_op and bool(bodies(op_at(now.architecture, first)))
    row.menu_button(
        "",
        [*GROUPS, *(["ungroup"] if has_body else [])],
        key="op-group",
        icon=":material/data_object:",
        disabled=not is_op,
        on_click=_group_chosen,
        args=(first, now.last),
        help="Put it into a block, or take it out",
        format_func=GROUP_WORDS.__getitem__,
    )


def _group_chosen(first: Place, last: Place) -> None:
    chosen = st.session_state["op-group"]
    if chosen in GROUPS:
        act_on(Asked("group", first, last, kind=chosen))
    elif chosen:
        act_on(Asked("ungroup", first, last))


def _kind_of(name: str) -> str:
    return next((words for words, kinds in KINDS.items() if OPS[name] in kinds), "pool or end")


def _by_kind() -> list[str]:
    order = list(KINDS)
    return sorted(OPS, key=lambda name: order.index(_kind_of(name)))


def _choice(name: str) -> str:
    return f"{name} · {_kind_of(name)}" if name in OPS else f"{name} · block"


def _add_chosen(behind: Place) -> None:
    chosen = st.session_state["op-add"]
    st.session_state["op-add"] = None
    if chosen in BLOCKS or chosen in OPS:
        add(behind, chosen)


def _op_fields(op: Op, place: Place) -> None:
    """An input for each field, under torch's name and within the range that the op allows."""
    columns: list[DeltaGenerator] = []
    for field in fields(op):
        value = getattr(op, field.name)
        if isinstance(value, tuple):
            continue  # a body: its ops are rows of their own
        columns = columns or list(st.columns(2, vertical_alignment="bottom"))  # a row at a time: on a phone they stack
        key = f"field-{type(op).__name__}-{field.name}"
        st.session_state[key] = value
        with columns.pop(0):
            _input(op, field.name, value, key, place)


def _input(op: Op, name: str, value: bool | int | float | str, key: str, place: Place) -> None:
    change = (place, name, key)
    if isinstance(value, bool):
        st.toggle(name, key=key, on_change=set_field, args=change)
        return
    if isinstance(value, str):
        hint = get_type_hints(type(op))[name]
        choices = get_args(hint) if get_origin(hint) is Literal else (value,)
        st.selectbox(name, choices, key=key, on_change=set_field, args=change)
        return
    bounds = range_of(type(op), name)
    if isinstance(value, int):
        number_field(name, bounds, step=1, key=key, on_change=set_field, args=change)
    else:  # as many digits as it has: an eps of 1e-05 is no 0.000
        number_field(
            name,
            bounds,
            step=1e-5 if name == "eps" else 0.01,
            format="%.6g",
            key=key,
            on_change=set_field,
            args=change,
        )


def _op_numbers(now: Opened) -> None:
    """How the selected op's numbers are computed."""
    place = now.selected
    if place == INPUT:
        st.caption(f"{shape_words(now.architecture.input)}: one grey image. An op that is added here comes first.")
        return
    if place[-1] < 0:
        st.caption("An op that is added here comes first in this body.")
        return
    layer = now.layer(place)
    if layer is None:
        st.caption("It has no numbers, because the network does not fit up to here.")
        return
    st.caption("  \n".join(escaped(line) for line in _numbers(layer)))


def _numbers(layer: Layer) -> list[str]:
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
        if layer.branches:
            lines.append(f"{window.kernel_size} is the widest window over its paths.")
    if layer.uses_whole_map:
        lines.append(f"{WHOLE_MAP}.")
    return lines
