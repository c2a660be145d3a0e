"""What a page, a link, a file or a command line may be given by somebody who means no good, or just mistypes."""

from __future__ import annotations

import base64
import copy
import io
import json
import struct
import zlib
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from core.architecture.json_form import architecture_to_dict
from core.architecture.spec import OPS, Concatenate, Repeat, Residual
from core.ladder.catalogue import LADDER
from core.ladder.relatives import EXTRAS
from core.training.recipe import recipe_to_dict
from tests.random_architectures import architectures

TEXTS = [
    *("", " ", "a", "0", "-1", "1e999", "nan", "NaN", "None", "null", "true", "\x00", "\ud800", "x\udfff", "\u202egnp"),
    *("../../etc/passwd", "/dev/zero", "file:///etc/passwd", "C:\\con", ".", "..", "~", "%00", "a" * 70_000),
    *("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "'; DROP TABLE runs; --", "{{7*7}}"),
    *("<script>alert(1)</script>", "<b>bold</b>", "[a](javascript:alert(1))", "https://example.com", ":red[x]"),
    *("$x^2$", "# big\n\n1. one", ":material/delete:", "__class__", "__import__('os')", "\N{PILE OF POO}" * 50),
    *("١٢٣", "²", "1_000", " 1 ", "9" * 400, "0x10", "1,5", "--help", "-", "a/last", "saved:x", "𝟙"),
]
NUMBERS = [
    *(0, -1, 1, 2, 3, 9, 10, 27, 28, 29, 99, 100, 255, 256, 257, 511, 512, 513, 1000, 1001, 4095, 4096, 4097),
    *(2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, 10**400, -(10**400), 10**4000),
    *(0.0, -0.0, 0.5, 0.99, 1.0, 1.5, 1e-9, 1e-320, 1e30, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
]


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    inner: Any = []
    for _ in range(depth):
        inner = [inner]
    return inner


texts = st.sampled_from(TEXTS) | st.text(st.characters(codec=None), max_size=40)
numbers = st.sampled_from(NUMBERS) | st.integers() | st.floats()
scalars = st.none() | st.booleans() | numbers | texts
junk: st.SearchStrategy[Any] = (
    scalars
    | st.builds(nested, st.sampled_from([1, 50, 400]))
    | st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
)


@st.composite
def changed(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> Any:
    """A JSON document with up to three places changed, by a little or into something else."""
    document = copy.deepcopy(draw(documents))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(document))
        if not places:
            return draw(junk)
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(["junk", "number", "number", "gone", "more", "twice", "whole"])):
            case "junk":
                holder[key] = draw(junk)
            case "number":
                holder[key] = draw(numbers)
            case "gone":
                del holder[key]
            case "more" if isinstance(holder, dict):
                holder[draw(texts)] = draw(junk)
            case "twice" if isinstance(holder, list):
                holder[key:key] = [holder[key]] * draw(st.sampled_from([1, 5, 300]))
            case "whole" if draw(st.integers(0, 9)) == 0:
                return draw(junk)
    return document


def _places(document: Any) -> Any:
    """Every place of the document: what holds it, and its key there."""
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(pairs):
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


@st.composite
def as_text(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> str:
    """A document as JSON text, now and then cut or with something put in."""
    try:
        text = json.dumps(draw(documents))
    except ValueError:  # a number with more digits than Python writes
        text = "[" + "1" * 5_000 + "]"
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["cut", "in", "out", "deep"])):
            case "cut":
                text = text[:at]
            case "in":
                text = (
                    text[:at]
                    + draw(st.sampled_from(["1" * 5_000, '"', "}", "]", "[", "\x00", "\\ud800", "NaN", ","]))
                    + text[at:]
                )
            case "out":
                text = text[:at] + text[at + draw(st.integers(1, 30)) :]
            case "deep":
                text = text[:at] + "[" * draw(st.sampled_from([1, 900, 100_000])) + text[at:]
    return text


@st.composite
def as_bytes(draw: st.DrawFn, contents: st.SearchStrategy[bytes]) -> bytes:
    """A file's bytes, cut short, with some of them changed, or with others behind."""
    content = bytearray(draw(contents))
    for _ in range(draw(st.sampled_from([0, 1, 1, 2, 5]))):
        if not content:
            break
        at = draw(st.integers(0, len(content) - 1))
        match draw(st.sampled_from(["cut", "flip", "flip", "start", "behind"])):
            case "cut":
                del content[at:]
            case "flip":
                content[at] = draw(st.integers(0, 255))
            case "start":  # where headers are
                content[min(at, 40) % len(content)] = draw(st.integers(0, 255))
            case "behind":
                content += draw(st.binary(max_size=50))
    return bytes(content)


