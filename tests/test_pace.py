"""In turn: one after the other, never for ever, and never waiting for oneself."""

from __future__ import annotations

import threading
import time

import pytest

from lab.server import pace
from lab.server.pace import in_turn
from tests.patience import patient


def test_what_many_threads_do_in_turn_never_overlaps() -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with in_turn():
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_whoever_has_the_turn_need_not_wait_for_it() -> None:
    began = time.monotonic()
    with in_turn(), in_turn():
        pass
    assert time.monotonic() - began < pace.PATIENCE / 2
    with in_turn():  # it was given back whole
        assert pace._turn.locked()
    assert not pace._turn.locked()


def test_an_error_gives_the_turn_back() -> None:
    with pytest.raises(ValueError, match="no"), in_turn():
        raise ValueError("no")
    assert not pace._turn.locked()


def test_whoever_waits_behind_a_long_one_goes_on_out_of_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PATIENCE", 0.1)
    done, over = threading.Event(), threading.Event()

    def long() -> None:
        with in_turn():
            done.set()
            over.wait(patient(10))

    thread = threading.Thread(target=long)
    thread.start()
    done.wait(patient(10))
    began = time.monotonic()
    with in_turn():
        assert 0.05 < time.monotonic() - began < patient(5)
        assert pace._turn.locked(), "it is still the other's"
    over.set()
    thread.join()
    assert not pace._turn.locked()
