"""Which checkpoint a page reads, and what it is read on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import streamlit as st

from core.data.mnist import EMBEDDED, is_present
from core.errors import CheckpointError, DataError
from lab.studies.shelf import Shelved, own, shipped, why_unreadable
from lab.ui.unreadable import list_checkpoints


def dataset_for(shelved: Shelved) -> str:
    """The data set a checkpoint is evaluated on: its own, or for MNIST, where that is absent, the embedded digits."""
    wanted = shelved.card.dataset
    if is_present(wanted):
        return wanted
    if wanted == "MNIST":
        return EMBEDDED
    raise DataError(f"{shelved.reference} was trained on {wanted}, which is not here; nothing else can stand in for it")


def on_hand() -> tuple[Shelved, ...]:
    """Every checkpoint that can be opened, shipped ones first; of two with one reference the first, as `find` does."""
    first: dict[str, Shelved] = {}
    for shelved in (*shipped(), *own()):
        first.setdefault(shelved.reference, shelved)
    return tuple(first.values())


def stop_without_checkpoint(then: str) -> NoReturn:
    """Say that there is nothing to ask yet, and end the page. `then`: what a trained network would bring here."""
    st.info(f"There is no checkpoint yet: train a network, and {then}.", icon=":material/info:")
    list_checkpoints()
    st.page_link("pages/experiment/train.py", label="Train a network", icon=":material/arrow_forward:")
    st.stop()


def short(shelved: Shelved) -> str:
    """A checkpoint in a narrow menu: name and test accuracy, and for one's own what tells it from another run's."""
    card = shelved.card
    return f"{card.name} · {card.record.test_accuracy:.2%}" + ("" if shelved.shipped else f" · {shelved.reference}")


def on_shelf(reference: str, shelf: Sequence[Shelved]) -> Shelved:
    """The checkpoint of that reference. Raises CheckpointError naming what there is, or why it cannot be opened."""
    for shelved in shelf:
        if shelved.reference == reference:
            return shelved
    if reason := why_unreadable(reference):
        raise CheckpointError(f"the checkpoint {reference!r} cannot be opened: {reason}")
    there = ", ".join(shelved.reference for shelved in shelf[:8])
    raise CheckpointError(f"there is no checkpoint {reference!r}; there are {there}")


def compared_with(shelved: Shelved, shelf: Sequence[Shelved]) -> list[str]:
    """The references of a checkpoint and of another one beside it, for the drawing pad."""
    others = [each.reference for each in shelf if each.reference != shelved.reference]
    return [shelved.reference, *others[:1]]