# ----------------------------------------------------------------------------------------------- networks and recipes

NETWORKS = [architecture_to_dict(step.architecture) for step in (*LADDER, *EXTRAS)]
RECIPES = [recipe_to_dict(step.recipe) for step in (*LADDER, *EXTRAS)]
RECIPES += [  # as other programs write them
    {
        "lr": 0.1,
        "optimizer": {"name": "Muon", "adam_lr": 0.01},
        "schedule": {"name": "OneCycleLR", "three_phase": True},
    },
    {"optimizer": "adam", "betas": [0.9, 0.98], "schedule": "MultiStepLR", "milestones": [2, 4], "early_stopping": 3},
    {"clip_grad_value": 1.0, "l1": 0.001, "normalisation": {"mean": 0.5, "std": 0.25}, "validation_split": 0.1},
    {"augmentation": {"RandomErasing": {"p": 0.1, "scale": [0.02, 0.2]}, "crop": 4, "elastic": 50, "zoom": 0.2}},
    {"schedule": {"name": "CyclicLR", "base_lr": 0.001, "max_lr": 0.1, "mode": "exp_range", "gamma": 0.9}},
]

BODIES = (Residual, Concatenate, Repeat)
sizes = st.sampled_from([1, 1, 2, 3, 5, 7, 14, 27, 28, 29, 55, 100, 256, 511, 512])
widths = st.sampled_from([1, 2, 8, 10, 16, 100, 500, 600, 1000, 2000, 4000, 4096])


