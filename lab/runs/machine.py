"""What the last worker found on this machine, so that the app can name its devices without importing torch."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from core.files import replace_text
from lab.settings import settings

FILE_NAME = "machine.json"
SIDE_BY_SIDE = "side_by_side.json"
VISIBLE = "CUDA_VISIBLE_DEVICES"  # which GPUs a process sees, by CUDA's own rule
SEEDS_ON_GPU = 8  # of a group, in training at a time at most
SEEDS_ON_CLUSTER = 256  # which takes as many as its nodes have room for


@dataclass(frozen=True)
class Machine:
    """The devices that torch found, the fastest first, and how a card names each."""

    devices: tuple[str, ...]  # such as ("cuda", "cpu")
    names: tuple[str, ...]  # such as ("cuda: NVIDIA H200", "cpu")
    torch: str
    threads: int
    unused: tuple[str, ...] = ()  # a sentence for each device that is here and that auto does not take
    gpus: int = 1  # of the kind cuda, each with workers of its own


def read_machine(folder: Path) -> Machine | None:
    """What a worker wrote there; None before the first one, or when the file cannot be read."""
    file = folder / FILE_NAME
    try:
        status = file.stat()
        return _read(file, status.st_mtime_ns, status.st_ino)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=8)
def _read(file: Path, changed: int, inode: int) -> Machine:
    """Read once for each time it was written: pages ask for every run that waits."""
    data = json.loads(file.read_text(encoding="utf-8"))
    unused = tuple(map(str, data.get("unused", ())))
    gpus = max(1, int(data.get("gpus", 1)))
    return Machine(tuple(data["devices"]), tuple(data["names"]), str(data["torch"]), int(data["threads"]), unused, gpus)


def write_machine(machine: Machine, folder: Path) -> None:
    """Write it under a temporary name, then rename."""
    replace_text(folder / FILE_NAME, json.dumps(asdict(machine)))


def see_only(gpu: int) -> None:
    """Let this process, and those that it starts, see one of the NVIDIA GPUs that it was given, counted from 0.

    So that GPU is all that `cuda` means there. It must be called before torch looks for GPUs.
    """
    given = [each.strip() for each in os.environ.get(VISIBLE, "").split(",") if each.strip()]
    os.environ[VISIBLE] = given[gpu] if gpu < len(given) else "-1" if given else str(gpu)  # -1: none


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def most_side_by_side(device: str) -> int:
    """How many seeds of a group may train on a device at a time."""
    if settings().ray_address:
        return SEEDS_ON_CLUSTER
    if device == "mps":
        return 1  # two threads that use it end the process: https://github.com/pytorch/pytorch/issues/197805
    return cores() if device == "cpu" else SEEDS_ON_GPU


def read_side_by_side(folder: Path) -> dict[str, int]:
    """How many runs side by side measured best, by device; empty where `bench --side-by-side` has not measured it."""
    try:
        found = json.loads((folder / SIDE_BY_SIDE).read_text(encoding="utf-8"))
        return {str(device): max(1, int(best)) for device, best in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_side_by_side(folder: Path, device: str, best: int) -> None:
    """Keep a device's best number beside those of the others."""
    replace_text(folder / SIDE_BY_SIDE, json.dumps({**read_side_by_side(folder), device: best}))
