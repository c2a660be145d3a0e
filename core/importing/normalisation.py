"""Which normalisation weights were trained with: the file does not say it, so each usual one is evaluated.

The images are some of those that every run holds out, never the test images: the choice must not flatter the test
figure. A network of somebody else's may have been trained on them, which does not matter for this choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from core.data.mnist import MNIST_MEAN, MNIST_SD
from core.training.evaluation import evaluate
from core.training.resident import Examples, Normalisation

IMAGES = 2_000  # evaluated for each: one standard error is 0.2 points at 99%
FEWEST = 200
MAX_MACS = 8 * 10**9  # of all images together: some seconds of one core for each candidate


@dataclass(frozen=True)
class Candidate:
    """A normalisation and its name."""

    key: str  # in a URL and on the command line
    words: str
    normalisation: Normalisation


CANDIDATES = (
    Candidate("mnist", f"mean {MNIST_MEAN}, sd {MNIST_SD}: MNIST's own", Normalisation()),
    Candidate("none", "pixels from 0 to 1", Normalisation(0.0, 1.0)),
    Candidate("half", "mean 0.5, sd 0.5: pixels from -1 to 1", Normalisation(0.5, 0.5)),
    Candidate("bytes", "pixels from 0 to 255", Normalisation(0.0, 1 / 255)),
    Candidate("inverted", "black on white, pixels from 0 to 1", Normalisation(1.0, -1.0)),
    Candidate(
        "inverted-mnist", f"black on white, mean {MNIST_MEAN}, sd {MNIST_SD}", Normalisation(1 - MNIST_MEAN, -MNIST_SD)
    ),
)
USUAL = 3  # of these, the first are shown always


def own(mean: float, sd: float) -> Candidate:
    """A normalisation of one's own."""
    return Candidate("own", f"mean {mean:g}, sd {sd:g}", Normalisation(mean, sd))


def inside(candidate: Candidate, factor: float, shift: float) -> Candidate:
    """The candidate for a network that goes on with pixels * factor + shift: both as one normalisation."""
    outer = candidate.normalisation
    mean, sd = outer.mean - shift * outer.sd / factor, outer.sd / factor
    return replace(candidate, normalisation=Normalisation(mean, sd))


@dataclass(frozen=True)
class Tried:
    """A candidate and what the network reached with it."""

    candidate: Candidate
    accuracy: float
    loss: float
    images: int


def tried(
    network: nn.Module, held_out: Examples, macs: int, candidates: tuple[Candidate, ...] = CANDIDATES
) -> tuple[Tried, ...]:
    """Each candidate evaluated on the same held-out images, in the order given; fewer images where one takes long."""
    count = max(FEWEST, min(IMAGES, MAX_MACS // max(1, macs)))
    some = Examples(held_out.images[:count], held_out.labels[:count])
    found = []
    for candidate in candidates:
        loss, accuracy = evaluate(network, some, candidate.normalisation)
        found.append(Tried(candidate, accuracy, loss, len(some)))
    return tuple(found)


def best(found: tuple[Tried, ...]) -> Tried:
    """The one with the highest accuracy; of equal ones, the lower loss."""
    return min(found, key=lambda each: (-each.accuracy, each.loss))
