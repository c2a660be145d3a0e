"""What checkpoints answer to digits, each computed once for everybody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.mnist import Pixels, SplitName
from core.training.predictions import Predictions
from lab.runs.affordable import affordable, field_images
from lab.studies.answers import read_answers
from lab.ui.caches import split

if TYPE_CHECKING:  # torch takes two seconds to import, and only some pages need it
    from torch import nn

    from core.analysis.effective_field import EffectiveField
    from core.analysis.inside import Activity, Occlusion
    from core.architecture.spec import Architecture
    from core.checkpoints.card import Card
    from core.training.resident import Normalisation
    from lab.studies.shelf import Shelved


@st.cache_resource(max_entries=16)
def opened(stem: str, sha256: str) -> tuple[nn.Sequential, Card]:
    """A checkpoint's network and card, once for each content of its weights."""
    from core.checkpoints.checkpoint import load

    return load(Path(stem))


@st.cache_resource(max_entries=64, show_spinner=False)
def kept_answers(stem: str, sha256: str, dataset: str, name: SplitName) -> Predictions | None:
    """What a shipped checkpoint makes of MNIST's test digits, from the file beside it; None for any other."""
    if (dataset, name) != ("MNIST", "test"):
        return None
    kept, labels = read_answers(Path(stem), sha256), split(dataset, name).labels
    return Predictions(kept, labels.astype(np.int64)) if kept is not None and len(kept) == len(labels) else None


@st.cache_resource(max_entries=24, show_spinner="Reading every image of the split once...")
def predictions(stem: str, sha256: str, dataset: str, name: SplitName) -> Predictions:
    """What a checkpoint makes of a split, without augmentation; of a shipped one and MNIST's test digits it is kept."""
    if (kept := kept_answers(stem, sha256, dataset, name)) is not None:
        return kept
    import torch

    from core.checkpoints.checkpoint import normalisation_of
    from core.training.evaluation import predict
    from core.training.resident import examples

    network, card = opened(stem, sha256)
    return predict(network, examples(split(dataset, name), torch.device("cpu")), normalisation_of(card))


@st.cache_resource
def torch_warming() -> threading.Thread:
    """Import torch beside the page that will need it, so that its first click does not wait two seconds."""

    def warm() -> None:
        import core.training.evaluation  # noqa: F401

    thread = threading.Thread(target=warm, name="import torch", daemon=True)
    thread.start()
    return thread


@st.cache_resource(show_spinner=False)
def _torch_threads() -> int:
    """On how many threads torch computes; read once, before anybody has changed it."""
    import torch

    return torch.get_num_threads()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread: on a busy machine those of a small task wait for each other, up to a second.

    The number is the whole process's: what another session has set for a moment must not be put back as the usual one.
    """
    import torch

    usual = _torch_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def probabilities(shelved: Shelved, digits: Pixels) -> NDArray[np.float32]:
    """(N, 10) for prepared digits (N, 28, 28). Raises CheckpointError."""
    import torch

    from core.checkpoints.checkpoint import normalisation_of
    from core.training.evaluation import log_probabilities

    network, card = opened(str(shelved.stem), shelved.card.weights_sha256)
    with one_thread():
        scores = log_probabilities(network, torch.tensor(digits), normalisation_of(card))
    values: NDArray[np.float32] = scores.exp().numpy()
    return values


@st.cache_data(max_entries=200, show_spinner=False)
def answers_to(stem: str, sha256: str, numbers: tuple[int, ...], _digits: Pixels) -> NDArray[np.int64]:
    """(N,) what a checkpoint reads in prepared drawings (N, 28, 28), which their numbers name."""
    import torch

    from core.checkpoints.checkpoint import normalisation_of
    from core.training.evaluation import log_probabilities

    network, card = opened(stem, sha256)
    scores = log_probabilities(network, torch.tensor(_digits), normalisation_of(card))
    answers: NDArray[np.int64] = scores.argmax(1).numpy()
    return answers


def _effective(
    network: nn.Sequential, architecture: Architecture, index: int, dataset: str, norm: Normalisation
) -> EffectiveField:
    from core.analysis.effective_field import effective_field
    from core.architecture.trace import trace

    count = field_images(trace(architecture))
    return effective_field(network, architecture, index, split(dataset, "test").images[:count], norm)


@st.cache_resource(max_entries=64, show_spinner="Following the gradient back to the pixels...")
def effective_untrained(architecture: str, seed: int, index: int, dataset: str) -> EffectiveField:
    """The effective field after op `index` with the first weights of that seed. `architecture`: its JSON.

    Raises SpecError for a network that is too much for this server.
    """
    from core.architecture.json_form import architecture_from_json
    from core.training.network import build
    from core.training.resident import Normalisation

    spec = affordable(architecture_from_json(architecture)).architecture
    return _effective(build(spec, seed).eval(), spec, index, dataset, Normalisation())


@st.cache_resource(max_entries=64, show_spinner="Following the gradient back to the pixels...")
def effective_trained(stem: str, sha256: str, index: int, dataset: str) -> EffectiveField:
    """The effective field after op `index` of a checkpoint's network. Raises CheckpointError."""
    from core.checkpoints.checkpoint import normalisation_of

    network, card = opened(stem, sha256)
    return _effective(network, card.architecture, index, dataset, normalisation_of(card))


