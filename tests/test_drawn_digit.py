"""Preparing a drawing: against MNIST's own images, and against pictures made by hand."""

import gzip
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.data.drawn_digit import STAGES, Stages, centre, from_rgba, prepare, without
from core.data.photograph import from_picture
from core.errors import DrawingError, LabError


def read_images(folder: Path, split: str) -> np.ndarray:
    plain = folder / f"{split}-images-idx3-ubyte"
    zipped = folder / f"{split}-images-idx3-ubyte.gz"
    content = plain.read_bytes() if plain.is_file() else gzip.decompress(zipped.read_bytes())
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28)


def on_canvas(digit: np.ndarray, rng: np.random.Generator, filter: Image.Resampling) -> np.ndarray:
    """The digit at 0.6 to 1.6 times 140 pixels, at a random place of a 280 x 280 canvas."""
    side = round(140 * rng.uniform(0.6, 1.6))
    canvas = np.zeros((280, 280), np.uint8)
    top, left = rng.integers(0, 281 - side, 2)
    canvas[top : top + side, left : left + side] = Image.fromarray(digit).resize((side, side), filter)
    return canvas


def stroke(*points: tuple[int, int], width: int = 19) -> np.ndarray:
    """A line with round ends through (x, y) on a 280 x 280 canvas, anti-aliased."""
    image = Image.new("L", (1120, 1120))
    draw = ImageDraw.Draw(image)
    scaled = [(4 * x, 4 * y) for x, y in points]
    draw.line(scaled, fill=255, width=4 * width)
    for x, y in scaled:
        draw.ellipse((x - 2 * width, y - 2 * width, x + 2 * width, y + 2 * width), fill=255)
    return np.asarray(image.resize((280, 280), Image.Resampling.BOX))


def encoded(picture: np.ndarray | Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, format, **options)
    return file.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header gives this size and which holds no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


SEVEN = stroke((80, 60), (200, 60), (120, 230))


def test_centring_leaves_69_995_of_the_70_000_mnist_images_where_they_are(mnist_raw: Path) -> None:
    images = np.concatenate([read_images(mnist_raw, "train"), read_images(mnist_raw, "t10k")])
    assert sum(np.array_equal(centre(image), image) for image in images) == 69_995


def test_a_shifted_mnist_image_comes_back_to_its_place(mnist_raw: Path) -> None:
    for image in read_images(mnist_raw, "t10k")[:200]:
        assert np.array_equal(centre(np.roll(image, (-1, 1), (0, 1))), centre(image))


@pytest.mark.parametrize(
    ("filter", "bound"),
    [(Image.Resampling.NEAREST, 2.5), (Image.Resampling.BICUBIC, 8), (Image.Resampling.BILINEAR, 9)],
)
def test_mnist_digits_pasted_on_a_canvas_are_prepared_back(
    mnist_raw: Path, filter: Image.Resampling, bound: float
) -> None:
    rng = np.random.default_rng(1)
    digits = read_images(mnist_raw, "t10k")[rng.permutation(10_000)[:1000]]
    prepared = np.stack([prepare(on_canvas(digit, rng, filter)).digit for digit in digits])
    assert np.abs(prepared.astype(int) - digits).mean() < bound  # grey levels; no preparation at all gives 33


def test_a_drawn_stroke_has_the_ink_of_an_mnist_digit(mnist_raw: Path) -> None:
    ink = read_images(mnist_raw, "t10k").sum(axis=(1, 2), dtype=np.int64)
    drawn = int(prepare(SEVEN).digit.sum(dtype=np.int64))
    assert np.quantile(ink, 0.05) < drawn < np.quantile(ink, 0.95)


def test_a_square_of_any_size_and_place_becomes_the_middle_20_by_20() -> None:
    expected = np.zeros((28, 28), np.uint8)
    expected[5:25, 5:25] = 255  # its centre of mass is 14.5, and 13.5 one pixel back: the half goes up
    for side, top, left in ((10, 0, 0), (20, 7, 100), (100, 180, 180), (280, 0, 0)):
        canvas = np.zeros((280, 280), np.uint8)
        canvas[top : top + side, left : left + side] = 200
        digit = prepare(canvas).digit
        assert np.array_equal(digit, expected) or np.array_equal(digit, np.roll(expected, -1, (0, 1)))


def test_stages_have_the_sizes_they_promise() -> None:
    preparation = prepare(SEVEN)
    assert preparation.ink.shape[0] > preparation.ink.shape[1]
    assert preparation.scaled.shape[0] == 20
    assert preparation.scaled.shape[1] == round(20 * preparation.ink.shape[1] / preparation.ink.shape[0])
    assert preparation.digit.shape == (28, 28)
    assert preparation.digit.sum(dtype=int) == preparation.scaled.sum(dtype=int)


def test_a_line_and_a_dot_are_prepared_too() -> None:
    line, dot = np.zeros((280, 280), np.uint8), np.zeros((280, 280), np.uint8)
    line[100, :] = 255
    dot[279, 0] = 255
    assert prepare(line).scaled.shape == (1, 20)
    assert prepare(dot).scaled.shape == (20, 20)


