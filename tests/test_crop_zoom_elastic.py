"""Crop, zoom, elastic, erasing and the border against torchvision's own: on the same numbers, and in distribution."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from core.data.vision import torchvision
from core.training.augment import Draws, augment, draw, translation, zooming
from core.training.augmentation import Augmentation, Elastic, Erasing, Jitter, Zoom
from core.training.rectangles import erased
from core.training.resampling import warp

pytestmark = pytest.mark.own_data

transforms = torchvision.transforms
F = transforms.functional
ALL = Augmentation(
    rotation=Jitter(10), crop=Jitter(0.1), zoom=Zoom(0.2, 0.5), elastic=Elastic(50, 0.5), erasing=Erasing(0.3)
)
COUNT = 3000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 8, height: int = 28, width: int = 28) -> Tensor:
    return torch.rand(count, 1, height, width, generator=seeded(99))


def drawn(augmentation: Augmentation, name: str, count: int = COUNT) -> Tensor:
    found = getattr(draw(augmentation, count, seeded(3)), name)
    assert isinstance(found, Tensor)
    return found


# ------------------------------------------------------------------------------------------------- on the same numbers


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_a_crop_is_the_crop_of_the_padded_image(mode: str, interpolation: str) -> None:
    images = noise(16)
    changes = Augmentation(crop=Jitter(4 / 28), fill=0.6, padding_mode=mode, interpolation=interpolation)
    shifts = draw(changes, 16, seeded(5)).crop
    assert shifts is not None
    assert shifts.abs().max() == 4
    theirs = [
        F.crop(F.pad(image, [4], 0.6, mode), 4 - int(down), 4 - int(right), 28, 28)
        for image, (right, down) in zip(images, shifts.T, strict=True)
    ]
    torch.testing.assert_close(augment(images, changes, seeded(5)), torch.stack(theirs), atol=2e-5, rtol=0)


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric"])
def test_half_a_pixel_beyond_the_border_is_between_the_padded_pixels(mode: str) -> None:
    images, half = noise(3), torch.full((3,), 2.5)
    moved = warp(images, translation(half, 0 * half)[:, :2], 0.0, "bilinear", mode)
    padded = F.pad(images, [3, 0], 0, mode)
    torch.testing.assert_close(moved, (padded[..., 0:28] + padded[..., 1:29]) / 2, atol=2e-5, rtol=0)


@pytest.mark.parametrize("part", [(3, 5, 20, 16), (0, 0, 28, 28), (8, 2, 14, 25)])
def test_a_zoomed_part_is_the_resized_crop(part: tuple[int, int, int, int]) -> None:
    images = noise(2)
    left, top, wide, high = part
    zoomed = warp(images, zooming(torch.tensor([part, part]).T.float(), 28, 28)[:, :2], 0.0, "bilinear")
    theirs = F.resized_crop(images, top, left, high, wide, [28, 28])
    rim = 1 if wide < 28 else 0  # there a resized crop repeats its edge, and the lab reads the pixel beside it
    inside = slice(rim, 28 - rim), slice(rim, 28 - rim)
    torch.testing.assert_close(zoomed[..., *inside], theirs[..., *inside], atol=2e-5, rtol=0)


@pytest.mark.parametrize("sigma", [5.0, 3.0])
def test_elastic_is_torchvisions_for_the_same_noise(sigma: float) -> None:
    images = noise(3)
    changes = Augmentation(elastic=Elastic(50, sigma=sigma))
    generator = seeded(7)
    torch.rand(22, 3, generator=generator)
    torch.rand(3, generator=generator)
    directions = 2 * torch.rand(3, 2, 28, 28, generator=generator) - 1
    kernel = int(8 * sigma + 1)
    theirs = []
    for image, each in zip(images, directions, strict=True):
        blurred = F.gaussian_blur(each[:, None], [kernel, kernel], [sigma, sigma]) * 50 / 28
        beside = blurred.squeeze(1).permute(1, 2, 0)[None]
        theirs.append(F.elastic_transform(image, beside, F.InterpolationMode.BILINEAR, fill=None))
    torch.testing.assert_close(augment(images, changes, seeded(7)), torch.stack(theirs), atol=5e-5, rtol=0)


def test_an_erased_rectangle_is_torchvisions() -> None:
    images = noise(4)
    part = torch.tensor([[3, 5, 7, 9], [0, 0, 28, 28], [27, 27, 1, 1], [4, 4, 0, 0]]).T
    theirs = [
        F.erase(image, int(top), int(left), int(high), int(wide), torch.tensor([[[0.4]]]))
        for image, (left, top, wide, high) in zip(images, part.T, strict=True)
    ]
    assert torch.equal(erased(images, part, 0.4), torch.stack(theirs))


def test_by_torchvisions_rule_zoom_and_elastic_are_resamplings_of_their_own_after_the_affine_change() -> None:
    changes = replace(ALL, rule="torchvision", erasing=Erasing(), zoom=Zoom(0.3), elastic=Elastic(40))
    images, draws = noise(6), draw(changes, 6, seeded(1))
    once = augment(images, changes, seeded(1))
    alone = replace(draws, zoom=None, elastic=None)
    turned = [
        F.affine(image, -float(angle), [int(right), int(down)], 1.0, [0.0, 0.0], F.InterpolationMode.BILINEAR)
        for image, angle, (right, down) in zip(images, alone.rotation, alone.crop.T, strict=True)  # type: ignore[union-attr, arg-type]
    ]
    assert draws.zoom is not None
    assert torch.equal(draws.zoom, draws.zoom.round()), "whole pixels"
    zoomed = warp(torch.stack(turned), zooming(draws.zoom, 28, 28)[:, :2], 0.0, "bilinear")
    bent = warp(zoomed, torch.eye(2, 3).expand(6, 2, 3), 0.0, "bilinear", beside=draws.elastic)
    torch.testing.assert_close(once, bent, atol=1e-4, rtol=0)


# --------------------------------------------------------------------------------------------------- in distribution


def assert_alike(ours: Tensor, theirs: Tensor) -> None:
    """Kolmogorov and Smirnov's distance of two samples of COUNT each; 0.05 is exceeded by chance once in 900 times."""
    values = torch.cat([ours, theirs]).unique()
    shares = [(sample[:, None] <= values).float().mean(0) for sample in (ours, theirs)]
    assert (shares[0] - shares[1]).abs().max() < 0.05


