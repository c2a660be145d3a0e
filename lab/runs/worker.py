"""The worker: claims queued runs for one device and trains them, one after the other, until it has long been idle.

It is a process of its own, so that it stays warm between runs, outlives the app, is not slowed by it, and can be killed
without hurting it. `lab.runs.actions` starts it with `python -m lab.runs.worker` when there is something to do.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType

import torch

from core.checkpoints.checkpoint import device_name
from core.data.mnist import best_present
from core.errors import DeviceError, LabError, RunError
from core.outside import log_plainly, printable
from core.training.recipe import Recipe
from core.training.resident import available_devices, choose_device
from lab.runs.executor import POLL_SECONDS, Executor
from lab.runs.full_disk import STATUS, of_the_disk
from lab.runs.machine import Machine, see_only, write_machine
from lab.runs.probe import MEASURED, Probed, nvidia_card, probed, unused_card
from lab.runs.rows import Run
from lab.runs.seeds import train_group
from lab.runs.store import RunStore
from lab.runs.supervisor import NO_DEVICE, STALE_SECONDS, reap_dead_workers
from lab.runs.training_job import Here, load_resident
from lab.settings import lab_home, settings

HEARTBEAT_SECONDS = 1.0
STORE_SECONDS = 1.0  # until a store that could not be used is tried again
IDLE_SECONDS = 900.0  # of an empty queue, after which the worker ends itself

log = logging.getLogger("lab.runs.worker")


class Holder:
    """A process on one slot of a device or a cluster: guards it, and says each second that it and its runs live."""

    def __init__(self, store: RunStore, kind: str, slot: int = 0) -> None:
        """`kind`: the device as a slot names it."""
        self.store, self.kind, self.slot = store, kind, slot
        self.id = secrets.token_hex(8)
        self.leaving = threading.Event()
        self.busy_with = ""  # a run, or one of several
        self._complaint = ""  # what was said last of a store that cannot be used

    @contextmanager
    def on_its_slot(self) -> Iterator[bool]:
        """Whether the slot is free: then it is this process's until the end of what is done within."""
        reap_dead_workers(self.store)  # the slot of one that has just died is free at once
        if not self.store.take_slot(self.kind, self.id, os.getpid(), STALE_SECONDS, slot=self.slot):
            log.info("slot %s of %s has its worker already", self.slot, self.kind)
            yield False
            return
        over = threading.Event()
        pulse = threading.Thread(target=self._beat, args=(over,), name="heartbeat", daemon=True)
        pulse.start()
        try:
            yield True
        finally:
            self.leaving.set()
            over.set()
            pulse.join()
            with suppress(RunError):  # on a full disk the slot is free when it has been silent for long
                self.store.leave_slot(self.kind, self.id, self.slot)

    def next_run(self, kinds: Collection[str], device_name: str, spread: bool) -> Run | None:
        """A run that is claimed; None, after a moment, where none waits, or the store cannot be used just now."""
        try:
            reap_dead_workers(self.store)
            run = self.store.claim(kinds, self.id, device_name, settings().runs_a_person, spread)
        except RunError as error:  # such as a full disk: no run has to pay for it
            if str(error) != self._complaint:
                self._complaint = str(error)
                log.warning("no run can be taken: %s", error)
            self.leaving.wait(STORE_SECONDS)
            return None
        self._complaint = ""
        if run is None:
            self.leaving.wait(POLL_SECONDS)
        return run

    def _beat(self, over: threading.Event) -> None:
        """Say every second that this process and its runs live; leave when the slot was given to another."""
        while not over.wait(HEARTBEAT_SECONDS):
            try:
                mine = self.store.slot_heartbeat(self.kind, self.id, self.busy_with, self.slot)
                if self.busy_with:
                    self.store.heartbeats(self.id)
            except LabError as error:
                log.warning("no heartbeat: %s", error)
                continue
            if not mine and not self.leaving.is_set():
                log.warning("the slot on %s was given to another worker", self.kind)
                self.leaving.set()


class Worker(Holder):
    """One process on one of a device's slots, which trains one run after the other there."""

    def __init__(self, store: RunStore, device: str, slot: int = 0) -> None:
        found = tried(store.folder)
        if device in found and found[device].error:
            raise RunError(f"{device}: {found[device].error}")
        usable = [kind for kind, each in found.items() if not each.error]
        self.device = choose_device(usable[0] if device == "auto" else device)
        super().__init__(store, self.device.type, slot)
        self.kinds = {self.device.type} | ({"auto"} if usable[0] == self.device.type else set())
        self.executor = Executor(store, self.id, self.leaving, Here(self.device, self.leaving))
        # Workers that share the cores of a processor share the seeds of a group too.
        self.spread = self.device.type == "cpu" and settings().side_by_side > 1

    def work(self, idle_seconds: float) -> None:
        """Take the slot, warm up and serve the device's queue; return at once when another worker is there."""
        with self.on_its_slot() as free:
            if free:
                warm_up(self.device)
                self._serve(idle_seconds)

    def _serve(self, idle_seconds: float) -> None:
        idle_since = time.monotonic()
        while not self.leaving.is_set() and time.monotonic() - idle_since < idle_seconds:
            run = self.next_run(self.kinds, device_name(self.device), self.spread)
            if run is None:
                continue
            self.busy_with = run.id
            if run.seed_group and not self.spread:
                train_group(self.store, self.id, self.leaving, self.device, run)
            else:
                self.executor.execute(run)
            self.busy_with = ""
            idle_since = time.monotonic()


