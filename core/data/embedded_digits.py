"""1,797 real handwritten digits that come with the lab, so that it works without a download.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository
1998, doi:10.24432/C50P49, CC BY 4.0; its test part, as distributed with scikit-learn. `embedded_digits.npz`
holds it unchanged: images (1797, 8, 8) with values 0 to 16, labels (1797,). The data set's makers had counted
the ink in the 4 x 4 blocks of a 32 x 32 bitmap.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.data.drawn_digit import prepare

Pixels = NDArray[np.uint8]

FULL = 16  # the value of a pixel that is all ink
ENLARGED = (100, 100)  # pixels, ten for each of the 8 and of the black pixel around them
CONTRAST = 2  # around half ink: it gives the enlarged strokes hard edges like MNIST's; chosen by eye and by one network


@cache
def embedded_digits() -> tuple[Pixels, Pixels]:
    """Images (1797, 28, 28), white on black, prepared as MNIST was, and labels (1797,), 0 to 9; read-only."""
    with np.load(Path(__file__).with_suffix(".npz")) as file:
        small, labels = file["images"], file["labels"]
    images = np.stack([prepare(_enlarged(image)).digit for image in small])
    images.flags.writeable = labels.flags.writeable = False  # the cache returns the same arrays each time
    return images, labels


def _enlarged(image: Pixels) -> Pixels:
    """An 8 x 8 image at 100 x 100, with edges as steep as MNIST's."""
    coverage = Image.fromarray(np.pad(image, 1).astype(np.float32) / FULL)
    smooth = np.asarray(coverage.resize(ENLARGED, Image.Resampling.LANCZOS))
    return np.rint(255 * np.clip((smooth - 0.5) * CONTRAST + 0.5, 0, 1)).astype(np.uint8)
