"""Every cache of the app: one copy for all sessions, each bounded."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.history import EpochRecord
from core.mnist import EMBEDDED, Pixels, Split, SplitName, best_present, is_present, load_split
from lab.runs import RunStore, lab_home
from lab.vote import Rooms

if TYPE_CHECKING:  # torch takes two seconds to import, and only some pages need it
    from torch import nn

    from core.card import Card
    from core.mistakes import Predictions


@st.cache_resource
def store() -> RunStore:
    """The run store of this lab's home."""
    return RunStore(lab_home())


@st.cache_resource(max_entries=6)
def split(dataset: str, name: SplitName) -> Split:
    """One split of a data set, shared and read-only."""
    return load_split(dataset, name)


@st.cache_resource
def downloads() -> dict[str, subprocess.Popen[bytes]]:
    """The downloads of this server, by data set."""
    return {}


def dataset_here(wanted: str = "MNIST") -> str:
    """The wanted data set where it is present, else the embedded digits."""
    return wanted if is_present(wanted) else EMBEDDED


@st.cache_resource(max_entries=32)
def sample_digit(label: int) -> Pixels:
    """A clear digit of that label, (28, 28): the one of the first 200 that is nearest to their mean."""
    digits = split(best_present(), "test")
    own = digits.images[digits.labels == label][:200].astype(np.float32)
    distance = ((own - own.mean(0)) ** 2).sum((1, 2))
    return np.asarray(own[int(distance.argmin())], np.uint8)


@st.cache_resource(max_entries=16)
def opened(stem: str, sha256: str) -> tuple[nn.Sequential, Card]:
    """A checkpoint's network and card, once for each content of its weights."""
    from pathlib import Path

    from core.checkpoint import load

    return load(Path(stem))


@st.cache_resource(max_entries=24, show_spinner="Reading every image of the split once...")
def predictions(stem: str, sha256: str, dataset: str, name: SplitName) -> Predictions:
    """What a checkpoint makes of a split, without augmentation."""
    import torch

    from core.checkpoint import normalisation_of
    from core.evaluation import predict
    from core.resident import examples

    network, card = opened(stem, sha256)
    return predict(network, examples(split(dataset, name), torch.device("cpu")), normalisation_of(card))


@st.cache_resource
def torch_warming() -> threading.Thread:
    """Import torch beside the page that will need it, so that its first click does not wait two seconds."""

    def warm() -> None:
        import core.evaluation  # noqa: F401

    thread = threading.Thread(target=warm, name="import torch", daemon=True)
    thread.start()
    return thread


@st.cache_resource
def rooms() -> Rooms:
    """The class games of this server; they are gone when it ends."""
    return Rooms()


@st.cache_resource(max_entries=4000, show_spinner=False)
def finished_epochs(run_id: str, ended: float) -> tuple[EpochRecord, ...]:
    """The epochs of a run that has ended, read once: none is added unless it goes on, and then it ends anew."""
    return tuple(store().epochs(run_id))
