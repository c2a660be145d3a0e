"""What the URL says, such as ?step=a2-final-7758: read and checked in one place, and bound to the widgets that set it.

Streamlit's own bind="query-params" is used by `switch`, where a wrong value may be ignored in silence. It does not do
where a wrong value must be reported, where a choice ends others, or where a callback sets what the widget shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, overload

import streamlit as st

from core.errors import LabError
from core.record import short
from lab.ui.words import show_error

T = TypeVar("T")


def given(name: str) -> str:
    """The text of ?NAME=; "" without one."""
    return st.query_params.get(name, "")


def put(name: str, value: str | Sequence[str]) -> None:
    """Write a value into the URL; an empty one takes the name out."""
    if value:
        st.query_params[name] = value
    else:
        drop(name)


def drop(*names: str) -> None:
    """Take these names out of the URL."""
    for name in names:
        st.query_params.pop(name, None)


def read(name: str, parse: Callable[[str], T], default: T) -> T:
    """What ?NAME= says, as `parse` understands it; the default without one. A wrong value is reported on the page."""
    try:
        return parse(given(name)) if given(name) else default
    except LabError as error:
        show_error(error)
        return default


def one_of(name: str, options: Iterable[T], default: T, text: Callable[[T], str] = str, quiet: bool = False) -> T:
    """The option whose text ?NAME= gives. `quiet`: do not report a wrong one."""
    by_text = {text(option): option for option in options}

    def parse(wanted: str) -> T:
        if wanted in by_text or quiet:
            return by_text.get(wanted, default)
        raise not_possible(name, wanted, ", ".join(by_text))

    return read(name, parse, default)


@overload
def number(name: str, count: int, default: int) -> int: ...
@overload
def number(name: str, count: int, default: None) -> int | None: ...
def number(name: str, count: int, default: int | None) -> int | None:
    """The whole number from 0 to count - 1 that ?NAME= gives."""

    def parse(wanted: str) -> int | None:
        if (found := whole(wanted)) is None or found >= count:
            raise not_possible(name, wanted, f"0 to {count - 1:,}")
        return found

    return read(name, parse, default)


def unit(name: str, units: int, default: tuple[int, int], quiet: bool = False) -> tuple[int, int]:
    """The row and column that ?NAME=ROW,COLUMN gives, of a map with so many units along each side."""

    def parse(wanted: str) -> tuple[int, int]:
        match [whole(part) for part in wanted.split(",")]:
            case [int(row), int(column)] if max(row, column) < units:
                return row, column
        if quiet:
            return default
        raise not_possible(name, wanted, f"row and column from 0 to {units - 1}, such as {units - 1},0")

    return read(name, parse, default)


def whole(text: str) -> int | None:
    """The number that some digits spell; None for any other text, and for more digits than any number here has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def not_possible(name: str, wanted: str, possible: str) -> LabError:
    """The one sentence about a wrong value in the URL."""
    return LabError(f"{name}={short(wanted[:40])} in the address is not possible here; possible: {possible}")


def bound(
    name: str, value: object, write: Callable[[Any], str | Sequence[str]] = str, default: object = "",
    clears: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Binds a widget to ?NAME=: `st.selectbox("Digit", DIGITS, **bound("digit", chosen))`.

    `value`: what the widget shows now. A choice of `default` stands in no URL. `clears`: names that a new choice ends.
    """
    key = f"{name}_picker"
    st.session_state[key] = value

    def choose() -> None:
        chosen = st.session_state[key]
        put(name, "" if chosen == default else write(chosen))
        drop(*clears)

    return {"key": key, "on_change": choose}


def choice(label: str, name: str, labels: Mapping[str, str], clears: Sequence[str] = ()) -> str:
    """Choose one of a few, each under its label, in a row of buttons; ?NAME= in the URL."""
    options = list(labels)
    at = bound(name, one_of(name, options, options[0]), clears=clears)
    more = {"format_func": labels.__getitem__, "label_visibility": "collapsed", **at}
    return str(st.segmented_control(label, options, required=True, **more))


def switch(label: str, options: Sequence[str], key: str, **more: Any) -> str:
    """Choose one of a few views in a row of buttons; ?KEY= in the URL, where the first need not stand."""
    more = {"bind": "query-params", "label_visibility": "collapsed", **more}
    return str(st.segmented_control(label, options, default=options[0], required=True, key=key, **more))
