"""Several seeds as one line of text: `0-4,9`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count, islice

from core.errors import RunError
from core.record import short

MAX_SEEDS = 100
LAST_SEED = 2**31 - 1  # a recipe's


def parse_seeds(text: str, place: str = "Seeds") -> tuple[int, ...]:
    """The seeds that a list such as 0-4,9 names, in order. Raises RunError, which begins with the place."""
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,50})(?:-([0-9]{1,50}))?\s*", part)
        if found is None:
            raise RunError(f"{place}: {short(part)} is neither a seed nor a range of seeds; give such as 0-4,9")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise RunError(f"{place}: {short(part)} counts down; give {last}-{first}")
        if last > LAST_SEED:
            raise RunError(f"{place}: {short(part)} is outside 0 to {LAST_SEED:,}")
        if len(seeds) + last - first + 1 > MAX_SEEDS:
            raise RunError(f"{place}: {short(text)} names more than {MAX_SEEDS} seeds")
        seeds += range(first, last + 1)
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise RunError(f"{place}: {short(text)} names {seed} more than once")
    return tuple(sorted(seeds))


def next_seeds(taken: Sequence[int], number: int) -> tuple[int, ...]:
    """So many seeds more, the next ones after the largest of those that are taken, or, at the end, the free ones."""
    first = max(taken, default=-1) + 1
    free = (seed for seed in count(first if first + number <= LAST_SEED else 0) if seed not in taken)
    return tuple(islice(free, number))


def seeds_in_words(seeds: Sequence[int]) -> str:
    """The seeds as `parse_seeds` reads them: neighbours as a range."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)
