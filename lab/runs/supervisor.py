"""Starts workers, and gives the runs of dead workers back to the queue."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from core.data.mnist import data_root
from core.errors import LabError, RunError
from core.files import reason
from core.outside import plain
from lab.runs.clock import Clock
from lab.runs.full_disk import STATUS, could_not_write_lately, of_the_disk
from lab.runs.leases import silent_for
from lab.runs.machine import read_machine, read_side_by_side
from lab.runs.prune import prune
from lab.runs.rows import Run, Slot
from lab.runs.store import RunStore
from lab.runs.troubles import may_try, no_worker_lives, note_death
from lab.settings import ROOT, settings

STALE_SECONDS = 15.0  # without a heartbeat for this long, a worker counts as dead
GONE_SECONDS = 3.0  # and for this long, where its process is not there any more
STARTING_SECONDS = 20.0  # within which a worker usually takes its slot
BEGINNING_SECONDS = 150.0  # after which one that has not is ended: it hangs, such as on a device
TENDING_SECONDS = 1.0  # between two looks at the workers
LONGEST_PAUSE = 60.0  # after errors that were not foreseen
PRUNING_SECONDS = 3600.0  # and at runs that are old enough to go
NO_DEVICE = 69  # with which a worker ends whose device is not here: EX_UNAVAILABLE of sysexits.h
CLUSTER = "ray"  # the device, as a slot names it, of the driver of a cluster

log = logging.getLogger("lab.runs.supervisor")

_clock = Clock()
_starting = threading.Lock()
_started: dict[tuple[Path, str, int], tuple[subprocess.Popen[bytes], float]] = {}  # by store, device and slot
_tending = threading.Lock()
_tended: dict[tuple[Path, str], float] = {}  # when, by store and what was tended: "", or the workers of a device


def slots_of(store: RunStore, device: str = "auto") -> int:
    """How many runs train on a kind of device at a time: as many as on one of it, on each that is here.

    On a cluster, as many as its driver last found room for.
    """
    return _slots_of_one(store, device) * gpus_of(store, device)


def _slots_of_one(store: RunStore, device: str) -> int:
    """As set, or else as measured there, or else one."""
    found = read_side_by_side(store.folder)
    if settings().ray_address:
        return found.get(CLUSTER, 1)
    return settings().side_by_side or found.get(device_of(store, device), 1)


def gpus_of(store: RunStore, device: str) -> int:
    """How many of a kind of device are here; 1 while that is not known."""
    machine = read_machine(store.folder)
    return machine.gpus if machine and device_of(store, device) == "cuda" else 1


def ensure_workers(store: RunStore, device: str = "auto") -> None:
    """Start as many workers as the device has slots and runs to do. Raises RunError as `ensure_worker` does."""
    if settings().ray_address:  # one driver, however many runs it trains
        ensure_worker(store)
        return
    queue = store.queue()
    kind = device_of(store, device)
    waiting = sum(device_of(store, run.device) == kind for run in queue.waiting)
    busy = sum(slot.device == kind and bool(slot.run) for slot in store.slots())
    for slot in range(max(1, min(slots_of(store, device), waiting + busy))):
        ensure_worker(store, device, slot)


def ensure_worker(store: RunStore, device: str = "auto", slot: int = 0) -> None:
    """Start a worker for the device's slot unless one lives or is starting. Cheap: call it whenever a run waits.

    After workers that have died it waits longer each time; `troubles` says why nothing starts. Raises RunError for a
    device that this machine does not have.
    """
    device = CLUSTER if settings().ray_address else device
    key = (store.folder.resolve(), device, slot)
    with _starting:  # thirty sessions may ask at once
        if is_alive(store, device, slot):
            return
        process, since = _started.pop(key, (None, 0.0))
        if process is not None and process.poll() is None:
            if time.monotonic() - since < BEGINNING_SECONDS:
                _started[key] = (process, since)
                return
            process.kill()
            process.wait()
            note_death(store, device, slot, f"it did not begin within {BEGINNING_SECONDS:.0f} s", None)
        elif process is not None and process.returncode == NO_DEVICE and not slot:  # the others' GPUs may be gone
            raise RunError(last_line(_log(store, device, slot)) or f"there is no device {device} here")
        elif process is not None and process.returncode:
            note_death(store, device, slot, last_line(_log(store, device, slot)), process.returncode)
        if not may_try(store, device, slot):
            return
        try:
            _started[key] = (_start(store, device, slot), time.monotonic())
        except OSError as error:
            words = f"it could not be started: {reason(error)}"
            note_death(store, device, slot, words, STATUS if of_the_disk(error) else None)


def _start(store: RunStore, device: str, slot: int) -> subprocess.Popen[bytes]:
    """Raises OSError."""
    gpus = gpus_of(store, device)
    one_of_several = gpus > 1 and slot > 0  # slot 0 takes the first GPU, and says how many it sees
    kind = "cuda" if one_of_several else device
    command = [sys.executable, "-m", "lab.runs.worker", "--device", kind, "--slot", str(slot)]
    if one_of_several:
        command += ["--gpu", str(slot % gpus)]
    if device == CLUSTER:
        command = [sys.executable, "-m", "lab.runs.cluster"]
    if idle := os.environ.get("LAB_WORKER_IDLE"):
        command += ["--idle", idle]
    with _log(store, device, slot).open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**child_environment(store), "LAB_SIDE_BY_SIDE": str(_slots_of_one(store, device))},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # it outlives the app
        )


def child_environment(store: RunStore) -> dict[str, str]:
    """The environment of a process that works in another folder: the same home and data, by their whole paths."""
    return {**os.environ, "LAB_HOME": str(store.folder.resolve()), "LAB_DATA": str(data_root().resolve())}


def _log(store: RunStore, device: str, slot: int = 0) -> Path:
    return store.folder / (f"worker-{device}-{slot}.log" if slot else f"worker-{device}.log")


def last_line(log: Path) -> str:
    """The last line of a process's log, which has its error; "" where it said nothing."""
    try:
        return plain("".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]))
    except OSError:
        return ""


