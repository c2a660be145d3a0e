"""Imported checkpoints on the shelf: LAB_HOME/imported-NAME, a pair of files, and beside it the key of its owner."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from core.architecture.spec import Architecture
from core.checkpoints.card import Card
from core.errors import CheckpointError, ClassError, LabError
from core.files import alone_in, reason, remove_inside, replace_text
from core.ladder import catalogue
from core.ladder.relatives import EXTRAS
from core.record import short
from lab.classroom.designs import saved_design, saved_names
from lab.runs.person import MACHINE, Person, owns
from lab.settings import lab_home
from lab.studies.shelf import IMPORTED as PREFIX
from lab.studies.shelf import Shelved, find, own, shipped

if TYPE_CHECKING:
    from torch import nn

OWNER = ".owner"
SAVED = "saved:"  # before a saved design's name
MAX_BYTES = 2 * 10**9  # of the weights of all of them
MOST = 500  # imported checkpoints of a lab: of the usual size they take 20 MB together


def keep_imported(network: nn.Module, card: Card, by: Person = MACHINE) -> Shelved:
    """Save an imported network under a free name; returns it as it stands on the shelf. Raises LabError."""
    try:
        with alone_in(lab_home()):  # two who import at one moment get two names
            return _kept(network, card, by)
    except OSError as error:
        raise CheckpointError(f"{short(card.name)} could not be kept: {reason(error)}") from error


def _kept(network: nn.Module, card: Card, by: Person) -> Shelved:
    """The caller is alone in the home. Raises LabError."""
    from core.checkpoints.checkpoint import save

    kept = [path.stat().st_size for path in lab_home().glob(f"{PREFIX}*.safetensors")]
    if len(kept) >= MOST or sum(kept) > MAX_BYTES:
        raise CheckpointError(
            f"{len(kept):,} imported checkpoints with {sum(kept) / 1e6:,.0f} MB are kept already, at most {MOST:,} and "
            f"{MAX_BYTES / 1e6:,.0f} MB; delete one first"
        )
    reference = _free(card.name)
    save(lab_home(), reference, network.state_dict(), card)
    try:
        replace_text(_owner_path(reference), by.key)
    except OSError as error:
        raise CheckpointError(f"{reference}: its owner could not be written: {reason(error)}") from error
    return find(reference)


def _free(name: str) -> str:
    """A reference that no checkpoint has: the name in plain letters, and a number where it is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = PREFIX + (re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "network")
    taken = {each.reference for each in (*shipped(), *own())} | {path.stem for path in lab_home().glob(f"{PREFIX}*")}
    return next(
        each for number in range(1, MOST + 2) if (each := f"{stem}-{number}" if number > 1 else stem) not in taken
    )


def imported() -> tuple[Shelved, ...]:
    """The imported checkpoints, the latest first."""
    return tuple(each for each in own() if each.card.imported)


def delete_imported(reference: str, by: Person = MACHINE) -> None:
    """Delete an imported checkpoint. Raises ClassError for somebody else's, CheckpointError for what is no import."""
    if not re.fullmatch(rf"{PREFIX}[a-z0-9-]+", reference):
        raise CheckpointError(f"{short(reference)} is no imported checkpoint")
    if not may_delete(reference, by):
        raise ClassError(
            f"{reference} is somebody else's: only its owner, in the same browser, or the teacher can delete it"
        )
    try:
        for ending in (".json", ".safetensors", OWNER):
            remove_inside(lab_home(), lab_home() / f"{reference}{ending}")
    except OSError as error:
        raise CheckpointError(f"{reference} could not be deleted: {reason(error)}") from error


def may_delete(reference: str, by: Person) -> bool:
    """Whether an imported checkpoint is theirs, or they are the teacher."""
    return owns(by, _owner_of(reference))


def _owner_of(reference: str) -> str:
    try:
        return _owner_path(reference).read_text(encoding="utf-8").strip()[:64]
    except (OSError, ValueError):
        return ""


def _owner_path(reference: str) -> Path:
    return lab_home() / f"{reference}{OWNER}"


# --------------------------------------------------------------------------- networks that weights may belong to


def known_networks() -> dict[str, Architecture]:
    """Every network that this lab knows, by its name: the steps, saved designs, and those of own checkpoints."""
    found = {step.slug: step.architecture for step in (*catalogue.LADDER, *EXTRAS)}
    for name in saved_names():
        try:
            found[SAVED + name] = saved_design(name)
        except LabError:
            continue
    for shelved in own():
        if not shelved.card.imported and shelved.card.architecture.ops not in {each.ops for each in found.values()}:
            found[shelved.reference] = shelved.card.architecture
    return found
