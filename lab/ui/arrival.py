"""Says to those who hear a page that it shows another place, such as the next scene: a live region, and the focus."""

from __future__ import annotations

from lab.ui.component import component

_component = component(__file__, isolate_styles=False)


def arrival(place: str, says: str, within: str) -> None:
    """At another place than before `says` is spoken; the heading in the container of the key `within` has the focus."""
    _component(key="arrival", data={"place": place, "says": says, "within": within}, height="content")
