"""The augmentation against torchvision's tensor transforms, numpy in float64 and numbers worked by hand.

Images are noise where they can be, in which a hundredth of a pixel shows. Bilinear warps agree with torchvision's to
5e-5 of the grey range; nearest ones but for 0.05% of the pixels, those read halfway between two.
"""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from core.data.vision import torchvision
from core.errors import DataError
from core.training.augment import (
    Draws,
    augment,
    brightened,
    contrasted,
    draw,
    homographies,
    in_whole_pixels,
    perspective,
    rotation,
    scaling,
    shearing,
    translation,
)
from core.training.recipe import MAX_STRENGTH, Augmentation, Jitter
from core.training.resampling import warp

pytestmark = pytest.mark.own_data

F = torchvision.transforms.functional
MODES = {
    "bilinear": torchvision.transforms.InterpolationMode.BILINEAR,
    "nearest": torchvision.transforms.InterpolationMode.NEAREST,
}
NOTHING = Draws(None, None, None, None, None, None, None)
CHANGES = tuple(field.name for field in fields(Draws))[:7]  # the rest: tests/test_crop_zoom_elastic.py
PHOTOMETRIC = ("brightness", "contrast")
EVERYTHING = Augmentation(
    rotation=Jitter(15),
    translation=Jitter(0.1),
    scale=Jitter(0.2),
    shear=Jitter(10),
    perspective=Jitter(0.4, 0.5),
    brightness=Jitter(0.3),
    contrast=Jitter(0.3),
)

every_mode = pytest.mark.parametrize("interpolation", MODES)
every_fill = pytest.mark.parametrize("fill", [0.0, 0.6])
every_size = pytest.mark.parametrize(("height", "width"), [(28, 28), (17, 33)])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 8, height: int = 28, width: int = 28) -> Tensor:
    return torch.rand(count, 1, height, width, generator=seeded(99))


def torchvision_fill(fill: float) -> list[float] | None:
    return [fill] if fill else None


def torchvision_affine(images: Tensor, draws: Draws, interpolation: str, fill: float) -> Tensor:
    """Each image by F.affine, which turns clockwise."""
    height, width = images.shape[2:]
    return torch.stack(
        [
            F.affine(
                image,
                -draws.rotation[i].item(),
                [draws.translation[0, i].item() * width, draws.translation[1, i].item() * height],
                draws.scale[i].item(),
                [draws.shear[i].item(), 0.0],
                MODES[interpolation],
                torchvision_fill(fill),
            )
            for i, image in enumerate(images)
        ]
    )


