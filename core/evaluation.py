"""What a network makes of a split: probabilities, accuracy, confusion matrix, and its mistakes in a chosen order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.network import lay_out
from core.resident import Examples, Normalisation, grey, normalised

BATCH = 1_000  # images evaluated at once: large enough to be fast, small enough for a laptop

Order = Literal["least confident", "most confident", "true class least likely", "largest loss"]
ORDERS: tuple[Order, ...] = ("least confident", "most confident", "true class least likely", "largest loss")


@dataclass(frozen=True)
class Predictions:
    """Ten probabilities for each image of a split, and what is true."""

    probabilities: NDArray[np.float32]  # (N, 10)
    labels: NDArray[np.int64]  # (N,)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the most probable class."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(N,) the probability of the predicted class."""
        return np.asarray(self.probabilities.max(1), np.float32)

    @property
    def accuracy(self) -> float:
        return float((self.predicted == self.labels).mean())


@torch.no_grad()
def log_probabilities(network: nn.Module, images: Tensor, normalisation: Normalisation) -> Tensor:
    """(N, 10) for images (N, 28, 28) uint8, in evaluation mode; the network is left in the mode it was in."""
    was_training = network.training
    lay_out(network, images.device)
    network.eval()
    parts = [F.log_softmax(network(normalised(grey(part), normalisation)), 1) for part in images.split(BATCH)]
    network.train(was_training)
    return torch.cat(parts)


def evaluate(network: nn.Module, examples: Examples, normalisation: Normalisation) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    scores = log_probabilities(network, examples.images, normalisation)
    hits = (scores.argmax(1) == examples.labels).sum()
    return F.nll_loss(scores, examples.labels).item(), hits.item() / len(examples)


def predict(network: nn.Module, examples: Examples, normalisation: Normalisation) -> Predictions:
    """The probabilities of every image, on the CPU."""
    scores = log_probabilities(network, examples.images, normalisation)
    return Predictions(scores.exp().cpu().numpy(), examples.labels.cpu().numpy())


def mistakes(predictions: Predictions, order: Order = "least confident") -> NDArray[np.int64]:
    """Indices of the wrongly classified images. The last two orders agree: one figure, shown as p or as loss."""
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    true_class = predictions.probabilities[wrong, predictions.labels[wrong]]
    key = {
        "least confident": predictions.confidence[wrong],
        "most confident": -predictions.confidence[wrong],
        "true class least likely": true_class,
        "largest loss": true_class,  # -log p falls as p rises
    }[order]
    return wrong[np.argsort(key, kind="stable")]


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """(10, 10) counts: row the true class, column the predicted one."""
    pairs = predictions.labels * 10 + predictions.predicted
    return np.bincount(pairs, minlength=100).reshape(10, 10)
