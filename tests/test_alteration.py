"""A digit altered by hand: against numpy's rolling, torchvision's warp, and scipy's and plain maxima."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.analysis.alteration import Alteration, altered
from core.data.drawn_digit import Grey
from core.data.mnist import load_split
from core.data.vision import torchvision
from lab.use.draw.extras import SLIDERS


@pytest.fixture(scope="module")
def digit() -> Grey:
    from core.data.embedded_digits import embedded_digits

    image: Grey = embedded_digits()[0][17]
    return image


def test_by_nothing_it_is_the_very_same(digit: Grey) -> None:
    assert altered(digit, Alteration()) is digit


def moved(image: Grey, right: int, down: int) -> Grey:
    """By whole pixels, black coming in."""
    room = np.pad(image, 10)
    return np.roll(room, (down, right), (0, 1))[10:-10, 10:-10]


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-2, 1), (0, -4)])
def test_a_shift_by_whole_pixels_moves_them_and_by_half_a_one_mixes_two(mnist_raw: Path, right: int, down: int) -> None:
    for image in load_split("MNIST", "test").images[:20]:
        assert np.array_equal(altered(image, Alteration(right, down)), moved(image, right, down))
        half = (moved(image, right, down).astype(float) + moved(image, right + 1, down)) / 2
        assert np.abs(altered(image, Alteration(right + 0.5, down)) - half).max() <= 0.51


@pytest.mark.parametrize(
    ("right", "down", "turn", "size"), [(0, 0, 35, 1.0), (0, 0, 0, 1.4), (-3, 2, -120, 0.7), (5, 0, 180, 1.0)]
)
def test_shift_turn_and_size_are_one_affine_of_torchvisions(
    digit: Grey, right: int, down: int, turn: float, size: float
) -> None:
    theirs = torchvision.transforms.functional.affine(
        torch.tensor(digit)[None].float(), angle=-turn, translate=[right, down], scale=size, shear=[0, 0],
        interpolation=torchvision.transforms.InterpolationMode.BILINEAR,
    )  # fmt: skip
    difference = altered(digit, Alteration(right, down, turn, size)) - theirs[0].numpy()
    assert np.abs(difference).max() < 1  # ours is rounded to bytes


def test_thicker_by_a_pixel_is_the_greatest_of_five_and_thinner_the_least(digit: Grey) -> None:
    around = np.pad(digit, 1)
    five = np.stack([around[1:-1, 1:-1], around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]])
    assert np.array_equal(altered(digit, Alteration(thicker=1)), five.max(0))
    assert np.array_equal(altered(digit, Alteration(thicker=-1)), five.min(0))
    half = (digit.astype(float) + five.max(0)) / 2
    assert np.abs(altered(digit, Alteration(thicker=0.5)) - half).max() <= 0.5


def test_the_thicker_the_more_ink(digit: Grey) -> None:
    ink = [int(altered(digit, Alteration(thicker=each)).sum()) for each in (-1.5, -1, -0.5, 0, 0.5, 1, 1.75, 2.5)]
    assert ink == sorted(ink)
    assert len(set(ink)) == len(ink)


def test_noise_has_the_deviation_asked_for_and_a_seed(digit: Grey) -> None:
    grey = np.full((28, 28), 128, np.uint8)
    noisy = altered(grey, Alteration(noise=20))
    assert noisy.astype(float).std() == pytest.approx(20, rel=0.1)
    assert np.array_equal(noisy, altered(grey, Alteration(noise=20)))
    assert not np.array_equal(noisy, altered(grey, Alteration(noise=20), seed=1))
    assert altered(digit, Alteration(noise=120)).dtype == np.uint8


def test_every_slider_is_a_field_and_begins_where_nothing_is_altered() -> None:
    assert {name: each[3] for name, each in SLIDERS.items()} == Alteration().__dict__
