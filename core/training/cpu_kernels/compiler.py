"""The kernels as a library, compiled once for each machine by the Zig project's C compiler, which pip installs.

One compiler on Linux, macOS and Windows; where it is missing, the machine's own `clang` may do. It takes a second or
two. The library is kept beside this module, where Python keeps its compiled modules too.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from core.files import replacing

SOURCE = Path(__file__).with_name("kernels") / "network.c"  # and beside it what it includes
KEPT = Path(__file__).with_name("__pycache__")
FLAGS = (
    "-O3", "-march=native", "-mprefer-vector-width=512", "-ffp-contract=fast", "-fno-builtin", "-fno-math-errno",
    "-fno-sanitize=all", "-fvisibility=hidden", "-shared", "-fPIC", "-nostdlib", "-s", "-Wno-everything",
)  # fmt: skip
DOUBLE = ("-DREAL=double", "-DWHOLE=long long")
SECONDS = 60  # after which a compiler is given up
OFF = "LAB_CPU_KERNELS"  # "0": torch's own path

log = logging.getLogger(__name__)


@lru_cache(maxsize=2)
def compiled(double: bool = False) -> ctypes.CDLL | None:
    """The compiled kernels, in float32 or in float64; None where there is no compiler, with a remark in the log."""
    if os.environ.get(OFF) == "0":
        return None
    command = _compiler()
    if not command:
        log.info("no compiler for the CPU kernels (pip install ziglang): torch's own path is used")
        return None
    flags = (*FLAGS, *(DOUBLE if double else ()))
    try:
        return _loaded(command, flags)
    except (OSError, subprocess.SubprocessError) as error:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        log.warning("the CPU kernels could not be compiled, torch's own path is used: %s", said.strip().split("\n")[0])
        return None


def _compiler() -> tuple[str, ...]:
    if importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc")
    found = shutil.which("clang")
    return (found,) if found else ()


def _loaded(command: tuple[str, ...], flags: tuple[str, ...]) -> ctypes.CDLL:
    sources = (each.read_text(encoding="utf-8") for each in sorted(SOURCE.parent.iterdir()))
    made_of = "\n".join((*sources, *command[1:], *flags, _processor()))
    name = f"kernels-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.lib"
    places = [folder / name for folder in _folders()]
    path = next((each for each in places if each.exists()), None)
    return ctypes.CDLL(str(path or _made(command, flags, places)))


def _folders() -> list[Path]:
    """Where it may be kept: a server's code is often read-only, and the lab's folder is not."""
    home = os.environ.get("LAB_HOME")
    return [KEPT, *([Path(home) / "kernels"] if home else [])]


def _made(command: tuple[str, ...], flags: tuple[str, ...], places: Sequence[Path]) -> Path:
    """Compiled into the first place that can be written. Raises OSError, SubprocessError."""
    refused = OSError("there is no place for it")
    for path in places:
        try:
            path.parent.mkdir(exist_ok=True)
            with replacing(path) as part, tempfile.TemporaryDirectory() as cache:
                part.touch()
                caches = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), cache)
                subprocess.run(
                    [*command, *flags, "-o", part, SOURCE], env={**os.environ, **caches},
                    check=True, capture_output=True, text=True, timeout=SECONDS,
                )  # fmt: skip
        except OSError as error:
            refused = error
        else:
            return path
    raise refused


def _processor() -> str:
    """What tells machines apart that may share a folder: the library uses all that the processor can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(
        sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    )
