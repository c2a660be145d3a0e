"""Files, written whole or not at all, and removed only inside the folder they belong to; why that failed, in words."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

# A name that no other process, thread or machine has: .NAME.16 digits.part; once, it was .NAME.PROCESS.
PART = re.compile(r"\..+\.(?:[0-9a-f]{16}\.part|\d{1,10})")
LOCK = ".lock"
STALE_SECONDS = 3600.0  # a temporary file that nobody has written to for so long was left by a kill
ROOMS = (".restoring-", ".lab-backup-")  # how temporary folders begin
STALE_FOLDER_SECONDS = 86_400.0  # theirs: what is unpacked deeper down does not change a folder's own moment
REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full for this user",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "the lab has no right to it",
    errno.EPERM: "the lab has no right to it",
    errno.ENOENT: "it is not there",
    errno.EEXIST: "it is there already",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where a file is needed",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EMFILE: "the lab has too many files open",
    errno.ENFILE: "this machine has too many files open",
    errno.EIO: "the disk failed",
    errno.EBUSY: "another program keeps it busy",
    errno.ESTALE: "the network folder has gone away",
}


def reason(error: OSError) -> str:
    """Why a file could not be read or written, in words and without where it is: that is for the server's log."""
    return REASONS.get(error.errno or 0) or error.strerror or "the system gives no reason"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside it, to be written; at the end it takes the place of `path`. Raises OSError.

    Readers see the old content or the new one, also after a power cut. On an error nothing is left behind.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def replace_text(path: Path, text: str) -> None:
    """Replace a file's text, as `replacing` does. Raises OSError."""
    replace_bytes(path, text.encode("utf-8"))


def replace_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content, as `replacing` does. Raises OSError."""
    with replacing(path) as part:
        part.write_bytes(content)


@contextmanager
def alone_in(folder: Path, patience: float = 10.0) -> Iterator[None]:
    """One at a time, of all threads and processes, in a folder, which is made as needed. Raises OSError.

    SQLite's lock on an empty file: it works on every system, and a kill lets go of it. `patience`: seconds to wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _opened(folder, patience) as lock:
        try:
            lock.execute("PRAGMA journal_mode = MEMORY")  # no second file
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise OSError(errno.EBUSY, str(error), str(folder)) from error
        yield


@contextmanager
def _opened(folder: Path, patience: float) -> Iterator[sqlite3.Connection]:
    try:
        lock = sqlite3.connect(folder / LOCK, timeout=patience)
    except sqlite3.OperationalError as error:
        raise OSError(errno.EACCES, str(error), str(folder)) from error
    with closing(lock):
        yield lock


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk; where folders cannot be opened, as on Windows, the system does it by itself."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with suppress(OSError):  # some network folders refuse
            os.fsync(opened)
    finally:
        os.close(opened)


def remove_inside(home: Path, path: Path) -> None:
    """Remove a file, or a folder with all that is in it; of a link to a file, the link. What is not there is gone.

    Nothing outside the home is ever removed: not by .., and not through a link to a folder. Raises OSError.
    """
    root, place = home.resolve(), path.parent.resolve() / path.name
    if path.name in ("", "..") or place == root or not place.is_relative_to(root):
        raise PermissionError(errno.EPERM, f"it is outside {home.name}, where nothing is removed", str(path))
    with suppress(FileNotFoundError):
        if place.is_dir():
            shutil.rmtree(place)  # which refuses a link
        else:
            place.unlink()


def sweep(home: Path, now: float | None = None) -> list[Path]:
    """Remove the temporary files that kills have left anywhere in the home; returns them. `now`: seconds since 1970."""
    now = time.time() if now is None else now
    swept = []
    for folder, folders, names in os.walk(home):  # which follows no link
        left = [(name, STALE_SECONDS) for name in names if PART.fullmatch(name)]
        left += [(name, STALE_FOLDER_SECONDS) for name in folders if name.startswith(ROOMS)]
        for name, seconds in left:
            with suppress(OSError):  # gone, or somebody else's
                path = Path(folder, name)
                if path.lstat().st_mtime < now - seconds:
                    remove_inside(home, path)
                    swept.append(path)
    return swept
