"""What the last worker found on this machine, so that the app can name its devices without importing torch."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "machine.json"


@dataclass(frozen=True)
class Machine:
    """The devices that torch found, the fastest first, and how a card names each."""

    devices: tuple[str, ...]  # such as ("cuda", "cpu")
    names: tuple[str, ...]  # such as ("cuda: NVIDIA H200", "cpu")
    torch: str
    threads: int


def read_machine(folder: Path) -> Machine | None:
    """What a worker wrote there; None before the first one, or when the file cannot be read."""
    try:
        data = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        return Machine(tuple(data["devices"]), tuple(data["names"]), str(data["torch"]), int(data["threads"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_machine(machine: Machine, folder: Path) -> None:
    """Write it under a temporary name, then rename."""
    temporary = folder / f".{FILE_NAME}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(machine)), encoding="utf-8")
    temporary.replace(folder / FILE_NAME)
