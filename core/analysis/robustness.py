"""How a checkpoint reads what MNIST's test set does not hold: other people's digits, and test digits distorted.

The figures of all shipped checkpoints stand in one JSON file and need no torch; `distortion` measures them. An
entry carries the hash of the weights that it was measured with, so that one of other weights is known as stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal, cast

from core.checkpoints.files import read_json, replace_text
from core.errors import CheckpointError
from core.record import Json, Range, read, short

VERSION = 1
DIGITS = 5  # after the point, of stored accuracies

Kind = Literal["shift", "rotation", "scale"]
Curve = tuple[tuple[float, float], ...]  # (distortion, accuracy), by rising distortion

DISTORTIONS: dict[Kind, tuple[float, ...]] = {
    "shift": (0, 1, 2, 3, 4, 5, 6),  # pixels; the mean accuracy over right, left, down and up
    "rotation": (-45, -37.5, -30, -22.5, -15, -7.5, 0, 7.5, 15, 22.5, 30, 37.5, 45),  # degrees, anticlockwise
    "scale": (0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5),  # factor; above 1 enlarges
}
NEUTRAL: dict[Kind, float] = {"shift": 0, "rotation": 0, "scale": 1}  # where nothing is distorted
EVERY = 5  # of MNIST's test images every fifth is distorted, 2,000 of its 10,000: seconds instead of minutes
IMAGES = 2_000


@dataclass(frozen=True)
class Robustness:
    """What one checkpoint reads rightly beyond the test set. Accuracies are fractions."""

    checkpoint: str  # its reference
    weights_sha256: str  # of the weights that were measured
    device: str  # as a card names it
    torch: str  # its version
    images: int  # of MNIST's test set, the same for every point of every curve
    embedded_accuracy: float
    embedded_images: int
    shift: Curve
    rotation: Curve
    scale: Curve

    def curve(self, kind: Kind) -> Curve:
        """The curve of that distortion."""
        return {"shift": self.shift, "rotation": self.rotation, "scale": self.scale}[kind]


def is_current(measured: Robustness, weights_sha256: str) -> bool:
    """Whether these are figures of those weights, at the distortions and on as many images as are asked for today."""
    asked = all(tuple(amount for amount, _ in measured.curve(kind)) == amounts for kind, amounts in DISTORTIONS.items())
    return asked and measured.images == IMAGES and measured.weights_sha256 == weights_sha256


# ---------------------------------------------------------------------------------------------------------------- files


@dataclass(frozen=True)
class _Numbers:
    images: Annotated[int, Range(1, 1_000_000)]
    embedded_accuracy: Annotated[float, Range(0, 1)]
    embedded_images: Annotated[int, Range(1, 1_000_000)]


@dataclass(frozen=True)
class _Point:
    distortion: Annotated[float, Range(-1000, 1000)]
    accuracy: Annotated[float, Range(0, 1)]


_TEXTS = ("weights_sha256", "device", "torch")


def robustness_to_dict(measured: Robustness) -> dict[str, Json]:
    """The entry's JSON form, without the checkpoint's name, which is its key in the file; accuracies rounded."""
    curves = {
        kind: [[float(amount), round(accuracy, DIGITS)] for amount, accuracy in measured.curve(kind)]
        for kind in DISTORTIONS
    }
    return {
        **{name: getattr(measured, name) for name in _TEXTS},
        "images": measured.images,
        "embedded_accuracy": round(measured.embedded_accuracy, DIGITS),
        "embedded_images": measured.embedded_images,
        **cast(dict[str, Json], curves),
    }


def robustness_from_dict(checkpoint: str, data: Json, place: str) -> Robustness:
    """The entry that a JSON object describes. Raises CheckpointError, its message beginning with `place`."""
    names = [field.name for field in fields(Robustness) if field.name != "checkpoint"]
    if not isinstance(data, dict) or sorted(data) != sorted(names):
        raise CheckpointError(f"{place}: expected an object of {', '.join(names)}, got {short(data)}")
    texts = [data[name] for name in _TEXTS]
    if not all(isinstance(text, str) for text in texts):
        raise CheckpointError(f"{place}: {', '.join(_TEXTS)}: expected texts, got {short(texts)}")
    numbers = {field.name: data[field.name] for field in fields(_Numbers)}
    weights_sha256, device, torch = cast(list[str], texts)
    return Robustness(
        checkpoint=checkpoint,
        weights_sha256=weights_sha256,
        device=device,
        torch=torch,
        **vars(read(_Numbers, numbers, place, CheckpointError)),
        shift=_curve(data["shift"], f"{place}: shift"),
        rotation=_curve(data["rotation"], f"{place}: rotation"),
        scale=_curve(data["scale"], f"{place}: scale"),
    )


def _curve(data: Json, place: str) -> Curve:
    if not isinstance(data, list) or not data:
        raise CheckpointError(f"{place}: expected pairs of distortion and accuracy, got {short(data)}")
    points = []
    for number, pair in enumerate(data):
        if not isinstance(pair, list) or len(pair) != 2:
            raise CheckpointError(f"{place}[{number}]: expected a distortion and an accuracy, got {short(pair)}")
        point = read(_Point, {"distortion": pair[0], "accuracy": pair[1]}, f"{place}[{number}]", CheckpointError)
        points.append((point.distortion, point.accuracy))
    amounts = [amount for amount, _ in points]
    if amounts != sorted(set(amounts)):
        raise CheckpointError(f"{place}: the distortions do not rise: {short(amounts)}")
    return tuple(points)


def read_robustness(path: Path) -> tuple[Robustness, ...]:
    """All entries of a file, by checkpoint. Raises CheckpointError for one that is missing or damaged."""
    data = read_json(path, "there is no such file of figures", "the figures cannot be read")
    if not isinstance(data, dict) or data.get("version") != VERSION:
        found = data.get("version") if isinstance(data, dict) else None
        raise CheckpointError(f"{path}: the figures' version is {short(found)}, this lab reads version {VERSION}")
    entries = data.get("checkpoints")
    if not isinstance(entries, dict):
        raise CheckpointError(f"{path}: checkpoints: expected an object with an entry for each, got {short(entries)}")
    return tuple(robustness_from_dict(name, entries[name], f"{path}: {name}") for name in sorted(entries))


def write_robustness(entries: Iterable[Robustness], path: Path) -> None:
    """Replace the entries in a file, a line for each. Raises OSError."""
    lines = [
        f"{json.dumps(each.checkpoint)}: {json.dumps(robustness_to_dict(each))}"
        for each in sorted(entries, key=lambda each: each.checkpoint)
    ]
    text = f'{{"version": {VERSION}, "checkpoints": {{\n' + ",\n".join(lines) + "\n}}\n"
    replace_text(path, text)