def test_crops_are_as_often_at_each_place_as_torchvisions() -> None:
    torch.manual_seed(1)
    padded, ours = torch.zeros(1, 36, 36), drawn(Augmentation(crop=Jitter(0.15)), "crop")  # 4.2 pixels: 4
    theirs = torch.tensor([transforms.RandomCrop.get_params(padded, (28, 28))[:2] for _ in range(COUNT)]) - 4
    for axis in (0, 1):
        assert ours[axis].unique().tolist() == list(range(-4, 5))
        assert_alike(ours[axis], theirs[:, axis].float())


def test_zoomed_parts_are_as_large_and_as_long_and_as_placed_as_torchvisions() -> None:
    torch.manual_seed(2)
    get, image = transforms.RandomResizedCrop.get_params, torch.zeros(1, 28, 28)
    theirs = torch.tensor([get(image, [0.4, 1.0], [0.5, 2.0]) for _ in range(COUNT)]).T.float()
    ours = drawn(Augmentation(zoom=Zoom(0.6, ratio=2.0), rule="torchvision"), "zoom")
    for mine, other in ((0, 1), (1, 0), (2, 3), (3, 2)):  # left, top, width, height; torchvision has the rows first
        assert_alike(ours[mine], theirs[other])
    assert_alike(ours[2] / ours[3], theirs[3] / theirs[2])
    continuous = drawn(Augmentation(zoom=Zoom(0.6, ratio=2.0)), "zoom")
    assert not torch.equal(continuous, continuous.round())
    assert (continuous[:2] + continuous[2:] <= 28 + 1e-4).all()


def test_erased_rectangles_are_as_large_and_as_long_and_as_placed_as_torchvisions() -> None:
    torch.manual_seed(3)
    get, image = transforms.RandomErasing.get_params, torch.zeros(1, 28, 28)
    theirs = torch.tensor([get(image, (0.02, 0.33), (0.3, 3.3), [0.0])[:4] for _ in range(COUNT)]).T.float()
    ours = drawn(Augmentation(erasing=Erasing(0.33, 1.0)), "erasing")
    for mine, other in ((0, 1), (1, 0), (2, 3), (3, 2)):
        assert_alike(ours[mine], theirs[other])
    assert_alike(ours[2] * ours[3], theirs[2] * theirs[3])


@pytest.mark.parametrize("probability", [0.1, 0.7])
def test_each_change_is_made_in_its_share_of_the_images(probability: float) -> None:
    changes = Augmentation(
        crop=Jitter(0.4, probability),
        zoom=Zoom(0.5, probability),
        elastic=Elastic(50, probability),
        erasing=Erasing(0.3, probability, least=0.1),
    )
    draws = draw(changes, COUNT, seeded(4))
    assert draws.crop is not None
    assert draws.zoom is not None
    assert draws.elastic is not None
    assert draws.erasing is not None
    made = [
        draws.crop.any(0),
        (draws.zoom[2:] < 28).any(0),
        draws.elastic.flatten(1).any(1),
        draws.erasing[2:].any(0),
    ]
    for each in made:
        assert each.float().mean() == pytest.approx(probability, abs=0.035)
    for mine in range(4):
        for other in range(mine):
            both = (made[mine] & made[other]).float().mean()
            assert both == pytest.approx(probability**2, abs=0.035), "the coins are thrown separately"


def test_a_change_at_probability_0_draws_nothing() -> None:
    off = replace(ALL, rotation=Jitter(), crop=Jitter(0.1, 0), zoom=Zoom(0.1, 0), elastic=Elastic(50, 0))
    assert draw(replace(off, erasing=Erasing(0.3, 0)), 4, seeded()) == Draws()
    assert not off.geometric
    assert off.photometric
    assert ALL.geometric


def test_the_angles_of_a_seed_are_those_without_the_new_changes() -> None:
    first, second = (draw(each, 9, seeded()).rotation for each in (ALL, Augmentation(rotation=Jitter(10))))
    assert torch.equal(first, second)  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["composed", "torchvision"])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_no_value_leaves_the_device_and_every_grey_stays_one(mode: str, rule: str) -> None:
    changes = replace(ALL, padding_mode=mode, rule=rule)
    changed = augment(noise(32), changes, seeded())
    assert changed.shape == (32, 1, 28, 28)
    assert changed.min() >= 0
    assert changed.max() <= 1
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        assert augment(fake.from_tensor(torch.zeros(8, 1, 28, 28)), changes, seeded()).shape == (8, 1, 28, 28)
