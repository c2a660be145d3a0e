"""A value that no browser sends is no value: neither another type, nor an option that a widget does not have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.state.session_state import WStates
from streamlit.testing.v1 import AppTest

from lab.server import forged
from tests.patience import patient

pytestmark = pytest.mark.own_data


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WStates, "__getitem__", WStates.__getitem__)  # as it is, after the test
    forged.install()
    forged.install()


def page() -> None:
    import streamlit as st

    digit = st.selectbox("digit", [1, 2], key="selectbox")
    many = st.multiselect("many", [1, 2], key="multiselect")
    share = st.slider("share", 0.0, 1.0, 0.5, key="slider")
    text = st.text_input("text", "abc", key="text")
    count = st.number_input("count", 0, 9, 3, key="number")
    st.button("go", key="button")
    st.markdown(f"{digit + 1} {sum(many)} {share + 0.5} {text.upper()} {count + 1}")


def values(widget: str) -> Iterator[WidgetState]:
    for given in (
        {"string_value": "forged"}, {"double_value": 1e300}, {"int_value": -(2**62)}, {"bool_value": True},
        {"json_value": "{"}, {"bytes_value": b"\xff"}, {"trigger_value": True},
    ):  # fmt: skip
        yield WidgetState(id=widget, **given)  # type: ignore[arg-type]
    many = WidgetState(id=widget)
    many.string_array_value.data.extend(["forged"])
    yield many


def test_a_forged_value_is_no_error_and_the_widget_is_as_at_first() -> None:
    app = AppTest.from_function(page, default_timeout=patient(60)).run()
    honest = app._tree.get_widget_states()
    for widget in (each.id for each in honest.widgets):
        for value in values(widget):
            sent = WidgetStates(widgets=[*(each for each in honest.widgets if each.id != widget), value])
            app._run(sent)
            assert not app.exception, (widget, value)
            if "text" not in widget and "number" not in widget:
                assert app.markdown[0].value.startswith("2 0 1.0 "), (widget, value)


def test_an_honest_value_counts() -> None:
    app = AppTest.from_function(page, default_timeout=patient(60)).run()
    app.selectbox[0].set_value(2)
    app.multiselect[0].set_value([1, 2])
    app.slider[0].set_value(0.25)
    app.text_input[0].set_value("x").run()
    assert app.markdown[0].value == "3 3 0.75 X 4"


def test_a_whole_number_counts_as_the_browser_sends_it() -> None:
    """Which is as int_value, although the widget says double_value, as AppTest sends it."""
    app = AppTest.from_function(page, default_timeout=patient(60)).run()
    sent = app._tree.get_widget_states()
    (number,) = (each for each in sent.widgets if "number" in each.id)
    number.int_value = 7
    app._run(sent)
    assert app.markdown[0].value.endswith(" ABC 8")