DEAD_FILTER_IMAGES = 1_000  # test digits that a filter must be silent on to count as dead


@st.cache_resource(max_entries=32, show_spinner="Showing it the first test digits...")
def activity_of(stem: str, sha256: str, dataset: str) -> list[Activity]:
    """How much each filter of a checkpoint's network answers. Raises CheckpointError."""
    from core.analysis.inside import activity
    from core.checkpoints.checkpoint import normalisation_of

    network, card = opened(stem, sha256)
    images = split(dataset, "test").images[:DEAD_FILTER_IMAGES]
    return activity(network, card.architecture, images, normalisation_of(card))


@st.cache_resource(max_entries=64, show_spinner="Covering the digit, square by square...")
def occluded(stem: str, sha256: str, digit: bytes, label: int, side: int) -> Occlusion:
    """What covering squares of a digit, 28 x 28 bytes, does to a checkpoint's answer. Raises CheckpointError."""
    from core.analysis.inside import occlusion
    from core.checkpoints.checkpoint import normalisation_of

    network, card = opened(stem, sha256)
    pixels = np.frombuffer(digit, np.uint8).reshape(28, 28)
    return occlusion(network, card.architecture, pixels, normalisation_of(card), label, side)


Film = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]
FILM_CHANNELS = 10  # of a layer: a convolution of the largest network has 19 MB of kernels, and epochs are many


@st.cache_resource(max_entries=16, show_spinner="Opening every epoch...")
def through_epochs(pairs: tuple[tuple[str, str], ...], digit: bytes, name: str) -> Film:
    """Of several checkpoints of one network, stem and SHA-256 each: what the convolution `name` makes of a digit.

    Of its first output channels, at most FILM_CHANNELS: maps (N, C, H, W) and kernels of the first input channel
    (N, C, k, k); and the answer's probabilities (N, 10). Raises CheckpointError.
    """
    from core.analysis.inside import feature_maps, filters_of, probabilities_of
    from core.architecture.trace import trace
    from core.checkpoints.checkpoint import load, normalisation_of

    pixels = np.frombuffer(digit, np.uint8).reshape(28, 28)
    maps, kernels, probabilities = [], [], []
    for stem, _ in pairs:
        network, card = load(Path(stem))
        found = feature_maps(network, card.architecture, pixels, normalisation_of(card))
        layer = next(each for each in trace(card.architecture).every_layer if each.name == name)
        maps.append(found.outputs[name][:FILM_CHANNELS])
        kernels.append(filters_of(network, layer)[:FILM_CHANNELS, 0])
        probabilities.append(probabilities_of(card.architecture, found))
    return np.stack(maps), np.stack(kernels), np.stack(probabilities)
