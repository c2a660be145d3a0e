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

// In a presentation the chart is drawn as on a page and then enlarged as a whole, so that its type, its marks and the
// places of its names grow together: a transform, which Plotly's pointer follows. 14 px of it are one rem there.
function size(element, data) {
  const grown = data.presented ? parseFloat(getComputedStyle(document.documentElement).fontSize) / 14 : 1;
  const style = element.style, bar = element.parentElement.querySelector(".live-plot-views").style;
  style.width = grown === 1 ? "100%" : 100 / grown + "%";
  style.height = data.height + "px";
  style.transform = bar.transform = grown === 1 ? "" : `scale(${grown})`;
  style.transformOrigin = "0 0";
  bar.transformOrigin = "100% 100%";
  element.parentElement.style.height = data.height * grown + "px";
  return grown;
}

function draw(Plotly, element, bar, data) {
  const grown = size(element, data);
  const figure = JSON.parse(data.figure);
  const layout = { uirevision: "kept", ...figure.layout };
  const views = layout.updatemenus?.[0]?.buttons ?? [];
  delete layout.updatemenus;
  offer(element, bar, views, grown * (layout.margin?.r ?? 24));
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
  size(element, data);  // before the library is there, so that nothing moves when it comes
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
