const MARKS = { error: "✕", warning: "▲", hint: "●" };
const INDENT = 14;  // pixels for each body around a row, as .guide is wide
const GROUPS = { "+": "Residual", "&": "Concatenate", "*": "Repeat" };

function cell(text, name, title) {
  const span = document.createElement("span");
  span.textContent = text;  // never as markup
  if (name) span.className = name;
  if (title) span.title = title;
  return span;
}

// A row's place: an even number of numbers is a body, so [3, 0, 1] is op 1 in the first body of op 3.
const same = (one, other) => one.length === other.length && one.every((number, at) => number === other[at]);

// The first and the last of the ops that stand together and hold both places, as core.architecture.edit.span.
function span(one, other) {
  if (same(one, other)) return [one, one];
  let level = 0;
  while (same(one.slice(level, level + 2), other.slice(level, level + 2)) && Math.min(one.length, other.length) > level + 2) {
    level += 2;
  }
  const ends = [Math.max(0, one[level]), Math.max(0, other[level])].sort((a, b) => a - b);
  return ends.map((end) => [...one.slice(0, level), end]);
}

function covers([first, last], place) {
  const level = first.length - 1;
  return place.length > level && same(first.slice(0, level), place.slice(0, level))
    && first[level] <= place[level] && place[level] <= last[level];
}

function rowOf(row) {
  const element = document.createElement("div");
  element.className = ["row", row.level, row.start ? "start" : "", row.start || row.output ? "" : "missing"].join(" ");
  element.id = "op-" + row.place.join("-");
  element.told = row;
  element.setAttribute("role", "treeitem");
  element.setAttribute("aria-level", row.inside.length + 1);
  element.draggable = !row.start;
  const parameters = cell(row.parameters, "n bar", row.arithmetic);
  parameters.style.backgroundSize = (100 * row.share).toFixed(1) + "% 3px";
  const op = cell("", "op", row.op);
  op.append(...row.inside.map((body) => cell("", "guide " + body)));
  if (row.inside.length && !row.start) op.append(cell(String(row.place.at(-1)), "number"));
  op.append(cell(row.op, "words"));
  element.append(
    cell(row.inside.length || row.start ? "" : String(row.place[0]), "n"), op, cell(row.output), parameters,
    cell(row.macs, "n macs"), cell(row.field, "n", row.field_words), cell(MARKS[row.level] ?? "", "mark", row.words),
  );
  const described = [row.where, row.words].filter(Boolean).join("; ");
  if (described) element.setAttribute("aria-description", described);
  return element;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector(".rows");
  list.now = { ...data, send: (message) => setTriggerValue("asked", { code: data.code, ...message }) };
  list.waiting = false;
  clearTimeout(list.later);  // a selection that was still to be told is overtaken by this answer
  list.replaceChildren(...data.rows.map(rowOf));
  const told = data.selected;
  const known = list.anchor && span(list.anchor, list.lead);
  if (!known || !same(known[0], told[0]) || !same(known[1], told[1])) [list.anchor, list.lead] = told;
  mark(list);
  if (!list.ready) listen(list);
}

const selection = (list) => span(list.anchor, list.lead);

function mark(list) {
  const range = selection(list);
  for (const row of list.children) row.setAttribute("aria-selected", String(covers(range, row.told.place)));
  const row = [...list.children].find((each) => same(each.told.place, list.lead)) ?? list.firstElementChild;
  if (!row) return;
  list.setAttribute("aria-activedescendant", row.id);
  const below = row.offsetTop + row.offsetHeight - list.clientHeight;  // the page itself must not scroll
  if (list.scrollTop > row.offsetTop) list.scrollTop = row.offsetTop;
  else if (list.scrollTop < below) list.scrollTop = below;
}

// The mark moves at once; the server hears of it when the keys have come to rest.
function select(list, lead, wait, more = false) {
  list.lead = lead;
  if (!more) list.anchor = lead;
  mark(list);
  clearTimeout(list.later);
  list.later = setTimeout(() => list.now.send({ act: "select", op: list.anchor, last: list.lead }), wait);
}

