"""Where checkpoints stand: shipped ones in checkpoints/, one's own in the lab's home. Reads cards only, no torch.

One that cannot be read is listed too, with the reason.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.checkpoints.card import Card, read_card
from core.errors import CheckpointError
from core.files import reason
from core.record import short
from lab.runs.machine import FILE_NAME as MACHINE_FILE
from lab.runs.machine import SIDE_BY_SIDE
from lab.settings import ROOT, lab_home

SHIPPED = ROOT / "checkpoints"
IMPORTED = "imported-"  # what the references of imported checkpoints begin with
DESIGNS = "designs"  # the folder of lab.classroom.designs, which holds no checkpoints


def piece_of(reference: str) -> str:
    """Enough of a reference to tell two of one name apart: the beginning of a run's id, the rest of an imported one."""
    run = reference.partition("/")[0]
    return run[:6] if re.fullmatch(r"[0-9a-f]{16}", run) else run.removeprefix(IMPORTED)


@dataclass(frozen=True)
class Shelved:
    """A checkpoint that can be opened: its reference, its card, and where its pair stands."""

    reference: str  # what a URL and the command line call it: a slug, a saved name, or a run's RUN/last
    card: Card
    stem: Path  # the pair's path without its endings
    shipped: bool

    @property
    def label(self) -> str:
        """What a menu shows: name, parameters, test accuracy and where it comes from."""
        where = "shipped" if self.shipped else self.card.choice
        by = self.card.imported.by if self.card.imported else ""
        accuracy = f"{self.card.record.test_accuracy:.2%}"
        return f"{self.card.name} · {self.card.parameters:,} · {accuracy} · {where}{f' by {by}' if by else ''}"


@dataclass(frozen=True)
class Unreadable:
    """A checkpoint that is there and cannot be opened."""

    reference: str
    reason: str  # names the file, and no folder of the server


def shipped() -> tuple[Shelved, ...]:
    """The checkpoints of the repository that can be opened, by slug."""
    return tuple(each for each in in_folder(SHIPPED, shipped=True) if isinstance(each, Shelved))


def own() -> tuple[Shelved, ...]:
    """One's own that can be opened: saved by name, and each run's last and best, newest first."""
    found = [each for each in _all_own() if isinstance(each, Shelved)]
    return tuple(sorted(found, key=lambda shelved: shelved.card.created, reverse=True))


def unreadable() -> tuple[Unreadable, ...]:
    """The checkpoints that cannot be opened, shipped ones first, each with the reason."""
    found = (*in_folder(SHIPPED, shipped=True), *_all_own())
    return tuple(each for each in found if isinstance(each, Unreadable))


def why_unreadable(reference: str) -> str:
    """The reason why the checkpoint of that reference cannot be opened; "" where it can, or where there is none."""
    return next((each.reason for each in unreadable() if each.reference == reference), "")


def absence(reference: str) -> str:
    """In words: why `find` does not give that checkpoint."""
    reason = why_unreadable(reference)
    return f"its checkpoint cannot be opened: {reason}" if reason else "its weights are not here"


def find(reference: str) -> Shelved:
    """The checkpoint of that reference, or at that path.

    Raises CheckpointError with the reason for one that cannot be opened, and naming what there is where there is none.
    """
    for shelved in (*shipped(), *own()):
        if shelved.reference == reference:
            return shelved
    if reason := why_unreadable(reference):
        raise CheckpointError(f"the checkpoint {short(reference)} cannot be opened: {reason}")
    stem = _stem_at(reference)
    if stem is not None:
        card = read_card(stem.with_name(f"{stem.name}.json"))
        return Shelved(reference, card, stem, shipped=stem.parent.resolve() == SHIPPED)
    there = ", ".join(shelved.reference for shelved in (*shipped(), *own())[:8]) or "none yet"
    raise CheckpointError(f"there is no checkpoint {short(reference)}; there are {there}")


def _stem_at(reference: str) -> Path | None:
    """The path of a pair, without its endings, where a card stands; None for what is no path, such as "" and "/"."""
    try:
        stem = Path(reference)
        stem = stem.with_suffix("") if stem.suffix in (".json", ".safetensors") else stem
        return stem if stem.with_name(f"{stem.name}.json").is_file() else None
    except (OSError, ValueError):  # no name, one that is too long, a null character
        return None


def _all_own() -> list[Shelved | Unreadable]:
    home = lab_home()
    if not home.is_dir():
        return []
    folders = [home, *sorted(path for path in home.iterdir() if path.is_dir() and path.name != DESIGNS)]
    return [each for folder in folders for each in in_folder(folder)]


def in_folder(folder: Path, shipped: bool = False) -> list[Shelved | Unreadable]:
    """The checkpoints in a folder: a pair of files each, or what there is of one."""
    is_root = folder in (SHIPPED, lab_home())  # where other files are beside the pairs
    try:
        names = {path.name for path in folder.iterdir()} - {MACHINE_FILE, SIDE_BY_SIDE}
    except FileNotFoundError:  # deleted just now
        return []
    except OSError as error:
        return [Unreadable(folder.name, f"its folder cannot be opened: {reason(error)}")]
    found: list[Shelved | Unreadable] = []
    for name in sorted({name.rpartition(".")[0] for name in names if name.endswith((".json", ".safetensors"))}):
        reference = name if is_root else f"{folder.name}/{name}"
        has_weights = f"{name}.safetensors" in names
        path = folder / f"{name}.json"
        try:
            card = _card(path, path.stat().st_mtime_ns)
        except FileNotFoundError:
            found.append(Unreadable(reference, f"its card, {path.name}, is missing"))
        except (CheckpointError, OSError) as error:
            if has_weights or not is_root:
                why = str(error).removeprefix(f"{path}: ") if isinstance(error, CheckpointError) else reason(error)
                found.append(Unreadable(reference, f"its card, {path.name}: {why}"))
        else:
            wrong = _wrong_weights(folder / f"{name}.safetensors") if has_weights else "are missing"
            bad = Unreadable(reference, f"its weights, {name}.safetensors, {wrong}")
            found.append(bad if wrong else Shelved(reference, card, folder / name, shipped))
    return found


def _wrong_weights(path: Path) -> str:
    """What a look at the file's header and size finds wrong; its hash is checked when it is opened."""
    try:
        status = path.stat()
        return "" if _is_whole(path, status.st_mtime_ns, status.st_size) else "were cut short"
    except OSError as error:
        return f"cannot be opened: {reason(error)}"


@lru_cache(maxsize=20_000)
def _is_whole(path: Path, modified: int, size: int) -> bool:
    """Whether a safetensors file ends where its header says: 8 bytes of its length, the header as JSON, the tensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(min(length, size))
    try:
        tensors = [each for name, each in json.loads(text).items() if name != "__metadata__"]
        return size == 8 + length + max(int(each["data_offsets"][1]) for each in tensors)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return False


@lru_cache(maxsize=20_000)  # beyond a class's runs: a listing reads all, so a bound below them keeps none
def _card(path: Path, modified: int) -> Card:
    """A card, read once for each time it is written."""
    return read_card(path)
