"""A digit beside a map of units: choose a unit and see its square, or let the square grow op by op.

It all happens in the browser, from each op's size, jump and start alone, so that nothing waits for the server and
nothing jumps; the server is told where the walk has come to rest. The slider is the browser's own and the units answer
to the arrow keys, so it works without a pointer. `lab.ui.live_plot` is the other component of this kind.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st
from PIL import Image

from core.architecture.receptive_field import ReceptiveField, extent
from core.architecture.seen_pixels import Reached
from core.architecture.trace import Layer
from core.data.mnist import Pixels
from lab.ui.colours import FRONT, PASS, TEST, VALIDATION


@dataclass(frozen=True)
class Stage:
    """What the explorer knows of one op: where its units' fields lie, and what is told of it."""

    name: str
    says: str  # how the field comes about, with the op's numbers
    size: int
    jump: int
    start: float
    units: int  # along one side of the map
    seen: tuple[tuple[int, int, int], ...]  # of each unit, the first and last pixel that reach it, and how many do
    image: str = ""  # data:image/png of the map itself, to be shown in place of a grid over the digit


@dataclass(frozen=True)
class Place:
    """A unit of a stage."""

    stage: int
    row: int
    column: int


_HTML = """
<div class="explorer">
  <figure><figcaption class="of-digit"></figcaption>
    <svg class="digit" role="img">
      <rect class="outside"></rect><image></image><rect class="frame"></rect><rect class="hovered"></rect>
      <rect class="before"></rect><rect class="neighbour"></rect><rect class="seen"></rect>
      <rect class="field"></rect>
    </svg>
  </figure>
  <figure><figcaption class="of-map"></figcaption>
    <svg class="map" tabindex="0" role="group">
      <rect class="outside"></rect><rect class="ground"></rect><image></image><path class="grid"></path>
      <rect class="neighbour"></rect><rect class="unit"></rect>
    </svg>
  </figure>
  <div class="told">
    <div class="controls">
      <button type="button"></button>
      <input type="range" min="0" step="1" aria-label="Op">
    </div>
    <p class="says" aria-live="polite"><b></b><span></span></p>
    <p class="sees" aria-live="polite"></p>
    <p class="legend"><i class="field"></i>its field<br>
      <span class="earlier"><i class="before"></i>one op before<br></span>
      <i class="neighbour"></i>its neighbour's</p>
  </div>
</div>
"""

_CSS = f"""
.explorer {{
  font-family: var(--st-font); color: var(--st-text-color); display: flex; flex-wrap: wrap; gap: 0.6rem 1.2rem;
}}
figure {{ margin: 0; flex: 3 1 150px; max-width: 340px; }}
.told {{ flex: 2 1 220px; }}
figcaption {{
  font-size: 0.875rem; height: 1.4em; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; opacity: 0.8;
}}
svg {{ width: 100%; aspect-ratio: 1; display: block; }}
svg.map {{ cursor: crosshair; touch-action: none; }}
svg.map:focus-visible {{ outline: 2px solid var(--st-primary-color); outline-offset: 2px; }}
svg rect, svg path {{ fill: none; vector-effect: non-scaling-stroke; }}
svg image {{ image-rendering: pixelated; }}
svg.map.over-digit image {{ opacity: 0.4; }}
rect.ground {{ fill: #000000; }}
rect.outside {{ fill: rgba(128, 128, 128, 0.22); }}
rect.frame {{ stroke: rgba(128, 128, 128, 0.9); stroke-width: 1; }}
path.grid {{ stroke: rgba(160, 160, 160, 0.75); stroke-width: 0.7; }}
rect.field, rect.unit {{ stroke: {TEST}; stroke-width: 3; }}
rect.seen, rect.unit {{ fill: rgba(213, 94, 0, 0.25); }}
svg.map:not(.over-digit) rect.unit {{ stroke: {PASS}; stroke-width: 3; fill: none; }}
rect.before {{ stroke: {FRONT}; stroke-width: 2; }}
rect.neighbour {{ stroke: {VALIDATION}; stroke-width: 2; stroke-dasharray: 5 4; }}
rect.hovered {{ stroke: #FFFFFF; stroke-width: 1.5; stroke-dasharray: 2 3; }}
.moving rect.field, .moving rect.seen, .moving rect.before, .moving rect.neighbour, .moving rect.unit {{
  transition: x 0.35s, y 0.35s, width 0.35s, height 0.35s;
}}
@media (prefers-reduced-motion: reduce) {{ .moving rect {{ transition: none !important; }} }}
p {{ margin: 0.35rem 0 0; }}
.says, .sees {{ font-variant-numeric: tabular-nums; line-height: 1.5; }}
.says {{ min-height: 4.2em; }}
.sees {{ min-height: 4.6em; }}
.says b {{ display: block; font-size: 1.25rem; }}
.controls {{ display: flex; gap: 0.8rem; align-items: center; margin: 1.4em 0 0.8rem; }}
.controls input {{ flex: 1; min-width: 0; accent-color: var(--st-primary-color); height: 1.6rem; }}
button {{
  font: inherit; width: 5rem; padding: 0.35rem 0; cursor: pointer; color: inherit;
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); border-radius: 0.4rem;
}}
button:focus-visible {{ outline: 2px solid var(--st-primary-color); }}
.alone .controls, .alone .earlier {{ display: none; }}
.legend {{ font-size: 0.85rem; line-height: 1.6; opacity: 0.85; }}
.legend i {{
  display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.5em; vertical-align: -0.1em;
  border: 2px solid {TEST}; box-sizing: border-box;
}}
.legend i.field {{ background: rgba(213, 94, 0, 0.22); }}
.legend i.before {{ border-color: {FRONT}; }}
.legend i.neighbour {{ border: 2px dashed {VALIDATION}; }}
@media (max-width: 600px) {{ .controls {{ margin-top: 0.2rem; }} }}
"""

