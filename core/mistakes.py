"""What a network got wrong, in a chosen order, and the confusion matrix that sorts it. No torch: numbers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MistakeOrder = Literal["least confident", "most confident", "true class least likely", "largest loss"]
ORDERS: tuple[MistakeOrder, ...] = ("least confident", "most confident", "true class least likely", "largest loss")


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


def mistakes(predictions: Predictions, order: MistakeOrder = "least confident") -> NDArray[np.int64]:
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
