"""Submitting runs, acting on them, and keeping workers alive for them. The pages and the command line come here."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from core.architecture.spec import Architecture, architecture_from_json, architecture_to_json
from core.architecture.trace import classifier
from core.data.mnist import DATASETS, data_root, is_present
from core.errors import LabError, RunError
from core.record import short
from core.training.recipe import Recipe, check_recipe, recipe_from_json, recipe_to_json
from lab.runs.bounds import check_bounds
from lab.runs.machine import read_machine, read_side_by_side
from lab.runs.person import Person, check_may_change
from lab.runs.prune import prune
from lab.runs.store import Kind, Pause, Run, RunStore, Seat, silence
from lab.settings import settings

STALE_SECONDS = 15.0  # without a heartbeat for this long, a worker counts as dead
GONE_SECONDS = 3.0  # and for this long, where its process is not there any more
MOST_SNAPSHOT_PARAMETERS = 100_000  # 0.4 MB an epoch; those of large networks would fill a disk
STARTING_SECONDS = 20.0  # within which a started worker is given the time to take its seat
TENDING_SECONDS = 1.0  # between two looks at the workers
PRUNING_SECONDS = 3600.0  # and at runs that are old enough to go
CLUSTER = "ray"  # the device, as a seat names it, of the driver of a cluster
ROOT = Path(__file__).resolve().parents[2]

log = logging.getLogger("lab.runs.actions")

_starting = threading.Lock()
_started: dict[tuple[Path, str, int], tuple[subprocess.Popen[bytes], float]] = {}  # by store, device and slot
_tending = threading.Lock()
_tended: dict[tuple[Path, str], float] = {}  # when, by store and what was tended: "", or the workers of a device


def submit(
    store: RunStore,
    architecture: Architecture,
    recipe: Recipe,
    *,
    kind: Kind = "train",
    slug: str = "",
    dataset: str = "MNIST",
    device: str = "auto",
    by: Person,
    prediction: str = "",
    snapshots: bool = False,
) -> Run:
    """Check everything again, whatever a widget allowed, queue the run, and see to a worker. Raises LabError.

    A teacher's own run has no bounds, and while the teacher has lifted them nobody's has.
    """
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
    bounded = not by.teacher and not store.class_setting("bounds_lifted")
    if bounded:
        check_bounds(walked, recipe, dataset, settings(), kind == "range_test")
    _check_waiting(store, by)
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
        owner=by.nickname,
        owner_key=by.key,
        bounded=bounded,
        prediction=prediction,
        snapshots=snapshots,
    )
    ensure_workers(store, device)
    return run


def _check_waiting(store: RunStore, by: Person) -> None:
    """Raises RunError for somebody who has as many runs in the queue as one may."""
    most = settings().most_waiting
    if not by.teacher and by.key and (mine := store.waiting_of(by.key)) >= most:
        raise RunError(f"{mine} of your runs wait already, and at most {most} may; stop one, or wait for one to start")


def _check_device(store: RunStore, device: str) -> None:
    machine = None if settings().ray_address else read_machine(store.folder)
    if device != "auto" and machine and device not in machine.devices:
        raise RunError(f"the device {device} was asked for; this machine has {', '.join(machine.devices)}")


# ---------------------------------------------------------------------- acts on a run: its owner's, or the teacher's


def resume(store: RunStore, run_id: str, by: Person) -> Run:
    """Queue an unfinished run again, to go on after its last epoch. Raises RunError, ClassError."""
    _check_device(store, check_may_change(by, store.get(run_id)).device)
    _check_waiting(store, by)
    run = store.resume(run_id)
    ensure_workers(store, run.device)
    return run


def retry(store: RunStore, run_id: str, by: Person) -> Run:
    """Queue the same run anew, from its beginning, as a run of whoever asks. Raises LabError."""
    old = store.get(run_id)
    _check_device(store, old.device)
    bounded = not by.teacher and not store.class_setting("bounds_lifted")
    if bounded:
        recipe = recipe_from_json(old.recipe)
        walked = classifier(architecture_from_json(old.architecture))
        check_bounds(walked, recipe, old.dataset, settings(), old.kind == "range_test")
    _check_waiting(store, by)
    run = store.retry(run_id, owner=by.nickname, owner_key=by.key, bounded=bounded)
    ensure_workers(store, run.device)
    return run


def stop(store: RunStore, run_id: str, by: Person) -> Run:
    """Stop a waiting run at once, a running one at its next iteration. Raises RunError, ClassError."""
    check_may_change(by, store.get(run_id))
    return store.request_stop(run_id)


def set_pause(store: RunStore, run_id: str, pause: Pause, by: Person) -> Run:
    """Hold a run, now or at the end of its epoch, or, with "", let it go on. Raises RunError, ClassError."""
    check_may_change(by, store.get(run_id))
    return store.set_pause(run_id, pause)


def scale_rate(store: RunStore, run_id: str, factor: float, by: Person) -> Run:
    """Multiply the learning rates still to come by one more factor. Raises RunError, ClassError."""
    run = check_may_change(by, store.get(run_id))
    return store.set_rate_factor(run_id, run.rate_factor * factor)


def describe(store: RunStore, run_id: str, by: Person, name: str, owner: str, tags: Sequence[str]) -> Run:
    """Give a run its name, nickname and tags. Raises RunError, ClassError."""
    run = check_may_change(by, store.get(run_id))
    if name != run.name:
        run = store.rename(run_id, name)
    if owner != run.owner:
        run = store.set_owner(run_id, owner)
    if list(tags) != list(run.tags):
        run = store.set_tags(run_id, tags)
    return run


def delete(store: RunStore, run_id: str, by: Person) -> None:
    """Remove a run, its figures and its files. Raises ClassError, RunError while it runs, or for files that stay."""
    folder = store.folder / check_may_change(by, store.get(run_id)).id
    store.delete(run_id)
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise RunError(f"{folder}: the run is deleted, its files are not: {error.strerror}") from error


# ------------------------------------------------------------------------------------------------------------- workers


def seats_of(store: RunStore, device: str = "auto") -> int:
    """How many runs are under way on a device at a time: as set, or else as measured there, or else one.

    On a cluster, as many as its driver last found room for.
    """
    found = read_side_by_side(store.folder)
    if settings().ray_address:
        return found.get(CLUSTER, 1)
    return settings().side_by_side or found.get(device_of(store, device), 1)


def ensure_workers(store: RunStore, device: str = "auto") -> None:
    """Start as many workers as the device has seats and runs to do. Raises RunError as `ensure_worker` does."""
    if settings().ray_address:  # one driver, however many runs it sees to
        ensure_worker(store)
        return
    queue = store.queue()
    kind = device_of(store, device)
    waiting = sum(device_of(store, run.device) == kind for run in queue.waiting)
    busy = sum(seat.device == kind and bool(seat.run) for seat in store.seats())
    for slot in range(max(1, min(seats_of(store, device), waiting + busy))):
        ensure_worker(store, device, slot)


def ensure_worker(store: RunStore, device: str = "auto", slot: int = 0) -> None:
    """Start a worker for the device's seat unless one lives or is starting. Cheap: call it whenever a run waits.

    Raises RunError for a worker that cannot be started, or that has just ended with an error, which it quotes.
    """
    device = CLUSTER if settings().ray_address else device
    key = (store.folder.resolve(), device, slot)
    with _starting:  # thirty sessions may ask at once
        if is_alive(store, device, slot):
            return
        process, since = _started.get(key, (None, 0.0))
        young = time.monotonic() - since < STARTING_SECONDS
        status = process.poll() if process else None
        if process and young and status is None:
            return
        if young and status is not None and status > 0:  # below 0 it was killed: then another may do better
            raise RunError(f"the worker for {device} ended with status {status}: {_last_words(store, device, slot)}")
        _started[key] = (_start(store, device, slot), time.monotonic())


def _start(store: RunStore, device: str, slot: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lab.runs.worker", "--device", device, "--slot", str(slot)]
    if device == CLUSTER:
        command = [sys.executable, "-m", "lab.runs.cluster"]
    try:
        with _log(store, device, slot).open("ab") as output:
            return subprocess.Popen(
                [*command, *_idle_setting()],
                cwd=ROOT,
                env={**child_environment(store), "LAB_SIDE_BY_SIDE": str(seats_of(store, device))},
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


def _log(store: RunStore, device: str, slot: int = 0) -> Path:
    return store.folder / (f"worker-{device}-{slot}.log" if slot else f"worker-{device}.log")


def _last_words(store: RunStore, device: str, slot: int = 0) -> str:
    """The last line of a worker's log."""
    lines = _log(store, device, slot).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def device_of(store: RunStore, device: str) -> str:
    """The device as a seat names it; "auto" while none is known."""
    if settings().ray_address:
        return CLUSTER
    machine = read_machine(store.folder)
    return machine.devices[0] if device == "auto" and machine else device


