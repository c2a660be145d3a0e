"""Augmentation of a batch on the device: one homography per image for all geometric changes, and one resampling.
The rule "torchvision" has two of each, like torchvision: first for the perspective, then for all other changes.

A homography maps an output pixel to the input pixel that it is read from. Coordinates are pixels, x to the right and
y down, with the origin at the centre of the image: in a row of 28 the pixel centres are -13.5, -12.5, ..., 13.5. So
rotating, scaling and shearing need no centre and no size.

The changes are torchvision's random transforms; where ours differ, the function says so. All random numbers come from
one call in a fixed order, also for changes that are off: a seed gives the same angles with and without contrast.
Nothing waits for the device and no shape depends on a value, so a CUDA graph can record it all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from core.errors import DataError
from core.training.recipe import Augmentation, Jitter

Interpolation = Literal["bilinear", "nearest"]


@dataclass(frozen=True)
class Draws:
    """The changes of N images: None for a change that is off, the neutral value for an image without the change."""

    rotation: Tensor | None = None  # (N,) degrees, anticlockwise
    translation: Tensor | None = None  # (2, N) share of the width, to the right, and of the height, down
    scale: Tensor | None = None  # (N,) factor; above 1 enlarges
    shear: Tensor | None = None  # (N,) degrees
    perspective: Tensor | None = None  # (8, N) share of half the side by which x, y of each corner come inwards
    brightness: Tensor | None = None  # (N,) factor
    contrast: Tensor | None = None  # (N,) factor

    @property
    def geometric(self) -> bool:
        """Whether any change is geometric."""
        moves = (self.rotation, self.translation, self.scale, self.shear, self.perspective)
        return any(move is not None for move in moves)


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Grey images (N, 1, H, W), float32 in 0..1, changed at random; the same tensor if no change is on.

    The generator is on the images' device. An image without any change is still resampled with its batch, which changes
    its values by 1e-5 at most. Raises DataError.
    """
    if images.ndim != 4 or images.shape[1] != 1 or images.dtype != torch.float32:
        raise DataError(f"augment: images must be float32 (N, 1, H, W), not {images.dtype} {tuple(images.shape)}")
    if not (augmentation.geometric or augmentation.photometric):
        return images
    height, width = images.shape[2:]
    draws = draw(augmentation, len(images), generator)
    changes = [draws]
    if augmentation.rule == "torchvision":
        draws = in_whole_pixels(draws, augmentation.perspective.strength, height, width)
        changes = [Draws(perspective=draws.perspective), replace(draws, perspective=None)]
    for change in changes:
        if change.geometric:
            matrices = homographies(change, height, width)
            images = warp(images, matrices, augmentation.fill, augmentation.interpolation)
    if draws.brightness is not None:
        images = brightened(images, draws.brightness)
    if draws.contrast is not None:
        images = contrasted(images, draws.contrast)
    return images


# --------------------------------------------------------------------------------------------------------------- draws


def draw(augmentation: Augmentation, count: int, generator: torch.Generator) -> Draws:
    """The random numbers for `count` images, on the generator's device, continuous; see `in_whole_pixels`."""
    numbers = torch.rand(22, count, generator=generator, device=generator.device)
    coins = numbers[:7]  # one per change, in the order of the fields
    signed = (2 * numbers[7:] - 1).split([1, 2, 1, 1, 8, 1, 1])  # (1, N), but for translation and perspective

    def around(neutral: float, jitter: Jitter, change: int) -> Tensor | None:
        if jitter.strength == 0 or jitter.probability == 0:
            return None
        says_yes = coins[change] < jitter.probability
        amounts: Tensor = neutral + jitter.strength * signed[change].squeeze(0) * says_yes
        return amounts

    corners = around(0, augmentation.perspective, 4)
    return Draws(
        rotation=around(0, augmentation.rotation, 0),
        translation=around(0, augmentation.translation, 1),
        scale=around(1, augmentation.scale, 2),
        shear=around(0, augmentation.shear, 3),
        perspective=None if corners is None else corners.abs(),
        brightness=around(1, augmentation.brightness, 5),
        contrast=around(1, augmentation.contrast, 6),
    )


