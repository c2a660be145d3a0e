"""Tables that leave the lab as CSV, safe to open in a spreadsheet. Every such file is written here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

Cell = str | int | float | None

# A spreadsheet runs a cell that begins with one of these, also after blanks; in East Asia also with the wide forms.
FORMULA = re.compile(r"[\s\x00]*[=+\-@＝＋－＠]|[\t\r\n]")


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The table with a first line of names. Numbers stay numbers, None is empty, texts are made safe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([safe_cell(name) for name in names])
    writer.writerows([safe_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def safe_cell(text: str) -> str:
    """The text; an apostrophe comes before a text that a spreadsheet would run as a formula. Spreadsheets hide it."""
    return f"'{text}" if FORMULA.match(text) else text