def is_alive(store: RunStore, device: str = "auto", slot: int = 0) -> bool:
    """Whether a worker sits on the device's seat and has a fresh heartbeat."""
    seat = store.seat(device_of(store, device), slot)
    return seat is not None and not is_gone(seat)


def is_gone(seat: Seat, now: float | None = None) -> bool:
    """Whether a worker has died: it was silent for long, or its process is not there any more."""
    quiet = silence(seat.heartbeat, time.time() if now is None else now)
    if quiet > STALE_SECONDS:
        return True
    if seat.host != socket.gethostname():
        return False
    if any(process.pid == seat.pid and process.poll() is not None for process, _ in list(_started.values())):
        return True  # a child of ours, which we have seen end
    return quiet > GONE_SECONDS and not _is_running(seat.pid)


def _is_running(pid: int) -> bool:
    """Whether there is such a process; where that cannot be known, there is."""
    if sys.platform == "win32":  # its os.kill would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _idle_setting() -> list[str]:
    seconds = os.environ.get("LAB_WORKER_IDLE")
    return ["--idle", seconds] if seconds else []


def tend(store: RunStore) -> None:
    """Find the workers that have died, and give their runs back to the queue. Does it at most once a second."""
    if not _is_due(store, ""):
        return
    dead = [seat for seat in store.seats() if is_gone(seat)]
    for run in store.recover(STALE_SECONDS, dead=[seat.worker for seat in dead]):
        log.warning("run %s lost its worker and is %s", run.id, run.status)
    for seat in dead:
        store.leave_seat(seat.device, seat.worker, seat.slot)


