"""A Plotly chart that is redrawn in place, so that one updated each second keeps its zoom, its legend and its spot.

st.plotly_chart mounts a new chart whenever its data change, even with a key. This one is a component that hands each
new figure to Plotly.react. plotly.js comes from the installed plotly wheel and is served by the app itself, so it
works offline.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import plotly
import plotly.io
import streamlit as st
from plotly.graph_objects import Figure

from lab.settings import ROOT

STATIC_FOLDER = ROOT / "static"  # Streamlit serves it at app/static
PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"  # 4.8 MB

# plotly.js 4 has a "Share chart" button that uploads the chart to Plotly's cloud. Selecting points does nothing here.
CONFIG = {"displayModeBar": False, "doubleClick": "reset"}  # the bar would lie on the legend; a drag zooms

# The figure's own buttons (Plotly's updatemenus) stand beside the title of the x axis as HTML: a keyboard reaches them.
_HTML = """
<div style="position: relative">
  <div class="live-plot" role="img" style="width: 100%"></div>
  <div class="live-plot-views" role="group" aria-label="Range of the chart"></div>
</div>
"""

_CSS = """
.live-plot-views { position: absolute; bottom: 1px; display: flex; gap: 2px; }
.live-plot-views:empty { display: none; }
.live-plot-views button {
  font: inherit; font-size: 12px; line-height: 1; padding: 3px 7px; cursor: pointer; border-radius: 4px;
  border: 1px solid var(--st-border-color, #8884); background: transparent; color: inherit;
}
.live-plot-views button[aria-pressed="true"] {
  border-color: var(--st-primary-color, #0072B2); color: var(--st-primary-color, #0072B2); font-weight: 600;
}
.live-plot-views button:focus-visible { outline: 2px solid var(--st-primary-color, #0072B2); outline-offset: 1px; }
"""

_JS = """
let loading = null;  // one promise for all charts of the page: the module is shared, its script loads once

function address(library) {
  // Beside Streamlit's own bundle, which is right under a base path and behind a proxy that strips one; the page's
  // address is the second best, right for /train and wrong for /train/.
  const bundle = document.querySelector('script[type="module"][src*="static/js/"]');
  return bundle ? new URL("../../" + library, bundle.src) : new URL(library, document.baseURI);
}

function load(library) {
  if (globalThis.Plotly) return Promise.resolve(globalThis.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address(library).href;
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => {
      script.remove();
      loading = null;  // the next update tries again
      reject(new Error("plotly.js did not load"));
    };
    document.head.append(script);
  });
  return loading;
}

// The theme goes in as a template, so that whatever the figure itself says wins.
function themed(element) {
  const style = getComputedStyle(element);
  const value = (name, otherwise) => {
    const found = style.getPropertyValue("--st-" + name).trim();
    return found && found !== "unset" ? found : otherwise;
  };
  const text = value("text-color", "#31333f");
  const background = value("background-color", "#ffffff");
  const border = value("border-color", "rgba(128, 128, 128, 0.4)");
  const faint = value("border-color-light", border);
  const family = value("font", "sans-serif");
  const size = 0.875 * (parseFloat(value("base-font-size", "16px")) || 16);
  const axis = {
    gridcolor: faint, linecolor: border, tickcolor: border, zeroline: false, zerolinecolor: border,
    title: { standoff: 10, font: { size: 13 } },
  };
  const layout = {
    paper_bgcolor: "rgba(0, 0, 0, 0)", plot_bgcolor: "rgba(0, 0, 0, 0)",
    font: { color: text, family, size },
    // Fixed, not automatic: the plot must not shift when a tick label gains a digit.
    margin: { l: 64, r: 24, t: 40, b: 56 },
    hoverlabel: { bgcolor: background, bordercolor: border, font: { color: text, family, size } },
    legend: { bgcolor: "rgba(0, 0, 0, 0)" },
    modebar: { bgcolor: "rgba(0, 0, 0, 0)", color: value("gray-text-color", border), activecolor: text },
    xaxis: axis, yaxis: axis,
  };
  const colors = value("chart-categorical-colors", "");
  // A comma inside rgb(...) does not part two colours.
  if (colors) layout.colorway = colors.split(/,(?![^(]*[)])/).map((color) => color.trim());
  return { layout };
}

// A redraw takes the hover label away until the pointer moves, which on a resting pointer is never.
function hoverAgain(element, pointer) {
  const target = document.elementFromPoint(pointer.clientX, pointer.clientY);
  if (element.contains(target)) target.dispatchEvent(new MouseEvent("mousemove", { ...pointer, bubbles: true }));
}

// One button for each view. The chosen one outlives an update: the figure that comes next is drawn in its range.
function offer(element, bar, views, margin) {
  const labels = views.map((view) => view.label);
  if ([...bar.children].map((button) => button.textContent).join("|") !== labels.join("|")) {
    element.view = 0;
    bar.replaceChildren(...labels.map((label, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", () => { element.view = number; element.draw(); });
      return button;
    }));
  }
  bar.style.right = margin + "px";
  [...bar.children].forEach((button, number) => button.setAttribute("aria-pressed", number === element.view));
}

// What a view changes in a layout, such as {"yaxis.range": [0, 1]}.
function change(layout, changes) {
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split("."), last = names.pop();
    names.reduce((part, name) => (part[name] = { ...part[name] }), layout)[last] = value;
  }
}

function draw(Plotly, element, bar, data) {
  const figure = JSON.parse(data.figure);
  const layout = { uirevision: "kept", ...figure.layout };
  const views = layout.updatemenus?.[0]?.buttons ?? [];
  delete layout.updatemenus;
  offer(element, bar, views, layout.margin?.r ?? 24);
  if (views.length) {
    change(layout, views[element.view].args[0]);
    layout.uirevision += element.view;  // a chosen view takes the place of a zoom by hand
  }
  const narrow = layout.meta?.narrow;
  if (narrow && element.clientWidth < narrow.below) change(layout, narrow.views[element.view ?? 0]);
  layout.height = data.height;
  layout.autosize = true;
  layout.template = themed(element);
  if (!element._fullLayout) element.replaceChildren();
  const hovered = element.querySelector(".hoverlayer .hovertext") && element.pointer;
  Plotly.react(element, figure.data, layout, data.config);
  if (hovered) hoverAgain(element, hovered);
}

export default function ({ data, parentElement }) {
  const element = parentElement.querySelector(".live-plot");
  const bar = parentElement.querySelector(".live-plot-views");
  element.style.height = data.height + "px";  // before the library is there, so that nothing moves when it comes
  element.setAttribute("aria-label", data.alt);
  load(data.plotly).then((Plotly) => {
    if (!element.isConnected) return;
    element.draw = () => draw(Plotly, element, bar, data);
    element.draw();
    if (!element.widthObserver) {
      element.addEventListener("mousemove", ({ clientX, clientY }) => { element.pointer = { clientX, clientY }; });
      // Plotly's own "responsive" follows the window only, not a column or a sidebar. 0 is a hidden tab.
      let width = element.clientWidth;
      element.widthObserver = new ResizeObserver(() => {
        if (element.clientWidth === width || element.clientWidth === 0) return;
        width = element.clientWidth;
        element.draw();
      });
      element.widthObserver.observe(element);
    }
  }).catch((error) => {
    if (!element._fullLayout) element.textContent = "The chart could not be drawn: " + error.message;
    console.error(error);
  });
  return () => {
    // Streamlit also calls this for an update that a newer one overtook, while the chart is still shown.
    if (element.isConnected) return;
    element.widthObserver?.disconnect();
    globalThis.Plotly?.purge(element);
  };
}
"""

# Not isolated: Plotly puts its style rules into the document's head, where a shadow root would not see them.
_component = st.components.v2.component("lab_live_plot", html=_HTML, css=_CSS, js=_JS, isolate_styles=False)


def live_plot(figure: Figure | dict[str, Any], *, key: str, height: int, alt: str = "") -> None:
    """Show a figure, in pixels of height; the same key on the next run updates the chart that stands there.

    A figure that is drawn each second may come as a dict of data and layout, in Plotly's words. Its template is
    replaced by the app's theme; what the figure sets itself stays. Its `layout.meta["narrow"]` may say what changes
    `below` a width in pixels: for each of its `views`, or buttons, a dict as a button's. Without a library to serve, it
    is an ordinary st.plotly_chart, which flickers.
    """
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
            "plotly": f"app/static/{PLOTLY_JS.name}?v={plotly.__version__}",  # a new version is not the cached one
        },
        height=height,
    )


def ensure_plotly_js() -> bool:
    """Whether plotly.js stands in the static folder; copies it there from the wheel if it is missing or another."""
    target = STATIC_FOLDER / PLOTLY_JS.name
    if _is_current(target):
        return True
    # Two sessions may copy at once: each writes its own file, and the last rename wins with the same content.
    part = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        STATIC_FOLDER.mkdir(exist_ok=True)
        shutil.copyfile(PLOTLY_JS, part)
        part.replace(target)
    except OSError:
        with suppress(OSError):
            part.unlink()
        return _is_current(target)  # where a read-only or locked file is in the way, it may still be the right one
    return True


def _is_current(target: Path) -> bool:
    try:
        return target.stat().st_size == PLOTLY_JS.stat().st_size
    except OSError:
        return False
