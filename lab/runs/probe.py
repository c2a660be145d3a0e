"""Whether a device can train: one real training step on it, in a process of its own that is given a limited time.

A device that torch lists may still fail at the first kernel, or never answer, or be slower than the processor.
`python -m lab.runs.probe KIND` does the step; what came of it is kept for this machine, driver and torch.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from core.files import replace_text
from core.places import CODE
from lab.runs.machine import VISIBLE

FILE_NAME = "devices.json"
MOST_SECONDS = 60.0  # for the step, torch's import and the start of the device
AGAIN_SECONDS = 600.0  # after which a device that failed is tried once more: another program may have filled it
TOOL = "nvidia-smi"  # which NVIDIA's driver brings
QUERY_SECONDS = 20.0
MEASURED = ("mps",)  # which small networks leave idle: the steps of a GPU of NVIDIA's are recorded, and faster than one
STEPS, IMAGES = 9, 128  # of which the median is taken, and images in each
HELP = 'see "A GPU that is not used" in docs/serving.md'


@dataclass(frozen=True)
class Card:
    """An NVIDIA card, as its driver names it."""

    name: str
    driver: str  # its version


@dataclass(frozen=True)
class Probed:
    """What came of the step."""

    error: str  # "" where the device trains
    when: float  # seconds since 1970
    seconds: float | None = None  # of a step; 0 where none was measured, None before the lab measured any
    on_processor: float = 0.0  # seconds of the same step there

    @property
    def is_faster(self) -> bool:
        """Whether a step was measured to be faster than on the processor."""
        return 0 < (self.seconds or 0.0) < self.on_processor


def command(kind: str) -> list[str]:
    """What does the step."""
    return [sys.executable, "-m", "lab.runs.probe", kind]


def probed(kind: str, folder: Path, torch_version: str) -> Probed:
    """What came of the step on a kind of device. The answer is kept in the folder."""
    if kind == "cpu":
        return Probed("", time.time())
    card = nvidia_card() if kind == "cuda" else None
    made_for = card.driver if card else platform.release()
    one = tuple(filter(None, [os.environ.get(VISIBLE) if kind == "cuda" else None]))  # of several GPUs, that one
    made_by = card.name if card else platform.machine()
    key = " | ".join((kind, socket.gethostname(), made_by, made_for, torch_version, *one))
    known = _known(folder)
    found = known.get(key)
    old = found is None or (kind in MEASURED and found.seconds is None)
    if found is None or old or (found.error and abs(time.time() - found.when) > AGAIN_SECONDS):
        found = _step(kind)
        everything = {name: asdict(each) for name, each in {**known, key: found}.items()}
        with suppress(OSError):  # then the next process tries the step again
            replace_text(folder / FILE_NAME, json.dumps(everything))
    return found


def _step(kind: str) -> Probed:
    try:
        done = subprocess.run(
            command(kind), cwd=CODE, capture_output=True, text=True, errors="replace", timeout=MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Probed(f"one training step did not end within {MOST_SECONDS:.0f} s", time.time(), 0.0)
    except OSError as error:
        return Probed(f"the step could not be tried: {error.strerror}", time.time(), 0.0)
    if done.returncode == 0:
        return Probed("", time.time(), *_paces(done.stdout))
    said = "".join(done.stderr.strip().splitlines()[-1:])
    words = f"one training step failed: {' '.join(said.split())[:200] or f'status {done.returncode}'}"
    return Probed(words, time.time(), 0.0)


def _paces(said: str) -> tuple[float, float]:
    """The seconds of a step, there and on the processor, from the last line that was said; 0 where that has none."""
    try:
        there, here = json.loads("".join(said.strip().splitlines()[-1:]))
        return float(there), float(here)
    except (ValueError, TypeError):
        return 0.0, 0.0


def _known(folder: Path) -> dict[str, Probed]:
    try:
        found = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        return {str(key): _read(each) for key, each in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _read(kept: dict[str, float | str | None]) -> Probed:
    seconds = kept.get("seconds")
    times = None if seconds is None else float(seconds), float(kept.get("on_processor") or 0.0)
    return Probed(str(kept["error"]), float(kept["when"] or 0.0), *times)


def nvidia_card() -> Card | None:
    """The first NVIDIA card of this machine; None where its driver names none."""
    name, comma, driver = "".join(named_by_driver("name", "driver_version")[:1]).rpartition(",")
    return Card(name.strip(), driver.strip()) if comma else None


def named_by_driver(*fields: str) -> list[str]:
    """A line for each NVIDIA card here, with these fields of nvidia-smi; none where its driver names none."""
    if shutil.which(TOOL) is None:
        return []
    query = (TOOL, f"--query-gpu={','.join(fields)}", "--format=csv,noheader")
    try:
        said = subprocess.run(
            query, capture_output=True, text=True, errors="replace", timeout=QUERY_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return said.stdout.strip().splitlines() if said.returncode == 0 else []


def unused_card(card: Card | None, cuda_build: str | None, torch_version: str, warning: str) -> str:
    """Why torch does not find a card that is here, and what to install, in one sentence.

    `cuda_build`: the CUDA that torch was built for, None of a build for the processor. `warning`: what torch said.
    """
    if card is None:
        return ""
    here = f"{card.name} is here (driver {card.driver}), and runs train on the processor"
    if cuda_build is None:
        return f"{here}: torch {torch_version} is built for the processor only; install its build for CUDA, {HELP}."
    if re.search(r"driver.{0,40}too old", warning):
        return f"{here}: the driver is too old for CUDA {cuda_build}; install a newer NVIDIA driver, {HELP}."
    return f"{here}: torch {torch_version}, built for CUDA {cuda_build}, finds no device; {HELP}."


def step_on(kind: str, images: int = 16) -> Callable[[], float]:
    """A training step, with everything that training uses, which returns its loss. Raises what the device does."""
    import torch
    from torch import nn

    device = torch.device(kind)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 26 * 26, 10))
    network.to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    shape = [images, 1, 28, 28]
    greys = torch.linspace(0, 1, images * 28 * 28, device=device).reshape(shape)
    theta = torch.eye(2, 3, device=device).expand(images, 2, 3)
    labels = torch.arange(images, device=device) % 10

    def step() -> float:
        grid = nn.functional.affine_grid(theta, shape, align_corners=False)
        changed = nn.functional.grid_sample(greys, grid, align_corners=False)  # as augmentation does
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(changed), labels)
        loss.backward()
        optimizer.step()
        return loss.item()  # which waits for the device

    return step


def pace_on(kind: str) -> float:
    """The seconds of a step with as many images as a batch has; without the first ones, which choose kernels."""
    step, seconds = step_on(kind, IMAGES), list[float]()
    for _ in range(3 + STEPS):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return median(seconds[3:])


def main(kind: str) -> None:
    """The step, and for a device that may be slower than the processor its seconds, and those there, on a line."""
    loss = step_on(kind)()
    if not math.isfinite(loss):
        raise RuntimeError(f"its loss is {loss}")
    if kind in MEASURED:
        print(json.dumps([pace_on(kind), pace_on("cpu")]))


if __name__ == "__main__":
    main(sys.argv[1])
