"""Is a network that is 90% sure right nine times out of ten? Its confidence against its accuracy. No torch.

Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, arXiv:1706.04599; the expected
calibration error is Naeini, Cooper & Hauskrecht's (2015, AAAI).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.training.predictions import Predictions

Binning = Literal["equal width", "equal count"]
BINNINGS: tuple[Binning, ...] = get_args(Binning)
BINS = 15  # as in Guo et al.


@dataclass(frozen=True)
class Bin:
    """The answers with low < confidence <= high; there is at least one."""

    low: float
    high: float
    count: int
    confidence: float  # their mean
    right: int

    @property
    def accuracy(self) -> float:
        return self.right / self.count

    @property
    def gap(self) -> float:
        """Confidence minus accuracy: above 0 if the network is too sure."""
        return self.confidence - self.accuracy


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy, bin by bin."""

    bins: tuple[Bin, ...]  # by rising confidence, without the empty ones
    images: int
    confidence: float  # the mean over all images
    accuracy: float

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the mean over all images of the size of their bin's gap, a fraction."""
        return sum(each.count * abs(each.gap) for each in self.bins) / self.images

    @property
    def largest_gap(self) -> Bin:
        """The bin with the largest gap, in either direction."""
        return max(self.bins, key=lambda each: abs(each.gap))


def calibration(predictions: Predictions, binning: Binning = "equal width", bins: int = BINS) -> Calibration:
    """Sort the answers into bins by their confidence: bins of equal width from 0 to 1, or with equally many answers.

    With equal width, nearly all answers of a good network are in the last bin; with equal count, the sure answers are
    in many bins and the unsure ones in one. Bins of equal count may differ by one answer.
    """
    confidence = predictions.confidence.astype(np.float64)
    right = predictions.predicted == predictions.labels
    if binning == "equal width":
        number = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)  # (N,) from 0; 1 is in the last
        members = [np.flatnonzero(number == each) for each in range(bins)]
        edges = [(each / bins, (each + 1) / bins) for each in range(bins)]
    else:
        members = np.array_split(np.argsort(confidence, kind="stable"), bins)
        edges = _between([confidence[each] for each in members if len(each)])
        members = [each for each in members if len(each)]
    found = [
        Bin(low, high, len(held), float(confidence[held].mean()), int(right[held].sum()))
        for (low, high), held in zip(edges, members, strict=True)
        if len(held)
    ]
    return Calibration(tuple(found), len(confidence), float(confidence.mean()), predictions.accuracy)


def _between(parts: list[NDArray[np.float64]]) -> list[tuple[float, float]]:
    """The edges of each bin: from the end of the bin before it, or 0, to its own highest confidence."""
    ends = [float(part.max()) for part in parts]
    return list(zip([0.0, *ends[:-1]], ends, strict=True))
