"""QMNIST's further test digits: 50,000 of the 60,000 from which MNIST's 10,000 test digits were drawn.

Yadav & Bottou, "Cold case: the lost MNIST digits", NeurIPS 2019, arXiv:1905.10498. No network of the lab was trained or
chosen on them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.data.mnist import IMAGES, Split, data_root, find, read_idx
from core.errors import DataError

QMNIST = "QMNIST"
PART = "test50k"  # what torchvision calls them
ALL, COLUMNS = 60_000, 8  # test digits in the files, and figures about each; the first is its class
FURTHER = ALL - IMAGES["test"]
STEMS = ("qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int")


def load_further(root: Path | None = None) -> Split:
    """The 50,000 digits behind the first 10,000, which are MNIST's own. Raises DataError."""
    folder = (root or data_root()) / QMNIST / "raw"
    images = read_idx(folder, STEMS[0], (ALL, 28, 28), QMNIST, np.uint8)
    labels = read_idx(folder, STEMS[1], (ALL, COLUMNS), QMNIST, np.int32)[:, 0]
    if labels.min() < 0 or labels.max() > 9:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"{folder / STEMS[1]}: a label is {wrong}, only 0 to 9 are possible")
    return Split(images[-FURTHER:], labels[-FURTHER:].astype(np.uint8))


def is_here(root: Path | None = None) -> bool:
    """Whether both files exist. Their content is checked when they are read."""
    folder = (root or data_root()) / QMNIST / "raw"
    return all(find(folder, stem) is not None for stem in STEMS)