def tried(folder: Path) -> dict[str, Probed]:
    """What came of a training step on each device here, the fastest first: `auto` takes the first that can train."""
    found = {kind: probed(kind, folder, str(torch.__version__)) for kind in available_devices()}
    return dict(sorted(found.items(), key=lambda each: each[0] in MEASURED and not each[1].is_faster))


def device_here(wanted: str, folder: Path) -> torch.device:
    """As `choose_device`, but `auto` is the fastest on which a step works. Raises DeviceError."""
    usable = [kind for kind, found in tried(folder).items() if not found.error] if wanted == "auto" else [wanted]
    return choose_device(usable[0])


def describe_machine(folder: Path) -> Machine:
    """The devices here, the fastest first, and what is here and not used."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = tried(folder)  # torch warns of a driver that is too old
    usable = [kind for kind, each in found.items() if not each.error]
    devices = [choose_device(kind) for kind in usable]
    names = tuple(device_name(device) for device in devices)
    unused = [f"{kind} is not used: {each.error}." for kind, each in found.items() if each.error]
    unused += [_passed_over(kind, found[kind]) for kind in usable[usable.index("cpu") + 1 :]]
    if "cuda" not in found:
        warning = " ".join(str(each.message) for each in said)
        unused.append(unused_card(nvidia_card(), torch.version.cuda, str(torch.__version__), warning))
    told = tuple(filter(None, unused))
    gpus = max(1, torch.cuda.device_count()) if "cuda" in usable else 1
    return Machine(tuple(usable), names, str(torch.__version__), torch.get_num_threads(), told, gpus)


def _passed_over(kind: str, found: Probed) -> str:
    if not found.seconds:
        return f"auto takes the processor: how fast {kind} is could not be measured."
    there, here = (f"{1000 * seconds:.1f} ms" for seconds in (found.seconds, found.on_processor))
    return f"auto takes the processor: a training step takes {there} on {kind} and {here} there."


def warm_up(device: torch.device) -> None:
    """Load the data and run a step, so that the first run's first point comes at once."""
    try:
        load_resident(best_present(), Recipe(), device)
    except LabError as error:
        log.warning("not warmed up: %s", error)  # the run that needs the data will say it to its owner
    layer = torch.nn.Conv2d(1, 8, 3).to(device)
    layer(torch.zeros(8, 1, 28, 28, device=device)).sum().backward()


def leave_on_signal(leaving: threading.Event) -> None:
    """Let the process end in order when it is asked to."""

    def leave(signum: int, frame: FrameType | None) -> None:
        leaving.set()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


def last_words(work: Callable[[], None]) -> int:
    """Do the work of a process; returns its exit status. What goes wrong stands in the last line of its log."""
    try:
        work()
    except Exception as error:
        if not isinstance(error, LabError):
            log.exception("this process ends")
        words = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        with suppress(OSError):
            print(printable(" ".join(words.split())), file=sys.stderr, flush=True)
        return NO_DEVICE if isinstance(error, DeviceError) else STATUS if of_the_disk(error) else 1
    return 0


def main() -> int:
    """The process: `python -m lab.runs.worker [--device auto] [--idle SECONDS]`."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.runs.worker", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    parser.add_argument("--slot", type=int, default=0, help="which of the device's slots")
    parser.add_argument("--gpu", type=int, help="which of several NVIDIA GPUs, from 0: it sees no other")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds without a run before it ends")
    arguments = parser.parse_args()
    log_plainly()
    return last_words(partial(_serve_queue, arguments.device, arguments.slot, arguments.idle, arguments.gpu))


def _serve_queue(device: str, slot: int, idle: float, gpu: int | None = None) -> None:
    store = RunStore(lab_home())
    if gpu is None:
        write_machine(describe_machine(store.folder), store.folder)
    else:  # a worker that sees one of several does not know the machine
        see_only(gpu)
    worker = Worker(store, device, slot)
    if worker.device.type == "cpu" and settings().side_by_side > 1:  # they share the cores
        torch.set_num_threads(max(1, torch.get_num_threads() // settings().side_by_side))
    leave_on_signal(worker.leaving)
    worker.work(idle)


if __name__ == "__main__":
    sys.exit(main())