def test_a_dot_may_be_lost_where_a_large_picture_is_only_scaled() -> None:
    dot = np.zeros((57, 28), np.uint8)
    dot[28, 7] = 255  # between the tenth box and the eleventh, as 57 rows become 20
    for stages in (without("crop"), without("crop", "stretch")):
        digit = prepare(dot, stages).digit
        assert digit.shape == (28, 28)
        assert digit.max() <= 255 / 4


def test_ink_that_leaves_the_frame_does_not_come_in_on_the_other_side() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[0, 4] = 1
    image[27, 4:24] = 255  # the centre of mass is in row 27, and goes up by 13
    moved = centre(image)
    assert np.flatnonzero(moved.any(axis=1)).tolist() == [14]
    assert moved[14].sum(dtype=int) == 20 * 255


def test_faint_specks_do_not_widen_the_crop() -> None:
    noisy = SEVEN.copy()
    noisy[::9, ::7] = np.maximum(noisy[::9, ::7], 30)
    assert prepare(noisy).ink.shape == prepare(SEVEN).ink.shape


@pytest.mark.parametrize("picture", [np.zeros((280, 280), np.uint8), np.full((280, 280), 5, np.uint8)])
def test_an_empty_canvas_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(DrawingError, match="the canvas is empty"):
        prepare(picture)


def test_a_drawing_error_is_a_lab_error() -> None:
    assert issubclass(DrawingError, LabError)


@pytest.mark.parametrize("shape", [(28,), (28, 28, 3), (0, 0)])
def test_what_has_not_the_shape_of_a_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DrawingError):
        prepare(np.zeros(shape, np.uint8))


def test_a_canvas_reads_the_same_on_black_and_on_transparent_ground() -> None:
    opaque = np.dstack([SEVEN, SEVEN, SEVEN, np.full_like(SEVEN, 255)])
    transparent = np.dstack([np.full_like(SEVEN, 255)] * 3 + [SEVEN])
    assert np.array_equal(from_rgba(opaque), SEVEN)
    assert np.array_equal(from_rgba(transparent), SEVEN)


def test_a_canvas_without_four_channels_is_refused() -> None:
    with pytest.raises(DrawingError, match=r"\(280, 280, 3\)"):
        from_rgba(np.zeros((280, 280, 3), np.uint8))


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF"])
def test_a_clean_picture_reads_the_same_white_on_black_and_black_on_white(format: str) -> None:
    assert np.array_equal(from_picture(encoded(SEVEN, format)), SEVEN)
    assert np.array_equal(from_picture(encoded(255 - SEVEN, format)), SEVEN)


def test_an_mnist_image_in_a_file_is_read_as_it_is(mnist_raw: Path) -> None:
    for image in read_images(mnist_raw, "t10k")[:10]:
        read = from_picture(encoded(image))
        assert np.abs(read.astype(int) - image).max() <= 1  # those whose brightest pixel is 254 are stretched


def test_a_transparent_ground_counts_as_white_paper() -> None:
    rgba = np.dstack([np.zeros_like(SEVEN)] * 3 + [SEVEN])
    assert np.array_equal(from_picture(encoded(rgba)), SEVEN)


def test_a_photograph_in_uneven_light_gives_the_digit_drawn_on_it() -> None:
    rng = np.random.default_rng(0)
    light = 190 + np.linspace(-60, 40, 280)[:, None] + np.linspace(-20, 20, 280)[None]
    photograph = light * (1 - 0.75 * SEVEN / 255.0) + rng.normal(0, 4, SEVEN.shape)
    data = encoded(np.clip(photograph, 0, 255).astype(np.uint8), "JPEG", quality=80)
    picture = from_picture(data)
    assert np.median(picture) == 0
    assert ((picture > 64) == (SEVEN > 127)).mean() > 0.99


def test_a_digit_that_fills_its_photograph_is_still_told_from_the_paper(mnist_raw: Path) -> None:
    x = np.linspace(-1, 1, 300)
    for image in read_images(mnist_raw, "t10k")[:20]:
        digit = np.asarray(Image.fromarray(centre(image)[3:26, 3:26]).resize((300, 300)), np.float64)
        photograph = (200 + 50 * x) * (1 - 0.8 * digit / 255)
        picture = from_picture(encoded(photograph.astype(np.uint8), "JPEG", quality=75))
        expected = np.asarray(Image.fromarray(digit).resize(picture.shape[::-1]))
        assert np.corrcoef(picture.ravel(), expected.ravel())[0, 1] > 0.9


def test_a_blank_sheet_is_refused() -> None:
    rng = np.random.default_rng(0)
    sheet = np.clip(rng.normal(200, 3, (300, 200)), 0, 255).astype(np.uint8)
    with pytest.raises(DrawingError, match="blank"):
        from_picture(encoded(sheet))


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned: show it turned by a quarter, clockwise
    sideways = np.ascontiguousarray(np.rot90(SEVEN))
    turned = from_picture(encoded(sideways, "JPEG", exif=exif, quality=95))
    assert np.abs(turned.astype(int) - SEVEN).mean() < 3


