"""A device is offered only after one real training step on it; what is here and cannot train is said."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
import torch

from core.errors import RunError
from lab.runs import probe, worker
from lab.runs.machine import read_machine, write_machine
from lab.runs.probe import Card, nvidia_card, probed, unused_card
from lab.runs.store import RunStore
from lab.runs.worker import Worker, describe_machine
from lab.server.health import look_at_device

pytestmark = pytest.mark.own_data

CARD = Card("NVIDIA GeForce GTX 1050", "470.42.01")


class Steps:
    """Processes in place of the step; counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
        self.tried = 0
        self.program = program
        monkeypatch.setattr(probe, "command", self)

    def __call__(self, kind: str) -> list[str]:
        self.tried += 1
        return [sys.executable, "-c", self.program]


@pytest.mark.slow
def test_the_step_is_a_real_one_in_a_process_of_its_own_and_is_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = probe.command("cpu")
    steps = Steps(monkeypatch, "")
    monkeypatch.setattr(probe, "command", lambda kind: steps(kind) and real)
    for _ in range(2):
        assert probed("mps", tmp_path, "2.13.0").error == ""
    assert steps.tried == 1
    assert probed("cpu", tmp_path, "2.13.0").error == ""
    assert steps.tried == 1, "the processor needs none"


def test_a_device_that_fails_is_tried_again_with_another_torch_and_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps(monkeypatch, "import sys; sys.exit('CUDA error: no kernel image is available')")
    said = "one training step failed: CUDA error: no kernel image is available"
    assert [probed("mps", tmp_path, "2.13.0").error for _ in range(3)] == [said] * 3
    assert steps.tried == 1
    assert probed("mps", tmp_path, "2.14.0").error == said
    assert steps.tried == 2
    later = time.time() + probe.AGAIN_SECONDS + 1
    monkeypatch.setattr(probe.time, "time", lambda: later)
    steps.program = "pass"
    assert probed("mps", tmp_path, "2.13.0").error == ""
    (tmp_path / probe.FILE_NAME).write_text("{}}", encoding="utf-8")
    assert probed("mps", tmp_path, "2.13.0").error == "", "a damaged file is no answer"


def test_a_step_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MOST_SECONDS", 0.2)
    Steps(monkeypatch, "import time; time.sleep(600)")
    assert probed("mps", tmp_path, "2").error == "one training step did not end within 0 s"


def test_auto_passes_over_a_gpu_that_torch_sees_and_cannot_use(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "available_devices", lambda: ["cuda", "cpu"])
    monkeypatch.setattr(probe, "nvidia_card", lambda: CARD)
    Steps(monkeypatch, "import sys; sys.exit('CUDA error: no kernel image is available')")
    store = RunStore(home)
    here = Worker(store, "auto")
    assert here.device == torch.device("cpu")
    assert here.kinds == {"cpu", "auto"}
    with pytest.raises(RunError, match="cuda: one training step failed: CUDA error"):
        Worker(store, "cuda")
    machine = describe_machine(home)
    assert machine.devices == ("cpu",)
    write_machine(machine, home)
    assert read_machine(home) == machine
    (sentence,) = machine.unused
    assert sentence == "cuda is not used: one training step failed: CUDA error: no kernel image is available."
    found = look_at_device(home, time.time())
    assert found.well
    assert sentence.rstrip(".") in found.sentence


def test_auto_takes_mps_only_where_a_measured_step_is_faster_than_the_processors(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "available_devices", lambda: ["mps", "cpu"])
    real = worker.choose_device
    monkeypatch.setattr(worker, "choose_device", lambda kind: torch.device(kind) if kind == "mps" else real(kind))
    for said, devices, words in (
        ("[0.004, 0.009]", ("mps", "cpu"), ()),
        ("[0.012, 0.009]", ("cpu", "mps"), ("a training step takes 12.0 ms on mps and 9.0 ms there.",)),
        ("", ("cpu", "mps"), ("how fast mps is could not be measured.",)),
    ):
        folder = tmp_path_factory.mktemp("home")
        steps = Steps(monkeypatch, f"print({said!r})")
        store = RunStore(folder)
        asked, auto, machine = Worker(store, "mps"), Worker(store, "auto"), describe_machine(folder)
        assert steps.tried == 1, "it is kept"
        assert auto.device.type == worker.device_here("auto", folder).type == devices[0]
        assert asked.kinds == ({"mps", "auto"} if devices[0] == "mps" else {"mps"}), "where it is asked for, it trains"
        assert machine.devices == devices
        assert machine.unused == tuple(f"auto takes the processor: {each}" for each in words)
        ((key, found),) = json.loads((folder / probe.FILE_NAME).read_text(encoding="utf-8")).items()
        older = {key: {"error": "", "when": found["when"]}}  # of a lab that measured nothing
        (folder / probe.FILE_NAME).write_text(json.dumps(older), encoding="utf-8")
        assert probed("mps", folder, str(torch.__version__)).seconds == found["seconds"]
        assert steps.tried == 2


def test_a_pace_is_that_of_steps_of_which_the_first_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, done = 0.0, 0

    def step() -> float:
        nonlocal clock, done
        done += 1
        clock += 9.0 if done <= 3 else 0.25
        return 1.0

    monkeypatch.setattr(probe, "step_on", lambda kind, images: step)
    monkeypatch.setattr(probe.time, "perf_counter", lambda: clock)
    assert probe.pace_on("mps") == 0.25


@pytest.mark.parametrize(
    ("build", "warning", "words"),
    [
        (None, "", "torch 2.13.0 is built for the processor only; install its build for CUDA"),
        ("12.8", "The NVIDIA driver on your system is too old (found version 11040)", "the driver is too old for CUDA"),
        ("12.8", "", "torch 2.13.0, built for CUDA 12.8, finds no device"),
    ],
)
def test_a_card_that_torch_does_not_find_is_named_with_what_to_install(
    build: str | None, warning: str, words: str
) -> None:
    said = unused_card(CARD, build, "2.13.0", warning)
    assert said.startswith("NVIDIA GeForce GTX 1050 is here (driver 470.42.01), and runs train on the processor: ")
    assert words in said
    assert unused_card(None, build, "2.13.0", warning) == ""
    page, _, heading = probe.HELP.partition(" in ")[2], "", probe.HELP.split('"')[1]
    assert f"## {heading}" in (probe.CODE / page).read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="a script without an ending is no program there")
def test_the_card_is_read_from_what_the_driver_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / probe.TOOL
    program.write_text(f"#!/bin/sh\necho '{CARD.name}, {CARD.driver}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert nvidia_card() == CARD
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n", encoding="utf-8")
    assert nvidia_card() is None
