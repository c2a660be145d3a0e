"""A picture's file, read safely: its first frame with ink, upright, small, on one ground.

What is no bitmap is named by its first bytes, with what to do instead. Sizes are checked in the header, before a pixel
is decoded.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from core.errors import DrawingError

Colours = NDArray[np.uint8]  # (H, W, 3)

READ_SIDE = 320  # pixels of the longer side of a picture after reading; averaging removes noise
MAX_MEGAPIXELS = 20  # of an uploaded picture, from its header, before it is decoded
MAX_SLOW_MEGAPIXELS = 10  # of formats whose decoders are slow, or keep several copies of 4 bytes a pixel
SLOW = ("WEBP", "JPEG2000")
MAX_SCANS = 100  # of a progressive JPEG, which has some ten; each is a pass over all pixels, and takes a dozen bytes
SCAN = b"\xff\xda"  # the first bytes of each scan; they cannot be inside one
MAX_FRAMES = 20  # of an animation, looked through for ink
PIXELS = 784  # of MNIST's images, as a row of a table
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM")  # bitmaps: EPS starts Ghostscript
FAINTEST_INK = 24  # grey levels between paper and the darkest ink; with less, a photograph shows no digit
SMALL_FORMATS = "PNG, JPEG, GIF, BMP, WebP, TIFF, AVIF, HEIC, JPEG 2000, PGM, a NumPy array or a row of a CSV table"
INSTEAD = {  # the first bytes of what is no bitmap; the name, and what to do
    b"%PDF": ("a PDF document", "take a screenshot of the page, or export it as PNG or JPEG"),
    b"%!PS": ("a PostScript document", "export it as PNG or JPEG"),
    b"<svg": ("an SVG drawing", "export it as PNG"),
    b"<?xml": ("an XML document", "if it is an SVG drawing, export it as PNG"),
    b"8BPS": ("a Photoshop document", "export it as PNG or JPEG"),
    b"PK\x03\x04": ("a zip archive or an office document", "take the picture out of it, and give that"),
    b"\x00\x00\x00\x14ftypqt": ("a film", "take a photograph instead"),
    b"\x1aE\xdf\xa3": ("a film", "take a photograph instead"),
    b"II*\x00\x10\x00\x00\x00CR": ("a camera's raw picture", "export it as JPEG"),
}
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
DAMAGED = (  # what decoders raise for a damaged file: each of Pillow's has its own way
    OSError, SyntaxError, ValueError, EOFError, TypeError, AttributeError, AssertionError, LookupError, ArithmeticError,
    RuntimeError, struct.error,
)  # fmt: skip
FILM_BRANDS = (b"isom", b"mp41", b"mp42", b"qt  ", b"M4V ", b"avc1")


@dataclass(frozen=True)
class Crop:
    """The part of an upright picture that is read, in shares of its width and height."""

    left: float = 0
    top: float = 0
    right: float = 1
    bottom: float = 1

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise DrawingError(
                f"a crop is within 0 and 1, got {self.left:g} to {self.right:g} and {self.top:g} to {self.bottom:g}"
            )

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """In pixels, at least one in each direction."""
        left, top = min(int(self.left * width), width - 1), min(int(self.top * height), height - 1)
        return left, top, max(left + 1, round(self.right * width)), max(top + 1, round(self.bottom * height))


WHOLE = Crop()


def read_colours(data: bytes, crop: Crop = WHOLE) -> Colours:
    """The picture (H, W, 3), its longer side at most 320; of several frames the first that is not blank.

    Raises DrawingError for a file that is not a picture, or is too large or damaged.
    """
    if data.startswith(b"\x93NUMPY"):
        return _finished(Image.fromarray(_array(data)), 1, crop)
    if (table := _table(data)) is not None:
        return _finished(Image.fromarray(table), 1, crop)
    _refuse_what_is_no_bitmap(data)
    try:
        return _heif(data, crop) if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS else _decoded(data, crop)
    except Image.DecompressionBombError as error:  # Pillow's own limit, far above ours, comes first
        _check_size(int(re.findall(r"\d+", str(error))[0]), MAX_MEGAPIXELS)
        raise
    except DrawingError:
        raise  # a ValueError too, and already says what is wrong
    except UnidentifiedImageError as error:
        raise DrawingError(
            f"not a picture: {len(data):,} bytes that are none of {SMALL_FORMATS}; a screenshot of it can be read"
        ) from error
    except DAMAGED as error:
        if "truncated" in str(error):
            raise DrawingError(
                f"the picture is damaged: its file ends early, after {len(data):,} bytes; copy or send it again"
            ) from error
        raise DrawingError(f"the picture is damaged, {len(data):,} bytes: {error}") from error


def _refuse_what_is_no_bitmap(data: bytes) -> None:
    start = data[:256].lstrip(b"\xef\xbb\xbf \r\n\t")
    for first, (name, what) in INSTEAD.items():
        if start.startswith(first):
            raise DrawingError(f"not a picture that can be read but {name}: {what}")
    if data[4:8] == b"ftyp" and data[8:12] in FILM_BRANDS:
        raise DrawingError("not a picture but a film: take a photograph instead")


def _check_size(pixels: int, most: int) -> None:
    if pixels > most * 1e6:
        raise DrawingError(f"the picture is {pixels / 1e6:.1f} megapixels, at most {most} are read: make it smaller")


def _decoded(data: bytes, crop: Crop) -> Colours:
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:  # reads the header alone
        pixels = picture.width * picture.height
        _check_size(pixels, MAX_SLOW_MEGAPIXELS if picture.format in SLOW else MAX_MEGAPIXELS)
        if picture.format in ("JPEG", "MPO", "TIFF") and (scans := data.count(SCAN)) > MAX_SCANS:
            raise DrawingError(f"the picture is drawn in {scans:,} scans, at most {MAX_SCANS} are read")
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        if picture.format == "JPEG" and crop == WHOLE:
            picture.draft("RGB", (2 * READ_SIDE, 2 * READ_SIDE))  # decodes a large one at a half, a quarter, an eighth
        for frame in _frames(picture, pixels):
            colours = _finished(frame, orientation, crop)
            if np.ptp(colours, axis=(0, 1)).max() >= FAINTEST_INK:
                break
        return colours


def _frames(picture: Image.Image, pixels: int) -> Iterator[Image.Image]:
    """The frames, as many as may be decoded; a page that is larger than the first one ends them."""
    yield picture
    affordable = max(1, int(MAX_MEGAPIXELS * 1e6) // max(pixels, 1))
    for number in range(1, min(getattr(picture, "n_frames", 1), MAX_FRAMES, affordable)):
        picture.seek(number)
        if picture.width * picture.height > pixels:
            return
        yield picture


def _heif(data: bytes, crop: Crop) -> Colours:
    """An iPhone's picture; the decoder turns it upright itself."""
    try:
        import pillow_heif
    except ImportError:
        raise DrawingError("an iPhone's HEIC picture: save or send it as JPEG; this lab has no pillow-heif") from None
    try:
        opened = pillow_heif.open_heif(io.BytesIO(data))
    except DAMAGED as error:
        raise DrawingError(
            f"an iPhone's HEIC picture that is damaged, {len(data):,} bytes: save or send it as JPEG"
        ) from error
    _check_size(opened.size[0] * opened.size[1], MAX_MEGAPIXELS)
    return _finished(opened.to_pillow(), 1, crop)


