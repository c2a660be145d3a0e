"""An exported script, run in this process on images that the test gives it."""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

import core.data.vision  # noqa: F401  # so that torchvision can be imported beside a torch without CUDA
from core.data.mnist import Dataset, Split

STEMS = {"train": "train", "test": "t10k"}


def write_idx(dataset: Dataset, folder: Path) -> Path:
    """The data set as torchvision finds it in the folder, which is returned."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        images, labels = raw / f"{STEMS[name]}-images-idx3-ubyte", raw / f"{STEMS[name]}-labels-idx1-ubyte"
        images.write_bytes(struct.pack(">IIII", 0x803, len(split), 28, 28) + split.images.tobytes())
        labels.write_bytes(struct.pack(">II", 0x801, len(split)) + split.labels.tobytes())
    return folder


def made_digits(train: int, test: int) -> Dataset:
    """Images of noise, brighter in a place of their own for each label, so that there is something to learn."""
    random = np.random.default_rng(3)

    def split(count: int) -> Split:
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = random.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label + 2 : 2 * label + 6, 4:24] = 220
        return Split(images, labels)

    return Dataset("made", split(train), split(test))


def with_constants(script: str, **values: object) -> str:
    """The script with other values of these names."""
    for name, value in values.items():
        script, found = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", script, flags=re.MULTILINE)
        assert found == 1, name
    return script


def executed(script: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What the script defines, and what it prints; what it writes goes into the folder."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(script, "exported.py", "exec", dont_inherit=True), names)  # nothing that this module imports
    return names, printed.getvalue()


@contextlib.contextmanager
def rates_recorded() -> Iterator[list[tuple[float, float | None]]]:
    """The learning rate and momentum of each step of the first optimizer that takes one, while the block runs."""
    found: list[tuple[float, float | None]] = []
    first: list[torch.optim.Optimizer] = []

    def note(optimizer: torch.optim.Optimizer, *_: object) -> None:
        first.append(optimizer)
        if optimizer is first[0]:
            group = optimizer.param_groups[0]
            momentum = group["momentum"] if "momentum" in group else group.get("betas", (None,))[0]
            found.append((float(group["lr"]), momentum))

    handle = register_optimizer_step_pre_hook(note)
    try:
        yield found
    finally:
        handle.remove()