def corners_of(inwards: Tensor, height: int, width: int) -> tuple[list[list[int]], list[list[float]]]:
    """torchvision's start and end points for corners (4, 2) that come inwards."""
    start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    signs = [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    end = [
        [x + sx * dx, y + sy * dy] for (x, y), (sx, sy), (dx, dy) in zip(start, signs, inwards.tolist(), strict=True)
    ]
    return start, end


def assert_same_warp(ours: Tensor, theirs: Tensor, interpolation: str) -> None:
    assert ours.shape == theirs.shape
    difference = (ours - theirs).abs()
    if interpolation == "bilinear":
        assert difference.max() < 5e-5
    else:
        assert (difference > 1e-6).float().mean() < 0.0005


# ------------------------------------------------------------------------------------------- warps, against torchvision


@every_size
@every_fill
@every_mode
def test_random_rotations_are_those_of_torchvisions_rotate(
    interpolation: str, fill: float, height: int, width: int
) -> None:
    images = noise(16, height, width)
    augmentation = Augmentation(rotation=Jitter(180), fill=fill, interpolation=interpolation)
    angles = draw(augmentation, 16, seeded(1)).rotation.tolist()
    theirs = [
        F.rotate(image, angle, MODES[interpolation], fill=torchvision_fill(fill))
        for image, angle in zip(images, angles, strict=True)
    ]
    assert_same_warp(augment(images, augmentation, seeded(1)), torch.stack(theirs), interpolation)


@every_size
@every_fill
@every_mode
def test_random_affine_changes_compose_as_in_torchvisions_affine(
    interpolation: str, fill: float, height: int, width: int
) -> None:
    images = noise(64, height, width)
    augmentation = Augmentation(
        Jitter(180), Jitter(0.5), Jitter(0.7), Jitter(60), fill=fill, interpolation=interpolation
    )
    theirs = torchvision_affine(images, draw(augmentation, 64, seeded(2)), interpolation, fill)
    assert_same_warp(augment(images, augmentation, seeded(2)), theirs, interpolation)


@every_fill
@settings(max_examples=100, deadline=None, derandomize=True)
@example(angle=0, right=0, down=0, scale=1, shear=0)
@example(angle=90, right=0.5, down=-0.5, scale=0.1, shear=60)
@given(
    angle=st.floats(-180, 180),
    right=st.floats(-0.5, 0.5),
    down=st.floats(-0.5, 0.5),
    scale=st.floats(0.1, 1.9),
    shear=st.floats(-60, 60),
)
def test_any_affine_change_that_a_recipe_may_ask_for_is_torchvisions(
    fill: float, angle: float, right: float, down: float, scale: float, shear: float
) -> None:
    images = noise(1)
    draws = replace(
        NOTHING,
        rotation=torch.tensor([angle]),
        translation=torch.tensor([[right], [down]]),
        scale=torch.tensor([scale]),
        shear=torch.tensor([shear]),
    )
    ours = warp(images, homographies(draws, 28, 28), fill, "bilinear")
    assert_same_warp(ours, torchvision_affine(images, draws, "bilinear", fill), "bilinear")


@every_size
@every_fill
@every_mode
def test_random_perspectives_are_torchvisions(interpolation: str, fill: float, height: int, width: int) -> None:
    images = noise(64, height, width)
    augmentation = Augmentation(perspective=Jitter(0.6), fill=fill, interpolation=interpolation)
    shares = draw(augmentation, 64, seeded(3)).perspective.T.reshape(64, 4, 2)
    inwards = shares * torch.tensor([width // 2, height // 2])
    theirs = [
        F.perspective(image, *corners_of(corners, height, width), MODES[interpolation], fill=torchvision_fill(fill))
        for image, corners in zip(images, inwards, strict=True)
    ]
    assert_same_warp(augment(images, augmentation, seeded(3)), torch.stack(theirs), interpolation)


# ------------------------------------------------------------------------------------------------ warps, worked by hand


def test_a_shift_by_whole_pixels_moves_the_grey_levels_unchanged() -> None:
    images = noise(3)
    moved = warp(images, translation(torch.full((3,), 3.0), torch.full((3,), -2.0)), 0.0, "nearest")
    assert torch.equal(moved[:, :, :-2, 3:], images[:, :, 2:, :-3])
    assert moved[:, :, -2:].eq(0).all()
    assert moved[:, :, :, :3].eq(0).all()


def test_quarter_turns_are_anticlockwise() -> None:
    images = noise(3)
    turned = warp(images, rotation(torch.tensor([90.0, 180.0, -90.0])), 0.0, "bilinear")
    for image, original, quarters in zip(turned, images, (1, 2, -1), strict=True):
        torch.testing.assert_close(image, original.rot90(quarters, (1, 2)), atol=1e-4, rtol=0)


def test_doubling_the_size_repeats_each_pixel_of_the_middle() -> None:
    images = noise(2)
    doubled = warp(images, scaling(torch.full((2,), 2.0)), 0.0, "nearest")
    middle = images[:, :, 7:21, 7:21]
    assert torch.equal(doubled, middle.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_a_shear_of_45_degrees_reads_each_row_as_far_along_as_it_is_below_the_centre() -> None:
    point = torch.tensor([2.0, 5.0, 1.0])
    torch.testing.assert_close(shearing(torch.tensor([45.0]))[0] @ point, torch.tensor([7.0, 5.0, 1.0]))


@every_size
def test_a_perspective_takes_the_moved_corners_back_to_where_they_were(height: int, width: int) -> None:
    inwards = torch.rand(200, 4, 2, generator=seeded(4)) * torch.tensor([width // 2, height // 2]) * 0.8
    matrices = perspective(inwards, height, width)
    centre = torch.tensor([width / 2, height / 2])
    for matrix, corners in zip(matrices, inwards, strict=True):
        start, end = (
            torch.tensor(points, dtype=torch.float32) - centre for points in corners_of(corners, height, width)
        )
        homogeneous = torch.cat([end, torch.ones(4, 1)], 1) @ matrix.T
        torch.testing.assert_close(homogeneous[:, :2] / homogeneous[:, 2:], start, atol=2e-3, rtol=0)


def test_one_composed_warp_reads_where_the_changes_one_after_the_other_lead() -> None:
    # A wave with slopes below 0.05 and second derivatives below 0.01 per pixel: interpolation errs by less than 0.003.
    def wave(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.5 + 0.2 * np.sin(0.2 * x + 0.1) + 0.2 * np.cos(0.15 * y - 0.3)

    height, width, count = 28, 40, 50
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    images = torch.tensor(wave(x, y), dtype=torch.float32).expand(count, 1, -1, -1)
    augmentation = replace(EVERYTHING, perspective=Jitter(0.4), brightness=Jitter(), contrast=Jitter())
    draws = draw(augmentation, count, seeded(5))
    warped = augment(images, augmentation, seeded(5)).double().numpy()

    compared = 0
    for i in range(count):
        shares = draws.perspective[:, i].reshape(4, 2) * torch.tensor([width // 2, height // 2])
        start, end = corners_of(shares, height, width)
        u, v = _by_linear_equations(end, start, x + width / 2, y + height / 2)
        u, v = u - width / 2, v - height / 2  # out of perspective
        u, v = u - draws.translation[0, i].item() * width, v - draws.translation[1, i].item() * height
        angle = math.radians(draws.rotation[i].item())
        u, v = u * math.cos(angle) - v * math.sin(angle), u * math.sin(angle) + v * math.cos(angle)
        u, v = u / draws.scale[i].item(), v / draws.scale[i].item()
        u = u + v * math.tan(math.radians(draws.shear[i].item()))
        inside = (abs(u) <= (width - 1) / 2) & (abs(v) <= (height - 1) / 2)
        np.testing.assert_allclose(warped[i, 0][inside], wave(u, v)[inside], atol=0.003)
        compared += inside.sum()
    assert compared > 0.5 * count * height * width


def _by_linear_equations(
    source: list[list[float]], target: list[list[float]], x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points through the homography that takes four points to four others, its eight entries solved for in float64."""
    rows, right = [], []
    for (a, b), (c, d) in zip(source, target, strict=True):
        rows += [[a, b, 1, 0, 0, 0, -a * c, -b * c], [0, 0, 0, a, b, 1, -a * d, -b * d]]
        right += [c, d]
    h = np.linalg.solve(np.array(rows), np.array(right))
    w = h[6] * x + h[7] * y + 1
    return (h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w


@every_fill
@every_mode
def test_the_strongest_perspectives_give_grey_levels_and_never_no_number(interpolation: str, fill: float) -> None:
    augmentation = Augmentation(perspective=Jitter(1.0), fill=fill, interpolation=interpolation)
    images = augment(noise(3000), augmentation, seeded(6))
    assert 0 <= images.min() <= images.max() <= 1  # false for NaN


def test_a_pixel_read_from_infinity_is_filled() -> None:
    collapsed = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    for fill in (0.0, 0.6):
        torch.testing.assert_close(warp(noise(1), collapsed, fill, "bilinear"), torch.full((1, 1, 28, 28), fill))


@every_fill
@every_mode
def test_what_comes_from_outside_has_the_fill_grey(interpolation: str, fill: float) -> None:
    moved = warp(noise(4), translation(torch.full((4,), 10.4), torch.zeros(4)), fill, interpolation)
    assert (moved[..., :10] == fill).all()
    assert (moved[..., 11:] != fill).all()


# ---------------------------------------------------------------------------------------------------------- grey levels


@pytest.mark.parametrize(
    ("change", "ours", "theirs"),
    [("brightness", brightened, F.adjust_brightness), ("contrast", contrasted, F.adjust_contrast)],
)
def test_brightness_and_contrast_are_torchvisions(change: str, ours: object, theirs: object) -> None:
    images = noise(64, 20, 31)
    augmentation = Augmentation(**{change: Jitter(1.0)})
    factors = getattr(draw(augmentation, 64, seeded(8)), change)
    expected = torch.stack([theirs(image, factor.item()) for image, factor in zip(images, factors, strict=True)])
    assert (expected == 1).any()  # some were cut
    torch.testing.assert_close(ours(images, factors), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(augment(images, augmentation, seeded(8)), expected, atol=1e-6, rtol=0)


def test_brightness_comes_before_contrast_and_both_after_the_warp() -> None:
    images = noise(16)
    draws = draw(EVERYTHING, 16, seeded(9))
    warped = warp(images, homographies(draws, 28, 28), 0.0, "bilinear")
    expected = [
        F.adjust_contrast(F.adjust_brightness(image, brightness.item()), contrast.item())
        for image, brightness, contrast in zip(warped, draws.brightness, draws.contrast, strict=True)
    ]
    torch.testing.assert_close(augment(images, EVERYTHING, seeded(9)), torch.stack(expected), atol=1e-6, rtol=0)


# ----------------------------------------------------------------------------------------------------------- randomness


def test_the_same_seed_gives_the_same_images_and_another_seed_gives_others() -> None:
    images = noise()
    first = augment(images, EVERYTHING, seeded(10))
    assert torch.equal(first, augment(images, EVERYTHING, seeded(10)))
    assert not torch.equal(first, augment(images, EVERYTHING, seeded(11)))


def test_randomness_comes_from_the_generator_alone_and_the_given_images_stay_as_they_are() -> None:
    images, before = noise(), torch.get_rng_state()
    generator = seeded(12)
    state = generator.get_state()
    augment(images, EVERYTHING, generator)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(generator.get_state(), state)
    assert torch.equal(images, noise())


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_drawn_alike_whatever_else_is_on(change: str) -> None:
    alone = Augmentation(**{change: getattr(EVERYTHING, change)})
    drawn = getattr(draw(alone, 50, seeded(13)), change)
    assert torch.equal(drawn, getattr(draw(EVERYTHING, 50, seeded(13)), change))


def test_what_is_switched_off_is_not_drawn_and_takes_no_number() -> None:
    generator = seeded(14)
    state = generator.get_state()
    images = noise()
    assert augment(images, Augmentation(), generator) is images
    assert torch.equal(generator.get_state(), state)
    assert draw(Augmentation(rotation=Jitter(10, 0.0)), 5, generator) == NOTHING


@pytest.mark.parametrize("change", CHANGES)
def test_probability_0_leaves_images_bit_identical(change: str) -> None:
    images = noise()
    augmentation = Augmentation(**{change: Jitter(MAX_STRENGTH[change], 0.0)}, fill=0.6)
    assert torch.equal(augment(images, augmentation, seeded()), images)


@pytest.mark.parametrize("change", CHANGES)
def test_images_whose_coin_says_no_keep_their_grey_levels(change: str) -> None:
    images = noise(64)
    for interpolation in MODES:
        augmentation = Augmentation(
            **{change: Jitter(MAX_STRENGTH[change] / 3, 0.5)}, fill=0.6, interpolation=interpolation
        )
        drawn = getattr(draw(augmentation, 64, seeded(15)), change)
        neutral = 1.0 if change in ("scale", *PHOTOMETRIC) else 0.0
        spared = (drawn == neutral).reshape(-1, 64).all(0)
        assert 10 < spared.sum() < 54
        difference = (augment(images, augmentation, seeded(15)) - images).abs().amax((1, 2, 3))
        exact = change in PHOTOMETRIC or interpolation == "nearest"
        assert difference[spared].max() <= (0 if exact else 1e-5)
        assert (difference[~spared] > 1e-3).float().mean() > 0.8  # the slightest turns move no pixel by half


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_applied_to_about_its_probability_of_the_images(change: str, probability: float) -> None:
    count = 20_000
    augmentation = Augmentation(**{change: Jitter(0.5, probability)})
    drawn = getattr(draw(augmentation, count, seeded(16)), change)
    neutral = 1.0 if change in ("scale", *PHOTOMETRIC) else 0.0
    applied = (drawn != neutral).reshape(-1, count).any(0).sum().item()
    assert abs(applied - probability * count) < 4 * math.sqrt(probability * (1 - probability) * count)


def test_the_coins_of_different_changes_are_thrown_separately() -> None:
    count = 20_000
    halves = Augmentation(**{change: Jitter(0.5, 0.5) for change in CHANGES})
    draws = draw(halves, count, seeded(17))
    neutral = {change: 1.0 if change in ("scale", *PHOTOMETRIC) else 0.0 for change in CHANGES}
    applied = np.stack(
        [(getattr(draws, change) != neutral[change]).reshape(-1, count).any(0).numpy() for change in CHANGES]
    )
    correlation = np.corrcoef(applied) - np.eye(len(CHANGES))
    assert abs(correlation).max() < 4 / math.sqrt(count)


@pytest.mark.parametrize("change", CHANGES)
def test_draws_are_uniform_over_exactly_their_range(change: str) -> None:
    count, strength = 20_000, MAX_STRENGTH[change] * 0.9
    drawn = getattr(draw(Augmentation(**{change: Jitter(strength)}), count, seeded(18)), change).double().numpy()
    neutral = 1.0 if change in ("scale", *PHOTOMETRIC) else 0.0
    low, high = (0.0, strength) if change == "perspective" else (neutral - strength, neutral + strength)
    for row in drawn.reshape(-1, count):  # two rows for a translation, eight for a perspective
        quantiles = (np.sort(row) - low) / (high - low)
        assert quantiles[0] >= -1e-6
        assert quantiles[-1] <= 1 + 1e-6
        ranks = (np.arange(count) + 0.5) / count
        assert abs(quantiles - ranks).max() < 1.95 / math.sqrt(count)  # Kolmogorov and Smirnov's bound at 0.1%


def test_the_two_axes_of_a_translation_and_the_corners_of_a_perspective_are_independent() -> None:
    draws = draw(EVERYTHING, 20_000, seeded(19))
    applied = draws.perspective[:, draws.perspective.any(0)]
    for rows in (draws.translation, applied):
        correlation = np.corrcoef(rows.numpy()) - np.eye(len(rows))
        assert abs(correlation).max() < 4 / math.sqrt(rows.shape[1])


# --------------------------------------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize(("count", "height", "width"), [(1, 28, 28), (0, 28, 28), (3, 8, 50), (2, 32, 31)])
@every_mode
def test_images_of_any_number_and_size_keep_their_shape_and_stay_grey(
    interpolation: str, count: int, height: int, width: int
) -> None:
    augmentation = replace(EVERYTHING, interpolation=interpolation, fill=0.2)
    augmented = augment(noise(count, height, width), augmentation, seeded(20))
    assert augmented.shape == (count, 1, height, width)
    assert augmented.dtype == torch.float32
    assert ((augmented >= 0) & (augmented <= 1)).all()


@every_fill
@every_mode
def test_no_value_leaves_the_device(interpolation: str, fill: float) -> None:
    # Fake tensors have shapes but no values: asking for one, as .item(), a mask index or an if would, raises.
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        images = mode.from_tensor(torch.zeros(8, 1, 28, 28))
        augmented = augment(images, replace(EVERYTHING, interpolation=interpolation, fill=fill), seeded())
        assert augmented.shape == (8, 1, 28, 28)
        with pytest.raises(Exception, match=r"item|data-dependent|_local_scalar_dense"):
            augmented.sum().item()


@pytest.mark.parametrize(
    ("images", "named"),
    [
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), r"torch.uint8 \(2, 1, 28, 28\)"),
        (torch.zeros(2, 28, 28), r"torch.float32 \(2, 28, 28\)"),
        (torch.zeros(2, 3, 28, 28), r"torch.float32 \(2, 3, 28, 28\)"),
    ],
)
def test_images_of_another_kind_are_refused_by_name(images: Tensor, named: str) -> None:
    with pytest.raises(DataError, match=named):
        augment(images, EVERYTHING, seeded())


# --------------------------------------------------------------------------------------------- torchvision's own rule

TORCHVISION = Augmentation(
    rotation=Jitter(15),
    translation=Jitter(0.1),
    perspective=Jitter(0.2, 0.5),
    interpolation="nearest",
    rule="torchvision",
)


@pytest.mark.parametrize("interpolation", MODES)
def test_by_torchvisions_rule_a_perspective_and_then_an_affine_change_are_two_resamplings(interpolation: str) -> None:
    augmentation = replace(TORCHVISION, interpolation=interpolation)
    images = noise(64)
    ours = augment(images, augmentation, seeded(5))
    drawn = in_whole_pixels(draw(augmentation, 64, seeded(5)), 0.2, 28, 28)
    theirs = []
    for i, image in enumerate(images):
        corners = (drawn.perspective[:, i].reshape(4, 2) * 14).round()
        image = F.perspective(image, *corners_of(corners, 28, 28), MODES[interpolation])
        moved = (drawn.translation[:, i] * 28).round().int().tolist()
        angle = float(drawn.rotation[i])
        theirs.append(F.affine(image, -angle, moved, 1.0, [0.0, 0.0], MODES[interpolation]))
    wrong = ((ours - torch.stack(theirs)).abs() > 1e-4).float().mean()
    assert wrong < (0.002 if interpolation == "nearest" else 1e-9)  # nearest: two resamplings, halfway between pixels


def test_by_torchvisions_rule_whole_pixels_are_drawn_as_often_as_torchvision_draws_them() -> None:
    transform = torchvision.transforms.RandomPerspective(0.2, 1.0)
    torch.manual_seed(1)
    theirs = torch.tensor([transform.get_params(28, 28, 0.2)[1] for _ in range(4_000)]).float()  # (N, 4, 2)
    ends = torch.tensor([[0, 0], [27, 0], [27, 27], [0, 27]])
    theirs = (theirs - ends).abs().reshape(4_000, 8).T
    certain = replace(TORCHVISION, perspective=Jitter(0.2))
    ours = in_whole_pixels(draw(certain, 4_000, seeded(1)), 0.2, 28, 28).perspective * 14
    assert torch.equal(ours.round(), ours.round(decimals=4))
    assert set(ours.round().unique().tolist()) == {0.0, 1.0, 2.0}
    for pixels in (0, 1, 2):
        shares = [(each.round() == pixels).float().mean(1) for each in (ours, theirs)]
        assert (shares[0] - shares[1]).abs().max() < 0.05, "each of 0, 1 and 2 a third of the time, at all corners"
    assert ours.mean() == pytest.approx(1.0, abs=0.02)
    assert theirs.mean() == pytest.approx(1.0, abs=0.02)
    continuous = draw(certain, 4_000, seeded(1)).perspective * 14
    assert continuous.mean() == pytest.approx(1.4, abs=0.02), "which is 40% more"


@given(strength=st.floats(0.01, 1), side=st.integers(4, 40))
def test_by_torchvisions_rule_the_furthest_corner_is_torchvisions(strength: float, side: int) -> None:
    draws = Draws(perspective=torch.full((8, 1), strength), translation=torch.full((2, 1), strength / 2))
    whole = in_whole_pixels(draws, strength, side, side)
    assert (whole.perspective * (side // 2)).round().max() == int(strength * (side // 2))
    assert (whole.translation * side).round().max() == round(float(draws.translation.max() * side))