def test_of_an_animation_the_first_frame_is_read() -> None:
    first, second = Image.fromarray(SEVEN), Image.fromarray(np.fliplr(SEVEN).copy())
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    assert np.array_equal(from_picture(data), SEVEN)


def test_sixteen_bits_a_pixel_are_read_to_the_same_picture() -> None:
    assert np.array_equal(from_picture(encoded(SEVEN.astype(np.uint16) * 257)), SEVEN)


@pytest.mark.parametrize(
    ("width", "height", "megapixels"),
    [(10_000, 5_010, "50.1"), (10_000, 10_000, "100.0"), (60_000, 50_000, "3000.0")],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_too_large_is_refused_by_its_header(width: int, height: int, megapixels: str) -> None:
    with pytest.raises(DrawingError, match=f"the picture is {megapixels} megapixels, at most 20 are read"):
        from_picture(png_that_claims(width, height))


@pytest.mark.parametrize("data", [b"", b"a letter\n" * 50, b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(DrawingError, match="not a picture"):
        from_picture(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_picture_cut_short_is_refused_or_read_but_never_crashes(format: str) -> None:
    data = encoded(SEVEN, format)
    for length in range(0, len(data) - 1, max(1, len(data) // 25)):
        try:
            from_picture(data[:length])
        except DrawingError:
            continue


def test_a_tiff_whose_second_page_has_no_width_is_called_damaged() -> None:
    file, page = io.BytesIO(), Image.new("L", (28, 28))
    page.save(file, "TIFF", save_all=True, append_images=[page])
    before, width, after = file.getvalue().rpartition(struct.pack("<HH", 256, 4))
    assert width
    with pytest.raises(DrawingError, match="damaged"):
        from_picture(before + struct.pack("<HH", 4, 4) + after)


def test_a_truncated_png_is_called_damaged() -> None:
    data = encoded(SEVEN)
    with pytest.raises(DrawingError, match="damaged"):
        from_picture(data[: len(data) // 2])


def test_with_all_stages_nothing_is_left_out() -> None:
    assert without() == Stages()
    prepared, plain = prepare(SEVEN, Stages()), prepare(SEVEN)
    assert np.array_equal(prepared.digit, plain.digit)
    with pytest.raises(DrawingError, match="no stage 'blur'; there are crop, scale"):
        without("crop", "blur")


def test_each_stage_left_out_changes_what_it_is_there_for() -> None:
    thin = stroke((80, 60), (140, 60), (100, 150), width=5)
    left_out = {stage: prepare(thin, without(stage)).digit for stage in STAGES}
    everything = prepare(thin).digit
    assert all(digit.shape == (28, 28) and digit.dtype == np.uint8 for digit in left_out.values())
    assert not any(np.array_equal(digit, everything) for digit in left_out.values())

    def longer_side(digit: np.ndarray) -> int:
        rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
        return int(max(np.ptp(rows), np.ptp(columns))) + 1

    assert longer_side(everything) == 20
    assert longer_side(left_out["crop"]) < 12  # the digit covers a third of the canvas, which is brought to 20 pixels
    assert 9 <= longer_side(left_out["scale"]) <= 11  # 95 of 280 pixels, by a tenth
    assert set(np.unique(left_out["grey"])) == {0, 255}
    assert left_out["stretch"].max() < 255 == everything.max()
    assert np.array_equal(left_out["white"], 255 - everything)


def test_without_the_centre_of_mass_the_outline_is_in_the_middle() -> None:
    digit = prepare(SEVEN, without("centre")).digit
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    for line in (rows, columns):
        assert abs((line[0] + line[-1]) / 2 - 13.5) <= 0.5
    assert not np.array_equal(centre(digit), digit)


def test_without_crop_scale_and_centre_the_picture_is_only_made_smaller() -> None:
    raw = prepare(SEVEN, without("crop", "scale", "centre", "stretch")).digit
    assert np.abs(raw.astype(int) - SEVEN.reshape(28, 10, 28, 10).mean((1, 3))).max() <= 0.5


def test_any_stages_can_be_left_out_together() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        some = [stage for stage in STAGES if rng.random() < 0.5]
        side = rng.integers(20, 281, 2)
        picture = np.zeros((280, 280), np.uint8)
        picture[-side[0] :, : side[1]] = rng.integers(40, 256)
        assert prepare(picture, without(*some)).digit.shape == (28, 28)


def test_without_soft_edges_half_of_the_brightest_is_white() -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 4:24] = 255  # twenty pixels, as prepared digits have: nothing is scaled
    picture[10, 10], picture[10, 11] = 128, 127
    digit = prepare(picture, without("grey", "centre", "stretch")).digit
    assert (digit[10, 10], digit[10, 11]) == (255, 0)
