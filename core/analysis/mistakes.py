"""What a network got wrong, in a chosen order, and the confusion matrix that sorts it. No torch: numbers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

MistakeOrder = Literal[
    "least confident",
    "most confident",
    "smallest margin",
    "highest entropy",
    "true class least likely",
    "largest loss",
]
ORDERS: tuple[MistakeOrder, ...] = get_args(MistakeOrder)


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
    def margin(self) -> NDArray[np.float32]:
        """(N,) how far the likeliest class is ahead of the second: 0 where two are level, at most 1."""
        second, first = np.partition(self.probabilities, -2, axis=1)[:, -2:].T
        return np.asarray(first - second, np.float32)

    @property
    def entropy(self) -> NDArray[np.float64]:
        """(N,) bits of doubt: 0 where one class has all, 1 between two equal ones, log2 10 = 3.32 of all ten."""
        p = self.probabilities.astype(np.float64)
        return np.asarray(-(p * np.log2(np.where(p > 0, p, 1))).sum(1) + 0.0)

    @property
    def accuracy(self) -> float:
        return float((self.predicted == self.labels).mean())


def mistakes(predictions: Predictions, order: MistakeOrder = "least confident") -> NDArray[np.int64]:
    """Indices of the wrongly classified images. The last two orders agree: one figure, shown as p or as loss."""
    return ordered(predictions, np.flatnonzero(predictions.predicted != predictions.labels), order)


def ordered(predictions: Predictions, indices: NDArray[np.int64], order: MistakeOrder) -> NDArray[np.int64]:
    """These images in that order; of equals the first in the split comes first, where `indices` rise."""
    true_class = predictions.probabilities[indices, predictions.labels[indices]].astype(np.float64)
    confidence = predictions.confidence[indices].astype(np.float64)
    keys = {
        "least confident": confidence,
        "most confident": -confidence,
        "smallest margin": predictions.margin[indices].astype(np.float64),
        "highest entropy": -predictions.entropy[indices],
        "true class least likely": true_class,
        "largest loss": true_class,  # -log p falls as p rises
    }
    return indices[np.argsort(keys[order], kind="stable")]


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """(10, 10) counts: row the true class, column the predicted one."""
    pairs = predictions.labels * 10 + predictions.predicted
    return np.bincount(pairs, minlength=100).reshape(10, 10)
