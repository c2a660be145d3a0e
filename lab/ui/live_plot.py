"""A Plotly chart that is redrawn in place: one that is updated each second keeps its zoom, its legend and its place.

st.plotly_chart mounts a new chart whenever its data change, even with a key. This one is a component that hands each
new figure to Plotly.react. plotly.js comes from the installed plotly wheel and is served by the app itself, so it
works offline.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import plotly
import plotly.io
import streamlit as st
from plotly.graph_objects import Figure

from core.files import replacing
from lab.settings import ROOT
from lab.ui.component import component
from lab.ui.presentation import presenting

STATIC_FOLDER = ROOT / "static"  # Streamlit serves it at app/static
PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"  # 4.8 MB

# plotly.js 4 has a "Share chart" button that uploads the chart to Plotly's cloud. Selecting points does nothing here.
CONFIG = {"displayModeBar": False, "doubleClick": "reset"}  # the bar would lie on the legend; a drag zooms

# Not isolated: Plotly puts its style rules into the document's head, where a shadow root would not see them.
_component = component(__file__, isolate_styles=False)


def live_plot(figure: Figure | dict[str, Any], *, key: str, height: int = 0, alt: str = "") -> None:
    """Show a figure; the same key on the next run updates the chart that stands there. `height`: other than its own.

    A figure that is drawn each second may come as a dict of data and layout, in Plotly's words. Its template is
    replaced by the app's theme; what the figure sets itself stays. Its `layout.meta["narrow"]` may say what changes
    `below` a width in pixels: for each of its `views`, or buttons, a dict as a button's. Without a library to serve, it
    is an ordinary st.plotly_chart, which flickers. In a presentation the whole chart grows with the type.
    """
    height = height or (figure.layout if isinstance(figure, Figure) else figure["layout"])["height"]
    alt = alt or (isinstance(figure, Figure) and figure.layout.title.text) or "Chart"
    if not (st.get_option("server.enableStaticServing") and ensure_plotly_js()):
        st.plotly_chart(figure, key=key, height=height, config=CONFIG, alt=alt)
        return
    shown = figure
    if isinstance(figure, Figure):
        shown = figure.to_plotly_json()
        shown["layout"].pop("template", None)  # 7 kB of Plotly's default look in each message, and not ours
    _component(
        key=key,
        data={
            # As text: Plotly's encoder writes numpy arrays as {dtype, bdata}, dates, and NaN as null.
            "figure": plotly.io.to_json(shown, validate=False),
            "config": CONFIG,
            "height": height,
            "alt": alt,
            "presented": presenting(),
            "plotly": f"app/static/{PLOTLY_JS.name}?v={plotly.__version__}",  # a new version is not the cached one
        },
        height="content" if presenting() else height,
    )


def still_plot(figure: Figure, key: str, alt: str, **more: Any) -> Any:  # Any: what st.plotly_chart takes and gives
    """Show a figure that stays as it is, without the row of buttons above it; presented, it grows as the others do."""
    if presenting() and not more:
        return live_plot(figure, key=key, alt=alt)
    return st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=alt, **more)


def ensure_plotly_js() -> bool:
    """Whether plotly.js stands in the static folder; copies it there from the wheel if it is missing or another."""
    target = STATIC_FOLDER / PLOTLY_JS.name
    if _is_current(target):
        return True
    try:
        STATIC_FOLDER.mkdir(exist_ok=True)
        with replacing(target) as part:  # two sessions may copy at once: the last wins with the same content
            shutil.copyfile(PLOTLY_JS, part)
    except OSError:
        return _is_current(target)  # where a read-only or locked file is in the way, it may still be the right one
    return True


def _is_current(target: Path) -> bool:
    try:
        return target.stat().st_size == PLOTLY_JS.stat().st_size
    except OSError:
        return False
