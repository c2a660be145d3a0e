"""Images read at other places: between their pixels, beyond their border, and beside each place (elastic)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from core.training.augmentation import Elastic

Interpolation = Literal["bilinear", "nearest"]
PaddingMode = Literal["constant", "edge", "reflect", "symmetric"]


def warp(
    images: Tensor,
    matrices: Tensor,
    fill: float,
    interpolation: Interpolation,
    padding_mode: PaddingMode = "constant",
    beside: Tensor | None = None,
) -> Tensor:
    """Images (N, C, H, W) resampled through homographies (N, 3, 3), or (N, 2, 3) where all are affine: no division.

    Equals F.affine and F.perspective of tensors: with `fill=None` for fill 0, where zero padding alone blends the rim,
    and with `fill=[fill]` for others, where torchvision weights the rim's grey by its coverage twice. Beyond the border
    the other padding modes are those of F.pad. `beside` (N, H, W, 2) is added to the places, in half sides.
    """
    grid = _grid(matrices, *images.shape[2:])
    if beside is not None:
        grid = grid + beside
    if padding_mode == "reflect":
        grid = _reflected(grid, *images.shape[2:])
    if padding_mode != "constant":
        padding = "reflection" if padding_mode == "symmetric" else "border"
        return grid_sample(images, grid, mode=interpolation, padding_mode=padding, align_corners=False)
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


def _reflected(grid: Tensor, height: int, width: int) -> Tensor:
    """The places, mirrored at the centres of the border's pixels, which so are not repeated."""
    mirrored = []
    for places, side in zip(grid.unbind(-1), (width, height), strict=True):
        pixels = ((places + 1) * side - 1) / 2  # pixel centres are 0, 1, ..., side - 1 here
        mirrored.append((2 * _mirrored(pixels, side) + 1) / side - 1)
    return torch.stack(mirrored, -1)


def _mirrored(pixels: Tensor, side: int) -> Tensor:
    return (side - 1) - (pixels % (2 * side - 2) - (side - 1)).abs()


def displacements(elastic: Elastic, count: int, generator: torch.Generator, height: int, width: int) -> Tensor:
    """Where to read beside each place, (N, H, W, 2) in half sides, as ElasticTransform: noise blurred by a Gaussian."""
    says_yes = torch.rand(count, generator=generator, device=generator.device) < elastic.probability
    noise = torch.rand(count, 2, height, width, generator=generator, device=generator.device)
    blurred = _blurred(2 * noise - 1, elastic.sigma) * says_yes[:, None, None, None]
    x, y = blurred.unbind(1)  # torchvision divides x by the height and y by the width
    return torch.stack([x * (elastic.strength / height), y * (elastic.strength / width)], -1)


def _blurred(values: Tensor, sigma: float) -> Tensor:
    """Values (..., H, W) blurred by a Gaussian, mirrored at the border, as F.gaussian_blur with an odd 8 sigma."""
    height, width = values.shape[-2:]
    return _blur(height, sigma, values.device) @ values @ _blur(width, sigma, values.device).T


def _blur(side: int, sigma: float, device: torch.device) -> Tensor:
    """The blur along one axis as a matrix (side, side)."""
    reach = (int(8 * sigma + 1) | 1) // 2  # pixels to each side
    steps = torch.arange(-reach, reach + 1, device=device)
    weights = (-0.5 * (steps / sigma) ** 2).softmax(0)
    sides = torch.arange(side, device=device)
    read = _mirrored(sides[:, None] + steps, side)  # (side, 2 reach + 1), which pixel each weight is of
    blur: Tensor = ((read[..., None] == sides) * weights[:, None]).sum(1)
    return blur
