"""The 15 images of MNIST's test set with a disputed label, and the votes of people. No torch.

Source: Northcutt, Athalye & Mueller 2021, Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks,
arXiv:2103.14749 (labelerrors.com). They let a network choose 100 of the 10,000 images where it disagrees with the
label, and asked five people about each. The list has the 15 for which fewer than three of the five agree with the
label, which the study counts as an error. Only facts are taken, from mturk/mnist_mturk.json of
github.com/cleanlab/label-errors (its code is under the GPL, version 3 or later; none of it is here). "Nobody can tell"
is an answer too: neither digit.
"""

from __future__ import annotations

from dataclasses import dataclass

DATASET = "MNIST"
SPLIT = "test"
SOURCE = "https://arxiv.org/abs/2103.14749"
SOURCE_WORDS = "Northcutt, Athalye & Mueller 2021"


@dataclass(frozen=True)
class Disputed:
    """An image of the test set, its label, the digit that was suggested instead, and the votes of five people."""

    index: int
    label: int
    suggested: int
    for_label: int
    for_suggested: int
    for_neither: int

    @property
    def words(self) -> str:
        """What the five saw: `of five people 0 saw an 8, 5 a 9`."""
        neither = f", {self.for_neither} neither" if self.for_neither else ""
        return (
            f"of five people {self.for_label} saw {_a(self.label)}, {self.for_suggested} {_a(self.suggested)}{neither}"
        )


DISPUTED: tuple[Disputed, ...] = (
    Disputed(947, 8, 9, 0, 5, 0),
    Disputed(1621, 0, 6, 2, 3, 0),
    Disputed(1901, 9, 4, 2, 3, 0),
    Disputed(2130, 4, 9, 2, 2, 1),
    Disputed(2462, 2, 0, 0, 4, 1),
    Disputed(2597, 5, 3, 0, 4, 1),
    Disputed(2654, 6, 1, 0, 2, 3),
    Disputed(3520, 6, 4, 2, 0, 3),
    Disputed(3558, 5, 0, 1, 4, 0),
    Disputed(5937, 5, 3, 1, 3, 1),
    Disputed(6651, 0, 6, 0, 5, 0),
    Disputed(6783, 1, 6, 2, 3, 0),
    Disputed(8527, 4, 9, 2, 2, 1),
    Disputed(9679, 6, 3, 2, 0, 3),
    Disputed(9729, 5, 6, 2, 3, 0),
)
_BY_INDEX = {each.index: each for each in DISPUTED}


def disputed(dataset: str, split: str, index: int) -> Disputed | None:
    """The votes on that image; None for other images and other data sets."""
    return _BY_INDEX.get(index) if (dataset, split) == (DATASET, SPLIT) else None


def _a(digit: int) -> str:
    return f"{'an' if digit == 8 else 'a'} {digit}"
