"""What the pages and the queue do where there are GPUs: told by the machine file, for none need be here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from core.architecture.json_form import architecture_to_json
from core.data.mnist import EMBEDDED
from lab.experiment.train.previews import OTHERS
from lab.runs import probe, worker
from lab.runs.machine import VISIBLE, Machine, read_machine, see_only, write_machine, write_side_by_side
from lab.runs.rows import NewRun
from lab.runs.store import RunStore
from lab.runs.supervisor import NO_DEVICE, ensure_workers, slots_of
from lab.runs.troubles import no_worker_lives
from tests.patience import patient
from tests.tiny import TINY

pytestmark = pytest.mark.own_data


def preview() -> None:
    import streamlit as st

    from core.architecture.trace import classifier
    from core.data.mnist import EMBEDDED
    from core.training.recipe import Recipe
    from lab.experiment.train.previews import before_a_run
    from tests.tiny import TINY

    before_a_run(classifier(TINY), Recipe(epochs=1), EMBEDDED, st.query_params["device"])


def test_the_preview_of_a_gpus_run_says_that_the_gpu_draws_other_images(home: Path) -> None:
    page = AppTest.from_function(preview, default_timeout=patient(60))
    said = {}
    for devices in ((), ("cpu",), ("mps", "cpu"), ("cuda", "cpu")):
        if devices:
            write_machine(Machine(devices, devices, "2", 2), home)
        for device in ("auto", *devices):
            page.query_params["device"] = device
            assert not page.run().exception
            said[devices, device] = OTHERS in [each.value for each in page.caption]
    assert [each for each, told in said.items() if told] == [
        (("mps", "cpu"), "auto"),
        (("mps", "cpu"), "mps"),
        (("cuda", "cpu"), "auto"),
        (("cuda", "cpu"), "cuda"),
    ]


# ------------------------------------------------------------------------------------------------- more than one GPU


class Process:
    """A worker's process, which is only asked for."""

    def __init__(self, command: list[str], **_: Any) -> None:
        self.command, self.returncode = command, None

    def poll(self) -> int | None:
        return self.returncode


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    found: list[Process] = []

    def start(command: list[str], **_: Any) -> Process:
        found.append(Process(command))
        return found[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    return found


def with_gpus(home: Path, gpus: int) -> RunStore:
    store = RunStore(home)
    write_machine(Machine(("cuda", "cpu"), ("cuda: NVIDIA H200", "cpu"), "2", 16, gpus=gpus), home)
    return store


def queue(store: RunStore, device: str, runs: int) -> None:
    for seed in range(runs):
        run = NewRun(
            kind="train", name="tiny", architecture_json=architecture_to_json(TINY), recipe_json="{}", dataset=EMBEDDED,
            device=device, parameters=434, seed=seed, epochs=1,
        )  # fmt: skip
        store.submit(run)


def gpu_of(process: Process) -> tuple[str, str, str]:
    """The worker's device, slot and GPU."""
    given = dict(zip(process.command[3::2], process.command[4::2], strict=True))
    return given["--device"], given["--slot"], given.get("--gpu", "all")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_each_gpu_gets_its_worker_where_as_many_runs_wait(device: str, home: Path, started: list[Process]) -> None:
    store = with_gpus(home, 3)
    assert read_machine(home) == Machine(("cuda", "cpu"), ("cuda: NVIDIA H200", "cpu"), "2", 16, gpus=3)
    queue(store, device, 2)
    ensure_workers(store, device)
    assert [gpu_of(each) for each in started] == [(device, "0", "all"), ("cuda", "1", "1")]
    queue(store, device, 9)
    ensure_workers(store, device)
    assert [gpu_of(each) for each in started[2:]] == [("cuda", "2", "2")]
    assert (slots_of(store, device), slots_of(store, "cpu")) == (3, 1)
    write_side_by_side(home, "cuda", 2)
    assert slots_of(store, device) == 6
    ensure_workers(store, device)
    assert [gpu_of(each) for each in started[3:]] == [("cuda", "3", "0"), ("cuda", "4", "1"), ("cuda", "5", "2")]


def test_a_gpu_that_is_gone_fails_no_run(home: Path, started: list[Process]) -> None:
    store = with_gpus(home, 2)
    queue(store, "cuda", 2)
    ensure_workers(store, "cuda")
    started[1].returncode = NO_DEVICE
    ensure_workers(store, "cuda")
    assert len(started) == 3, "it is tried again"
    assert no_worker_lives(store, "cuda") == ""
    assert [run.status for run in store.runs()] == ["queued", "queued"]


def test_a_process_sees_the_one_gpu_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, gpu, seen in (("", 1, "1"), ("2,5", 1, "5"), ("GPU-8f, GPU-3a", 0, "GPU-8f"), ("4", 1, "-1")):
        monkeypatch.setenv(VISIBLE, given)
        see_only(gpu)
        assert os.environ[VISIBLE] == seen


def test_the_first_worker_counts_the_gpus_and_each_is_tried_by_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str | None] = []

    def step(kind: str) -> probe.Probed:
        tried.append(os.environ.get(VISIBLE))
        return probe.Probed("", 0.0, 0.0)

    monkeypatch.setenv(VISIBLE, "")
    monkeypatch.setattr(probe, "_step", step)
    monkeypatch.setattr(probe, "nvidia_card", lambda: probe.Card("NVIDIA H200", "580.1"))
    monkeypatch.setattr(worker, "available_devices", lambda: ["cuda", "cpu"])
    monkeypatch.setattr(worker, "choose_device", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    monkeypatch.setattr(worker, "leave_on_signal", lambda leaving: None)
    worked: list[tuple[str, int]] = []
    monkeypatch.setattr(worker.Worker, "work", lambda self, idle: worked.append((self.kind, self.slot)))
    worker._serve_queue("auto", 0, 0.0)
    found = read_machine(home)
    assert found is not None
    assert found.gpus == 4
    for gpu in (2, 2, 3):
        monkeypatch.setenv(VISIBLE, "")
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)  # as it sees one only
        worker._serve_queue("cuda", gpu, 0.0, gpu)
    assert read_machine(home) == found
    assert worked == [("cuda", 0), ("cuda", 2), ("cuda", 2), ("cuda", 3)]
    assert tried == ["", "2", "3"], "once each"
