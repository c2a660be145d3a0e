"""A widget's value from a browser that is of another kind than the widget's is no value: the widget is as at first.

No browser sends one; a program may. Streamlit reads such a value before any page runs, and its error would be the page.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlit.proto.WidgetStates_pb2 import WidgetState
    from streamlit.runtime.state.common import WidgetMetadata

NUMBERS = {"int_value", "double_value"}  # a field for whole numbers says the one and sends the other

log = logging.getLogger("lab.server.forged")


def install() -> None:
    """Let the app look at each value before it is read; once is enough."""
    from streamlit.runtime.state.session_state import Serialized, Value, WStates

    if hasattr(WStates.__getitem__, "before"):
        return
    before = WStates.__getitem__

    def checked(states: WStates, widget: str) -> Any:  # Any: as Streamlit's
        given, metadata = states.states.get(widget), states.widget_metadata.get(widget)
        if isinstance(given, Serialized) and metadata is not None:
            if is_of_its_kind(given.value, metadata):
                try:
                    return before(states, widget)
                except Exception as error:  # what a widget's reader raises about a value is of many kinds
                    log.warning("a value of %s could not be read: %s", widget, type(error).__name__)
            states.states[widget] = Value(metadata.deserializer(None))
        return before(states, widget)

    checked.before = before  # type: ignore[attr-defined]
    WStates.__getitem__ = checked  # type: ignore[method-assign]


def is_of_its_kind(given: WidgetState, metadata: WidgetMetadata[Any]) -> bool:
    """Whether the value has the type that the widget says, and is among its options; one that was cleared has none."""
    field = given.WhichOneof("value")
    if field is None or metadata.value_type is None:
        return True
    if {field, metadata.value_type} <= NUMBERS:
        return True
    options = getattr(getattr(metadata.deserializer, "__self__", None), "formatted_option_to_option_index", None)
    if field != metadata.value_type or options is None:
        return field == metadata.value_type
    chosen = [given.string_value] if field == "string_value" else list(given.string_array_value.data)
    return all(each in options for each in chosen)
