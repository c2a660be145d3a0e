"""Submitting runs and keeping a worker alive for them. The pages and the command line come here, not to the worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from core.errors import RunError
from core.mnist import DATASETS, data_root, is_present
from core.recipe import Recipe, check_recipe, recipe_to_json
from core.record import short
from core.spec import Architecture, architecture_to_json
from core.trace import classifier
from lab.machine import read_machine
from lab.runs import Kind, Run, RunStore, silence

STALE_SECONDS = 15.0  # without a heartbeat for this long, a worker counts as dead
MOST_SNAPSHOT_PARAMETERS = 100_000  # 0.4 MB an epoch; those of large networks would fill a disk
STARTING_SECONDS = 20.0  # within which a started worker is given the time to take its seat
ROOT = Path(__file__).resolve().parents[1]

_starting = threading.Lock()
_started: dict[tuple[Path, str], tuple[subprocess.Popen[bytes], float]] = {}  # by store and device


def submit(
    store: RunStore,
    architecture: Architecture,
    recipe: Recipe,
    *,
    kind: Kind = "train",
    slug: str = "",
    dataset: str = "MNIST",
    device: str = "auto",
    owner: str = "",
    prediction: str = "",
    snapshots: bool = False,
) -> Run:
    """Check everything again, whatever a widget allowed, queue the run, and see to a worker. Raises LabError."""
    walked = classifier(architecture)
    if architecture.input != (1, 28, 28):
        raise RunError(f"input: the data sets have 1 x 28 x 28 images, the network takes {architecture.input}")
    check_recipe(recipe)
    if dataset not in DATASETS:
        raise RunError(f"there is no data set {dataset!r}; there are {', '.join(DATASETS)}")
    if not is_present(dataset):
        raise RunError(f"{dataset} is not in {data_root()}; download it first: python -m lab data --download {dataset}")
    if snapshots and walked.parameters >= MOST_SNAPSHOT_PARAMETERS:
        raise RunError(
            f"the weights of every epoch are kept for networks below {MOST_SNAPSHOT_PARAMETERS:,} parameters, "
            f"{short(architecture.name)} has {walked.parameters:,}"
        )
    _check_device(store, device)
    run = store.submit(
        kind=kind,
        slug=slug,
        name=architecture.name,
        architecture=architecture_to_json(architecture),
        recipe=recipe_to_json(recipe),
        dataset=dataset,
        device=device,
        parameters=walked.parameters,
        seed=recipe.seed,
        epochs=recipe.epochs if kind == "train" else 0,
        owner=owner,
        prediction=prediction,
        snapshots=snapshots,
    )
    ensure_worker(store, device)
    return run


def _check_device(store: RunStore, device: str) -> None:
    machine = read_machine(store.folder)
    if device != "auto" and machine and device not in machine.devices:
        raise RunError(f"the device {device} was asked for; this machine has {', '.join(machine.devices)}")


def resume(store: RunStore, run_id: str) -> Run:
    """Queue an unfinished run again, to go on after its last epoch. Raises RunError."""
    _check_device(store, store.get(run_id).device)
    run = store.resume(run_id)
    ensure_worker(store, run.device)
    return run


def retry(store: RunStore, run_id: str) -> Run:
    """Queue the same run anew, from its beginning. Raises RunError."""
    _check_device(store, store.get(run_id).device)
    run = store.retry(run_id)
    ensure_worker(store, run.device)
    return run


def delete(store: RunStore, run_id: str) -> None:
    """Remove a run, its figures and its files. Raises RunError while it is running, or for files that stay."""
    folder = store.folder / store.get(run_id).id
    store.delete(run_id)
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise RunError(f"{folder}: the run is deleted, its files are not: {error.strerror}") from error


def ensure_worker(store: RunStore, device: str = "auto") -> None:
    """Start a worker for the device unless one lives or is starting. Cheap: call it whenever a run waits.

    Raises RunError for a worker that cannot be started, or that has just ended with an error, which it quotes.
    """
    key = (store.folder.resolve(), device)
    with _starting:  # thirty sessions may ask at once
        if is_alive(store, device):
            return
        process, since = _started.get(key, (None, 0.0))
        young = time.monotonic() - since < STARTING_SECONDS
        status = process.poll() if process else None
        if process and young and status is None:
            return
        if young and status is not None and status > 0:  # below 0 it was killed: then another may do better
            raise RunError(f"the worker for {device} ended with status {status}: {_last_words(store, device)}")
        _started[key] = (_start(store, device), time.monotonic())


def _start(store: RunStore, device: str) -> subprocess.Popen[bytes]:
    try:
        with _log(store, device).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "lab.worker", "--device", device, *_idle_setting()],
                cwd=ROOT,
                env=child_environment(store),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # it outlives the app
            )
    except OSError as error:
        raise RunError(f"a worker could not be started: {error}") from error


def child_environment(store: RunStore) -> dict[str, str]:
    """The environment of a process that works in another folder: the same home and data, by their whole paths."""
    return {**os.environ, "LAB_HOME": str(store.folder.resolve()), "LAB_DATA": str(data_root().resolve())}


def _log(store: RunStore, device: str) -> Path:
    return store.folder / f"worker-{device}.log"


def _last_words(store: RunStore, device: str) -> str:
    """The last line of a worker's log."""
    lines = _log(store, device).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def is_alive(store: RunStore, device: str = "auto") -> bool:
    """Whether a worker that takes runs for this device has a fresh heartbeat."""
    if device == "auto":
        machine = read_machine(store.folder)
        if machine is None:
            return False
        device = machine.devices[0]
    seat = store.seat(device)
    return seat is not None and silence(seat.heartbeat, time.time()) < STALE_SECONDS


def _idle_setting() -> list[str]:
    seconds = os.environ.get("LAB_WORKER_IDLE")
    return ["--idle", seconds] if seconds else []


def watch(store: RunStore, run: Run) -> None:
    """Called by whoever looks at an unfinished run: ends dead workers' runs, and sees to a worker for one that waits.

    Where no worker can be had, the run fails with the reason: it must not wait for ever.
    """
    store.interrupt_stale(STALE_SECONDS)
    if run.status == "queued":
        try:
            ensure_worker(store, run.device)
        except RunError as error:
            store.refuse(run.id, str(error))