def _is_due(store: RunStore, what: str) -> bool:
    """Whether that has not been done within the last second; then whoever asks is to do it."""
    with _tending:
        now, key = time.monotonic(), (store.folder, what)
        if now - _tended.get(key, float("-inf")) < TENDING_SECONDS:
            return False
        _tended[key] = now
        return True


def watch(store: RunStore, run: Run) -> None:
    """Called by whoever looks at an unfinished run: sees to dead workers, and to a worker for one that waits.

    Where no worker can be had, the run fails with the reason: it must not wait for ever. Looks for one at most once a
    second for each device, however many look on.
    """
    tend(store)
    if run.status == "queued" and _is_due(store, run.device):
        try:
            ensure_workers(store, run.device)
        except RunError as error:
            store.refuse(run.id, str(error))


def supervise(store: RunStore, leaving: threading.Event) -> None:
    """See to all runs, once a second, whether or not anybody looks at them, until it is time to leave.

    Where it is set, old runs are deleted, once an hour.
    """
    complaint, pruned = "", float("-inf")
    while not leaving.wait(TENDING_SECONDS):
        try:
            tend(store)
            for run in {run.device: run for run in store.queue().waiting}.values():
                watch(store, run)
            if time.monotonic() - pruned > PRUNING_SECONDS:
                pruned = time.monotonic()
                prune(store, settings(), time.time())
            complaint = ""
        except LabError as error:  # such as a disk that is full; said once, not each second
            if str(error) != complaint:
                complaint = str(error)
                log.error("the runs cannot be seen to: %s", error)


def end_workers(store: RunStore) -> None:
    """Ask all workers on this machine to end; their runs wait until there are workers again."""
    for seat in store.seats():
        if seat.host == socket.gethostname() and _is_running(seat.pid):
            with suppress(OSError):
                os.kill(seat.pid, signal.SIGTERM)
