"""Where checkpoints stand: shipped ones in checkpoints/, one's own in the lab's home. Reads cards only, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.card import Card, read_card
from core.errors import CheckpointError
from core.record import short
from lab.machine import FILE_NAME as MACHINE_FILE
from lab.runs import lab_home

SHIPPED = Path(__file__).resolve().parents[1] / "checkpoints"


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
        accuracy = f"{self.card.record.test_accuracy:.2%}"
        return f"{self.card.name} · {self.card.parameters:,} · {accuracy} · {where}"


def shipped() -> tuple[Shelved, ...]:
    """The checkpoints of the repository, by slug. One that cannot be read is left out; opening it says why."""
    return tuple(_readable(SHIPPED, shipped=True))


def own() -> tuple[Shelved, ...]:
    """One's own: saved by name, and each run's last and best, newest first."""
    home = lab_home()
    if not home.is_dir():
        return ()
    folders = [home, *(path for path in home.iterdir() if path.is_dir())]
    found = [shelved for folder in folders for shelved in _readable(folder, shipped=False)]
    return tuple(sorted(found, key=lambda shelved: shelved.card.created, reverse=True))


def find(reference: str) -> Shelved:
    """The checkpoint of that reference, or at that path. Raises CheckpointError naming what there is."""
    for shelved in (*shipped(), *own()):
        if shelved.reference == reference:
            return shelved
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


def _readable(folder: Path, shipped: bool) -> list[Shelved]:
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.name == MACHINE_FILE:
            continue
        stem = path.with_suffix("")
        try:
            card = _card(path, path.stat().st_mtime_ns)
        except (CheckpointError, OSError):
            continue
        reference = stem.name if folder in (SHIPPED, lab_home()) else f"{folder.name}/{stem.name}"
        if stem.with_name(f"{stem.name}.safetensors").is_file():
            found.append(Shelved(reference, card, stem, shipped))
    return found


@lru_cache(maxsize=20_000)  # beyond a class's runs: a listing reads all, so a bound below them keeps none
def _card(path: Path, modified: int) -> Card:
    """A card, read once for each time it is written."""
    return read_card(path)
