"""A drawing of a digit, or what a photograph shows of it, prepared like the images of MNIST.

MNIST's digits were scaled so that the longer side of the ink has 20 pixels, and placed in 28 x 28 pixels by
their centre of mass (LeCun, Bottou, Bengio & Haffner 1998, doi:10.1109/5.726791). A network that learned from
such images recognises a drawing only with the same size and position.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import DrawingError

Grey = NDArray[np.uint8]  # (H, W), white on black

SIDE = 28  # pixels of a prepared digit
LONGER_SIDE = 20  # pixels of its ink
CENTRE = 14  # position of the centre of mass; pixel centres are whole numbers
FAINTEST_PEAK = 32  # of 255: a picture without a brighter pixel counts as empty
INK = 0.25  # of the brightest pixel; the soft edge of a stroke and JPEG's artefacts are below it


@dataclass(frozen=True)
class Stages:
    """The stages of the preparation; each can be left out, to see its effect."""

    crop: bool = True  # cut out the ink; else use the whole picture
    scale: bool = True  # longer side of the ink to 20 pixels; else that of the whole picture to 28
    grey: bool = True  # soft edges; else each pixel is black or white
    stretch: bool = True  # the brightest pixel to 255; else as it is after averaging
    centre: bool = True  # the centre of mass to (14, 14); else the middle of the ink to the middle of the frame
    white: bool = True  # white ink on black; else black on white, as on paper


STAGES = tuple(each.name for each in fields(Stages))


def without(*names: str) -> Stages:
    """All stages except these. Raises DrawingError for an unknown one."""
    for name in names:
        if name not in STAGES:
            raise DrawingError(f"there is no stage {name[:20]!r}; there are {', '.join(STAGES)}")
    return replace(Stages(), **dict.fromkeys(names, False))


@dataclass(frozen=True)
class Preparation:
    """A digit after each stage, white on black unless that stage is off."""

    ink: Grey  # cut out of the picture
    scaled: Grey  # longer side 20, brightest pixel 255
    digit: Grey  # (28, 28), centre of mass at (14, 14)


def prepare(picture: Grey, stages: Stages | None = None) -> Preparation:
    """The digit in a white-on-black picture (H, W); by default with all stages.

    Averaging over areas (Pillow's BOX) brings an enlarged MNIST digit back closer to the original than Pillow's
    smoother filters, which blur it once more.
    Raises DrawingError for a picture that is empty.
    """
    stages = stages or Stages()
    if picture.ndim != 2 or picture.dtype != np.uint8:
        raise DrawingError(f"a picture is (height, width) in uint8, got {picture.shape} in {picture.dtype}")
    peak = int(picture.max(initial=0))
    if peak < FAINTEST_PEAK:
        raise DrawingError(f"the canvas is empty: its peak is {peak}, ink has at least {FAINTEST_PEAK}")
    ink = _cropped(picture, INK * peak) if stages.crop else picture
    scale = LONGER_SIDE / max(ink.shape) if stages.scale else SIDE / max(picture.shape)
    scaled = _scaled(ink, scale, stages.stretch)
    if not stages.grey:
        scaled = np.where(scaled >= 128, 255, 0).astype(np.uint8)
    digit = _in_frame(scaled)
    if stages.centre:
        digit = centre(digit)
    if not stages.white:
        scaled, digit = 255 - scaled, 255 - digit
    return Preparation(ink, scaled, digit)


def centre(image: Grey) -> Grey:
    """The image (28, 28) moved by whole pixels so that its centre of mass is at (14, 14), halves rounded up.

    Ink outside the frame is cut off. Of MNIST's own 70,000 images all but 5 stay as they are.
    """
    down, right = _shift(image.sum(axis=1, dtype=np.int64)), _shift(image.sum(axis=0, dtype=np.int64))
    height, width = image.shape
    margin = np.pad(image, ((height, height), (width, width)))
    return margin[height - down : 2 * height - down, width - right : 2 * width - right].copy()


def from_rgba(rgba: NDArray[np.uint8]) -> Grey:
    """A canvas (H, W, 4) as grey levels (H, W): bright strokes on a black or transparent background."""
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8:
        raise DrawingError(f"a canvas is (height, width, 4) in uint8, got {rgba.shape} in {rgba.dtype}")
    image = Image.fromarray(rgba)
    black = Image.new("RGBA", image.size, "black")
    return np.asarray(Image.alpha_composite(black, image).convert("L"))


def _shift(profile: NDArray[np.int64]) -> int:
    """floor(14 - centre of mass + 1/2), in whole numbers and so exactly."""
    mass, moment = int(profile.sum()), int((profile * np.arange(len(profile))).sum())
    return (2 * (CENTRE * mass - moment) + mass) // (2 * mass) if mass else 0


def _cropped(picture: Grey, threshold: float) -> Grey:
    rows = np.flatnonzero((picture > threshold).any(axis=1))
    columns = np.flatnonzero((picture > threshold).any(axis=0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _in_frame(scaled: Grey) -> Grey:
    """An image of at most 28 x 28 in the middle of a black frame (28, 28)."""
    height, width = scaled.shape
    frame = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    frame[top : top + height, left : left + width] = scaled
    return frame


def _scaled(ink: Grey, scale: float, stretch: bool) -> Grey:
    """The ink scaled in both directions; stretched, its brightest pixel is 255, like 254 or 255 in all of MNIST."""
    height, width = (max(1, int(side * scale + 0.5)) for side in ink.shape)
    exact = Image.fromarray(ink.astype(np.float32))  # so that nothing is rounded before the stretch
    levels: NDArray[np.float32] = np.asarray(exact.resize((width, height), Image.Resampling.BOX))
    brightest = float(levels.max())  # 0 for a single pixel between two boxes, because of Pillow's rounding
    stretched: NDArray[np.float32] = np.rint(levels * (255 / brightest if stretch and brightest else 1))
    return stretched.astype(np.uint8)
