"""Random kills of the worker and of the app while short runs train: `python -m tests.kills --kills 200`.

Some workers are stopped instead (SIGSTOP) and go on later (SIGCONT), often when another has their run.

Every run must come to its end by itself, with every epoch and iteration once, files that open, and the very weights
that it comes to when nobody disturbs it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from core.architecture.json_form import architecture_to_json
from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.data.mnist import EMBEDDED, load
from core.errors import CheckpointError
from core.training.loop import EpochEnd
from core.training.recipe import Augmentation, Jitter, OneCycle, Recipe, recipe_to_json
from core.training.resident import resident
from lab.runs import supervisor
from lab.runs.rows import MAX_LOST, NewRun, Run, Slot
from lab.runs.store import RunStore
from lab.runs.training_job import TrainingJob, run_training
from tests.tiny import TINY, same

ROOT = Path(__file__).resolve().parents[1]
RECIPE = Recipe(
    epochs=20,
    batch_size=32,
    learning_rate=0.02,
    schedule=OneCycle(),
    ema_decay=0.9,
    augmentation=Augmentation(rotation=Jitter(5)),
)
PATIENCE = 300.0  # seconds within which a run has to get on
LONGEST_STOP = 25.0  # seconds; after 15 a worker's run is given to another


@dataclass
class Report:
    """What came of it."""

    worker_kills: int = 0
    app_kills: int = 0
    stops: int = 0  # of the worker, which goes on later
    outlived: int = 0  # of those, the ones that found their run in other hands
    resumed: int = 0  # runs that lost so many workers in a row that their owner had to say "go on"
    runs: int = 0
    lost: int = 0
    corrupt: int = 0
    different: int = 0
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        return self.worker_kills + self.app_kills + self.stops

    @property
    def well(self) -> bool:
        return self.lost == self.corrupt == self.different == 0

    def row(self) -> str:
        """A row of the table in docs/measurements.md."""
        return (
            f"| {self.kills} random kills, {self.worker_kills} of the worker, {self.app_kills} of the app, and "
            f"{self.stops} times SIGSTOP and SIGCONT ({self.outlived} when another worker had the run), "
            f"during {self.runs} runs | no run lost, no corrupt file, equal final weights "
            f"| {self.lost} lost, {self.corrupt} corrupt, {self.different} with other weights, {self.resumed} told to "
            f"go on by hand; {self.seconds / 60:.0f} min |"
        )


class App:
    """The app as it is served, which can be killed and started again on the same folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = os.environ | {
            "LAB_HOME": str(self.home), "LAB_WORKER_IDLE": "60", "OMP_NUM_THREADS": "1", "LAB_SIDE_BY_SIDE": "1"
        }  # fmt: skip
        with (self.home / "app.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(self.port)],
                cwd=ROOT, env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=2):
                return
            time.sleep(0.1)
        raise AssertionError("the app did not answer within 120 s")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()


def rampage(
    home: Path,
    kills: int,
    seed: int,
    share_of_app: float = 0.2,
    share_of_stops: float = 0.15,
    longest_stop: float = LONGEST_STOP,
) -> Report:
    """Kill that many times, at random moments, while there is always a run under way; then see what came of them."""
    chance, report, started = random.Random(seed), Report(), time.monotonic()
    store = RunStore(home)
    runs: list[Run] = []
    app = App(home)
    try:
        while report.kills < kills:
            if not store.queue().waiting and not store.queue().running:
                report.resumed += _go_on(store)
                if not store.queue().waiting:
                    runs.append(_queued(store, seed=len(runs)))
            _until_under_way(store)
            time.sleep(chance.expovariate(1.0))  # anywhere between the claim and, for long waits, the end
            if chance.random() < share_of_app:
                app.kill()
                app.start()
                report.app_kills += 1
            elif (seat := store.slot("cpu")) is not None:
                with suppress(ProcessLookupError):
                    if chance.random() < share_of_stops:
                        _stop(store, seat, chance.uniform(0, longest_stop), report)
                    else:
                        os.kill(seat.pid, signal.SIGKILL)
                        report.worker_kills += 1
            print(f"\r{report.kills} kills and stops", end="", file=sys.stderr)
        _until_ended(store, report)
    finally:
        app.process.send_signal(signal.SIGTERM)
        app.process.wait(60)
        supervisor.end_workers(store)
    _judge(store, runs, report)
    store.close()
    report.seconds = time.monotonic() - started
    return report


