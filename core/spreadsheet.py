"""Tables that leave the lab as CSV, safe to open in a spreadsheet. Every such file is written here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

Cell = str | int | float | None

# What makes a spreadsheet run a cell that begins with it, also behind blanks; in East Asia the wide forms do too.
FORMULA = re.compile(r"[\s\x00]*[=+\-@＝＋－＠]|[\t\r\n]")


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The table with a line of names above it. Numbers stay numbers, what is missing is empty, words are words."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([safe_cell(name) for name in names])
    writer.writerows([safe_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def safe_cell(text: str) -> str:
    """The text, with an apostrophe, which a spreadsheet hides, before what it would take for a formula."""
    return f"'{text}" if FORMULA.match(text) else text
