"""An imported network evaluated here, as the card of a checkpoint."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import torch
from torch import nn

from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.checkpoints.card import DIGITS_INPUT, Card, Imported
from core.data.mnist import Dataset
from core.errors import ImportingError
from core.importing.match import Match, loaded
from core.importing.normalisation import CANDIDATES, Candidate, Tried, inside, tried
from core.importing.onnx_import import OnnxNetwork
from core.importing.tensors import Tensors
from core.outside import cut
from core.record import MAX_TEXT
from core.training.evaluation import evaluate
from core.training.recipe import Recipe
from core.training.resident import Examples, examples, resident


@dataclass(frozen=True)
class Brought:
    """A network with weights from elsewhere, ready to be tried."""

    network: nn.Sequential
    architecture: Architecture
    file: str
    kind: str  # of the file, in words
    matched: str  # how its weights were given to the ops
    factor: float = 1.0  # an ONNX graph may begin with pixels * factor + shift, which the network does not
    shift: float = 0.0

    def normalised(self, candidate: Candidate) -> Candidate:
        """The normalisation of the network's input where the file's input has the candidate's."""
        return candidate if (self.factor, self.shift) == (1, 0) else inside(candidate, self.factor, self.shift)


def of_weights(file: str, tensors: Tensors, architecture: Architecture, found: Match) -> Brought:
    """A network with the weights of a file. Raises LabError where they do not fit, or the network reads no digits."""
    check_digits(architecture)
    return Brought(loaded(found, architecture), architecture, file, tensors.kind, found.how)


def of_onnx(file: str, found: OnnxNetwork) -> Brought:
    """The network of an ONNX file. Raises LabError where it reads no digits."""
    check_digits(found.architecture)
    how = f"node by node; outputs within {found.difference:.1e} of {found.runtime}"
    return Brought(found.network, found.architecture, file, "ONNX", how, found.factor, found.shift)


def check_digits(architecture: Architecture) -> None:
    """Raises SpecError or ImportingError for a network that does not read digits of 28 x 28 into ten outputs."""
    if architecture.input != DIGITS_INPUT:
        size = " x ".join(map(str, architecture.input))
        raise ImportingError(f"the network takes images of {size}, the lab's data sets have 1 x 28 x 28")
    classifier(architecture)


def held_out(data: Dataset) -> Examples:
    """The images that every run of the data set holds out."""
    validation = resident(data, Recipe(validation_size=5000), torch.device("cpu")).validation
    assert validation is not None
    return validation


def all_tried(brought: Brought, images: Examples, own: tuple[Candidate, ...] = ()) -> tuple[Tried, ...]:
    """What the network reaches with each normalisation, and with those of one's own."""
    macs = classifier(brought.architecture).macs
    return tried(brought.network, images, macs, tuple(brought.normalised(each) for each in (*CANDIDATES, *own)))


def card_of(
    brought: Brought, name: str, data: Dataset, chosen: Candidate, found: tuple[Tried, ...], by: str = ""
) -> Card:
    """The card, with the test figures measured now. `found`: what the normalisations reached, if they were tried."""
    check_digits(brought.architecture)
    start = time.perf_counter()
    loss, accuracy = evaluate(brought.network, examples(data.test, torch.device("cpu")), chosen.normalisation)
    of_it = next((each for each in found if each.candidate == chosen), None)
    how = f"{chosen.words}; {of_it.accuracy:.2%} of {of_it.images:,} held-out images" if of_it else chosen.words
    return Card(
        name=cut(name, MAX_TEXT),
        slug="",
        architecture=brought.architecture,
        recipe=Recipe(),
        dataset=data.name,
        choice="imported",
        epoch=0,
        history=(),
        parameters=classifier(brought.architecture).parameters,
        normalisation_mean=chosen.normalisation.mean,
        normalisation_sd=chosen.normalisation.sd,
        train_images=0,
        validation_images=0,
        test_images=len(data.test),
        device="cpu",
        versions={"python": platform.python_version(), "torch": str(torch.__version__)},
        seconds=time.perf_counter() - start,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        imported=Imported(
            brought.file, brought.kind, brought.matched, min(loss, 1e19), accuracy, how[:200], cut(by, MAX_TEXT)
        ),
    )
