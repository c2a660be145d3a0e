"""The digits that come with the lab: the published counts, and MNIST's own geometry."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data import embedded_digits as module
from core.data.embedded_digits import embedded_digits


def test_each_digit_comes_as_often_as_the_source_says() -> None:
    _, labels = embedded_digits()
    assert np.bincount(labels).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]  # optdigits.names


def test_images_are_28_by_28_white_on_black_with_a_full_white() -> None:
    images, labels = embedded_digits()
    assert images.shape == (1797, 28, 28)
    assert images.dtype == np.uint8
    assert labels.shape == (1797,)
    assert (images.max(axis=(1, 2)) == 255).all()
    assert (images[:, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()


def test_ink_is_20_pixels_on_its_longer_side() -> None:
    images, _ = embedded_digits()
    extents = []
    for axis in (1, 2):
        inked = images.any(axis=3 - axis)
        extents.append(28 - inked.argmax(axis=1) - inked[:, ::-1].argmax(axis=1))
    assert (np.maximum(*extents) == 20).mean() > 0.99
    assert np.maximum(*extents).max() == 20


def test_centres_of_mass_are_within_half_a_pixel_of_14_14() -> None:
    images, _ = embedded_digits()
    levels = images.astype(np.float64)
    mass = levels.sum(axis=(1, 2))
    for axis in (1, 2):
        centres = (levels.sum(axis=3 - axis) * np.arange(28)).sum(axis=1) / mass
        assert np.abs(centres - 14).max() <= 0.5 + 1e-9


def test_each_image_shows_the_8_by_8_digit_it_was_made_from() -> None:
    """The ink of both, cut out and brought to 8 by 8, correlates."""
    images, _ = embedded_digits()
    with np.load(Path(module.__file__).with_suffix(".npz")) as file:
        small = file["images"]

    def signature(image: np.ndarray, threshold: int) -> np.ndarray:
        rows, columns = (np.flatnonzero((image > threshold).any(axis=axis)) for axis in (1, 0))
        ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
        return np.asarray(Image.fromarray(ink).resize((8, 8), Image.Resampling.BOX)).ravel()

    made = np.array([signature(image, 64) for image in images])
    sources = np.array([signature(image, 4) for image in small])
    agreement = [np.corrcoef(a, b)[0, 1] for a, b in zip(made, sources, strict=True)]
    by_chance = [np.corrcoef(a, b)[0, 1] for a, b in zip(made, np.roll(sources, 1, axis=0), strict=True)]
    assert np.mean(agreement) > 0.8
    assert np.mean(by_chance) < 0.4


def test_the_arrays_are_made_once_and_cannot_be_changed() -> None:
    images, labels = embedded_digits()
    assert embedded_digits()[0] is images
    with pytest.raises(ValueError, match="read-only"):
        images[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        labels[0] = 1


def test_the_file_stays_below_60_kilobytes() -> None:
    assert Path(module.__file__).with_suffix(".npz").stat().st_size < 60_000
