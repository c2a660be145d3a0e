"""The ops of a design as a list that is worked on where it stands: by mouse, by dragging, and by the keyboard alone.

st.dataframe would lose its selection with every edit, and thirty rows of buttons their focus. This is one component:
it keeps focus and scroll position while its rows change, moves the selection without waiting for the server, and hands
over what is asked for as one small message, which `asked_for` checks before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import streamlit as st

from core.record import Json

Act = Literal["select", "move", "remove", "duplicate", "add"]
ACTS: tuple[Act, ...] = get_args(Act)
INPUT = -1  # the row above the first op: what is added after it comes first

# What a letter adds behind the selected op. C and R are taken by Streamlit's own shortcuts only outside the list.
LETTERS = {
    "c": "Conv",
    "b": "BatchNorm",
    "r": "ReLU",
    "d": "Dropout",
    "m": "MaxPool",
    "a": "AvgPool",
    "g": "GlobalAvgPool",
    "f": "Flatten",
    "l": "Linear",
    "s": "LogSoftmax",
}


@dataclass(frozen=True)
class Row:
    """One op as the list shows it; the numbers are empty where the network does not fit so far."""

    op: str
    output: str
    parameters: str
    share: float  # of the network's parameters, 0 to 1
    arithmetic: str  # how the parameters come about
    macs: str
    field: str
    level: str  # the gravest advice on it: error, warning, hint, or none
    words: str  # that advice


@dataclass(frozen=True)
class Asked:
    """What the list was asked to do. `op` is an index, or INPUT; `to` a place for a move; `kind` an op to add."""

    act: Act
    op: int
    to: int = 0
    kind: str = ""


def asked_for(message: Json, code: str, count: int) -> Asked | None:
    """The message of the browser, if it is one, is about this design of `count` ops, and names ops that it has."""
    if not isinstance(message, dict) or message.get("code") != code:
        return None  # it was sent before an edit that is already done: its numbers mean other ops now
    act, op, to, kind = (message.get(name) for name in ("act", "op", "to", "kind"))
    known = next((each for each in ACTS if each == act), None)
    least = 0 if known in ("move", "remove", "duplicate") else INPUT
    if known is None or not isinstance(op, int) or isinstance(op, bool) or not least <= op < count:
        return None
    if known == "move":
        return Asked(known, op, to) if isinstance(to, int) and 0 <= to < count else None
    if known == "add":
        return Asked(known, op, kind=kind) if isinstance(kind, str) and kind in LETTERS.values() else None
    return Asked(known, op)


_HTML = """
<div class="head" aria-hidden="true">
  <span>#</span><span>op</span><span>output</span><span class="n">parameters</span><span class="n macs">MACs</span>
  <span class="n">field</span><span></span>
</div>
<div class="rows" role="listbox" tabindex="0" aria-label="The ops of the network, in order"></div>
"""

_CSS = """
:host { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.875rem; }
.head, .row {
  display: grid; align-items: center; gap: 0 0.4rem; padding: 0 0.4rem; box-sizing: border-box;
  grid-template-columns: 1.5rem minmax(7rem, 1fr) 6rem 5.2rem 4.6rem 2.3rem 1rem;
}
.head { height: 1.9rem; font-size: 0.8rem; opacity: 0.75; border-bottom: 1px solid var(--st-border-color); }
.rows {
  overflow-y: auto; outline: none; position: relative; border-radius: 0 0 0.4rem 0.4rem;
  height: clamp(17rem, calc(100vh - 28.5rem), 60rem);  /* what the window leaves below the headline */
}
.rows:focus-visible { box-shadow: inset 0 0 0 2px var(--st-primary-color); }
.row {
  height: 1.85rem; cursor: pointer; font-variant-numeric: tabular-nums; user-select: none;
  border-left: 4px solid transparent; border-top: 2px solid transparent; border-bottom: 2px solid transparent;
}
.row:hover { background: var(--st-secondary-background-color); }
.row[aria-selected="true"] {
  border-left-color: var(--st-primary-color); background: var(--st-secondary-background-color); font-weight: 600;
}
.row.above { border-top-color: var(--st-primary-color); }
.row.below { border-bottom-color: var(--st-primary-color); }
.row.missing { opacity: 0.5; }
.row span { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.n { text-align: right; }
.bar { background: linear-gradient(var(--st-primary-color), var(--st-primary-color)) no-repeat right bottom; }
.mark { text-align: center; font-weight: 700; }
.error .mark { color: #D55E00; }
.warning .mark { color: #B87F00; }
.hint .mark { color: #56B4E9; }
.row.error { box-shadow: inset 0 0 0 1px #D55E00; opacity: 1; }
@media (max-width: 640px) {
  .head, .row { grid-template-columns: 1.3rem minmax(6rem, 1fr) 5rem 4.6rem 2rem 0.9rem; gap: 0 0.2rem; }
  .macs { display: none; }
  :host { font-size: 0.8rem; }
  .rows { height: 24rem; }
}
"""

_JS = """
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
"""

_component = st.components.v2.component("lab_op_list", html=_HTML, css=_CSS, js=_JS)


def op_list(rows: list[Row], selected: int, code: str, on_asked: Callable[[Asked], None]) -> None:
    """Show the rows, the first of them the input's; `on_asked` is called before the next run with what was asked for.

    `code` names the design: a message about another is dropped.
    """

    def heard() -> None:
        message = st.session_state["op-list"].get("asked")
        if asked := asked_for(message, code, len(rows) - 1):
            on_asked(asked)

    _component(
        key="op-list",
        data={
            "rows": [asdict(row) for row in rows],
            "selected": selected,
            "code": code,
            "letters": LETTERS,
        },
        on_asked_change=heard,
    )
