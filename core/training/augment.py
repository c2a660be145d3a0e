"""Augmentation of a batch on the device: one homography per image for all geometric changes, and one resampling.
The rule "torchvision" has two of each, like torchvision: first for the perspective, then for all other changes.

A homography maps an output pixel to the input pixel that it is read from. Coordinates are pixels, x to the right and
y down, with the origin at the centre of the image: in a row of 28 the pixel centres are -13.5, -12.5, ..., 13.5. So
rotating, scaling and shearing need no centre and no size.

The changes are torchvision's random transforms; where ours differ, the function says so. The random numbers of the
first seven changes come from one call in a fixed order, also for changes that are off: a seed gives the same angles
with and without contrast. Those of crop, zoom, elastic and erasing follow, in this order, where they are on. Nothing
waits for the device and no shape depends on a value, so a CUDA graph can record it all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch import Tensor

from core.errors import DataError
from core.training.augmentation import Augmentation, Jitter
from core.training.rectangles import erased, erased_part, zoomed_part
from core.training.resampling import displacements, warp


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
    crop: Tensor | None = None  # (2, N) whole pixels, to the right and down
    zoom: Tensor | None = None  # (4, N) pixels: left, top, width and height of the part that fills the image
    elastic: Tensor | None = None  # (N, H, W, 2) where to read beside, in half sides
    erasing: Tensor | None = None  # (4, N) whole pixels: left, top, width and height of the rectangle

    @property
    def geometric(self) -> bool:
        """Whether any change is geometric."""
        return self.moves or self.elastic is not None

    @property
    def moves(self) -> bool:
        """Whether any change is a homography."""
        moves = (self.rotation, self.translation, self.scale, self.shear, self.perspective, self.crop, self.zoom)
        return any(move is not None for move in moves)


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Grey images (N, 1, H, W), float32 in 0..1, changed at random; the same tensor if no change is on.

    The generator is on the images' device. An image without any change is still resampled with its batch, which changes
    its values by 1e-5 at most. Raises DataError.
    """
    if images.ndim != 4 or images.shape[1] != 1 or images.dtype != torch.float32:
        raise DataError(f"augment: images must be float32 (N, 1, H, W), not {images.dtype} {tuple(images.shape)}")
    if not augmentation.changes:
        return images
    height, width = images.shape[2:]
    draws = draw(augmentation, len(images), generator, height, width)
    changes = [draws]
    if augmentation.rule == "torchvision":
        draws = in_whole_pixels(draws, augmentation.perspective.strength, height, width)
        changes = [
            Draws(perspective=draws.perspective),
            replace(draws, perspective=None, zoom=None, elastic=None),
            Draws(zoom=draws.zoom),
            Draws(elastic=draws.elastic),
        ]
    for change in changes:
        if change.geometric:
            still = torch.eye(2, 3, device=images.device).expand(len(images), 2, 3)
            matrices = homographies(change, height, width) if change.moves else still
            how = augmentation.interpolation, augmentation.padding_mode
            images = warp(images, matrices, augmentation.fill, *how, change.elastic)
    if draws.brightness is not None:
        images = brightened(images, draws.brightness)
    if draws.contrast is not None:
        images = contrasted(images, draws.contrast)
    if draws.erasing is not None:
        images = erased(images, draws.erasing, augmentation.erasing.value)
    return images


# --------------------------------------------------------------------------------------------------------------- draws


def draw(
    augmentation: Augmentation, count: int, generator: torch.Generator, height: int = 28, width: int = 28
) -> Draws:
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
    draws = Draws(
        rotation=around(0, augmentation.rotation, 0),
        translation=around(0, augmentation.translation, 1),
        scale=around(1, augmentation.scale, 2),
        shear=around(0, augmentation.shear, 3),
        perspective=None if corners is None else corners.abs(),
        brightness=around(1, augmentation.brightness, 5),
        contrast=around(1, augmentation.contrast, 6),
    )
    if augmentation.has("crop"):
        draws = replace(draws, crop=_crop(augmentation.crop, count, generator, height, width))
    if augmentation.has("zoom"):
        whole = augmentation.rule == "torchvision"
        draws = replace(draws, zoom=zoomed_part(augmentation.zoom, count, generator, height, width, whole))
    if augmentation.has("elastic"):
        draws = replace(draws, elastic=displacements(augmentation.elastic, count, generator, height, width))
    if augmentation.has("erasing"):
        draws = replace(draws, erasing=erased_part(augmentation.erasing, count, generator, height, width))
    return draws


def _crop(crop: Jitter, count: int, generator: torch.Generator, height: int, width: int) -> Tensor:
    """Shifts (2, N) by whole pixels, all equally likely up to the padding, as by RandomCrop of a padded image."""
    says_yes, *numbers = torch.rand(3, count, generator=generator, device=generator.device)
    most = [round(crop.strength * side) for side in (width, height)]
    shifts = [
        (number * (2 * pixels + 1)).floor().clamp(max=2 * pixels) - pixels
        for number, pixels in zip(numbers, most, strict=True)
    ]
    moved: Tensor = torch.stack(shifts) * (says_yes < crop.probability)
    return moved


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
    """The images' changes composed: sheared, scaled, rotated and moved, as in RandomAffine, put in perspective, zoomed.

    (N, 3, 3), or (N, 2, 3) without a perspective: then the last row would be 0, 0, 1. Identity where all is neutral.
    Something that moves must be on.
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
    if draws.crop is not None:
        factors.append(translation(*draws.crop))
    if draws.perspective is not None:
        inwards = draws.perspective.T.unflatten(1, (4, 2))  # (N, 4, 2)
        pixels = torch.stack([inwards[..., 0] * (width // 2), inwards[..., 1] * (height // 2)], dim=-1)
        factors.append(perspective(pixels, height, width))
    if draws.zoom is not None:
        factors.append(zooming(draws.zoom, height, width))
    composed = reduce(_product, factors)
    return composed[:, :2] if draws.perspective is None else composed


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


def zooming(part: Tensor, height: int, width: int) -> Tensor:
    """A part, its left, top, width and height in pixels (4, N), fills the whole image; to (N, 3, 3)."""
    left, top, wide, high = part
    zero, one = torch.zeros_like(left), torch.ones_like(left)
    right, down = left + (wide - width) / 2, top + (high - height) / 2
    return _matrices(wide / width, zero, right, zero, high / height, down, zero, zero, one)


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


# ---------------------------------------------------------------------------------------------------------- grey levels


def brightened(images: Tensor, factor: Tensor) -> Tensor:
    """Each image (N, 1, H, W) times its factor (N,), cut to 0..1, as F.adjust_brightness."""
    return (images * factor[:, None, None, None]).clamp(0, 1)


def contrasted(images: Tensor, factor: Tensor) -> Tensor:
    """Each image's distance from its own mean grey times its factor (N,), cut to 0..1, as F.adjust_contrast."""
    factor = factor[:, None, None, None]
    return (images * factor + images.mean((1, 2, 3), keepdim=True) * (1 - factor)).clamp(0, 1)
