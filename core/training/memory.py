"""Memory that ran out, told apart from other errors and said in one sentence: no second try would have more of it."""

from __future__ import annotations

import errno
import re

from core.errors import LabError

# Of torch, for CUDA, ROCm and MPS; of torch's and the library's allocators on a processor; of CUDA's libraries; of C++.
SAID = r"out of memory|(can't|cannot) allocate memory|not enough memory|ALLOC_FAILED|ALLOCATION_FAILED|bad.alloc"
SAID += r"|Invalid buffer size"  # MPS, of a single tensor that is larger than all of the memory
SIZE = r"([\d.,]+ ?(?:[KMGTPE]i?B|bytes))"
ASKED = re.compile(rf"(?:allocate|buffer size:?) {SIZE}", re.IGNORECASE)
FREE = re.compile(rf"total capacity of {SIZE} of which {SIZE} is free")
MOST = re.compile(rf"max allowed: {SIZE}")
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def out_of_memory(error: BaseException, batch_size: int | None = None) -> str:
    """What was too large for which memory, and what to do; "" for every other error.

    It is known by torch's words, for CUDA's libraries, MPS and the processor each have a kind of error of their own.
    """
    text = str(error)
    if isinstance(error, LabError) or not isinstance(error, RuntimeError | MemoryError | OSError):
        return ""
    if isinstance(error, OSError) and error.errno != errno.ENOMEM:
        return ""
    if isinstance(error, RuntimeError) and not re.search(SAID, text, re.IGNORECASE):
        return ""
    on_gpu = re.search(r"CUDA|HIP|MPS|CUDNN|CUBLAS|Invalid buffer size", text)
    asked, free, most = ASKED.search(text), FREE.search(text), MOST.search(text)
    needed = f": {_size(asked[1])} more were asked for" if asked else ""
    if needed and free:
        needed += f", and {free[2]} of its {free[1]} were free"
    elif needed and most:
        needed += f", and it has {most[1]} in all"
    smaller = "a smaller batch size" + (f" than {batch_size:,}" if batch_size else "")
    where = "the GPU" if on_gpu else "this machine"
    return f"the memory of {where} is full{needed}; choose {smaller}, a smaller network or another device"


def _size(text: str) -> str:
    """A size as torch gives it; bytes in a larger unit."""
    if not text.endswith("bytes"):
        return text
    size, unit = float(re.sub(r"[^\d.]", "", text)), 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:,.0f} bytes" if not unit else f"{size:.2f} {UNITS[unit]}"
