"""What a network answers to each image of a split. No torch: numbers only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
