"""Which checkpoint a page uses, and on which data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import streamlit as st

from core.challenge import CHALLENGE
from core.checkpoints.card import Card, card_to_dict
from core.data.mnist import EMBEDDED, is_present
from core.errors import CheckpointError, DataError
from lab.runs.rows import RunName
from lab.settings import settings
from lab.studies.entries import Entry
from lab.studies.shelf import Shelved, find, own, piece_of, shipped, why_unreadable
from lab.ui import url
from lab.ui.caches import run_names
from lab.ui.links import link
from lab.ui.owner import me
from lab.ui.unreadable import list_checkpoints

USUAL = "c6-steplr-7416"  # what those see first who have no checkpoint of their own


def dataset_for(shelved: Shelved) -> str:
    """The data set a checkpoint is evaluated on: its own, or for MNIST, where that is absent, the embedded digits."""
    wanted = shelved.card.dataset
    if is_present(wanted):
        return wanted
    if wanted == "MNIST":
        return EMBEDDED
    raise DataError(f"{shelved.card.name} was trained on {wanted}, which is not here, and it has no substitute")


def on_hand() -> tuple[Shelved, ...]:
    """Every checkpoint that can be opened, the one to begin with first.

    One's own, the newest first; then the best small one that is shipped, the other shipped ones, and the class's. Of
    two with one reference the first, as `find` does.
    """
    first: dict[str, Shelved] = {}
    for shelved in (*_best_small_first(shipped()), *own()):
        first.setdefault(shelved.reference, shelved)
    return tuple(sorted(first.values(), key=lambda each: 0 if is_mine(each) else 1 if each.shipped else 2))


def _best_small_first(shelf: Sequence[Shelved]) -> Sequence[Shelved]:
    """USUAL, or where it is not here, the most accurate within the challenge's budget, before the others."""
    small = [each for each in shelf if each.card.parameters <= CHALLENGE.parameters]
    usual = max(small, key=lambda each: (each.reference == USUAL, each.card.record.test_accuracy), default=None)
    return sorted(shelf, key=lambda each: each != usual)


def run_of(shelved: Shelved) -> RunName | None:
    """The run that a checkpoint is of; None for a shipped, saved or imported one."""
    return None if shelved.shipped else run_names().get(shelved.reference.partition("/")[0])


def is_mine(shelved: Shelved) -> bool:
    """Whether it is of one's own run; what is nobody's is everybody's where there is no class."""
    if shelved.shipped:
        return False
    run = run_of(shelved)
    if run and run.owner_key:
        return run.owner_key == me().key
    return not settings().class_passphrase


def stop_without_checkpoint(then: str) -> NoReturn:
    """Say that there is no checkpoint yet, and end the page. `then`: what this page will show of a trained network."""
    st.info(f"There is no checkpoint yet. Train a network, and {then}.", icon=":material/info:")
    list_checkpoints()
    link("experiment/train", "Train a network")
    st.stop()


def short(shelved: Shelved) -> str:
    """A checkpoint in a narrow menu: of a run its nickname and name, then the test accuracy and which epoch's it is."""
    card, run = shelved.card, run_of(shelved)
    parts = [run.owner if run else "", run.name if run else card.name, f"{card.record.test_accuracy:.2%}"]
    if not shelved.shipped:
        parts.append("imported" if card.imported else f"after epoch {card.epoch + 1}")
    return " · ".join(part for part in parts if part)


def picker(
    shelf: Sequence[Shelved], label: str = "Checkpoint", name: str = "checkpoint", clears: Sequence[str] = ()
) -> Shelved:
    """Choose a checkpoint, ?NAME=REFERENCE in the URL. `clears`: names that are about the one before."""
    there = {shelved.reference: shelved for shelved in shelf}
    chosen = url.read(name, lambda wanted: on_shelf(wanted, shelf), shelf[0])
    st.selectbox(label, list(there), format_func=titles(shelf), **url.bound(name, chosen.reference, clears=clears))
    return chosen


def titles(shelf: Sequence[Shelved]) -> Callable[[str], str]:
    """What a menu says for a reference; for one that is gone by now, the reference itself.

    Of several that would read the same, each says its seed and last or best as well, and if need be a piece of its
    reference.
    """
    said = {shelved.reference: short(shelved) for shelved in shelf}
    for more in (_seed_and_choice, lambda shelved: piece_of(shelved.reference)):
        counts = Counter(said.values())
        said |= {
            each.reference: f"{said[each.reference]} · {more(each)}"
            for each in shelf
            if counts[said[each.reference]] > 1 and not each.shipped
        }
    return lambda reference: said.get(reference, reference)


def _seed_and_choice(shelved: Shelved) -> str:
    run = run_of(shelved)
    return f"seed {run.seed}, {shelved.stem.name}" if run else shelved.card.choice


def on_shelf(reference: str, shelf: Sequence[Shelved]) -> Shelved:
    """The checkpoint of that reference. Raises CheckpointError naming what there is, or why it cannot be opened."""
    for shelved in shelf:
        if shelved.reference == reference:
            return shelved
    if reason := why_unreadable(reference):
        raise CheckpointError(f"the checkpoint {reference!r} cannot be opened: {reason}")
    there = ", ".join(shelved.reference for shelved in shelf[:8])
    raise CheckpointError(f"there is no checkpoint {reference!r}; there are {there}")


@dataclass(frozen=True)
class Kept:
    """A checkpoint of an entry: its card, or why it cannot be opened."""

    reference: str
    card: Card | None
    reason: str = ""

    @property
    def text(self) -> str:
        """The card as JSON, or the reason."""
        return json.dumps(card_to_dict(self.card), indent=1) if self.card else self.reason


def kept_of(entry: Entry) -> list[Kept]:
    """The last checkpoint of each run of an entry, as far as it is here."""
    found = []
    for reference in [f"{run.id}/last" for run in entry.members] or [entry.key]:
        try:
            found.append(Kept(reference, find(reference).card))
        except CheckpointError:
            if reason := why_unreadable(reference):
                found.append(Kept(reference, None, reason))
    return found


def compared_with(shelved: Shelved, shelf: Sequence[Shelved]) -> list[str]:
    """The references of a checkpoint and of another one beside it, for the drawing pad."""
    others = [each.reference for each in shelf if each.reference != shelved.reference]
    return [shelved.reference, *others[:1]]
