"""The weights that a run kept of each of its epochs, beside its last and best ones. No Streamlit, no torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.checkpoints.card import Card
from lab.studies.shelf import Shelved, Unreadable, in_folder

FOLDER = "snapshots"  # of a run's; its pairs are epoch-000 and so on, as lab.runs.training_job writes them


@dataclass(frozen=True)
class Weights:
    """A pair of files that can be opened: a checkpoint's, or those of one epoch of its run."""

    stem: str
    card: Card

    @property
    def sha256(self) -> str:
        return self.card.weights_sha256


def snapshots(shelved: Shelved) -> tuple[list[Weights], list[Unreadable]]:
    """The pairs that the checkpoint's run kept, in the order of epochs, and those that cannot be opened."""
    found = [] if shelved.shipped else in_folder(shelved.stem.parent / FOLDER)
    whole = [Weights(str(each.stem), each.card) for each in found if isinstance(each, Shelved)]
    return sorted(whole, key=lambda each: each.card.epoch), [each for each in found if isinstance(each, Unreadable)]