def device_of(store: RunStore, device: str) -> str:
    """The device as a slot names it; "auto" while none is known."""
    if settings().ray_address:
        return CLUSTER
    machine = read_machine(store.folder)
    return machine.devices[0] if device == "auto" and machine else device


def is_alive(store: RunStore, device: str = "auto", slot: int = 0) -> bool:
    """Whether a worker is on the device's slot and has a fresh heartbeat."""
    found = store.slot(device_of(store, device), slot)
    return found is not None and not is_gone(found)


def is_gone(slot: Slot, now: float | None = None, silence: float = STALE_SECONDS) -> bool:
    """Whether a worker has died: it was silent for long, or its process is not there any more.

    Just after the clock was set, or the machine has woken up, silence counts for nothing.
    """
    if now is None and not _clock.is_settled():
        silence = math.inf
    quiet = silent_for(slot.heartbeat, time.time() if now is None else now)
    if quiet > silence:
        return True
    if slot.host != socket.gethostname():
        return False
    if any(process.pid == slot.pid and process.poll() is not None for process, _ in list(_started.values())):
        return True  # a child of ours, which we have seen end
    return quiet > GONE_SECONDS and not _is_running(slot.pid)


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


def reap_dead_workers(store: RunStore) -> None:
    """Find the workers that have died, and give their runs back to the queue. Does it at most once a second.

    Where nothing could be written lately, nobody is taken for dead by silence: they could not make themselves heard.
    """
    if not _is_due(store, ""):
        return
    silence = STALE_SECONDS if _clock.is_settled() and not could_not_write_lately(store.folder) else math.inf
    dead = [slot for slot in store.slots() if is_gone(slot, silence=silence)]
    for run in store.recover(silence, dead=[slot.worker for slot in dead]):
        log.warning("run %s lost its worker and is %s", run.id, run.status)
    for slot in dead:
        store.leave_slot(slot.device, slot.worker, slot.slot)


def _is_due(store: RunStore, what: str) -> bool:
    """Whether that has not been done within the last second; if so, the caller does it."""
    with _tending:
        now, key = time.monotonic(), (store.folder, what)
        if now - _tended.get(key, float("-inf")) < TENDING_SECONDS:
            return False
        _tended[key] = now
        return True


def watch(store: RunStore, run: Run) -> None:
    """Call it while looking at an unfinished run: it finds dead workers, and starts a worker for a run that waits.

    Where no worker can be had, the run waits, and `troubles` says why; one for a device that is not here fails. Looks
    for one at most once a second for each device, however many look on.
    """
    reap_dead_workers(store)
    if run.status == "queued" and _is_due(store, run.device):
        try:
            ensure_workers(store, run.device)
        except RunError as error:
            store.refuse(run.id, str(error))


def no_worker(store: RunStore, run: Run) -> str:
    """Why no worker can be had for a run that waits; "" where there is or will be one."""
    return no_worker_lives(store, CLUSTER if settings().ray_address else run.device)


def supervise(store: RunStore, leaving: threading.Event, *also: Callable[[RunStore], None]) -> None:
    """Look after all runs once a second, whether or not anybody looks at a page, until `leaving` is set.

    Where it is set, old runs are deleted, once an hour. `also`: what else is done each time.
    """
    complaint, pruned, failures, pause = "", float("-inf"), 0, TENDING_SECONDS
    while not leaving.wait(pause):
        try:
            reap_dead_workers(store)
            for run in {run.device: run for run in store.queue().waiting}.values():
                watch(store, run)
            for each in also:
                each(store)
            if time.monotonic() - pruned > PRUNING_SECONDS:
                pruned = time.monotonic()
                store.sweep()
                prune(store, settings(), time.time())
            complaint, failures, pause = "", 0, TENDING_SECONDS
        except Exception as error:  # whatever it is, the runs are seen to again; said once, not each second
            failures += 1
            if not isinstance(error, LabError):  # not foreseen, as a full disk is: less often each time
                pause = min(LONGEST_PAUSE, TENDING_SECONDS * 2 ** min(failures, 10))
            if str(error) != complaint:
                complaint = str(error)
                foreseen = isinstance(error, LabError)
                log.error("the runs cannot be seen to (%d times in a row): %s", failures, error, exc_info=not foreseen)


def end_workers(store: RunStore) -> list[Slot]:
    """Ask all workers on this machine to end; their runs wait until there are workers again. Those that were asked."""
    asked = [slot for slot in store.slots() if slot.host == socket.gethostname() and not is_gone(slot)]
    for slot in asked:
        with suppress(OSError):
            os.kill(slot.pid, signal.SIGTERM)
    return asked


def have_ended(store: RunStore, asked: Sequence[Slot], seconds: float) -> bool:
    """Whether they have left their slots, or died, within that time; of a stopped epoch nothing is kept."""
    until = time.monotonic() + seconds
    left = {slot.worker for slot in asked}
    while left and time.monotonic() < until:
        left &= {slot.worker for slot in store.slots() if not is_gone(slot)}
        time.sleep(0.05)
    return not left
