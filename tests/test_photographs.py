"""Photographs made of MNIST digits are read, whatever light, paper and file; or one sentence says why not."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data.drawn_digit import prepare
from core.data.mnist import load_split
from core.data.photograph import MOST_DIGITS, from_picture, read_photograph
from core.data.picture_file import Crop
from core.errors import DrawingError
from tests.photographs import CONDITIONS, LARGE, SLOW_CONDITIONS, chosen_digits, measured, reader
from tests.test_drawn_digit import SEVEN, encoded, stroke

FEW = [  # one of each kind; `python -m tests.photographs` measures all, on 120 digits each
    "uneven light", "hard shadow, 45%", "hard shadow and ruled lines", "ruled lines, turned, black corners",
    "squared paper, pale, over the ink", "red margin line", "table on four sides, wide", "dark bars on top and below",
    "turned by 5 to 20 degrees, black corners", "tight crop", "tight crop, white on black", "white on transparent",
    "red on blue, equal luma", "chalk on a board, hard shadow", "out of focus", "JPEG of quality 20",
    "dithered to 1 bit",
]  # fmt: skip


def like(picture: np.ndarray, drawn: np.ndarray) -> float:
    """The correlation of two pictures after preparation: 1 is the same digit."""
    return float(np.corrcoef(prepare(picture).digit.ravel(), prepare(drawn).digit.ravel())[0, 1])


@pytest.mark.parametrize("condition", FEW)
def test_four_digits_of_each_kind_of_photograph_are_read(condition: str, mnist_raw: Path) -> None:
    found = measured(condition, 4, load_split("MNIST", "test"), reader())
    assert found.right >= 3
    assert found.confident_wrong == 0


def test_what_is_written_beside_a_shadow_a_line_and_a_table_is_the_digit_itself(mnist_raw: Path) -> None:
    digit = chosen_digits(load_split("MNIST", "test"), 1)[0][0]
    for condition in ("plain paper", "hard shadow, 45%", "ruled lines, blue", "table on one side", "red margin line"):
        picture = from_picture(CONDITIONS[condition](digit, np.random.default_rng(1)))
        assert like(picture, digit) > 0.95, condition


def test_a_photograph_of_twelve_megapixels_is_prepared_in_a_second(mnist_raw: Path) -> None:
    digit = chosen_digits(load_split("MNIST", "test"), 1)[0][0]
    data = SLOW_CONDITIONS[LARGE](digit, np.random.default_rng(1))
    begun = time.process_time()
    prepare(from_picture(data))
    assert time.process_time() - begun < 1


def sheet_of(*places: tuple[int, int]) -> bytes:
    """Sevens on a sheet of paper, their top left corners at (x, y)."""
    sheet = np.full((640, 640), 240, np.uint8)
    small = np.asarray(Image.fromarray(SEVEN).resize((140, 140)))
    for x, y in places:
        sheet[y : y + 140, x : x + 140] = np.minimum(sheet[y : y + 140, x : x + 140], 240 - 0.9 * small)
    return encoded(sheet)


def test_several_digits_are_read_from_left_to_right_line_by_line() -> None:
    read = read_photograph(sheet_of((380, 30), (40, 60), (210, 420)))
    centres = [np.argwhere(picture > 128).mean(axis=0) for picture in read.digits]
    assert [(int(y > 160), int(x > 130)) for y, x in centres] == [(0, 0), (0, 1), (1, 0)] or len(centres) == 3
    assert centres[0][1] < centres[1][1]
    assert centres[2][0] > max(centres[0][0], centres[1][0])
    assert "3 digits" in read.remark


def test_a_crop_leaves_one_of_several_digits() -> None:
    read = read_photograph(sheet_of((40, 60), (380, 60)), Crop(left=0.5))
    assert len(read.digits) == 1
    assert read.remark == ""
    assert like(read.digits[0], SEVEN) > 0.7  # its strokes are thin: two pixels of this small picture


def test_a_crop_counts_in_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.open(io.BytesIO(sheet_of((40, 60), (40, 400))))
    data = encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    read = read_photograph(data, Crop(bottom=0.5))
    assert len(read.digits) == 1
    assert like(read.digits[0], SEVEN) > 0.7


@pytest.mark.parametrize("crop", [(0.5, 0, 0.5, 1), (0, 0, 1, 1.1), (-0.1, 0, 1, 1)])
def test_a_crop_outside_the_picture_is_refused(crop: tuple[float, float, float, float]) -> None:
    with pytest.raises(DrawingError, match="a crop is within 0 and 1"):
        Crop(*crop)


def test_more_digits_than_are_read_are_refused() -> None:
    sheet = np.full((600, 600), 255, np.uint8)
    for row in range(6):
        for column in range(6):
            sheet[20 + 100 * row : 80 + 100 * row, 40 + 100 * column : 50 + 100 * column] = 0
    with pytest.raises(DrawingError, match=f"36 parts of ink, at most {MOST_DIGITS}"):
        read_photograph(encoded(sheet))


def test_ink_that_meets_the_frame_is_read_and_said() -> None:
    cut = encoded(255 - SEVEN[:, 60:200])
    read = read_photograph(cut)
    assert "touches the edge" in read.remark
    assert like(read.digits[0], SEVEN[:, 60:200]) > 0.9


def deep() -> Image.Image:
    return Image.fromarray(SEVEN.astype(np.uint16) * 257)


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        ("AVIF", "RGB"), ("JPEG2000", "L"), ("PPM", "L"), ("PPM", "RGB"), ("TIFF", "CMYK"), ("JPEG", "CMYK"),
        ("PNG", "P"), ("PNG", "1"), ("GIF", "P"), ("PNG", "LA"), ("TIFF", "I;16"), ("PNG", "I;16"), ("BMP", "P"),
    ],
)  # fmt: skip
def test_each_kind_of_bitmap_gives_the_digit(format: str, mode: str) -> None:
    image = deep() if mode == "I;16" else Image.fromarray(SEVEN).convert(mode)
    assert like(from_picture(encoded(image, format)), SEVEN) > 0.95


def test_an_iphones_picture_is_read() -> None:
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(255 - SEVEN).convert("RGB")).save(file)
    assert like(from_picture(file.getvalue()), SEVEN) > 0.95


def test_a_damaged_picture_of_an_iphone_is_named() -> None:
    with pytest.raises(DrawingError, match="HEIC picture that is damaged"):
        from_picture(b"\x00\x00\x00\x18ftypheic" + bytes(400))


def test_of_an_animation_the_first_frame_with_ink_is_read() -> None:
    blank = Image.new("L", (280, 280), 255)
    data = encoded(blank, "GIF", save_all=True, append_images=[blank, Image.fromarray(255 - SEVEN)], duration=50)
    assert like(from_picture(data), SEVEN) > 0.95


@pytest.mark.parametrize("scale", [1, 1 / 255, 100])
@pytest.mark.parametrize("shape", [(280, 280), (1, 280, 280)])
def test_a_numpy_array_is_read(shape: tuple[int, ...], scale: float) -> None:
    file = io.BytesIO()
    np.save(file, SEVEN.reshape(shape) if scale == 1 else SEVEN.reshape(shape).astype(np.float64) * scale)
    assert np.abs(from_picture(file.getvalue()).astype(int) - SEVEN).max() <= 1


@pytest.mark.parametrize("label", ["", "7,"])
@pytest.mark.parametrize("heading", [True, False])
def test_a_row_of_a_table_is_read(label: str, heading: bool) -> None:
    digit = prepare(SEVEN).digit
    names = ",".join((["label"] if label else []) + [f"pixel{pixel}" for pixel in range(784)]) + "\n"
    row = label + ",".join(map(str, digit.ravel())) + "\n"
    assert np.array_equal(from_picture(((names if heading else "") + row).encode()), digit)


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.4\n", "a PDF document: take a screenshot"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "an SVG drawing: export it as PNG"),
        (b"PK\x03\x04" + bytes(80), "an office document"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(80), "a film: take a photograph"),
        (b"8BPS" + bytes(80), "a Photoshop document"),
        (encoded(SEVEN, "JPEG")[:2000], "its file ends early, after 2,000 bytes; copy or send it again"),
        (saved(np.zeros((5, 28, 28))), r"the NumPy array is \(5, 28, 28\), a picture is \(height, width\)"),
        (saved(np.array([{}])), "the NumPy array holds object"),
        (saved(np.zeros((6, 6), np.uint8))[:-9], "the NumPy array is damaged"),
        ((",".join(["0"] * 784) + "\n").encode() * 3, "the table has 3 rows, a picture is 1"),
        (b"some words, and no table", "not a picture"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_on_what_to_do(data: bytes, words: str) -> None:
    with pytest.raises(DrawingError, match=words):
        from_picture(data)


def test_an_array_that_claims_to_be_huge_is_refused_by_its_header() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (900000, 900000), }"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with pytest.raises(DrawingError, match=r"810000\.0 megapixels"):
        from_picture(data)


def test_a_mark_beside_the_digit_is_left_out() -> None:
    picture = np.maximum(SEVEN, stroke((12, 10), (40, 14), width=12))
    read = read_photograph(encoded(255 - picture))
    assert len(read.digits) == 1
    assert "Marks beside the digit" in read.remark
    assert like(read.digits[0], SEVEN) > 0.95
