const STEP = 1000;  // milliseconds for each op while playing
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const REST = 500;  // before the server gets a place that was reached by keys

function span(stage, unit) {  // the first and the last pixel that the unit sees, as receptive_field.extent
  const centre = stage.start + unit * stage.jump;
  return [centre - (stage.size - 1) / 2, centre + (stage.size - 1) / 2];
}

const clamped = (value, most) => Math.max(0, Math.min(most, value));
const near = (stage, pixel) => clamped(Math.round((pixel - stage.start) / stage.jump), stage.units - 1);

function put(rect, x, y, width, height = width) {  // as style, not as attributes: only a style can move smoothly
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
    // The server mostly sends back what it got a moment ago, and the user has moved on since.
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
    if (calm.matches) {  // a press is a step: nothing moves by itself
      this.go((this.stage + 1) % this.data.stages.length);
      return this.tell(REST);
    }
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
    this.button.textContent = calm.matches ? "Next op" : this.timer ? "Pause" : "Play";
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
