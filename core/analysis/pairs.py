"""Two networks on the same images: which ones the second fixes, which it breaks, and is that chance? No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import DataError
from core.training.predictions import Predictions
from core.words import plural


@dataclass(frozen=True)
class Pair:
    """The images by which network classifies them correctly, as rising indices into the split."""

    fixed: NDArray[np.int64]  # the first network was wrong, the second is right
    broken: NDArray[np.int64]  # the first was right, the second is wrong
    wrong_in_both: NDArray[np.int64]
    same_answer: int  # of those wrong in both, how many have the same answer from both
    images: int

    @property
    def right_in_both(self) -> int:
        return self.images - len(self.fixed) - len(self.broken) - len(self.wrong_in_both)

    @property
    def difference(self) -> float:
        """Of the accuracies, second minus first."""
        return (len(self.fixed) - len(self.broken)) / self.images


def pair(first: Predictions, second: Predictions) -> Pair:
    """Sort the images of a split by two networks' answers. Raises DataError for answers about different images."""
    if len(first.labels) != len(second.labels):
        raise DataError(
            f"the two networks answered about {len(first.labels):,} and {plural(len(second.labels), 'image')}; "
            "only answers about the same ones can be compared"
        )
    if differing := int((first.labels != second.labels).sum()):
        labels = f"{plural(differing, 'label')} {'differs' if differing == 1 else 'differ'}"
        raise DataError(f"the two networks answered about different images: {labels}")
    right, then = first.predicted == first.labels, second.predicted == second.labels
    both = ~right & ~then
    return Pair(
        fixed=np.flatnonzero(~right & then),
        broken=np.flatnonzero(right & ~then),
        wrong_in_both=np.flatnonzero(both),
        same_answer=int((both & (first.predicted == second.predicted)).sum()),
        images=len(right),
    )


def mcnemar(fixed: int, broken: int) -> float:
    """The chance of numbers at least so different, if each changed image was as likely fixed as broken.

    The exact, two-sided form of McNemar 1947, doi:10.1007/BF02295996: images on which both agree say nothing.
    """
    if not fixed + broken:
        return 1.0
    from scipy.stats import binomtest  # here, as importing it takes a second

    return float(binomtest(fixed, fixed + broken, 0.5).pvalue)


def paired_standard_error(fixed: int, broken: int, images: int) -> float:
    """The standard error of the difference of two accuracies on the same images, as a fraction."""
    return math.sqrt(max(0.0, fixed + broken - (fixed - broken) ** 2 / images)) / images
