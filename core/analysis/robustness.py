"""The accuracy of a checkpoint beyond MNIST's test set: on other people's digits, and on distorted test digits.

The figures of all shipped checkpoints are in one JSON file and need no torch; `distortion` measures them. An entry has
the hash of its weights, so that figures of older weights are found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from core.checkpoints.files import checked_version, read_json
from core.errors import CheckpointError
from core.files import replace_text
from core.record import Json, Length, Range, read, short, write

VERSION = 1
DIGITS = 5  # after the point, of stored accuracies

Distortion = Literal["shift", "rotation", "scale"]
Share = Annotated[float, Range(0, 1)]
Count = Annotated[int, Range(1, 1_000_000)]
# (distortion, accuracy), by rising distortion
Curve = Annotated[tuple[tuple[Annotated[float, Range(-1000, 1000)], Share], ...], Length(1, 1000)]

DISTORTIONS: dict[Distortion, tuple[float, ...]] = {
    "shift": (0, 1, 2, 3, 4, 5, 6),  # pixels; the mean accuracy over right, left, down and up
    "rotation": (-45, -37.5, -30, -22.5, -15, -7.5, 0, 7.5, 15, 22.5, 30, 37.5, 45),  # degrees, anticlockwise
    "scale": (0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5),  # factor; above 1 enlarges
}
NEUTRAL: dict[Distortion, float] = {"shift": 0, "rotation": 0, "scale": 1}  # no distortion
EVERY = 5  # only every fifth test image is distorted, 2,000 of 10,000: seconds instead of minutes
IMAGES = 2_000


@dataclass(frozen=True)
class Robustness:
    """The accuracies of one checkpoint beyond the test set, as fractions."""

    checkpoint: str  # its name
    weights_sha256: str  # of the weights that were measured
    device: str  # as on a card
    torch: str  # its version
    images: Count  # of MNIST's test set, the same for every point of every curve
    embedded_accuracy: Share
    embedded_images: Count
    shift: Curve
    rotation: Curve
    scale: Curve

    def curve(self, kind: Distortion) -> Curve:
        """The curve of that distortion."""
        return {"shift": self.shift, "rotation": self.rotation, "scale": self.scale}[kind]


def is_current(measured: Robustness, weights_sha256: str) -> bool:
    """Whether these are figures of those weights, with the current distortions and number of images."""
    asked = all(tuple(amount for amount, _ in measured.curve(kind)) == amounts for kind, amounts in DISTORTIONS.items())
    return asked and measured.images == IMAGES and measured.weights_sha256 == weights_sha256


# ---------------------------------------------------------------------------------------------------------------- files


def robustness_to_dict(measured: Robustness) -> dict[str, Json]:
    """The entry's JSON form, with rounded accuracies; without the checkpoint's name, which is its key in the file."""

    def rounded(curve: Curve) -> Curve:
        return tuple((float(amount), round(accuracy, DIGITS)) for amount, accuracy in curve)

    stored = replace(
        measured,
        embedded_accuracy=round(measured.embedded_accuracy, DIGITS),
        shift=rounded(measured.shift),
        rotation=rounded(measured.rotation),
        scale=rounded(measured.scale),
    )
    return {name: value for name, value in write(stored).items() if name != "checkpoint"}


def robustness_from_dict(checkpoint: str, data: Json, place: str) -> Robustness:
    """The entry that a JSON object describes. Raises CheckpointError, its message beginning with `place`."""
    entry: Json = {"checkpoint": checkpoint, **data} if isinstance(data, dict) else data
    measured = read(Robustness, entry, place, CheckpointError)
    for kind in DISTORTIONS:
        amounts = [amount for amount, _ in measured.curve(kind)]
        if amounts != sorted(set(amounts)):
            raise CheckpointError(f"{place}: {kind}: the distortions do not rise: {short(amounts)}")
    return measured


def read_robustness(path: Path) -> tuple[Robustness, ...]:
    """All entries of a file, sorted by checkpoint. Raises CheckpointError for a missing or damaged file."""
    data = read_json(path, "there is no such file of figures", "the figures cannot be read")
    entries = checked_version(data, VERSION, "the figures'", str(path)).get("checkpoints")
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
