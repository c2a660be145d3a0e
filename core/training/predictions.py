"""What a network answers to each image of a split. No torch: numbers only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """Ten probabilities for each image of a split, and its label."""

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
        """(N,) the probability of the likeliest class minus that of the second: 0 to 1."""
        second, first = np.partition(self.probabilities, -2, axis=1)[:, -2:].T
        return np.asarray(first - second, np.float32)

    @property
    def entropy(self) -> NDArray[np.float64]:
        """(N,) in bits: 0 if one class has probability 1, 1 for two equal classes, log2 10 = 3.32 for ten."""
        p = self.probabilities.astype(np.float64)
        return np.asarray(-(p * np.log2(np.where(p > 0, p, 1))).sum(1) + 0.0)

    @property
    def accuracy(self) -> float:
        return float((self.predicted == self.labels).mean())