// So many rows on; with more, on to the next row that makes the selection another one.
function walk(list, by, more) {
  const places = list.now.rows.map((row) => row.place), most = places.length - 1;
  let at = Math.max(0, places.findIndex((place) => same(place, list.lead)));
  const before = selection(list);
  do at = Math.min(most, Math.max(0, at + by));
  while (more && at > 0 && at < most && span(list.anchor, places[at]).every((end, index) => same(end, before[index])));
  select(list, places[at], 120, more);
}

// One edit at a time: until the answer is there, the places of the ops are not known.
function edit(list, message) {
  const [op, last] = selection(list);
  if (list.waiting || (message.act !== "add" && op.at(-1) < 0)) return;  // nothing to be done with where a body starts
  list.waiting = true;
  setTimeout(() => { list.waiting = false; }, 3000);  // if the answer is lost
  clearTimeout(list.later);
  list.now.send({ op, last, ...message });
}

function toFields() {
  document.querySelector(".st-key-op-fields :is(input, [role='combobox'])")?.focus();
}

function keyed(list, event) {
  const { key } = event, most = list.now.rows.length - 1, modified = event.ctrlKey || event.metaKey;
  const letter = list.now.letters[key.toLowerCase()];
  const steps = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "out", ArrowRight: "in" };
  const walks = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -most, End: most };
  if (event.altKey && steps[key]) edit(list, { act: steps[key] });
  else if (modified && key.toLowerCase() === "d") edit(list, { act: "duplicate" });
  else if (GROUPS[key] && !modified) edit(list, { act: "group", kind: GROUPS[key] });
  else if (modified || event.altKey) return;
  else if (walks[key]) walk(list, walks[key], event.shiftKey);
  else if (key === "Delete" || key === "Backspace") edit(list, { act: "remove" });
  else if (key === "Enter") toFields();
  else if (key.toLowerCase() === "u") edit(list, { act: "ungroup" });
  else if (letter) edit(list, { act: "add", kind: letter });
  else return;
  event.preventDefault();
  event.stopPropagation();  // else a letter would be Streamlit's own shortcut
}

// Where a drop would put the rows: before or after the row, and after it in the body that the pointer is indented to.
function gapAt(event, row) {
  const { top, height, left } = row.querySelector(".op").getBoundingClientRect();
  const upper = event.clientY < top + height / 2;
  if (upper && row.told.before) return { gap: row.told.before, side: "above" };
  const gaps = row.told.after;  // the innermost first
  const fits = gaps.find((gap) => (gap.length - 1) / 2 * INDENT <= event.clientX - left);
  return { gap: fits ?? gaps.at(-1), side: "below" };
}

function listen(list) {
  list.ready = true;
  const rowAt = (event) => event.target.closest(".row");
  const clear = () => { for (const row of list.children) row.classList.remove("above", "below"); };
  let dragged = null;
  list.addEventListener("keydown", (event) => keyed(list, event));
  list.addEventListener("mousedown", (event) => { if (event.shiftKey) event.preventDefault(); });  // no text is selected
  list.addEventListener("click", (event) => {
    list.focus({ preventScroll: true });
    if (rowAt(event)) select(list, rowAt(event).told.place, 0, event.shiftKey);
  });
  list.addEventListener("dblclick", toFields);
  list.addEventListener("dragstart", (event) => {
    const place = rowAt(event)?.told.place;
    dragged = place ? (covers(selection(list), place) ? selection(list) : [place, place]) : null;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
  });
  list.addEventListener("dragover", (event) => {
    const row = rowAt(event);
    if (dragged === null || !row) return;
    event.preventDefault();
    clear();
    const { gap, side } = gapAt(event, row);
    row.classList.add(side);
    row.style.setProperty("--drop", (gap.length - 1) / 2 * INDENT + "px");
  });
  list.addEventListener("drop", (event) => {
    const row = rowAt(event);
    clear();
    if (dragged === null || !row) return;
    event.preventDefault();
    const [op, last] = dragged;
    edit(list, { act: "move", op, last, to: gapAt(event, row).gap });
  });
  list.addEventListener("dragend", () => { dragged = null; clear(); });
}
