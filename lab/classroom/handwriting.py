"""Our handwriting: the digits a class drew, each with its true label, in a SQLite file of their own. No Streamlit.

Every checkpoint can be scored on them. A drawing is kept twice: as it was prepared for a network, and as it was drawn,
so that another preparation can be tried on it. Drawings are small, and there are at most 5,000.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from core.data.drawn_digit import SIDE, Grey
from core.data.mnist import Split
from core.errors import HandwritingError
from core.outside import cut
from core.record import short_number
from core.spreadsheet import Cell, csv_text
from lab.runs.database import Database, statements_of
from lab.runs.person import Person

FILE_NAME = "handwriting.sqlite3"
APPLICATION_ID = 0x48414E44  # "HAND", in the file's header: tells our file from any other SQLite database
VERSION = 1
MOST = 5_000  # drawings
MAX_BYTES = 100_000  # of one drawing as a PNG; a canvas of 280 x 280 has some 3,000, and noise at most 79,000
LONGEST_NAME = 40  # characters of a nickname
SCHEMA = statements_of(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Drawing:
    """One digit of the set."""

    number: int
    label: int
    nickname: str
    author: str
    moment: float  # seconds since 1970
    digit: Grey  # (28, 28), prepared


class Handwriting(Database):
    """The set in one file. Safe to share between threads, and to open in several processes at once."""

    file_name, application_id, noun = FILE_NAME, APPLICATION_ID, "set of drawings"
    error = HandwritingError

    @property
    def migrations(self) -> Sequence[Sequence[str]]:
        """There is one version."""
        return (SCHEMA,)

    def __init__(self, folder: Path, patience: float = 10.0) -> None:
        """Opens the set, made as needed. `patience`: seconds to wait for a lock. Raises HandwritingError."""
        super().__init__(folder, patience)
        self.close()  # it is seldom used: nothing is gained by holding it open

    def keep(
        self, digit: Grey, drawing: Grey, label: int, nickname: str, author: str, moment: float | None = None
    ) -> int:
        """Keep a drawing; its number. Raises HandwritingError for a set that is full and for one kept already."""
        if not 0 <= label <= 9:
            raise HandwritingError(f"a label is a digit from 0 to 9, got {short_number(label)}")
        if digit.shape != (SIDE, SIDE) or digit.dtype != np.uint8:
            raise HandwritingError(f"a prepared digit is (28, 28) in uint8, got {digit.shape} in {digit.dtype}")
        picture = png(drawing)
        if len(picture) > MAX_BYTES:
            raise HandwritingError(f"the drawing has {len(picture):,} bytes, at most {MAX_BYTES:,} are kept")
        name = cut(nickname, LONGEST_NAME)
        print_of = hashlib.sha256(bytes([label]) + digit.tobytes() + picture).hexdigest()
        with self.writing() as connection:
            there = connection.execute("SELECT number FROM drawings WHERE fingerprint = ?", (print_of,)).fetchone()
            if there:
                raise HandwritingError(f"this drawing is kept already, as number {there[0]:,}")
            count = connection.execute("SELECT count(*) FROM drawings").fetchone()[0]
            if count >= MOST:
                raise HandwritingError(f"our handwriting is full: it has {count:,} drawings, at most {MOST:,} are kept")
            number = connection.execute(
                "INSERT INTO drawings (label, nickname, author, moment, digit, drawing, fingerprint)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING number",
                (label, name, author, time.time() if moment is None else moment, digit.tobytes(), picture, print_of),
            ).fetchone()[0]
        return int(number)

    def delete(self, number: int, by: Person) -> None:
        """Remove a drawing: the person's own, or, for the teacher, anybody's. Raises HandwritingError for another's."""
        theirs = "DELETE FROM drawings WHERE number = ?1 AND (?3 OR (author = ?2 AND ?2 <> ''))"
        if not self.change(theirs, (number, by.key, by.teacher)):
            raise HandwritingError(f"drawing {short_number(number)} is not yours, or is no longer there")

    def count(self) -> int:
        """How many drawings there are."""
        return int(self.rows("SELECT count(*) FROM drawings")[0][0])

    def drawings(self, label: int | None = None) -> list[Drawing]:
        """All, or those of one label; newest first."""
        rows = self.rows(
            "SELECT number, label, nickname, author, moment, digit FROM drawings"
            " WHERE ?1 IS NULL OR label = ?1 ORDER BY number DESC",
            (label,),
        )
        return [
            Drawing(number, label, name, author, moment, _image(digit))
            for number, label, name, author, moment, digit in rows
        ]

    def export(self) -> bytes:
        """A ZIP: digits/ and drawings/ as PNGs named NUMBER-LABEL.png, and labels.csv. Names in it are safe."""
        rows = self.rows("SELECT number, label, nickname, moment, digit, drawing FROM drawings ORDER BY number")
        file, table = io.BytesIO(), list[tuple[Cell, ...]]()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # a PNG is compressed already
            for number, label, nickname, moment, digit, drawing in rows:
                name = f"{number:05}-{label}.png"
                when = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
                table.append((name, label, nickname, when))
                archive.writestr(f"digits/{name}", png(_image(digit)))
                archive.writestr(f"drawings/{name}", drawing)
            archive.writestr("labels.csv", csv_text(("file", "label", "nickname", "moment"), table).encode())
        return file.getvalue()


def as_split(drawings: Sequence[Drawing]) -> Split:
    """The prepared digits and their labels as a data set."""
    images = np.stack([each.digit for each in drawings]) if drawings else np.zeros((0, SIDE, SIDE), np.uint8)
    return Split(images, np.array([each.label for each in drawings], np.uint8))


def _image(content: bytes) -> Grey:
    """(28, 28), read-only."""
    return np.frombuffer(content, np.uint8).reshape(SIDE, SIDE)


def png(image: Grey) -> bytes:
    """A grey image as a file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=False)
    return file.getvalue()
