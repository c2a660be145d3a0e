"""The weights that a run kept of each of its epochs, beside its last and best ones. No Streamlit, no torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.card import Card, read_card
from lab.shelf import Shelved

FOLDER = "snapshots"  # of a run's; its pairs are epoch-000 and so on, as lab.training_run writes them


@dataclass(frozen=True)
class Weights:
    """A pair of files that can be opened: a checkpoint's, or those of one epoch of its run."""

    stem: str
    card: Card

    @property
    def sha256(self) -> str:
        return self.card.weights_sha256


def snapshots(shelved: Shelved) -> list[Weights]:
    """The pairs that the checkpoint's run kept, in the order of epochs; none for a shipped one.

    Raises CheckpointError for a card that is none.
    """
    folder = shelved.stem.parent / FOLDER
    if shelved.shipped or not folder.is_dir():
        return []
    whole = (path for path in folder.glob("epoch-*.json") if path.with_suffix(".safetensors").is_file())
    found = [Weights(str(path.with_suffix("")), read_card(path)) for path in whole]
    return sorted(found, key=lambda each: each.card.epoch)
