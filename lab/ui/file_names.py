"""What a download is called: after the run or the network that it is of, then what it is."""

from __future__ import annotations

from collections.abc import Iterable

from core.export.kinds import stem_of
from core.export.section import file_stem
from lab.runs.rows import Run
from lab.studies.entries import Entry
from lab.studies.shelf import Shelved, piece_of

MOST = 3  # names in one: of more only the first


def of_run(run: Run, what: str, ending: str) -> str:
    """`c6-steplr-ada-52e967-figures.csv`: the run's name, its nickname, and the beginning of its id, for there may be
    several of one name."""
    return of_names([_run_name(run.name, run.owner, run.id)], what, ending)


def of_entries(entries: Iterable[Entry], what: str, ending: str) -> str:
    """The same of what is compared: `a2-final-7758-and-my-run-ada-52e967-report.html`."""
    return of_names([_run_name(e.name, e.owner, e.key) if e.members else e.key for e in entries], what, ending)


def of_checkpoint(shelved: Shelved, what: str, ending: str) -> str:
    """The same of a checkpoint, whose own files are called by the same name."""
    return f"{stem_of(shelved.reference, shelved.card)}-{what}{ending}"


def of_names(names: Iterable[str], what: str, ending: str) -> str:
    """The names in plain letters, whatever they are, and what the file is."""
    return f"{'-and-'.join(file_stem(name) for name in [*names][:MOST])}-{what}{ending}"


def _run_name(name: str, owner: str, key: str) -> str:
    return f"{name[:30]} {owner[:12]} {piece_of(key)}"