@st.composite
def op_documents(draw: st.DrawFn, inner: int = 0) -> dict[str, Any]:
    """An op whose fields are each in range, large ones too; whether it fits is open."""
    kind = draw(st.sampled_from([name for name, op in OPS.items() if inner < 2 or op not in BODIES]))
    document: dict[str, Any] = {"op": kind}
    if OPS[kind] in BODIES:
        document["body"] = draw(st.lists(op_documents(inner + 1), max_size=3)) * draw(st.sampled_from([1, 1, 1, 20]))
    if kind in ("Residual", "Concatenate") and draw(st.booleans()):
        document["shortcut"] = draw(st.lists(op_documents(inner + 1), max_size=2))
    if kind == "Repeat":
        document["times"] = draw(st.sampled_from([1, 2, 3, 64]))
    if kind in ("GroupNorm", "SqueezeExcite"):
        document["num_groups" if kind == "GroupNorm" else "squeeze_channels"] = draw(widths)
    if kind == "Conv":
        document |= {"out_channels": draw(widths), "kernel_size": draw(sizes), "bias": draw(st.booleans())}
        document["groups"] = draw(st.sampled_from([1, 1, 1, document["out_channels"]]))
    if kind in ("MaxPool", "AvgPool"):
        document["kernel_size"] = draw(sizes)
    if kind == "Linear":
        document["out_features"] = draw(widths)
    if "kernel_size" in document and draw(st.booleans()):
        document |= {"stride": draw(sizes), "padding": draw(st.sampled_from([0, document["kernel_size"] // 2, 1, 512]))}
        if kind != "AvgPool":
            document["dilation"] = draw(st.sampled_from([1, 1, 2, 3, 20, 512]))
    return document


@st.composite
def large_networks(draw: st.DrawFn) -> dict[str, Any]:
    """A network with every field in range that may be far too much to build."""
    ops = draw(st.lists(op_documents(), min_size=1, max_size=6)) * draw(st.sampled_from([1, 1, 2, 8, 40]))
    ops += draw(st.sampled_from([[], [{"op": "GlobalAvgPool"}, {"op": "Linear", "out_features": 10}]]))
    side = draw(st.sampled_from([28, 28, 28, 1, 5, 512]))
    return {
        "name": draw(st.sampled_from(["large", "=1+1", "https://example.com"])),
        "input": [1, side, side],
        "ops": ops[:256],
    }


networks = st.sampled_from(NETWORKS) | architectures().map(architecture_to_dict) | large_networks()
recipes = st.sampled_from(RECIPES)


def code_of(content: bytes) -> str:
    """A link's code, whatever is in it."""
    return base64.urlsafe_b64encode(zlib.compress(content)).decode().rstrip("=")


codes = (
    as_text(changed(networks)).map(lambda text: code_of(text.encode("utf-8", "surrogatepass")))
    | as_bytes(as_text(networks).map(lambda text: code_of(text.encode()).encode())).map(
        lambda code: code.decode("latin-1")
    )
    | st.binary(max_size=200).map(code_of)
    | st.sampled_from([code_of(b" " * 20_000_000), code_of(b"[" * 60_000), "A" * 40_000])
    | texts
)

# ------------------------------------------------------------------------------------------------------------ pictures

MODES = {
    "PNG": ("1", "L", "P", "RGB", "RGBA", "LA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "GIF": ("L", "P", "RGB"),
    "BMP": ("1", "L", "P", "RGB"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "RGB", "RGBA", "I;16", "I", "F", "CMYK"),
}
DIMENSIONS = [1, 2, 3, 28, 57, 200, 281, 640]


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """A small picture file: any format, mode and orientation, of nothing, of noise or of a stroke."""
    form = draw(st.sampled_from(sorted(MODES)))
    mode = draw(st.sampled_from(MODES[form]))
    width, height = draw(st.sampled_from(DIMENSIONS)), draw(st.sampled_from(DIMENSIONS))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    levels = np.full((height, width), draw(st.sampled_from([0, 255, 128])), np.uint8)
    kind = draw(st.sampled_from(["blank", "noise", "stroke", "stroke"]))
    if kind == "noise":
        levels = random.integers(0, 256, (height, width), np.uint8)
    elif kind == "stroke":
        levels[height // 4 : height // 2 + 1, width // 3 : width // 2 + 1] ^= 255
    image = Image.fromarray(levels)
    if mode == "I;16":
        image = Image.fromarray(levels.astype(np.uint16) * 257)
    elif mode == "F":
        values = levels.astype(np.float32)
        values[0, 0] = draw(st.sampled_from([0.0, np.nan, np.inf, -np.inf, 3e38]))
        image = Image.fromarray(values)
    else:
        image = image.convert(mode)
    options: dict[str, Any] = {}
    if form in ("JPEG", "PNG", "WEBP", "TIFF") and draw(st.booleans()):
        exif = Image.Exif()
        exif[0x0112] = draw(st.sampled_from([1, 3, 6, 8, 0, 9, 65_535]))
        options["exif"] = exif
    if form == "PNG" and mode in ("P", "L", "RGB") and draw(st.booleans()):
        options["transparency"] = 0 if mode != "RGB" else (0, 0, 0)
    if form == "GIF" and draw(st.booleans()):
        options |= {"save_all": True, "append_images": [image] * 20}
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png_claiming(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG that says it is that large and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"\0" * 999))
        + _chunk(b"IEND", b"")
    )


def png_with_text(size: int) -> bytes:
    """A small PNG with a compressed text of that many bytes before its pixels."""
    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    text = b"Comment\0\0" + zlib.compress(b" " * size)
    rows = zlib.compress((b"\0" + b"\xff" * 14 + b"\0" * 14) * 28)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"zTXt", text)
        + _chunk(b"IDAT", rows)
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def large_picture(form: str, mode: str, width: int, height: int, **options: Any) -> bytes:
    """A real picture of that size, a bright stroke on black, which packs into little."""
    if mode in ("I;16", "I", "F"):
        levels = np.zeros((height, width), {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode])
        levels[height // 4 : height // 2, width // 3 : width // 2] = 60_000
        image = Image.fromarray(levels)
    else:
        plain = np.zeros((height, width), np.uint8)
        plain[height // 4 : height // 2, width // 3 : width // 2] = 255
        image = Image.fromarray(plain).convert(mode)
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


claims = st.builds(
    png_claiming,
    st.sampled_from([0, 1, 5_000, 65_535, 2**31 - 1]),
    st.sampled_from([0, 1, 4_000, 65_535, 2**31 - 1]),
    st.sampled_from([1, 8, 16, 3]),
    st.sampled_from([0, 2, 3, 4, 6, 1]),
)
uploads = (
    as_bytes(pictures())
    | pictures()
    | claims
    | st.builds(png_with_text, st.sampled_from([10, 60_000_000]))
    | st.binary(max_size=300)
)
