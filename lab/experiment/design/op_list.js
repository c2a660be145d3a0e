const MARKS = { error: "✕", warning: "▲", hint: "●" };

function cell(text, name, title) {
  const span = document.createElement("span");
  span.textContent = text;  // never as markup
  if (name) span.className = name;
  if (title) span.title = title;
  return span;
}

function rowOf(row, index) {
  const element = document.createElement("div");
  element.className = ["row", row.level, row.output ? "" : "missing"].join(" ");
  element.id = "op-" + index;
  element.dataset.op = index;
  element.setAttribute("role", "option");
  element.draggable = index >= 0;
  const parameters = cell(row.parameters, "n bar", row.arithmetic);
  parameters.style.backgroundSize = (100 * row.share).toFixed(1) + "% 3px";
  element.append(
    cell(index < 0 ? "" : String(index)), cell(row.op, "", row.op), cell(row.output), parameters,
    cell(row.macs, "n macs"), cell(row.field, "n"), cell(MARKS[row.level] ?? "", "mark", row.words),
  );
  if (row.words) element.setAttribute("aria-description", row.words);
  return element;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector(".rows");
  list.now = { ...data, send: (message) => setTriggerValue("asked", { code: data.code, ...message }) };
  list.waiting = false;
  clearTimeout(list.later);  // a selection that was still to be told is overtaken by this answer
  list.replaceChildren(...data.rows.map((row, number) => rowOf(row, number - 1)));
  mark(list, data.selected);
  if (!list.ready) listen(list);
}

function mark(list, op) {
  list.op = op;
  for (const row of list.children) row.setAttribute("aria-selected", String(Number(row.dataset.op) === op));
  const row = list.querySelector('[aria-selected="true"]');
  if (!row) return;
  list.setAttribute("aria-activedescendant", row.id);
  const below = row.offsetTop + row.offsetHeight - list.clientHeight;  // the page itself must not scroll
  if (list.scrollTop > row.offsetTop) list.scrollTop = row.offsetTop;
  else if (list.scrollTop < below) list.scrollTop = below;
}

// The mark moves at once; the server hears of it when the keys have come to rest.
function select(list, op, wait) {
  const least = -1, most = list.children.length - 2;
  mark(list, Math.min(most, Math.max(least, op)));
  clearTimeout(list.later);
  list.later = setTimeout(() => list.now.send({ act: "select", op: list.op }), wait);
}

// One edit at a time: until the answer is there, the numbers of the ops are not known.
function edit(list, message) {
  if (list.waiting) return;
  list.waiting = true;
  setTimeout(() => { list.waiting = false; }, 3000);  // an edit that was refused has no answer
  clearTimeout(list.later);
  list.now.send(message);
}

function keyed(list, event) {
  const { op } = list, most = list.children.length - 2, modified = event.ctrlKey || event.metaKey;
  const letter = list.now.letters[event.key.toLowerCase()];
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    const to = op + (event.key === "ArrowUp" ? -1 : 1);
    if (op >= 0 && to >= 0 && to <= most) edit(list, { act: "move", op, to });
  } else if (modified && event.key.toLowerCase() === "d") {
    if (op >= 0) edit(list, { act: "duplicate", op });
  } else if (modified || event.altKey) return;
  else if (event.key === "ArrowUp") select(list, op - 1, 120);
  else if (event.key === "ArrowDown") select(list, op + 1, 120);
  else if (event.key === "PageUp") select(list, op - 10, 120);
  else if (event.key === "PageDown") select(list, op + 10, 120);
  else if (event.key === "Home") select(list, -1, 120);
  else if (event.key === "End") select(list, most, 120);
  else if (event.key === "Delete" || event.key === "Backspace") {
    if (op >= 0) edit(list, { act: "remove", op });
  } else if (event.key === "Enter") document.querySelector(".st-key-op-fields input")?.focus();
  else if (letter) edit(list, { act: "add", op, kind: letter });
  else return;
  event.preventDefault();
  event.stopPropagation();  // else a letter would be Streamlit's own shortcut
}

function listen(list) {
  list.ready = true;
  const rowAt = (event) => event.target.closest(".row");
  const clear = () => { for (const row of list.children) row.classList.remove("above", "below"); };
  let dragged = null;
  list.addEventListener("keydown", (event) => keyed(list, event));
  list.addEventListener("click", (event) => { if (rowAt(event)) select(list, Number(rowAt(event).dataset.op), 0); });
  list.addEventListener("dblclick", () => document.querySelector(".st-key-op-fields input")?.focus());
  list.addEventListener("dragstart", (event) => {
    dragged = rowAt(event) ? Number(rowAt(event).dataset.op) : null;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
  });
  list.addEventListener("dragover", (event) => {
    const row = rowAt(event);
    if (dragged === null || !row) return;
    event.preventDefault();
    clear();
    const over = Number(row.dataset.op);
    row.classList.add(over < dragged && over >= 0 ? "above" : "below");
  });
  list.addEventListener("drop", (event) => {
    const row = rowAt(event);
    clear();
    if (dragged === null || !row) return;
    event.preventDefault();
    const to = Math.max(0, Number(row.dataset.op));
    if (to !== dragged) edit(list, { act: "move", op: dragged, to });
  });
  list.addEventListener("dragend", () => { dragged = null; clear(); });
}
