"""Submitting runs and keeping a worker alive for them. The pages and the command line come here, not to the worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from core.errors import LabError, RunError
from core.mnist import DATASETS, data_root, is_present
from core.recipe import Recipe, check_recipe, recipe_to_json
from core.spec import Architecture, architecture_to_json
from core.trace import classifier
from lab.machine import read_machine
from lab.runs import Kind, Run, RunStore, silence

STALE_SECONDS = 15.0  # without a heartbeat for this long, a worker counts as dead
STARTING_SECONDS = 20.0  # within which a started worker is given the time to take its seat
ROOT = Path(__file__).resolve().parents[1]

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
    machine = read_machine(store.folder)
    if device != "auto" and machine and device not in machine.devices:
        raise RunError(f"the device {device} was asked for; this machine has {', '.join(machine.devices)}")
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
    )
    ensure_worker(store, device)
    return run


def ensure_worker(store: RunStore, device: str = "auto") -> None:
    """Start a worker for the device unless one lives or is starting. Cheap: call it whenever a run waits."""
    if is_alive(store, device):
        return
    key = (store.folder.resolve(), device)
    process, since = _started.get(key, (None, 0.0))
    if process is not None and process.poll() is None and time.monotonic() - since < STARTING_SECONDS:
        return
    log = store.folder / f"worker-{device}.log"
    try:
        with log.open("ab") as output:
            started = subprocess.Popen(
                [sys.executable, "-m", "lab.worker", "--device", device, *_idle_setting()],
                cwd=ROOT,
                env={**os.environ, "LAB_HOME": str(store.folder.resolve())},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # it outlives the app
            )
    except OSError as error:
        raise RunError(f"a worker could not be started: {error}") from error
    _started[key] = (started, time.monotonic())


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
    """Called by whoever looks at an unfinished run: marks dead workers' runs and starts a worker where none lives."""
    try:
        store.interrupt_stale(STALE_SECONDS)
        if run.status == "queued":
            ensure_worker(store, run.device)
    except LabError:
        return  # looking must not fail; the next look tries again
