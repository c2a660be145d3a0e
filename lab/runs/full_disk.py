"""A disk that is full, read-only or fails, told apart from what is wrong with a run: it costs no run."""

from __future__ import annotations

import errno
import math
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from core.errors import RunError
from core.files import remove_inside

SENTENCE = "The disk is full: runs wait until there is room on it again."
NOT_SAVED = "The disk is full: nothing was changed; try again once there is room on it."
READ_ONLY = "The disk is read-only now: runs wait until the lab can write to it again."
NOT_WRITTEN = "The disk is read-only now: nothing was changed; try again once the lab can write to it."
STATUS = 75  # with which a worker ends that the disk, not a run, kept from working: EX_TEMPFAIL of sysexits.h
PROBE_BYTES = 65_536
LATELY_SECONDS = 15.0
LOOK_SECONDS = 1.0  # between two looks for room
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
FAILING = {*FULL, errno.EROFS, errno.EIO}
PASSING = {  # of SQLite's errors, those that another moment may not have
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
}

# By folder, when this process last could not write there, on the monotonic clock, and the sentence that says why.
_full: dict[Path, tuple[float, str]] = {}
_looked: dict[Path, tuple[float, str]] = {}  # when it last looked whether it can, and why not
_written: dict[Path, float] = {}  # and when it has last written something


class DiskError(RunError):
    """What another process of the run's says of the disk."""


def is_full(error: BaseException) -> bool:
    """Whether an error comes of a full disk, or of a quota that is used up."""
    return any(
        each.errno in FULL if isinstance(each, OSError) else _code(each) == sqlite3.SQLITE_FULL
        for each in _causes(error)
    )


def is_read_only(error: BaseException) -> bool:
    """Whether an error comes of a disk that is read-only."""
    return any(
        each.errno == errno.EROFS if isinstance(each, OSError) else _code(each) == sqlite3.SQLITE_READONLY
        for each in _causes(error)
    )


def of_the_disk(error: BaseException) -> bool:
    """Whether an error comes of the disk, or of the store that another keeps locked: not of a run."""
    return any(
        each.errno in FAILING if isinstance(each, OSError) else isinstance(each, DiskError) or _code(each) in PASSING
        for each in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__


def _code(error: BaseException) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def note_full(folder: Path) -> None:
    """Remember that there was no room just now."""
    _full[folder.absolute()] = time.monotonic(), SENTENCE


def note_read_only(folder: Path) -> None:
    """Remember that nothing could be written just now."""
    _full[folder.absolute()] = time.monotonic(), READ_ONLY


def note_room(folder: Path) -> None:
    """Remember that something could be written."""
    _written[folder.absolute()] = time.monotonic()


def could_not_write_lately(folder: Path) -> bool:
    """Whether this process could not write there within the last seconds: the disk was full, or read-only."""
    return time.monotonic() - _full.get(folder.absolute(), (-math.inf, ""))[0] < LATELY_SECONDS


def why_not_written(folder: Path) -> str:
    """Why nothing can be written as far as is known, in a sentence; "" where nothing is in the way."""
    place, now = folder.absolute(), time.monotonic()
    when, why = _full.get(place, (-math.inf, ""))
    if could_not_write_lately(folder) and when > _written.get(place, -math.inf):
        return why
    when, why = _looked.get(place, (-math.inf, ""))
    if now - when > LOOK_SECONDS:  # pages ask each second, for every visitor
        why = look(folder)
        _looked[place] = now, why
    return why


def has_room(folder: Path) -> bool:
    """Whether there is room for a small file."""
    return look(folder) != SENTENCE


def look(folder: Path) -> str:
    """Why a small file cannot be written there; "" where it can."""
    probe = folder / f".room.{os.getpid()}"
    try:
        if shutil.disk_usage(folder).free < PROBE_BYTES:
            return SENTENCE
        probe.write_bytes(b"\1" * PROBE_BYTES)
    except OSError as error:
        return SENTENCE if error.errno in FULL else READ_ONLY if error.errno in REFUSED else ""
    finally:
        with suppress(OSError):
            remove_inside(probe.parent, probe)
    return ""
