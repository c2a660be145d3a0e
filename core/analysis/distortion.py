"""The accuracy of a network on the embedded digits, and on distorted test digits.

Nothing here is random: the same network and images give the same figures on the same machine. Distorted images are
rounded to bytes, as in a data set, so that a distortion of size zero gives the same images.
"""

from __future__ import annotations

import statistics

import torch
from torch import Tensor, nn

from core.analysis.robustness import DISTORTIONS, EVERY, Curve, Distortion, Robustness
from core.data.embedded_digits import embedded_digits
from core.data.mnist import Split
from core.training.augment import rotation, scaling, translation
from core.training.evaluation import evaluate
from core.training.resampling import warp
from core.training.resident import Examples, Normalisation, examples, grey

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # to the right, to the left, down, up


def subset(test: Split) -> Split:
    """The test images that are distorted, every fifth: MNIST's first 5,000 are easier than its last."""
    return Split(test.images[::EVERY], test.labels[::EVERY])


def homographies(kind: Distortion, amount: float) -> list[Tensor]:
    """The homographies (1, 3, 3) for an amount of a distortion: four for a shift, one for the others."""
    if kind == "shift":
        moves = [(torch.tensor([amount * right]), torch.tensor([amount * down])) for right, down in DIRECTIONS]
        return [translation(right, down) for right, down in moves]
    return [(rotation if kind == "rotation" else scaling)(torch.tensor([float(amount)]))]


def distorted(images: Tensor, homography: Tensor) -> Tensor:
    """Bytes (N, 28, 28) resampled with one affine homography (1, 3, 3), bilinear, black outside the image."""
    matrices = homography[:, :2].to(images.device).expand(len(images), -1, -1)
    warped = warp(grey(images), matrices, fill=0, interpolation="bilinear")
    return warped.squeeze(1).mul_(255).round_().to(torch.uint8)


def accuracy(
    network: nn.Module, normalisation: Normalisation, given: Examples, kind: Distortion, amount: float
) -> float:
    """The accuracy on examples distorted by that amount; for a shift the mean over its four directions."""
    parts = [Examples(distorted(given.images, each), given.labels) for each in homographies(kind, amount)]
    return statistics.mean(evaluate(network, part, normalisation)[1] for part in parts)


def embedded_accuracy(network: nn.Module, normalisation: Normalisation) -> tuple[float, int]:
    """The accuracy on all embedded digits, and their number. Only for a network that was not trained on them."""
    images, labels = embedded_digits()
    given = examples(Split(images, labels), torch.device("cpu"))
    return evaluate(network, given, normalisation)[1], len(given)


def measure(
    network: nn.Module, normalisation: Normalisation, test: Split, *, checkpoint: str, weights_sha256: str
) -> Robustness:
    """The network's accuracy, on the CPU, on the embedded digits and on the test images at every distortion."""
    given = examples(test, torch.device("cpu"))
    found, count = embedded_accuracy(network, normalisation)

    def curve(kind: Distortion) -> Curve:
        return tuple((amount, accuracy(network, normalisation, given, kind, amount)) for amount in DISTORTIONS[kind])

    return Robustness(
        checkpoint=checkpoint,
        weights_sha256=weights_sha256,
        device="cpu",
        torch=torch.__version__,
        images=len(given),
        embedded_accuracy=found,
        embedded_images=count,
        shift=curve("shift"),
        rotation=curve("rotation"),
        scale=curve("scale"),
    )
