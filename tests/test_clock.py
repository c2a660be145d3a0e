"""The clock is set, or the machine sleeps: nobody is taken for dead because of that."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from core.data.mnist import EMBEDDED
from core.training.recipe import Recipe
from lab.runs import supervisor
from lab.runs.clock import JUMP_SECONDS, SETTLING_SECONDS, Clock
from lab.runs.rows import new_run
from lab.runs.store import RunStore
from lab.runs.supervisor import reap_dead_workers
from tests.tiny import TINY

pytestmark = pytest.mark.own_data


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86_400.0 * 365, JUMP_SECONDS + 0.1])
def test_after_a_jump_it_settles_once_every_worker_has_written_by_the_new_clock(jump: float) -> None:
    clock = Clock()
    assert clock.is_settled(1000.0, 10.0)
    assert clock.is_settled(1001.0, 11.0)
    assert not clock.is_settled(1002.0 + jump, 12.0)
    assert not clock.is_settled(1002.0 + jump + SETTLING_SECONDS, 12.0 + SETTLING_SECONDS)
    assert clock.is_settled(1002.5 + jump + SETTLING_SECONDS, 12.5 + SETTLING_SECONDS)


def test_a_slow_machine_is_no_jump() -> None:
    clock = Clock()
    assert all(clock.is_settled(1000.0 + passed, passed) for passed in (0.0, 1.0, 90.0, 4000.0))


def test_a_clock_that_is_set_gives_no_run_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose process lives and whose last heartbeat is a second old; then the clock is set by an hour."""
    monkeypatch.setattr(supervisor, "_clock", Clock())
    monkeypatch.setattr(supervisor, "TENDING_SECONDS", 0.0)
    store = RunStore(tmp_path)
    (run,) = store.submit(new_run(TINY, Recipe(), EMBEDDED))
    assert store.take_slot("cpu", "worker", os.getpid(), 15.0)
    assert store.claim({"cpu", "auto"}, "worker") is not None
    reap_dead_workers(store)
    now, host = time.time, socket.gethostname()
    monkeypatch.setattr(time, "time", lambda: now() + 3600)
    reap_dead_workers(store)
    (slot,) = store.slots()
    assert (slot.worker, slot.host, store.get(run.id).status) == ("worker", host, "running")
    assert supervisor.is_alive(store, "cpu")
    monkeypatch.setattr(supervisor, "_clock", Clock())  # much later, and still not a word
    reap_dead_workers(store)
    assert store.slots() == []
    assert store.get(run.id).status == "queued"