def _stop(store: RunStore, seat: Slot, seconds: float, report: Report) -> None:
    """Stop a worker for a while. Should it hold the store's lock just then, nothing can be written until it goes on."""
    os.kill(seat.pid, signal.SIGSTOP)
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.05)
    finally:
        os.kill(seat.pid, signal.SIGCONT)
    report.stops += 1
    report.outlived += (now := store.slot("cpu")) is None or now.worker != seat.worker


def _queued(store: RunStore, seed: int) -> Run:
    """A run in the queue. The app is to see that it waits: nothing here starts a worker."""
    recipe = replace(RECIPE, seed=seed)
    return store.submit(
        NewRun(
            kind="train",
            name=TINY.name,
            architecture_json=architecture_to_json(TINY),
            recipe_json=recipe_to_json(recipe),
            dataset=EMBEDDED,
            device="auto",
            parameters=classifier(TINY).parameters,
            seed=seed,
            epochs=recipe.epochs,
            owner=f"student {seed}",
            owner_key=f"key {seed}",
        )
    )[0]


def _until_under_way(store: RunStore) -> None:
    deadline = time.monotonic() + PATIENCE
    while not store.queue().running and store.queue().waiting:
        assert time.monotonic() < deadline, f"no run was taken for {PATIENCE:.0f} s"
        time.sleep(0.02)


def _go_on(store: RunStore) -> int:
    """What the owner of a run that lost too many workers does; returns how many of them there were."""
    given_up = _given_up(store)
    for run in given_up:
        store.resume(run.id)
    return len(given_up)


def _given_up(store: RunStore) -> list[Run]:
    return [run for run in store.runs(statuses=["failed"]) if run.lost >= MAX_LOST]


def _until_ended(store: RunStore, report: Report) -> None:
    deadline = time.monotonic() + PATIENCE
    while (queue := store.queue()).running or queue.waiting or _given_up(store):
        assert time.monotonic() < deadline, f"{len(queue.running) + len(queue.waiting)} runs did not end"
        report.resumed += _go_on(store)
        time.sleep(0.1)


def _judge(store: RunStore, runs: list[Run], report: Report) -> None:
    torch.set_num_threads(1)
    report.runs = len(runs)
    with sqlite3.connect(store.file) as connection:
        report.corrupt += connection.execute("PRAGMA integrity_check").fetchone() != ("ok",)
    data = resident(load(EMBEDDED), RECIPE, torch.device("cpu"))
    batches = -(-len(data.train) // RECIPE.batch_size)
    for run in runs:
        ended = store.get(run.id)
        whole = [record.epoch for record in store.epochs(run.id)] == list(range(RECIPE.epochs)) and [
            row.iteration for row in store.batches(run.id, at_most=10**6)
        ] == list(range(RECIPE.epochs * batches))
        if ended.status != "finished" or not whole:
            report.lost += 1
            print(f"\n{run.id}: {ended.status} {ended.error}, whole {whole}", file=sys.stderr)
            continue
        try:
            weights = checkpoint.load(store.folder / run.id / "last")[0].state_dict()
            checkpoint.load(store.folder / run.id / "best")
        except CheckpointError as error:
            report.corrupt += 1
            print(f"\n{error}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            order = TrainingJob(TINY.name, "", TINY, replace(RECIPE, seed=run.seed), Path(folder))
            for event in run_training(order, data):
                if isinstance(event, EpochEnd):
                    undisturbed = {name: tensor.clone() for name, tensor in event.weights.items()}
        report.different += not same(weights, undisturbed)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as home:
        report = rampage(Path(home), arguments.kills, arguments.seed)
    print(f"\n{report.row()}")
    return 0 if report.well else 1


if __name__ == "__main__":
    sys.exit(main())
