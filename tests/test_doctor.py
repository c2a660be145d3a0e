"""The doctor: its checks pass on this machine, and each fails where what it looks for is broken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch

from lab.__main__ import main
from lab.studies import doctor
from lab.studies.doctor import CHECKS, FIRST, examine, to_document

pytestmark = pytest.mark.own_data


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(doctor, "BATCHES", 2)
    monkeypatch.setattr(doctor, "TEST", 20)
    monkeypatch.setattr(doctor, "SPEED_SECONDS", 0.01)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_on_a_processor_every_line_runs_as_far_as_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "cpu", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    checks = {check["what"]: check for check in document["checks"]}
    assert list(checks) == ["installed", "devices", *CHECKS]
    assert torch.__version__ in checks["installed"]["found"]
    passed = {what for what, check in checks.items() if check["passed"]}
    assert {what for what in CHECKS if "seed gives" in what or "resumed" in what or what == FIRST} <= passed
    assert not any(check["passed"] is False for check in document["checks"])
    assert "s an epoch of 60,000 images" in checks["speed"]["found"]


def test_what_is_broken_is_a_line_that_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = iter(range(100))
    run = doctor.short_run

    def another_seed(*arguments: object, **options: object) -> doctor.Run:
        torch.manual_seed(next(seeds))
        found = run(*arguments, **options)  # type: ignore[arg-type]
        return doctor.Run(found.weights + torch.rand(1), found.states, 2 * found.seconds, found.clock, ())

    monkeypatch.setattr(doctor, "short_run", another_seed)
    broken = {check.what for check in examine("cpu") if check.passed is False}
    assert broken == {what for what in CHECKS if "seed gives" in what or "resumed" in what or "clock" in what}

    def no_kernel(*_: object, **__: object) -> doctor.Run:
        raise RuntimeError("no kernel image is available\nfor execution on the device")

    monkeypatch.setattr(doctor, "short_run", no_kernel)
    checks = examine("cpu")
    assert checks[-1].what == FIRST, "nothing else can work"
    assert checks[-1].found == "RuntimeError: no kernel image is available"
    assert to_document(checks) == json.loads(json.dumps(to_document(checks)))
    assert main(["doctor", "--device", "cpu"]) == 1
    assert f"FAILED  cpu   {FIRST}: RuntimeError: no kernel image" in capsys.readouterr().out


def test_a_card_that_torch_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "nvidia_cards", lambda: "NVIDIA H200, 535.54, 143771 MiB")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    check = next(check for check in doctor.seen() if check.what == "NVIDIA")
    assert check.passed is False
    assert check.found.startswith("NVIDIA H200, 535.54, 143771 MiB, but torch")
    assert "is built without CUDA" in check.found
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "driver may be too old" in next(check for check in doctor.seen() if check.what == "NVIDIA").found
