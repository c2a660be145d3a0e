"""Waiting for runs: what the command line and the study of the ladder do once they have submitted them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import RunError
from core.training.history import EpochRecord
from lab.runs import supervisor
from lab.runs.rows import Run
from lab.runs.store import RunStore

LOOK_SECONDS = 0.2
STOPPING_SECONDS = 10.0  # that runs are given to stop after Ctrl-C


@dataclass(frozen=True)
class News:
    """Some runs as they stand, and what has happened since the last look."""

    runs: list[Run]
    epochs: list[tuple[Run, EpochRecord]]
    ended: list[Run]


def watched(store: RunStore, runs: Sequence[Run]) -> Iterator[News]:
    """The runs several times a second, until all have ended; workers are started as they are needed.

    Ctrl-C stops the runs, which can go on later. Raises RunError for one that is deleted meanwhile, and where no worker
    stays alive.
    """
    now, told, over = list(runs), dict.fromkeys((run.id for run in runs), 0), set[str]()
    try:
        while True:
            now = [run if run.id in over else store.get(run.id) for run in now]
            going = [run for run in now if run.status != "queued" and run.id not in over]
            epochs = [(run, record) for run in going for record in store.epochs(run.id)[told[run.id] :]]
            ended = [run for run in going if not run.unfinished]
            yield News(now, epochs, ended)
            for run, record in epochs:
                told[run.id] = record.epoch + 1
            over |= {run.id for run in ended}
            if not (unfinished := [run for run in now if run.unfinished]):
                return
            supervisor.watch(store, unfinished[0])
            if all(run.status == "queued" for run in unfinished) and (
                why := supervisor.no_worker(store, unfinished[0])
            ):
                raise RunError(f"{why} The run is kept in the queue.")
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        _stop(store, now)
        raise


def _stop(store: RunStore, runs: Sequence[Run]) -> None:
    deadline = time.monotonic() + STOPPING_SECONDS
    for run in runs:
        store.request_stop(run.id)
    while time.monotonic() < deadline and any(store.get(run.id).unfinished for run in runs):
        time.sleep(LOOK_SECONDS)
