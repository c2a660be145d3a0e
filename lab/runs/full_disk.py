"""A disk that is full, or fails, told apart from what is wrong with a run: it costs no run, and ends by itself."""

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
STATUS = 75  # with which a worker ends that the disk, not a run, kept from working: EX_TEMPFAIL of sysexits.h
PROBE_BYTES = 65_536
LATELY_SECONDS = 15.0
LOOK_SECONDS = 1.0  # between two looks for room
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
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

_full: dict[Path, float] = {}  # by folder, when this process last found no room there, on the monotonic clock
_looked: dict[Path, tuple[float, bool]] = {}  # when it last looked for room, and whether there was any
_written: dict[Path, float] = {}  # and when it has last written something


class DiskError(RunError):
    """What another process of the run's says of the disk."""


def is_full(error: BaseException) -> bool:
    """Whether an error comes of a full disk, or of a quota that is used up."""
    return any(
        each.errno in FULL if isinstance(each, OSError) else _code(each) == sqlite3.SQLITE_FULL
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
    _full[folder.absolute()] = time.monotonic()


def note_room(folder: Path) -> None:
    """Remember that something could be written."""
    _written[folder.absolute()] = time.monotonic()


def was_full_lately(folder: Path) -> bool:
    """Whether this process has found no room there within the last seconds."""
    return time.monotonic() - _full.get(folder.absolute(), -math.inf) < LATELY_SECONDS


def is_full_still(folder: Path) -> bool:
    """Whether there is no room as far as is known: nothing has been written since there was none, or nothing can be."""
    place, now = folder.absolute(), time.monotonic()
    if was_full_lately(folder) and _full[place] > _written.get(place, -math.inf):
        return True
    when, room = _looked.get(place, (-math.inf, True))
    if now - when > LOOK_SECONDS:  # pages ask each second, for every visitor
        room = has_room(folder)
        _looked[place] = now, room
    return not room


def has_room(folder: Path) -> bool:
    """Whether a small file can be written there."""
    probe = folder / f".room.{os.getpid()}"
    try:
        if shutil.disk_usage(folder).free < PROBE_BYTES:
            return False
        probe.write_bytes(b"\1" * PROBE_BYTES)
    except OSError as error:
        return error.errno not in FULL
    finally:
        with suppress(OSError):
            remove_inside(probe.parent, probe)
    return True
