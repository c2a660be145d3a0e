"""A field for a number, which says what it refuses: the field, the number, and both ends of the range.

With limits of its own, the browser's field only shakes at a wrong number, names one end for a moment, and the page
never hears of it. So it has none here: what is typed stays in the field, and the sentence stands below it. Whoever
uses the number checks it, as any number that comes from outside.
"""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.record import Range, outside
from lab.ui.words import escaped


def number_field(
    label: str,
    bounds: Range,
    value: float | None = None,
    *,
    at: DeltaGenerator | None = None,
    **more: Any,
) -> float:
    """`st.number_input`, whole where `value` or `step` is; it may return a number that is outside the bounds.

    Without a value, that of the session for its key is shown: a field begins empty in the browser, and an empty one is
    never taken for a number, as a 0 would be.
    """
    place = at or st.container(gap="xxsmall")
    given: float | None = place.number_input(label, value=value, **more)
    if given is not None and (told := outside(given, bounds)):
        place.caption(f":red[:material/error: {escaped(label)}: {told}.]")
    return bounds.least if given is None else given
