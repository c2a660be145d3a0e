"""The figures of the shipped checkpoints beyond MNIST's test set: read from their file, and measured where missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from core.analysis.robustness import Robustness, is_current, read_robustness, write_robustness
from core.errors import CheckpointError
from core.files import reason
from lab.studies import shelf

FILE_NAME = "robustness.json"


def path() -> Path:
    """Where the figures stand, beside the checkpoints."""
    return shelf.SHIPPED / FILE_NAME


def table() -> dict[str, Robustness]:
    """The entries of the shipped checkpoints, by reference; stale ones are left out, and without a file there are none.

    Needs neither torch nor MNIST. Raises CheckpointError for a file that is damaged.
    """
    try:
        entries = _read(path(), path().stat().st_mtime_ns)
    except FileNotFoundError:
        return {}
    hashes = {shelved.reference: shelved.card.weights_sha256 for shelved in shelf.shipped()}
    return {
        each.checkpoint: each
        for each in entries
        if each.checkpoint in hashes and is_current(each, hashes[each.checkpoint])
    }


@lru_cache(maxsize=4)
def _read(path: Path, modified: int) -> tuple[Robustness, ...]:
    """The entries, read once for each time they are written."""
    return read_robustness(path)


def measure_shipped(say: Callable[[str], None]) -> None:
    """Measure every shipped checkpoint whose entry is missing or stale; the file is rewritten after each.

    `say` gets a line for each, and one when a damaged file is measured again. What is no longer shipped is removed.
    Raises DataError without MNIST, and CheckpointError for a checkpoint that cannot be loaded or a file not written.
    """
    from core.analysis.distortion import measure, subset
    from core.checkpoints.checkpoint import load, normalisation_of  # torch, which the reading does without
    from core.data.mnist import load_split

    try:
        entries = table()
    except CheckpointError as error:
        say(f"{error}; all are measured anew")
        entries = {}
    missing = [shelved for shelved in shelf.shipped() if shelved.reference not in entries]
    if not missing:
        _write(entries)  # without those that are no longer shipped
        say(f"beyond the test set: all {len(entries)} shipped checkpoints are measured already")
        return
    test = subset(load_split("MNIST", "test"))
    for shelved in missing:
        network, card = load(shelved.stem)
        found = measure(
            network, normalisation_of(card), test, checkpoint=shelved.reference, weights_sha256=card.weights_sha256
        )
        entries[shelved.reference] = found
        _write(entries)
        say(f"{shelved.reference}: {found.embedded_accuracy:.2%} of {found.embedded_images:,} embedded digits")


def _write(entries: dict[str, Robustness]) -> None:
    try:
        write_robustness(entries.values(), path())
    except OSError as error:
        raise CheckpointError(f"{path()}: the figures could not be written: {reason(error)}") from error
