"""Photographs of MNIST digits, made: paper, ink, light, lines, edges, a camera. And a table of how many are read.

`LAB_DATA=... python -m tests.photographs` prints the table that docs/photographs.md shows; names of conditions after it
measure only these. Each condition is a recipe for a `Scene`; the digit, its place and its size come from a seed.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from core.data.mnist import Split, load_split

Colour = tuple[float, float, float]
Shade = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]  # x, y in 0 to 1: light, 1 is full

PAPER, INK, TABLE, BAR = (250.0, 249.0, 244.0), (26.0, 26.0, 36.0), (96.0, 66.0, 40.0), (50.0, 50.0, 50.0)
BLUE, GREY, RED, PALE = (120.0, 160.0, 215.0), (60.0, 60.0, 62.0), (215.0, 110.0, 110.0), (170.0, 190.0, 215.0)
SEED, DIGITS = 16, 120
CONFIDENT = 0.9


@dataclass(frozen=True)
class Scene:
    """What is before the camera, and the camera."""

    width: int = 360
    height: int = 480
    digit: float = 0.55  # of the shorter side: the digit's 28 pixels
    paper: Colour = PAPER
    ink: Colour = INK
    across: float = 0  # pixels between ruled lines; 0 is none
    down: float = 0  # between vertical ones
    rule: Colour = BLUE
    rule_width: int = 2
    over: bool = False  # lines on top of the ink, as glossy print is
    margin: float = 0  # a red line, at this share of the width
    light: Shade | None = None
    table: tuple[tuple[str, float], ...] = ()  # sides and their share of the picture
    table_colour: Colour = TABLE
    turn: float = 0  # degrees
    corners: Colour = (0.0, 0.0, 0.0)
    blur: float = 0  # radius, of the shorter side
    noise: float = 1.5  # standard deviation, grey levels
    quality: int = 88  # of the JPEG; 0 is a PNG


def ink_on(scene: Scene, digit: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float64]:
    """How much ink is where, (H, W) in 0 to 1: the digit enlarged, near the middle."""
    side = round(min(scene.width, scene.height) * scene.digit * rng.uniform(0.85, 1.1))
    large = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), np.float64) / 255
    ink = np.zeros((scene.height, scene.width))
    room = np.array([scene.height - side, scene.width - side])
    top, left = (room * rng.uniform(0.4, 0.6, 2)).astype(int)
    ink[top : top + side, left : left + side] = large
    return ink


def ruled(scene: Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    """Where lines are printed, (H, W, 1)."""
    lines = np.zeros((scene.height, scene.width, 1))
    for axis, pitch in ((0, scene.across), (1, scene.down)):
        if pitch:
            at = np.arange(rng.uniform(0, pitch), lines.shape[axis] - scene.rule_width, pitch).astype(int)
            for row in range(scene.rule_width):
                np.moveaxis(lines, axis, 0)[at + row] = 1
    return lines


def rendered(scene: Scene, digit: NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """The picture as a camera sees it, in RGB."""
    ink, lines = ink_on(scene, digit, rng)[..., None], ruled(scene, rng)
    sheet = np.broadcast_to(np.array(scene.paper), (scene.height, scene.width, 3))
    if not scene.over:
        sheet = sheet * (1 - lines) + lines * np.array(scene.rule)
    if scene.margin:
        sheet = sheet.copy()
        at = int(scene.margin * scene.width)
        sheet[:, at : at + 2] = RED
    sheet = sheet * (1 - ink) + ink * np.array(scene.ink)
    if scene.over:
        sheet = sheet * (1 - lines) + lines * np.array(scene.rule)
    for side, share in scene.table:
        view = {"left": sheet.swapaxes(0, 1), "top": sheet, "right": sheet.swapaxes(0, 1)[::-1], "bottom": sheet[::-1]}
        strip = view[side][: max(1, round(share * len(view[side])))]
        strip[:] = np.array(scene.table_colour) + rng.normal(0, 6, strip.shape)
    if scene.turn:
        fill = tuple(int(level) for level in scene.corners)
        turned = Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8)).rotate(
            scene.turn, Image.Resampling.BICUBIC, expand=True, fillcolor=fill
        )
        sheet = np.asarray(turned, np.float64)
    if scene.light:
        y, x = np.mgrid[0 : sheet.shape[0], 0 : sheet.shape[1]]
        sheet = sheet * scene.light(x / sheet.shape[1], y / sheet.shape[0])[..., None]
    if scene.blur:
        image = Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8))
        radius = scene.blur * min(scene.width, scene.height)
        sheet = np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float64)
    noisy = sheet + rng.normal(0, scene.noise, sheet.shape)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def in_file(image: Image.Image, quality: int = 88) -> bytes:
    """As a JPEG, or with quality 0 as a PNG."""
    file = io.BytesIO()
    if quality:
        image.save(file, "JPEG", quality=quality)
    else:
        image.save(file, "PNG")
    return file.getvalue()


def hard_shadow(darker: float, at: float = 0.45, slope: float = -0.25) -> Shade:
    return lambda x, y: np.where(x + slope * (0.5 - y) * -1 < at, 1 - darker, 1.0)


def soft_shadow(darker: float, width: float = 0.25) -> Shade:
    return lambda x, y: 1 - darker + darker * np.clip((x - 0.35) / width, 0, 1)


def lamp(darkest: float, x0: float = 0.2, y0: float = 0.15) -> Shade:
    return lambda x, y: np.maximum(1 - (1 - darkest) * np.hypot(x - x0, y - y0) / 1.1, darkest)


def both(*shades: Shade) -> Shade:
    return lambda x, y: np.prod([shade(x, y) for shade in shades], axis=0)


Recipe = Callable[[NDArray[np.uint8], np.random.Generator], bytes]


def scene(**parameters: object) -> Recipe:
    """A condition whose pictures differ only in digit, place and size."""
    return varied(lambda rng: parameters)


def varied(parameters: Callable[[np.random.Generator], dict[str, object]]) -> Recipe:
    """A condition whose parameters are drawn for each picture."""

    def make(digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
        made = replace(Scene(), **parameters(rng))  # type: ignore[arg-type]
        return in_file(rendered(made, digit, rng), made.quality)

    return make


def turned_by(rng: np.random.Generator, least: float, most: float) -> float:
    return float(rng.uniform(least, most) * rng.choice([-1, 1]))


def tight_crop(margin: float, *, bright: bool = False) -> Recipe:
    """The ink's own box and this share of its longer side on each side; below 0 cuts the ink."""

    def make(digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
        large = Image.fromarray(digit).resize((280, 280), Image.Resampling.BICUBIC)
        ink = np.asarray(large)
        rows, columns = np.flatnonzero((ink > 64).any(1)), np.flatnonzero((ink > 64).any(0))
        extra = round(margin * max(np.ptp(rows), np.ptp(columns)))
        box = columns[0] - extra, rows[0] - extra, columns[-1] + 1 + extra, rows[-1] + 1 + extra
        cut = large.crop(tuple(int(side) for side in box))
        return in_file(cut if bright else cut.point(lambda level: 255 - level), 0)

    return make


def transparent(colour: tuple[int, int, int]) -> Recipe:
    """A stroke in this colour whose opacity is the digit."""

    def make(digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
        opacity = Image.fromarray(digit).resize((280, 280), Image.Resampling.BICUBIC)
        image = Image.new("RGBA", opacity.size, colour)
        image.putalpha(opacity)
        return in_file(image, 0)

    return make


def transparent_corners(digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    """A screenshot with round corners: opaque paper, transparent outside."""
    from PIL import ImageDraw

    image = rendered(Scene(noise=0), digit, rng)
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, *image.size), 40, fill=255)
    image.putalpha(mask)
    return in_file(image, 0)


def enlarged(recipe: Recipe) -> Recipe:
    """At the 12 megapixels of a phone's camera."""

    def make(digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
        small = Image.open(io.BytesIO(recipe(digit, rng)))
        return in_file(small.resize((3000, 4000), Image.Resampling.BILINEAR))

    return make


def dithered(digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    return in_file(rendered(Scene(noise=1), digit, rng).convert("1"), 0)


def reduced_palette(digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    return in_file(rendered(Scene(light=lamp(0.5)), digit, rng).quantize(8), 0)


def scattered_specks(digit: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    """Salt and pepper: 1% of the pixels."""
    pixels = np.asarray(rendered(Scene(), digit, rng)).copy()
    hit = rng.random(pixels.shape[:2]) < 0.01
    pixels[hit] = rng.choice([0, 255], (int(hit.sum()), 1))
    return in_file(Image.fromarray(pixels))


ALL_SIDES = (("left", 0.1), ("right", 0.08), ("top", 0.07), ("bottom", 0.12))
CHALK: dict[str, object] = {"paper": (45.0, 62.0, 52.0), "ink": (228.0, 230.0, 222.0), "noise": 3.0}
CONDITIONS: dict[str, Recipe] = {
    "plain paper": scene(),
    "uneven light": scene(light=lamp(0.3)),
    "uneven light, dark middle": scene(light=lambda x, y: 0.55 + 0.45 * np.hypot(x - 0.5, y - 0.5) / 0.7),
    "hard shadow, 45%": scene(light=hard_shadow(0.45)),
    "hard shadow, 20%": scene(light=hard_shadow(0.2, 0.75, -0.3)),
    "hard shadow, 30 to 60%, anywhere": varied(
        lambda rng: {"light": hard_shadow(rng.uniform(0.3, 0.6), rng.uniform(0.1, 0.9), rng.uniform(-1.5, 1.5))}
    ),
    "hard shadow from below": scene(light=lambda x, y: np.where(y + 0.2 * x > 0.6, 0.55, 1.0)),
    "two hard shadows": scene(light=both(hard_shadow(0.4, 0.3), lambda x, y: np.where(y > 0.55, 0.7, 1.0))),
    "soft shadow, 45%": scene(light=soft_shadow(0.45)),
    "ruled lines, blue": scene(across=40),
    "ruled lines, dark": scene(across=40, rule=GREY),
    "ruled lines, close": scene(across=24, rule=(90.0, 120.0, 190.0)),
    "ruled lines, dark, thin strokes": scene(across=30, rule=GREY, digit=0.35),
    "ruled lines, dark, over the ink": scene(across=40, rule=GREY, over=True),
    "squared paper, pale": scene(across=24, down=24, rule=PALE, rule_width=1),
    "squared paper, pale, over the ink": scene(across=22, down=22, rule=PALE, rule_width=1, over=True),
    "squared paper, dark": scene(across=30, down=30, rule=GREY, rule_width=1),
    "squared paper, dark, two pixels": scene(across=30, down=30, rule=(110.0, 110.0, 120.0)),
    "red margin line": scene(margin=0.14),
    "red margin line and ruled": scene(margin=0.14, across=36),
    "ruled lines, turned by 2 to 12 degrees": varied(
        lambda rng: {"across": 36, "turn": turned_by(rng, 2, 12), "corners": PAPER}
    ),
    "ruled lines, turned, black corners": varied(lambda rng: {"across": 36, "turn": turned_by(rng, 2, 12)}),
    "squared paper, turned, black corners": varied(
        lambda rng: {"across": 30, "down": 30, "rule": PALE, "turn": turned_by(rng, 2, 12)}
    ),
    "hard shadow and ruled lines": scene(light=hard_shadow(0.45), across=40),
    "hard shadow and squared paper": scene(light=hard_shadow(0.4, 0.6), across=24, down=24, rule=PALE, rule_width=1),
    "uneven light and dark lines": scene(light=lamp(0.35), across=40, rule=GREY),
    "table on one side": varied(lambda rng: {"table": ((str(rng.choice(["left", "right", "top", "bottom"])), 0.11),)}),
    "table on one side, 8 pixels": scene(table=(("left", 0.022),)),
    "table on two sides": scene(table=(("left", 0.11), ("bottom", 0.15))),
    "table on three sides": scene(table=ALL_SIDES[:3]),
    "table on four sides": scene(table=ALL_SIDES),
    "table on four sides, wide": scene(table=tuple((side, 0.17) for side, _ in ALL_SIDES), digit=0.45),
    "bright table on one side": scene(table=(("right", 0.15),), table_colour=(170.0, 140.0, 100.0)),
    "table and hard shadow": scene(table=(("left", 0.12),), light=hard_shadow(0.45, 0.55)),
    "table and ruled lines": scene(table=(("left", 0.12),), across=36),
    "paper turned on a table": varied(lambda rng: {"turn": turned_by(rng, 3, 15), "corners": TABLE}),
    "dark bar on top": scene(table=(("top", 0.09),), table_colour=BAR, quality=0, noise=0),
    "dark bar below": scene(table=(("bottom", 0.12),), table_colour=BAR),
    "dark bars on top and below": scene(table=(("top", 0.06), ("bottom", 0.1)), table_colour=(20.0, 20.0, 20.0)),
    "turned by 5 degrees, black corners": varied(lambda rng: {"turn": turned_by(rng, 5, 5)}),
    "turned by 5 to 20 degrees, black corners": varied(lambda rng: {"turn": turned_by(rng, 5, 20)}),
    "turned by 5 to 20 degrees, white corners": varied(
        lambda rng: {"turn": turned_by(rng, 5, 20), "corners": (255.0, 255.0, 255.0)}
    ),
    "turned, grey corners": varied(lambda rng: {"turn": turned_by(rng, 3, 12), "corners": (128.0, 128.0, 128.0)}),
    "tight crop": tight_crop(0),
    "tight crop, ink cut by 3%": tight_crop(-0.03),
    "tight crop, margin of 3%": tight_crop(0.03),
    "tight crop, white on black": tight_crop(0, bright=True),
    "white on transparent": transparent((255, 255, 255)),
    "black on transparent": transparent((0, 0, 0)),
    "pink on transparent": transparent((220, 20, 70)),
    "grey on transparent": transparent((128, 128, 128)),
    "round transparent corners": transparent_corners,
    "blue ink on yellow paper": scene(paper=(250.0, 225.0, 120.0), ink=(30.0, 40.0, 140.0)),
    "red ink on pink paper": scene(paper=(245.0, 190.0, 200.0), ink=(190.0, 30.0, 40.0)),
    "pencil": scene(ink=(150.0, 150.0, 152.0), noise=3.0),
    "red on blue, equal luma": scene(paper=(60.0, 80.0, 199.0), ink=(196.0, 26.0, 26.0), quality=0),
    "green on magenta, equal luma": scene(paper=(190.0, 60.0, 190.0), ink=(30.0, 150.0, 40.0)),
    "chalk on a board": scene(**CHALK),
    "chalk on a board, uneven light": scene(**CHALK, light=lamp(0.4)),
    "chalk on a board, hard shadow": scene(**CHALK, light=hard_shadow(0.4)),
    "white pen on black paper": scene(paper=(8.0, 8.0, 8.0), ink=(250.0, 250.0, 250.0)),
    "out of focus": scene(blur=0.018),
    "out of focus, more": scene(blur=0.028),
    "noise of 15 grey levels": scene(noise=15.0),
    "noise of 25 grey levels": scene(noise=25.0),
    "salt and pepper": scattered_specks,
    "JPEG of quality 20": scene(quality=20),
    "JPEG of quality 8": scene(quality=8),
    "dithered to 1 bit": dithered,
    "palette of 8 colours": reduced_palette,
    "small digit": scene(digit=0.22),
    "large digit": scene(digit=0.88),
    "small picture, 90 by 120": scene(width=90, height=120, digit=0.7, quality=0),
    "hard shadow, out of focus, noise": scene(light=hard_shadow(0.45), blur=0.01, noise=8.0),
    "wide picture": scene(width=800, height=360, digit=0.6),
}
LARGE = "12 megapixels, hard shadow"
SLOW_CONDITIONS: dict[str, Recipe] = {
    LARGE: enlarged(scene(light=hard_shadow(0.4))),
    "12 megapixels, ruled lines": enlarged(scene(across=40)),
}


@dataclass(frozen=True)
class Measured:
    """How the pictures of one condition were read."""

    condition: str
    n: int
    right: int
    confident_wrong: int
    refused: int

    def in_words(self) -> str:
        return f"| {self.condition} | {self.n} | {self.right / self.n:.1%} | {self.confident_wrong} | {self.refused} |"


def chosen_digits(split: Split, n: int = DIGITS) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """n test digits, the same ones each time."""
    chosen = np.random.default_rng(SEED).permutation(len(split))[:n]
    return split.images[chosen], split.labels[chosen].astype(np.int64)


Reader = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # digits (N, 28, 28) to probabilities (N, 10)


def reader(reference: str = "c6-steplr-7416") -> Reader:
    """The ten probabilities of a shipped checkpoint."""
    import torch

    from core.checkpoints.checkpoint import load, normalisation_of
    from core.training.evaluation import log_probabilities
    from lab.studies.shelf import find

    network, card = load(find(reference).stem)

    def probabilities(digits: NDArray[np.uint8]) -> NDArray[np.float32]:
        scores = log_probabilities(network, torch.tensor(digits), normalisation_of(card))
        values: NDArray[np.float32] = scores.exp().numpy()
        return values

    return probabilities


def measured(name: str, n: int, split: Split, read: Reader) -> Measured:
    """A condition, on n test digits."""
    from core.data.drawn_digit import prepare
    from core.data.photograph import from_picture
    from core.errors import DrawingError

    make = (CONDITIONS | SLOW_CONDITIONS)[name]
    images, labels = chosen_digits(split, n)
    digits, true = [], []
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        try:
            digits.append(prepare(from_picture(make(image, np.random.default_rng([SEED, number])))).digit)
        except DrawingError:
            continue
        true.append(label)
    if not digits:
        return Measured(name, n, 0, 0, n)
    values = read(np.stack(digits))
    right = values.argmax(1) == np.array(true)
    confident = values.max(1) >= CONFIDENT
    return Measured(name, n, int(right.sum()), int((~right & confident).sum()), n - len(digits))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conditions", nargs="*", help="names, or parts of them; all without")
    parser.add_argument("--digits", type=int, default=DIGITS)
    parser.add_argument("--slow", action="store_true", help="those of 12 megapixels too")
    parser.add_argument("--checkpoint", default="c6-steplr-7416")
    options = parser.parse_args(arguments)
    names = [*CONDITIONS, *(SLOW_CONDITIONS if options.slow else ())]
    if options.conditions:
        names = [name for name in names if any(part in name for part in options.conditions)]
    split, read = load_split("MNIST", "test"), reader(options.checkpoint)
    print("| condition | n | right | confident and wrong | refused |\n|---|---|---|---|---|")
    for name in names:
        print(measured(name, options.digits, split, read).in_words(), flush=True)


if __name__ == "__main__":
    main()