_JS = """
const STEP = 1000;  // milliseconds an op is looked at while playing
const REST = 500;  // before the server is told of a place that was reached by keys

function span(stage, unit) {  // the first and the last pixel that the unit sees, as receptive_field.extent
  const centre = stage.start + unit * stage.jump;
  return [centre - (stage.size - 1) / 2, centre + (stage.size - 1) / 2];
}

const clamped = (value, most) => Math.max(0, Math.min(most, value));
const near = (stage, pixel) => clamped(Math.round((pixel - stage.start) / stage.jump), stage.units - 1);

function put(rect, x, y, width, height = width) {  // as style, not as attributes: only what is style moves smoothly
  Object.assign(rect.style, { x: x + "px", y: y + "px", width: width + "px", height: height + "px" });
}

function square(rect, stage, row, column) {
  put(rect, span(stage, column)[0] - 0.5, span(stage, row)[0] - 0.5, stage.size);
}

function cell(rect, stage, row, column) {  // a unit stands where its field's centre is, as wide as the jump
  const at = (unit) => stage.start + (unit - 0.5) * stage.jump;
  put(rect, at(column), at(row), stage.jump);
}

class Explorer {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.root = root;
    this.digit = find("svg.digit");
    this.map = find("svg.map");
    this.slider = find("input");
    this.button = find("button");
    this.sent = new Set();
    this.slider.addEventListener("input", () => { this.pause(); this.go(Number(this.slider.value)); });
    this.slider.addEventListener("change", () => this.tell());
    this.button.addEventListener("click", () => (this.timer ? (this.pause(), this.tell()) : this.play()));
    this.map.addEventListener("pointerdown", (event) => { this.pause(); this.pick(event); this.dragging = true; });
    this.map.addEventListener("pointermove", (event) => (this.dragging ? this.pick(event) : this.hover(event)));
    this.map.addEventListener("pointerleave", () => { this.hovered = null; this.draw(); });
    for (const end of ["pointerup", "pointercancel"]) {
      this.map.addEventListener(end, () => { this.dragging = false; this.tell(); });
    }
    this.map.addEventListener("keydown", (event) => this.key(event));
  }

  update(data, tell) {
    this.report = tell;
    const another = JSON.stringify([data.stages, data.image, data.side]);
    const anew = another !== this.shown;
    this.shown = another;
    this.data = data;
    const place = data.place.join();
    if (anew) this.furnish();
    // What comes back from the server is mostly what was sent to it a moment ago, and the walk has gone on since.
    if (anew || (place !== this.known && !this.sent.has(place))) this.adopt(data.place);
    if (place === this.told) this.sent.clear();
    this.known = place;
    this.draw();
  }

  adopt([stage, row, column]) {
    this.pause();
    Object.assign(this, { stage: clamped(stage, this.data.stages.length - 1) });
    const now = this.data.stages[this.stage];
    this.row = clamped(row, now.units - 1);
    this.column = clamped(column, now.units - 1);
    this.told = this.place();
    this.hold();
  }

  furnish() {  // what stays the same from stage to stage
    const { side, margin, image, stages } = this.data;
    const box = [-0.5 - margin, -0.5 - margin, side + 2 * margin, side + 2 * margin].join(" ");
    for (const svg of [this.digit, this.map]) {
      svg.setAttribute("viewBox", box);
      put(svg.querySelector(".outside"), -0.5 - margin, -0.5 - margin, side + 2 * margin);
    }
    const drawn = this.digit.querySelector("image");
    for (const [name, value] of Object.entries({ x: -0.5, y: -0.5, width: side, height: side, href: image })) {
      drawn.setAttribute(name, value);
    }
    for (const ground of [this.digit.querySelector(".frame"), this.map.querySelector(".ground")]) {
      put(ground, -0.5, -0.5, side);
    }
    this.slider.max = stages.length - 1;
    this.root.classList.toggle("alone", stages.length === 1);
    this.pause();
  }

  place() { return [this.stage, this.row, this.column].join(); }

  hold() {  // the pixel that stays in the middle of the square from op to op
    const now = this.data.stages[this.stage];
    this.focus = [now.start + this.row * now.jump, now.start + this.column * now.jump];
  }

  go(stage) {
    this.stage = clamped(stage, this.data.stages.length - 1);
    const now = this.data.stages[this.stage];
    [this.row, this.column] = this.focus.map((pixel) => near(now, pixel));
    this.hovered = null;
    this.draw(true);
  }

  play() {
    if (this.stage === this.data.stages.length - 1) this.go(0);
    this.timer = setInterval(() => {
      if (!this.root.isConnected) return this.pause();
      this.go(this.stage + 1);
      if (this.stage === this.data.stages.length - 1) { this.pause(); this.tell(); }
    }, STEP);
    this.draw(true);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
  }

  tell(after = 0) {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      const place = this.place();
      if (place === this.told || !this.root.isConnected) return;
      this.told = place;
      this.sent.add(place);
      this.report(place);
    }, after);
  }

  at(event) {  // the unit under the pointer
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.map.getScreenCTM().inverse());
    const now = this.data.stages[this.stage];
    return [near(now, point.y), near(now, point.x)];
  }

  pick(event) {
    [this.row, this.column] = this.at(event);
    this.hovered = null;
    this.hold();
    this.draw();
  }

  hover(event) {
    this.hovered = this.at(event);
    this.draw();
  }

  key(event) {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.pause();
    const most = this.data.stages[this.stage].units - 1;
    this.row = clamped(this.row + step[0], most);
    this.column = clamped(this.column + step[1], most);
    this.hold();
    this.draw(true);
    this.tell(REST);
  }

  draw(moving = false) {
    const { stages, side, image } = this.data;
    const now = stages[this.stage], last = stages[this.stage - 1];
    const find = (selector) => this.root.querySelector(selector);
    this.root.classList.toggle("moving", moving);
    const beside = this.column + 1 < now.units ? this.column + 1 : this.column - 1;
    const shown = (rect, there) => { rect.style.visibility = there ? "visible" : "hidden"; return there; };
    square(this.digit.querySelector(".field"), now, this.row, this.column);
    const [[top, bottom], [left, right]] = [now.seen[this.row], now.seen[this.column]];
    put(this.digit.querySelector(".seen"), left - 0.5, top - 0.5, right - left + 1, bottom - top + 1);
    const before = this.digit.querySelector(".before");
    if (shown(before, last)) square(before, last, ...this.focus.map((pixel) => near(last, pixel)));
    for (const [svg, mark] of [[this.digit, square], [this.map, cell]]) {
      const neighbour = svg.querySelector(".neighbour");
      if (shown(neighbour, now.units > 1)) mark(neighbour, now, this.row, beside);
    }
    const hovered = this.digit.querySelector(".hovered");
    if (shown(hovered, this.hovered)) square(hovered, now, ...this.hovered);
    cell(this.map.querySelector(".unit"), now, this.row, this.column);
    this.drawMap(now, side, image);
    this.slider.value = this.stage;
    this.slider.setAttribute("aria-valuetext", now.name);
    this.button.textContent = this.timer ? "Pause" : "Play";
    find(".of-digit").textContent = "What it sees";
    find(".of-map").textContent = now.units > 1
      ? `${now.name}: choose a unit, ${now.units} x ${now.units}` : `${now.name}: a single unit`;
    find(".says b").textContent = now.name;
    find(".says span").textContent = now.says;
    find(".sees").textContent = this.sees(now);
    this.digit.setAttribute("aria-label", find(".sees").textContent);
    this.map.setAttribute("aria-label", find(".of-map").textContent + (now.units > 1 ? " with the arrow keys" : ""));
  }

  drawMap(now, side, image) {
    const first = now.start - now.jump / 2, width = now.units * now.jump;
    const drawn = this.map.querySelector("image");
    const where = now.image ? { x: first, y: first, width, height: width, href: now.image }
      : { x: -0.5, y: -0.5, width: side, height: side, href: image };
    for (const [name, value] of Object.entries(where)) drawn.setAttribute(name, value);
    this.map.classList.toggle("over-digit", !now.image);
    const lines = Array.from({ length: Math.min(now.units, 128) + 1 }, (_, line) => first + line * now.jump);
    const ends = first + width;
    this.map.querySelector(".grid").setAttribute("d", now.units > 128 || now.image ? ""
      : lines.map((at) => `M${at} ${first}V${ends}M${first} ${at}H${ends}`).join(""));
  }

  sees(now) {
    const [rows, columns] = [span(now, this.row), span(now, this.column)];
    const [high, wide] = [now.seen[this.row][2], now.seen[this.column][2]];
    const where = `Unit (${this.row}, ${this.column}) sees ${now.size} x ${now.size} pixels, rows ${rows[0]} to `
      + `${rows[1]}, columns ${columns[0]} to ${columns[1]}`;
    return high < now.size || wide < now.size ? `${where}; only ${high} x ${wide} of them reach it.` : `${where}.`;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".explorer");
  root.explorer ??= new Explorer(root);
  root.explorer.update(data, (place) => setTriggerValue("place", place));
  return () => { if (!root.isConnected) root.explorer.pause(); };
}
"""

