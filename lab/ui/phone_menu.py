"""Closes the menu of a phone once a page has been chosen from it: Streamlit leaves it lying over the page."""

from __future__ import annotations

from lab.ui.component import component

_component = component(__file__, isolate_styles=False)


def closes_after_a_choice(page: str) -> None:
    """Drawn in the sidebar. `page`: the address of the page that is shown."""
    _component(key="phone-menu", data={"page": page}, height="content")
