"""The augmentation against torchvision's tensor transforms, numpy and numbers worked by hand.

Images are mostly noise, where a hundredth of a pixel shows. Bilinear warps agree with torchvision's within 1e-4 of the
grey range, and nearest ones but for 0.5% of the pixels, which are read halfway between two.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from core.augment import (
    Draws,
    augment,
    brightened,
    contrasted,
    draw,
    homographies,
    perspective,
    rotation,
    scaling,
    shearing,
    translation,
    warp,
)
from core.errors import DataError
from core.recipe import MOST_STRENGTH, Augmentation, Jitter
from core.vision import torchvision

F = torchvision.transforms.v2.functional if False else torchvision.transforms.functional
MODES = {
    "bilinear": torchvision.transforms.InterpolationMode.BILINEAR,
    "nearest": torchvision.transforms.InterpolationMode.NEAREST,
}
CHANGES = tuple(MOST_STRENGTH)
GEOMETRIC = ("rotation", "translation", "scale", "shear", "perspective")
SIZES = [(28, 28), (17, 33)]
EVERYTHING = Augmentation(
    rotation=Jitter(15),
    translation=Jitter(0.1),
    scale=Jitter(0.2),
    shear=Jitter(10),
    perspective=Jitter(0.4, 0.5),
    brightness=Jitter(0.3),
    contrast=Jitter(0.3),
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 8, height: int = 28, width: int = 28) -> Tensor:
    return torch.rand(count, 1, height, width, generator=seeded(99))


def fill_for_torchvision(fill: float) -> list[float] | None:
    return [fill] if fill else None


def assert_same_warp(ours: Tensor, theirs: Tensor, interpolation: str) -> None:
    assert ours.shape == theirs.shape
    difference = (ours - theirs).abs()
    if interpolation == "bilinear":
        assert difference.max() < 1e-4
    else:
        assert (difference > 1e-6).float().mean() < 0.005


def neutral_but(**changes: Tensor) -> Draws:
    return replace(Draws(None, None, None, None, None, None, None), **changes)


# ------------------------------------------------------------------------------------------------ warps, by torchvision


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("fill", [0.0, 0.6])
@pytest.mark.parametrize("interpolation", MODES)
def test_a_random_rotation_is_torchvisions_rotate(interpolation: str, fill: float, height: int, width: int) -> None:
    images = noise(16, height, width)
    augmentation = Augmentation(rotation=Jitter(180), fill=fill, interpolation=interpolation)
    angles = draw(augmentation, len(images), seeded(1)).rotation
    theirs = torch.stack(
        [
            F.rotate(image, angle.item(), MODES[interpolation], fill=fill_for_torchvision(fill))
            for image, angle in zip(images, angles, strict=True)
        ]
    )
    assert_same_warp(augment(images, augmentation, seeded(1)), theirs, interpolation)


@pytest.mark.parametrize("fill", [0.0, 0.6])
@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize(("height", "width"), SIZES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    angle=st.floats(-180, 180),
    right=st.floats(-8, 8),
    down=st.floats(-8, 8),
    scale=st.floats(0.3, 1.9),
    shear=st.floats(-60, 60),
)
def test_affine_changes_compose_as_in_torchvisions_affine(
    interpolation: str,
    fill: float,
    height: int,
    width: int,
    angle: float,
    right: float,
    down: float,
    scale: float,
    shear: float,
) -> None:
    images = noise(2, height, width)
    draws = neutral_but(
        rotation=torch.full((2,), -angle),  # F.affine turns clockwise
        translation=torch.tensor([[right / width] * 2, [down / height] * 2]),
        scale=torch.full((2,), scale),
        shear=torch.full((2,), shear),
    )
    ours = warp(images, homographies(draws, height, width), fill, interpolation)
    theirs = F.affine(
        images, angle, [right, down], scale, [shear, 0.0], MODES[interpolation], fill_for_torchvision(fill)
    )
    if interpolation == "bilinear":
        assert_same_warp(ours, theirs, interpolation)
    else:  # on lines such as 45 degrees or half pixels, whole diagonals or rows are ties
        reads = _places_read(draws, height, width)
        tied = (np.abs(reads - np.floor(reads) - 0.5) < 1e-4).any(-1)
        assert torch.equal(ours[0, 0][~tied], theirs[0, 0][~tied])


def _places_read(draws: Draws, height: int, width: int) -> np.ndarray:
    """(H, W, 2) indices into the input's columns and rows, in float64."""
    matrix = homographies(draws, height, width)[0].double().numpy()
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    return np.stack([x, y, np.ones_like(x)], -1) @ matrix.T + [(width - 1) / 2, (height - 1) / 2]
