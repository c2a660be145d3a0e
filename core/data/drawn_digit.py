"""A drawing or a photograph of a digit, prepared like the images of MNIST.

MNIST's digits were scaled so that the longer side of the ink has 20 pixels, and placed in 28 x 28 pixels by
their centre of mass (LeCun, Bottou, Bengio & Haffner 1998, doi:10.1109/5.726791). A network that learned from
such images recognises a drawing only with the same size and position.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from core.errors import DrawingError

Grey = NDArray[np.uint8]  # (H, W), white on black

SIDE = 28  # pixels of a prepared digit
LONGER_SIDE = 20  # pixels of its ink
CENTRE = 14  # position of the centre of mass; pixel centres are whole numbers
FAINTEST_PEAK = 32  # of 255: a picture without a brighter pixel counts as empty
INK = 0.25  # of the brightest pixel; the soft edge of a stroke and JPEG's artefacts are below it
MAX_MEGAPIXELS = 20  # of an uploaded picture, from its header, before it is decoded
MAX_WEBP_MEGAPIXELS = 10  # its decoder keeps four copies of 4 bytes a pixel
MAX_SCANS = 100  # of a progressive JPEG, which has some ten; each is a pass over all pixels, and takes a dozen bytes
SCAN = b"\xff\xda"  # the first bytes of each scan; they cannot be inside one
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")  # only bitmaps: Pillow would start Ghostscript for EPS
READ_SIDE = 280  # pixels of the longer side of a picture after reading, like the canvas; averaging removes noise
NOISE_FLOOR = 4  # standard deviations of paper: one pixel in 30,000 is above
NOISE_PEAK = 6  # standard deviations of paper: noise never reaches it
FAINTEST_INK = 24  # grey levels between paper and the darkest ink; with less, a photograph shows no digit


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


def from_picture(data: bytes) -> Grey:
    """The white-on-black picture (H, W) in an image file, its longer side at most 280.

    Dark ink on bright paper is inverted, the uneven brightness of the paper is subtracted, and the contrast is
    stretched so that paper is 0 and the strongest ink 255. Raises DrawingError for a file that is not a picture,
    or is too large, damaged or blank.
    """
    ink, noise = _without_paper(_decoded(data).astype(np.float64))
    strongest, faintest = float(ink.max()), max(FAINTEST_INK, NOISE_PEAK * noise)
    if strongest < faintest:
        raise DrawingError(f"the picture is blank: contrast {strongest:.0f}, ink has at least {faintest:.0f}")
    floor = NOISE_FLOOR * noise
    return np.rint(np.clip((ink - floor) / (strongest - floor), 0, 1) * 255).astype(np.uint8)


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


def _decoded(data: bytes) -> NDArray[np.uint8]:
    """Grey levels (H, W) of an image file's first frame, upright, on white, its longer side at most 280."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:  # reads the header alone
            _check_size(
                picture.width * picture.height, MAX_WEBP_MEGAPIXELS if picture.format == "WEBP" else MAX_MEGAPIXELS
            )
            if picture.format in ("JPEG", "MPO", "TIFF") and (scans := data.count(SCAN)) > MAX_SCANS:
                raise DrawingError(f"the picture is drawn in {scans:,} scans, at most {MAX_SCANS} are read")
            return _grey(picture)
    except Image.DecompressionBombError as error:  # Pillow's own limit, far above ours, comes first
        _check_size(int(re.findall(r"\d+", str(error))[0]), MAX_MEGAPIXELS)
        raise
    except DrawingError:
        raise  # a ValueError too, and already says what is wrong
    except UnidentifiedImageError as error:
        raise DrawingError(f"not a picture: {len(data):,} bytes, none of {', '.join(FORMATS)}") from error
    except (OSError, SyntaxError, ValueError, EOFError, OverflowError, AssertionError) as error:  # of Pillow's decoders
        raise DrawingError(f"the picture is damaged, {len(data):,} bytes: {error}") from error


def _check_size(pixels: int, most: int) -> None:
    if pixels > most * 1e6:
        raise DrawingError(f"the picture is {pixels / 1e6:.1f} megapixels, at most {most} are read")


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    """The picture small, upright, grey and on white. A large one is reduced before it is copied."""
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    small = _small_deep(picture) if picture.mode.startswith(("I", "F")) else _on_white(picture)
    small.thumbnail((READ_SIDE, READ_SIDE), Image.Resampling.BOX)
    small.getexif()[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(small))


def _small_deep(picture: Image.Image) -> Image.Image:
    """A picture of 16 or more bits per pixel, small, scaled to 8 bits; Pillow would clip it at 255."""
    picture = picture.convert("F")
    picture.thumbnail((READ_SIDE, READ_SIDE), Image.Resampling.BOX)
    levels = np.nan_to_num(np.asarray(picture, np.float64))
    span = max(float(np.ptp(levels)), 1.0)
    return Image.fromarray(np.rint((levels - levels.min()) * (255 / span)).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture in grey levels; transparent pixels become white."""
    if not picture.has_transparency_data:
        return picture.convert("L")
    if picture.mode not in ("RGBA", "LA"):  # a palette's, or one transparent colour
        picture = picture.convert("RGBA")
    ink, opacity = picture.convert("L"), picture.getchannel("A")
    white = Image.new("L", picture.size, "white")
    white.paste(ink, mask=opacity)
    return white


def _without_paper(grey: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """How much the ink differs from the paper, in grey levels, and the standard deviation of the paper.

    Paper is smooth and ink is not, so the result with less noise decides between dark ink and bright ink.
    """
    return min((_above_paper(255 - grey), _above_paper(grey)), key=lambda found: found[1])


def _above_paper(grey: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The same for ink that is brighter than the paper.

    The paper is a quadratic surface, because light changes smoothly. It is fitted to all pixels, then several
    times to those close to the last fit, until no ink is left among them.
    """
    above = _above_surface(grey, np.ones(grey.shape, bool))
    for _ in range(6):
        paper = above <= 1.5 * _noise(above) + 1  # one grey level: a drawing's paper has no noise at all
        above = _above_surface(grey, paper)
    return np.maximum(above, 0), _noise(above)


def _noise(above: NDArray[np.float64]) -> float:
    """The standard deviation of the paper, from the pixels below its surface, where there is no ink."""
    below = above[above < 0]
    return float(np.sqrt(np.mean(below**2))) if below.size else 0.0


def _above_surface(grey: NDArray[np.float64], paper: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The picture minus a quadratic surface, fitted by least squares to the pixels of the paper."""
    height, width = grey.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)  # (H, W, 6)
    kept = terms[paper]
    coefficients: NDArray[np.float64] = np.linalg.lstsq(kept.T @ kept, kept.T @ grey[paper], rcond=None)[0]
    return grey - terms @ coefficients
