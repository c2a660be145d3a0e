"""How many runs side by side a device trains fastest: measured, kept beside the store, and used by the queue."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from core.errors import NodeLostError
from lab.cli.parser import main
from lab.runs import side_by_side, supervisor
from lab.runs.machine import Machine, cores, most_side_by_side, read_side_by_side, write_machine, write_side_by_side
from lab.runs.side_by_side import Together, best_of, candidates
from lab.runs.store import RunStore
from lab.settings import Settings

pytestmark = pytest.mark.own_data


def test_the_fewest_that_do_nearly_as_much_are_best() -> None:
    assert best_of([Together(1, 2, 100), Together(2, 1, 150)]).runs == 2
    assert best_of([Together(1, 4, 100), Together(2, 2, 149), Together(4, 1, 150)]).runs == 2
    assert best_of([Together(1, 2, 100), Together(2, 1, 90)]).runs == 1


def test_on_a_processor_the_cores_are_shared_evenly() -> None:
    tried = candidates(torch.device("cpu"))
    assert tried[0] == 1
    assert tried[-1] == cores()
    assert all(cores() % n == 0 for n in tried)
    assert candidates(torch.device("mps")) == (most_side_by_side("mps"),) == (1,)


def test_the_queue_has_as_many_seats_as_were_measured_or_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path)
    assert supervisor.slots_of(store, "auto") == 1
    write_machine(Machine(("cpu",), ("cpu",), "2.0", 2), tmp_path)
    write_side_by_side(tmp_path, "cuda", 6)
    write_side_by_side(tmp_path, "cpu", 2)
    assert read_side_by_side(tmp_path) == {"cpu": 2, "cuda": 6}
    assert (supervisor.slots_of(store, "auto"), supervisor.slots_of(store, "cuda")) == (2, 6)
    monkeypatch.setattr(supervisor, "settings", lambda: Settings(side_by_side=3))
    assert supervisor.slots_of(store, "auto") == 3


def dies(*_: object) -> None:
    os._exit(9)


def test_a_process_that_dies_ends_the_measurement_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "_train", dies)
    with pytest.raises(NodeLostError, match="one of 1 run at a time ended with status 9"):
        side_by_side.measure("cpu", 1.0)
    said: list[str] = []
    monkeypatch.setattr(side_by_side, "candidates", lambda device: (1, 2))
    alone = Together(1, 1, 100.0)
    together = side_by_side._together
    monkeypatch.setattr(side_by_side, "_together", lambda on, runs, s: alone if runs == 1 else together(on, runs, s))
    assert side_by_side.measure("cpu", 1.0, said.append) == [alone]
    assert said == ["1 at a time: 100 images/s", "one of 2 runs at a time ended with status 9"]


@pytest.mark.slow
def test_the_command_measures_and_keeps_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    assert main(["bench", "--side-by-side", "--device", "cpu", "--seconds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["runs"] for each in found["measured"]] == list(candidates(torch.device("cpu")))
    assert all(each["images_per_second"] > 0 for each in found["measured"])
    assert read_side_by_side(tmp_path) == {"cpu": found["best"]}
