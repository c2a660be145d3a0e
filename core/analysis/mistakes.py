"""The mistakes of a network in a chosen order, and the confusion matrix. No torch: numbers only."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.training.predictions import Predictions

MistakeOrder = Literal[
    "least confident",
    "most confident",
    "smallest margin",
    "highest entropy",
    "true class least likely",
    "largest loss",
]
ORDERS: tuple[MistakeOrder, ...] = get_args(MistakeOrder)


def mistakes(predictions: Predictions, order: MistakeOrder = "least confident") -> NDArray[np.int64]:
    """Indices of the wrongly classified images. The last two orders agree: one figure, shown as p or as loss."""
    return ordered(predictions, np.flatnonzero(predictions.predicted != predictions.labels), order)


def ordered(predictions: Predictions, indices: NDArray[np.int64], order: MistakeOrder) -> NDArray[np.int64]:
    """These images in that order; equal ones stay in the order of `indices`."""
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
