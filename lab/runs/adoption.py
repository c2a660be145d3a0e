"""The files of a run, fenced by its claim.

A worker writes them into a folder named after its claim. They get their own names in the transaction that records
their epoch, and only while the claim holds: a worker that has lost its run changes nothing of it, whenever it wakes.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from core.files import remove_inside

CLAIM = ".claim-"  # begins the name of a folder, in a run's, for what one claim has written
ADOPTED = ".adopted"  # the same folder once all in it is the run's: `settle` moves it into place


def staging(folder: Path, claim: str) -> Path:
    """Where a claim's files are written; without a claim, the run's folder itself."""
    return folder / f"{CLAIM}{claim}" if claim else folder


def adopt(folder: Path, claim: str) -> None:
    """Give a claim's files their own names. Raises OSError.

    The caller holds the store's write lock and has seen there that the claim holds: nobody else can take the run.
    """
    staged = staging(folder, claim)
    if claim and staged.is_dir():
        settle(folder)  # what an earlier adoption left, where the disk was full
        staged.rename(folder / ADOPTED)  # all of them at once: a kill from here on is made good by `settle`
    settle(folder)


def settle(folder: Path) -> None:
    """Move what is adopted into place, also where a kill has cut that short. The caller holds the write lock."""
    adopted = folder / ADOPTED
    if not adopted.is_dir():
        return
    for path in sorted(adopted.rglob("*"), key=_last_what_is_gone_on_from):
        if path.is_file():
            target = folder / path.relative_to(adopted)
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
    remove_inside(folder, adopted)


def _last_what_is_gone_on_from(path: Path) -> tuple[bool, bool, str]:
    """Weights, then cards, which name their weights; last the file that a run goes on from."""
    return path.suffix == ".pt", path.suffix == ".json", path.name


def staged_in(home: Path) -> list[Path]:
    """The folders in which claims of any run write, or have written."""
    runs = [each for each in home.iterdir() if re.fullmatch(r"[0-9a-f]{16}", each.name) and not each.is_symlink()]
    return [path for run in runs for path in run.glob(f"{CLAIM}*")]


def discard(path: Path) -> None:
    """Delete what a claim has written that holds no more."""
    with suppress(OSError):  # what is left of it is swept later
        remove_inside(path.parent, path)
