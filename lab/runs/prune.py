"""Deleting old runs, by age and by number: only where a setting says so, and never one with a tag."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from core.errors import RunError
from lab.runs.rows import ENDED as ENDED
from lab.runs.rows import Run
from lab.runs.store import RunStore
from lab.settings import Settings

ALL = 2**62  # more runs than there can be
DAY_SECONDS = 86_400.0

log = logging.getLogger("lab.runs.prune")


def due(runs: Sequence[Run], settings: Settings, now: float) -> list[Run]:
    """Of the runs, newest first, those that the settings say are no longer kept. `now`: seconds since 1970.

    A run counts as old from its end. Tagged ones are never due, and are not counted among those that are kept.
    """
    ended = [run for run in runs if run.status in ENDED and not run.tags]
    latest = settings.keep_runs or len(ended)
    oldest = now - settings.keep_days * DAY_SECONDS if settings.keep_days else float("-inf")
    return [run for place, run in enumerate(ended) if place >= latest or (run.ended or run.created) < oldest]


def prune(store: RunStore, settings: Settings, now: float) -> list[Run]:
    """Delete the runs that are due, with their files; returns them. Raises RunError.

    One that has been tagged or put back in the queue in the meantime stays. Files that cannot be deleted are told to
    the log: their run is gone.
    """
    if not settings.keep_days and not settings.keep_runs:
        return []
    gone = [run for run in due(store.runs(ALL, ENDED), settings, now) if store.delete_untagged(run.id)]
    for run in gone:
        try:
            store.delete_files(run.id)
        except RunError as error:
            log.warning("%s", error)
    if gone:
        log.info("%d runs deleted: kept are %d days, %d runs", len(gone), settings.keep_days, settings.keep_runs)
    return gone
