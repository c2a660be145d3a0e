"""Files, written whole or not at all, and removed only inside the folder they belong to; why that failed, in words."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A name that no other process, thread or machine has: .NAME.16 digits.part; once, it was .NAME.PROCESS.
PART = re.compile(r"\..+\.(?:[0-9a-f]{16}\.part|\d{1,10})")
STALE_SECONDS = 3600.0  # a temporary file that nobody has written to for so long was left by a kill
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
    """Remove a file, or a folder with all that is in it; of a link, the link. One that is not there is removed already.

    Nothing outside the home is ever removed: not by .., and not through a link. Raises OSError.
    """
    root, place = home.resolve(), path.parent.resolve() / path.name
    if path.name in ("", "..") or place == root or not place.is_relative_to(root):
        raise PermissionError(errno.EPERM, f"it is outside {home.name}, where nothing is removed", str(path))
    with suppress(FileNotFoundError):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()


def sweep(home: Path, now: float | None = None) -> list[Path]:
    """Remove the temporary files that kills have left anywhere in the home; returns them. `now`: seconds since 1970."""
    before = (time.time() if now is None else now) - STALE_SECONDS
    swept = []
    for folder, _, names in os.walk(home):  # which follows no link
        for name in filter(PART.fullmatch, names):
            with suppress(OSError):  # gone, or somebody else's
                path = Path(folder, name)
                if path.lstat().st_mtime < before:
                    remove_inside(home, path)
                    swept.append(path)
    return swept
