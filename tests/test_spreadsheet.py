"""What leaves the lab as CSV: words that no spreadsheet runs, numbers that it can add up."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.spreadsheet import csv_text, safe_cell
from core.training.history import EPOCH_COLUMNS, EpochRecord, epoch_cells
from lab.experiment.train.run_panel import csv_of

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "＝1+1", "＠A1", "\x00=1"),
        "=cmd|' /C calc'!A0",
    ],
)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@given(st.text())
def test_no_other_word_is_touched_and_none_is_lost(text: str) -> None:
    assert safe_cell(text) in (text, f"'{text}")
    assert safe_cell(text)[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
    if text[:1].isalnum():
        assert safe_cell(text) == text


words = st.text(st.characters(exclude_characters="\r\n\x00", codec="utf-8"))


@given(st.lists(st.tuples(words, st.floats(allow_nan=False), st.integers()), max_size=5))
def test_rows_come_back_with_their_numbers(rows: list[tuple[str, float, int]]) -> None:
    names, *read = csv.reader(io.StringIO(csv_text(["name", "-x", "n"], rows), newline=""))
    assert names == ["name", "'-x", "n"]
    assert [(float(x), int(n)) for _, x, n in read] == [(x, n) for _, x, n in rows]
    assert [name for name, _, _ in read] == [safe_cell(name) for name, _, _ in rows]


@pytest.mark.slow
def test_every_csv_of_the_lab_is_written_there() -> None:
    writers = [
        str(path.relative_to(ROOT))
        for folder in ("core", "lab", "pages")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("writer", "DictWriter", "to_csv")
    ]
    assert set(writers) == {"core/spreadsheet.py"}


def test_epochs_count_from_1_as_on_the_pages() -> None:
    epochs = [EpochRecord(number, 0.5, 0.9, None, None, 0.4, 0.95, 0.01, 2.0) for number in range(3)]
    rows = list(csv.DictReader(io.StringIO(csv_of(epochs))))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["test_accuracy"]) for row in rows] == [0.95] * 3
    assert dict(zip(EPOCH_COLUMNS, epoch_cells(epochs[0]), strict=True))["train_loss"] == 0.5
