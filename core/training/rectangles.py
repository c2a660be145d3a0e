"""Random rectangles: the part of an image that is enlarged (RandomResizedCrop), or erased (RandomErasing).

Both draw an area and a ratio up to ten times, until the rectangle fits, and then its place. Here all ten are drawn, so
that nothing waits for the device, and the first one that fits is taken.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.training.augmentation import Erasing, Zoom

TRIES = 10  # as torchvision


def zoomed_part(
    zoom: Zoom, count: int, generator: torch.Generator, height: int, width: int, whole: bool = False
) -> Tensor:
    """The left, top, width and height (4, N) of the part that fills the image, in pixels, `whole` ones if so asked.

    The whole image where none fits, as torchvision for a square.
    """
    numbers = torch.rand(1 + 2 * TRIES + 2, count, generator=generator, device=generator.device)
    areas = height * width * (1 - zoom.strength * numbers[1 : 1 + TRIES])
    ratios = (math.log(zoom.ratio) * (2 * numbers[1 + TRIES : 1 + 2 * TRIES] - 1)).exp()
    wide, high = (areas * ratios).sqrt(), (areas / ratios).sqrt()
    if whole:
        wide, high = wide.round(), high.round()
    fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
    found, says_yes = _first(fits, torch.stack([wide, high])), numbers[0] < zoom.probability
    sizes = torch.where(says_yes & (found > 0), found, _sides(height, width, found))
    return _placed(sizes, numbers[-2:], height, width, whole)


def erased_part(erasing: Erasing, count: int, generator: torch.Generator, height: int, width: int) -> Tensor:
    """The left, top, width and height (4, N) of the rectangle to erase, in whole pixels; no size for none."""
    numbers = torch.rand(1 + 2 * TRIES + 2, count, generator=generator, device=generator.device)
    areas = height * width * (erasing.least + (erasing.strength - erasing.least) * numbers[1 : 1 + TRIES])
    low, high_ratio = math.log(erasing.least_ratio), math.log(erasing.most_ratio)
    ratios = (low + (high_ratio - low) * numbers[1 + TRIES : 1 + 2 * TRIES]).exp()
    high, wide = (areas * ratios).sqrt().round(), (areas / ratios).sqrt().round()
    fits = (high < height) & (wide < width)
    found = _first(fits, torch.stack([wide, high]))
    return _placed(found * (numbers[0] < erasing.probability), numbers[-2:], height, width, whole=True)


def erased(images: Tensor, part: Tensor, value: float) -> Tensor:
    """Grey images (N, 1, H, W) with one grey level in a rectangle of each (4, N), as F.erase."""
    left, top, wide, high = part[:, :, None, None, None]  # (N, 1, 1, 1)
    x = torch.arange(images.shape[3], device=images.device)
    y = torch.arange(images.shape[2], device=images.device)[:, None]
    inside = (x >= left) & (x < left + wide) & (y >= top) & (y < top + high)
    return images.masked_fill(inside, value)


def _first(fits: Tensor, sizes: Tensor) -> Tensor:
    """Of widths and heights (2, tries, N) those (2, N) of the first try that fits, or 0."""
    order = torch.arange(len(fits), device=fits.device)[:, None]
    first = torch.where(fits, order, len(fits)).amin(0)  # (N,)
    taken = sizes.gather(1, first.clamp(max=len(fits) - 1).expand(2, 1, -1)).squeeze(1)
    return taken * (first < len(fits))


def _sides(height: int, width: int, like: Tensor) -> Tensor:
    """(2, N): the width and the height of the image, made on the device: a CUDA graph cannot record a copy to it."""
    return torch.stack([torch.full_like(like[0], width), torch.full_like(like[1], height)])


def _placed(sizes: Tensor, numbers: Tensor, height: int, width: int, whole: bool) -> Tensor:
    """Rectangles of these widths and heights (2, N) at places that are all equally likely; (4, N)."""
    room = _sides(height, width, sizes) - sizes
    places = torch.minimum((numbers * (room + 1)).floor(), room) if whole else numbers * room
    return torch.cat([places, sizes])
