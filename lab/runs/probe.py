"""Whether a device can train: one real training step on it, in a process of its own that is given a limited time.

A device that torch lists may still fail at the first kernel, or never answer. `python -m lab.runs.probe KIND` does the
step; what came of it is kept for this machine, driver and torch.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from core.files import replace_text
from core.places import CODE

FILE_NAME = "devices.json"
MOST_SECONDS = 60.0  # for the step, torch's import and the start of the device
AGAIN_SECONDS = 600.0  # after which a device that failed is tried once more: another program may have filled it
TOOL = "nvidia-smi"  # which NVIDIA's driver brings
QUERY_SECONDS = 20.0
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


def command(kind: str) -> list[str]:
    """What does the step."""
    return [sys.executable, "-m", "lab.runs.probe", kind]


def why_not(kind: str, folder: Path, torch_version: str) -> str:
    """Why a device cannot train, in a few words; "" where it can. The answer is kept in the folder."""
    if kind == "cpu":
        return ""
    card = nvidia_card() if kind == "cuda" else None
    made_for = card.driver if card else platform.release()
    key = " | ".join((kind, socket.gethostname(), card.name if card else platform.machine(), made_for, torch_version))
    known = _known(folder)
    found = known.get(key)
    if found is None or (found.error and abs(time.time() - found.when) > AGAIN_SECONDS):
        found = Probed(_step(kind), time.time())
        everything = {name: asdict(each) for name, each in {**known, key: found}.items()}
        replace_text(folder / FILE_NAME, json.dumps(everything))
    return found.error


def _step(kind: str) -> str:
    try:
        done = subprocess.run(
            command(kind), cwd=CODE, capture_output=True, text=True, errors="replace", timeout=MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"one training step did not end within {MOST_SECONDS:.0f} s"
    except OSError as error:
        return f"the step could not be tried: {error.strerror}"
    if done.returncode == 0:
        return ""
    said = "".join(done.stderr.strip().splitlines()[-1:])
    return f"one training step failed: {' '.join(said.split())[:200] or f'status {done.returncode}'}"


def _known(folder: Path) -> dict[str, Probed]:
    try:
        found = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        return {str(key): Probed(str(each["error"]), float(each["when"])) for key, each in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


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


def step_on(kind: str) -> None:
    """One training step, with everything that training uses. Raises what the device does."""
    import torch
    from torch import nn

    device = torch.device(kind)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 26 * 26, 10))
    network.to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    images = torch.linspace(0, 1, 16 * 28 * 28, device=device).reshape(16, 1, 28, 28)
    theta = torch.eye(2, 3, device=device).expand(16, 2, 3)
    grid = nn.functional.affine_grid(theta, [16, 1, 28, 28], align_corners=False)
    images = nn.functional.grid_sample(images, grid, align_corners=False)  # as augmentation does
    loss = nn.functional.cross_entropy(network(images), torch.arange(16, device=device) % 10)
    loss.backward()
    optimizer.step()
    if not torch.isfinite(loss).item():
        raise RuntimeError(f"its loss is {loss.item()}")


if __name__ == "__main__":
    step_on(sys.argv[1])