def _finished(picture: Image.Image, orientation: int, crop: Crop) -> Colours:
    """Cropped, small, upright, without transparency."""
    if picture.mode.startswith(("I", "F")):
        picture = _small_deep(picture)
    elif picture.mode not in ("L", "RGB", "RGBA", "LA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    elif picture.has_transparency_data and picture.mode in ("L", "RGB"):  # one transparent colour
        picture = picture.convert("RGBA")
    if crop != WHOLE:
        picture = _turned(picture, orientation).crop(crop.box(*_turned(picture, orientation).size))
        orientation = 1
    small = picture.copy() if max(picture.size) <= READ_SIDE else _reduced(picture)
    return _on_ground(np.asarray(_turned(small, orientation)))


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    picture.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(picture)


def _reduced(picture: Image.Image) -> Image.Image:
    scale = READ_SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


def _small_deep(picture: Image.Image) -> Image.Image:
    """A picture of 16 or more bits per pixel, small, scaled to 8 bits; Pillow would clip it at 255."""
    picture = picture.convert("F")
    picture.thumbnail((READ_SIDE, READ_SIDE), Image.Resampling.BOX)
    return Image.fromarray(_stretched(np.asarray(picture, np.float64)))


def _stretched(levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    levels = np.nan_to_num(levels, posinf=0, neginf=0)
    span = float(np.ptp(levels))
    scaled: NDArray[np.float64] = np.rint((levels - levels.min()) * (255 / span if span else 0))
    return scaled.astype(np.uint8)


def _on_ground(pixels: NDArray[np.uint8]) -> Colours:
    """Without transparency. Ink is laid on white, or bright ink on black; opaque paper keeps its colour around it."""
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.shape[2] == 3:
        return pixels
    if pixels.shape[2] == 2:  # grey and opacity
        pixels = pixels[:, :, [0, 0, 0, 1]]
    colours, opacity = pixels[:, :, :3].astype(np.float64), pixels[:, :, 3:] / 255.0
    opaque = colours[opacity[:, :, 0] > 0.5]
    if not len(opaque):
        raise DrawingError("the picture is blank: all of it is transparent")
    colour = np.median(opaque, axis=0)
    is_paper = len(opaque) > 0.5 * opacity.size and float(np.ptp(opaque, axis=0).max()) > 2 * FAINTEST_INK
    ground = colour if is_paper else np.full(3, 0.0 if colour.mean() > 160 else 255.0)
    return np.rint(colours * opacity + ground * (1 - opacity)).astype(np.uint8)


def _array(data: bytes) -> NDArray[np.uint8]:
    """A NumPy file: (H, W), (H, W, 3 or 4), or 784 pixels in a row; one picture."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = reader(file)
        if kind.hasobject or kind.kind not in "buif":
            raise DrawingError(f"the NumPy array holds {kind}, a picture has numbers")
        _check_size(int(np.prod(shape, dtype=np.float64)), MAX_MEGAPIXELS)
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except DrawingError:
        raise
    except (*DAMAGED, MemoryError) as error:
        raise DrawingError(f"the NumPy array is damaged, {len(data):,} bytes: {error}") from error
    array = array[0] if array.ndim > 2 and len(array) == 1 else array
    array = array.reshape(28, 28) if array.size == PIXELS else array
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or not array.size:
        raise DrawingError(f"the NumPy array is {shape}, a picture is (height, width): save one of them")
    return array if array.dtype == np.uint8 else _stretched(array.astype(np.float64))


def _table(data: bytes) -> NDArray[np.uint8] | None:
    """A row of 784 pixels as in Kaggle's table, with or without a heading and a label; None for what is no table."""
    start = data[:400]
    if b"," not in start or not all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in start):
        return None
    rows = [row.split(",") for row in data.decode("ascii", "replace").splitlines() if row.strip()]
    if not all(_is_number(value) for value in rows[0]):
        rows = rows[1:]
    if not rows or len(rows[0]) not in (PIXELS, PIXELS + 1) or not all(_is_number(value) for value in rows[0]):
        return None
    if len(rows) > 1:
        raise DrawingError(
            f"the table has {len(rows):,} rows, a picture is 1: save the row that you mean in its own file"
        )
    return _stretched_row(np.array([float(value.strip(' "')) for value in rows[0][-PIXELS:]]))


def _stretched_row(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    whole = bool(np.all((values >= 0) & (values <= 255)) and values.max() > 1)
    return (np.rint(values).astype(np.uint8) if whole else _stretched(values)).reshape(28, 28)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*\"?-?\d{1,9}(\.\d{0,17})?(e-?\d{1,2})?\"?\s*", text) is not None
