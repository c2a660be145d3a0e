"""A try's choices in words."""

from __future__ import annotations

from core.search.space import Choices
from core.words import rate_words, rounded

TIMES = {"augmentation": 2, "dropout": 3}  # digits behind the point


def choice_words(choices: Choices) -> str:
    """`channels 8-12-10 · kernels 3-5 · dropout 0.050`."""
    parts = []
    for many in ("channels", "kernel"):
        if several := [str(value) for name, value in choices.items() if name.startswith(f"{many} ")]:
            parts.append(f"{many.removesuffix('s')}s {'-'.join(several)}")
    for name, value in choices.items():
        if isinstance(value, str):
            parts.append(value)
        elif name == "learning rate":
            parts.append(f"{name} {rate_words(value)}")
        elif name in TIMES:
            parts.append(f"{name} {'× ' if name == 'augmentation' else ''}{rounded(value, TIMES[name])}")
        elif name == "batch size":
            parts.append(f"{name} {value:,}")
    return " · ".join(parts)
