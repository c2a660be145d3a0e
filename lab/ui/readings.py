"""What other networks of the shelf read in one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from core.data.mnist import SplitName
from core.errors import LabError
from core.words import plural
from lab.studies.shelf import Shelved
from lab.ui.caches import split
from lab.ui.names import brief
from lab.ui.predictions import kept_answers, one_thread, opened
from lab.ui.words import escaped

OWN = 8  # of one's own, the newest: each of a class's hundreds would have to be opened


@dataclass(frozen=True)
class Reading:
    """What one network reads."""

    name: str
    answer: int


def asked_beside(shelved: Shelved, shelf: Sequence[Shelved]) -> list[Shelved]:
    """The others that are asked: all shipped ones of the data set, and the newest of one's own, one for each run."""
    same = [each for each in shelf if each.card.dataset == shelved.card.dataset and _run(each) != _run(shelved)]
    own = [each for each in same if not each.shipped and _is_last(each)]
    return [*(each for each in same if each.shipped), *own[:OWN]]


def _run(shelved: Shelved) -> str:
    return shelved.reference.partition("/")[0]


def _is_last(shelved: Shelved) -> bool:
    """Whether it stands for its run: its best is mostly nearly the same network."""
    return "/" not in shelved.reference or shelved.reference.endswith("/last")


def readings(networks: Sequence[Shelved], dataset: str, name: SplitName, index: int) -> list[Reading]:
    """What each reads in an image of a split; one that cannot be opened is left out, for the page lists those.

    Where the answers to the whole split are kept, no network computes anything.
    """
    found = []
    for each in networks:
        stem, sha256 = str(each.stem), each.card.weights_sha256
        try:
            if (kept := kept_answers(stem, sha256, dataset, name)) is not None:
                answer = int(kept.predicted[index])
            else:
                answer = _answer(stem, sha256, split(dataset, name).images[index].tobytes())
            found.append(Reading(brief(each), answer))
        except LabError:
            continue
    return found


@st.cache_data(max_entries=5_000, show_spinner=False)
def _answer(stem: str, sha256: str, digit: bytes) -> int:
    """What a checkpoint reads in a digit, 28 x 28 bytes. Raises CheckpointError."""
    import torch

    from core.checkpoints.checkpoint import normalisation_of
    from core.training.evaluation import log_probabilities

    network, card = opened(stem, sha256)
    pixels = np.frombuffer(digit, np.uint8).reshape(1, 28, 28).copy()
    with one_thread():
        return int(log_probabilities(network, torch.tensor(pixels), normalisation_of(card)).argmax())


def readings_told(found: Sequence[Reading], true: int) -> str:
    """How many read the label, and who reads what, as Markdown: a line for the label and one for each wrong answer."""
    right = sum(each.answer == true for each in found)
    lines = [f"**{right:,} of {plural(len(found), 'other network')} {'reads' if right == 1 else 'read'} a {true}.**"]
    for answer in sorted({each.answer for each in found}, key=lambda digit: (digit != true, digit)):
        names = ", ".join(escaped(each.name) for each in found if each.answer == answer)
        icon = ":material/check:" if answer == true else ":material/close:"
        lines.append(f"{icon} a **{answer}**: {names}")
    return "  \n".join(lines)