def in_whole_pixels(draws: Draws, distortion_scale: float, height: int, width: int) -> Draws:
    """The draws as torchvision makes them: translations rounded to whole pixels, corners drawn among whole pixels.

    `RandomPerspective.get_params` draws each corner from 0, 1, ..., int(distortion_scale * (side // 2)) pixels, all
    equally likely: for 0.2 and 28 pixels from 0, 1 and 2, with a mean of 1.0, where a continuous draw has 1.4.
    """
    translation, corners = draws.translation, draws.perspective
    if translation is not None:
        side = translation.new_tensor([width, height])[:, None]
        translation = (translation * side).round() / side
    if corners is not None:
        halves = [width // 2, height // 2] * 4  # x, y of each of the four corners
        half = corners.new_tensor(halves)[:, None]
        most = corners.new_tensor([int(distortion_scale * each) for each in halves])[:, None]
        corners = torch.minimum((corners / distortion_scale * (most + 1)).floor(), most) / half
    return replace(draws, translation=translation, perspective=corners)


# --------------------------------------------------------------------------------------------------------- homographies


def homographies(draws: Draws, height: int, width: int) -> Tensor:
    """The images' changes composed: sheared, scaled, rotated and moved, as in RandomAffine, then put in perspective.

    (N, 3, 3), or (N, 2, 3) without a perspective: then the last row would be 0, 0, 1. Identity where all is neutral.
    Something geometric must be on.
    """
    factors = []  # the first change of the image is the last on the way from output to input, so it stands leftmost
    if draws.shear is not None:
        factors.append(shearing(draws.shear))
    if draws.scale is not None:
        factors.append(scaling(draws.scale))
    if draws.rotation is not None:
        factors.append(rotation(draws.rotation))
    if draws.translation is not None:
        factors.append(translation(draws.translation[0] * width, draws.translation[1] * height))
    if draws.perspective is None:
        return reduce(_product, factors)[:, :2]
    inwards = draws.perspective.T.unflatten(1, (4, 2))  # (N, 4, 2)
    pixels = torch.stack([inwards[..., 0] * (width // 2), inwards[..., 1] * (height // 2)], dim=-1)
    return reduce(_product, [*factors, perspective(pixels, height, width)])


def rotation(degrees: Tensor) -> Tensor:
    """Anticlockwise about the centre, as F.rotate turns; (N,) to (N, 3, 3)."""
    angle = torch.deg2rad(degrees)
    zero, cosine, sine = torch.zeros_like(angle), angle.cos(), angle.sin()
    return _matrices(cosine, -sine, zero, sine, cosine, zero, zero, zero, zero + 1)


def translation(right: Tensor, down: Tensor) -> Tensor:
    """By pixels, which need not be whole; (N,) and (N,) to (N, 3, 3)."""
    zero, one = torch.zeros_like(right), torch.ones_like(right)
    return _matrices(one, zero, -right, zero, one, -down, zero, zero, one)


def scaling(factor: Tensor) -> Tensor:
    """Enlarged by the factor about the centre; (N,) to (N, 3, 3)."""
    zero, shrunk = torch.zeros_like(factor), 1 / factor
    return _matrices(shrunk, zero, zero, zero, shrunk, zero, zero, zero, torch.ones_like(factor))


def shearing(degrees: Tensor) -> Tensor:
    """Rows slide along themselves, those below the centre to the left, as F.affine's first shear; (N,) to (N, 3, 3)."""
    zero, one = torch.zeros_like(degrees), torch.ones_like(degrees)
    return _matrices(one, torch.deg2rad(degrees).tan(), zero, zero, one, zero, zero, zero, one)


def perspective(inwards: Tensor, height: int, width: int) -> Tensor:
    """The corners, clockwise from the top left, come inwards by pixels (N, 4, 2) along x and y; to (N, 3, 3).

    As F.perspective, whose corners stand at 0 and side - 1 where pixel centres stand at 0.5, 1.5, ... . The mapping of
    the unit square to a quadrilateral is Heckbert's (1989, Fundamentals of texture mapping and image warping, section
    2.2.3) times its denominator, and inverted through its adjugate: a homography has no scale, so nothing is divided.
    """
    far_x, far_y = 1 - 2 / width, 1 - 2 / height  # half a side is 1 from here on; the near corners stand at -1
    x, y = inwards[..., 0] * (2 / width), inwards[..., 1] * (2 / height)  # (N, 4)
    x = torch.stack([x[:, 0] - 1, far_x - x[:, 1], far_x - x[:, 2], x[:, 3] - 1], dim=1)
    y = torch.stack([y[:, 0] - 1, y[:, 1] - 1, far_y - y[:, 2], far_y - y[:, 3]], dim=1)
    corners = torch.stack([x, y, torch.ones_like(x)], dim=-1)  # (N, 4, 3), homogeneous
    first, second, third, fourth = corners.unbind(1)

    across, down, skew = second - third, fourth - third, first - second + third - fourth
    denominator, g, h = _area(across, down), _area(skew, down), _area(across, skew)  # (N, 1)
    along_u = (second - first) * denominator + g * second  # the columns of square to quadrilateral; the homogeneous
    along_v = (fourth - first) * denominator + h * fourth  # ones become g, h and the denominator by themselves
    origin = first * denominator

    u = torch.linalg.cross(along_v, origin)  # the rows of quadrilateral to square
    v = torch.linalg.cross(origin, along_u)
    w = torch.linalg.cross(along_u, along_v)
    rows = torch.stack([(width - 1) * u - width / 2 * w, (height - 1) * v - height / 2 * w, w], dim=1)
    return torch.stack([rows[..., 0] * (2 / width), rows[..., 1] * (2 / height), rows[..., 2]], dim=-1)


def _area(a: Tensor, b: Tensor) -> Tensor:
    """Of the parallelogram that two vectors (N, 3) span in the plane of x and y, with its sign; (N, 1)."""
    return a[:, 0:1] * b[:, 1:2] - a[:, 1:2] * b[:, 0:1]


def _matrices(*entries: Tensor) -> Tensor:
    """Nine (N,), row by row, to (N, 3, 3)."""
    return torch.stack(entries, dim=-1).view(-1, 3, 3)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """left @ right for (N, 3, 3), summed in float32 even where matrix products may run in TF32 or under autocast."""
    product: Tensor = (left[:, :, :, None] * right[:, None, :, :]).sum(2)
    return product


# ----------------------------------------------------------------------------------------------------------- resampling


def warp(images: Tensor, matrices: Tensor, fill: float, interpolation: Interpolation) -> Tensor:
    """Images (N, C, H, W) resampled through homographies (N, 3, 3), or (N, 2, 3) where all are affine: no division.

    Equals F.affine and F.perspective of tensors: with `fill=None` for fill 0, where zero padding alone blends the rim,
    and with `fill=[fill]` for others, where torchvision weights the rim's grey by its coverage twice.
    """
    grid = _grid(matrices, *images.shape[2:])
    if fill == 0:
        return grid_sample(images, grid, mode=interpolation, padding_mode="zeros", align_corners=False)
    inside = torch.ones_like(images[:, :1])  # warped along, it becomes the share of each output pixel that is covered
    warped = grid_sample(torch.cat([images, inside], 1), grid, interpolation, "zeros", align_corners=False)
    images, inside = warped[:, :-1], warped[:, -1:]
    if interpolation == "nearest":
        return images.masked_fill(inside < 0.5, fill)
    return torch.lerp(torch.full_like(images, fill), images, inside)


def _grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """Where each output pixel is read, (N, H, W, 2), in units of half a side. Sums, not products, as in `_product`."""
    matrices = torch.cat([matrices[:, :1] * (2 / width), matrices[:, 1:2] * (2 / height), matrices[:, 2:]], dim=1)
    x = torch.arange(width, device=matrices.device) - (width - 1) / 2  # (W,)
    y = (torch.arange(height, device=matrices.device) - (height - 1) / 2)[:, None]  # (H, 1)
    a, b, c = matrices[..., None, None].unbind(2)  # (N, 2 or 3, 1, 1) each
    read: Tensor = a * x + (b * y + c)  # (N, 2 or 3, H, W)
    if matrices.shape[1] == 3:
        # In place, as fresh memory costs more than the sums. Infinity would be read as no number, so it is only far.
        read = read[:, :2].div_(read[:, 2:]).clamp_(-4, 4)
    return read.permute(0, 2, 3, 1)


# ---------------------------------------------------------------------------------------------------------- grey levels


def brightened(images: Tensor, factor: Tensor) -> Tensor:
    """Each image (N, 1, H, W) times its factor (N,), cut to 0..1, as F.adjust_brightness."""
    return (images * factor[:, None, None, None]).clamp(0, 1)


def contrasted(images: Tensor, factor: Tensor) -> Tensor:
    """Each image's distance from its own mean grey times its factor (N,), cut to 0..1, as F.adjust_contrast."""
    factor = factor[:, None, None, None]
    return (images * factor + images.mean((1, 2, 3), keepdim=True) * (1 - factor)).clamp(0, 1)