_component = st.components.v2.component("lab_field_explorer", html=_HTML, css=_CSS, js=_JS)


def field_explorer(
    stages: Sequence[Stage], image: Pixels, place: Place, arrived: Callable[[Place], None], key: str
) -> None:
    """Show it at that place; `arrived` is called when the user has come to rest at another one.

    `image`: (H, H), the digit. A place that comes from here, from the URL or another widget, moves the walk.
    """

    def told() -> None:
        if (arrival := read_place(st.session_state[key].get("place"), stages)) is not None:
            arrived(arrival)

    _component(
        key=key,
        data={
            "stages": [asdict(stage) for stage in stages],
            "image": png_address(image),
            "side": image.shape[0],
            "margin": margin(stages, image.shape[0]),
            "place": [place.stage, place.row, place.column],
        },
        on_place_change=told,
    )


def read_place(text: object, stages: Sequence[Stage]) -> Place | None:
    """What the browser says, `stage,row,column`; None for what is no place here."""
    parts = text.split(",") if isinstance(text, str) else []
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        return None
    stage, row, column = map(int, parts)
    if stage >= len(stages) or max(row, column) >= stages[stage].units:
        return None
    return Place(stage, row, column)


def margin(stages: Sequence[Stage], side: int) -> float:
    """Pixels around the image that the widest of all fields needs, so that nothing moves as the square grows."""
    over = [1.0]
    for stage in stages:
        field = ReceptiveField(stage.size, stage.jump, stage.start)
        over += [-extent(field, 0)[0] + 1, extent(field, stage.units - 1)[1] - (side - 1) + 1]
    return min(max(over), 1.5 * side)


def png_address(pixels: Pixels) -> str:
    """Grey levels (H, W), or colours (H, W, 3), as a data: address."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def stage_of(layer: Layer, reached: Reached) -> Stage:
    """What the explorer shows of a layer."""
    window, before, after = layer.window, layer.before, layer.field
    dilated = f" · {window.dilation}" if window.dilation > 1 else ""
    says = f"field {before.size} + ({window.kernel_size} − 1){dilated} · {before.jump} = {after.size}"
    if window.stride > 1:
        says += f", jump {before.jump} · {window.stride} = {after.jump}"
    counts, firsts = reached.sum(1).tolist(), reached.argmax(1).tolist()
    lasts = (reached.shape[1] - 1 - reached[:, ::-1].argmax(1)).tolist()
    pixels = zip(firsts, lasts, counts, strict=True)
    seen = tuple((first, last, count) if count else (0, -1, 0) for first, last, count in pixels)
    return Stage(layer.name, says, after.size, after.jump, after.start, units_of(layer), seen)


def units_of(layer: Layer) -> int:
    """Units along one side of the layer's map; 1 for a vector."""
    return layer.output[-1] if len(layer.output) == 3 else 1
