"""Where a photograph has ink, and how much: its grey levels, and how far they are from the ground beneath.

The ground comes from a closing (Serra 1982): what is narrower than the window, such as a stroke, is filled from around
it; what is wider, or meets the frame, such as a shadow, a table or a dark bar, stays ground, with a sharp edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Levels = NDArray[np.float64]  # (H, W), 0 to 255
Mask = NDArray[np.bool_]  # (H, W)
Scalar = TypeVar("Scalar", np.bool_, np.float64)

WINDOW = 0.6  # of the shorter side: wider than any stroke
DARKEST_GROUND = 0.25  # of the bright ground: ink on it is not magnified further, as it would be in a black corner
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
FAINT_LUMA = 0.5  # of what the colours differ: with less, luma does not tell ink from ground
VOTING_SIDE = 72  # pixels of the longer side of the small picture that tells which is ink
EVEN = 0.15  # of the contrast: a frame that varies less is all ground
TWO_LEVELS = 0.65  # of the pixels are close to one of two levels: a drawing, or a close crop


@dataclass(frozen=True)
class Ink:
    """How much darker, or brighter, each pixel is than its ground, in grey levels."""

    levels: Levels  # paper is about 0
    noise: float  # standard deviation of the paper
    valid: Mask  # within the picture: one that was turned upright has corners that are not
    bright: bool  # brighter than its ground


def grey_of(colours: NDArray[np.uint8]) -> Levels:
    """(H, W, 3) to grey levels: luma, or where ink and ground are equally bright the colour in which they differ."""
    rgb = colours.astype(np.float64)
    if (colours == colours[:, :, :1]).all():
        return rgb[:, :, 0]
    from scipy import ndimage

    small = rgb[:: max(1, max(rgb.shape[:2]) // 100), :: max(1, max(rgb.shape[:2]) // 100)]
    size = max(3, int(min(small.shape[:2]) * 0.3))
    detail = (small - ndimage.uniform_filter(small, (size, size, 1))).reshape(-1, 3)
    values, vectors = np.linalg.eigh(detail.T @ detail)  # the last one is the direction of the greatest difference
    if np.sum((detail @ LUMA) ** 2) >= FAINT_LUMA**2 * values[2] / 3:
        luma: Levels = rgb @ LUMA
        return luma
    grey = rgb @ (vectors[:, 2] / np.abs(vectors[:, 2]).sum())
    stretched: Levels = np.clip((grey - grey.min()) * (255 / max(float(np.ptp(grey)), 1.0)), 0, 255)
    return stretched


def reduced(grey: Levels, side: int = VOTING_SIDE) -> Levels:
    """The picture with a longer side of at most so many pixels."""
    zoom = min(1.0, side / max(grey.shape))
    width, height = (max(1, round(length * zoom)) for length in grey.shape[::-1])
    small = Image.fromarray(grey.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def is_bright(small: Levels) -> bool:
    """Is the ink brighter than its ground? By an even frame, else by what differs from its
    surroundings in the middle of the picture."""
    frame = frame_of(small)
    if np.ptp(frame) <= EVEN * np.ptp(small):
        return bool(small.mean() > frame.mean())
    from scipy import ndimage

    size = max(3, int(0.45 * min(small.shape)) | 1)
    detail = small - ndimage.median_filter(small, size, mode="nearest")
    height, width = small.shape
    middle = detail[height // 5 : height - height // 5, width // 5 : width - width // 5]
    strongest = float(np.abs(middle).max(initial=0))
    middle = np.where(np.abs(middle) > 0.15 * strongest, middle, 0)
    return float((middle * np.abs(middle)).sum()) > 0


def two_levels(small: Levels) -> Mask | None:
    """Which pixels are bright, where nearly all are close to one of two levels; None elsewhere."""
    from scipy import ndimage

    calm = ndimage.median_filter(small, 3, mode="nearest") if min(small.shape) > 40 else small
    low, high = np.percentile(calm, (2, 98))
    near = 0.25 * (high - low)
    if high - low < 24 or ((calm < low + near) | (calm > high - near)).mean() < TWO_LEVELS:
        return None
    bright: Mask = calm > (low + high) / 2
    return bright


def frame_of(picture: NDArray[Scalar]) -> NDArray[Scalar]:
    """The pixels along the frame."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def on_page(grey: Levels, bright: bool) -> Ink:
    """The ink on a ground of any light. In a shadow it counts as much as beside it: light multiplies."""
    down = 255 - grey if bright else grey
    ground = _closed(down, WINDOW)
    light = 255 - ground if bright else ground
    top = float(np.percentile(light, 95))
    levels = (ground - down) * (max(top, 16) / np.maximum(light, max(DARKEST_GROUND * top, 16)))
    strong = 0.4 * float(np.percentile(levels, 99.5))
    paper = levels[levels <= strong]
    levels = levels - float(np.median(paper)) if paper.size else levels
    below = levels[levels < 0]
    noise = float(np.sqrt(np.mean(below**2))) if below.size else 0.0
    return Ink(levels, noise, np.ones(grey.shape, bool), bright)


def on_flat(grey: Levels, bright: bool) -> Ink:
    """The ink on a ground of one level, all of it that there is."""
    low, high = np.percentile(grey, (3, 97))
    levels = np.maximum(grey - low if bright else high - grey, 0)
    return Ink(levels, 0.0, np.ones(grey.shape, bool), bright)


def _closed(grey: Levels, share: float) -> Levels:
    """A closing by a square of this share of the shorter side. The picture goes on beyond its frame, so that a strip
    along the frame is wide."""
    from scipy import ndimage

    calm = ndimage.median_filter(grey.astype(np.float32), 3, mode="nearest")  # keeps edges sharp
    size = max(3, int(share * min(grey.shape)) | 1)
    reach = size // 2 + 1
    wide = np.pad(calm, reach, mode="edge")
    closed = ndimage.minimum_filter(ndimage.maximum_filter(wide, size, mode="nearest"), size, mode="nearest")
    ground: Levels = closed[reach:-reach, reach:-reach].astype(np.float64)
    return ground
