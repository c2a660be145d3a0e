"""Several networks asked about one digit, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lab.ui.formats import percent


def vote_told(answers: Sequence[NDArray[np.float32]]) -> str:
    """What most networks read, and the digit with the highest mean probability (10,): two ways to let several vote."""
    if not answers:
        return "**Vote.** —"
    counts = np.bincount([int(values.argmax()) for values in answers], minlength=10)
    first = np.flatnonzero(counts == counts.max())
    told = " and ".join(f"**{digit}**" for digit in first)
    majority = f"{counts.max()} of {len(answers)} read {told}" if len(first) == 1 else f"a tie between {told}"
    mean = np.mean(np.stack(answers), axis=0)
    best, second = (int(digit) for digit in mean.argsort()[::-1][:2])
    return (
        f"**Vote.** {majority} · mean probability: **{best}** with {percent(float(mean[best]))}, then {second} with "
        f"{percent(float(mean[second]))}"
    )
