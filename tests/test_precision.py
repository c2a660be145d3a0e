"""A recipe's precision on a device that does not have it: float32, and the card says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.training import precision
from core.training.network import build
from core.training.precision import has, remark
from core.training.range_test import range_test
from core.training.recipe import RangeTest, Recipe
from core.training.resident import Resident
from lab.runs.training_job import surroundings
from tests.tiny import TINY, same, tiny_data, trained

pytestmark = pytest.mark.own_data

BF16 = Recipe(epochs=1, batch_size=40, precision="bf16")
CUDA, MPS, CPU = map(torch.device, ("cuda", "mps", "cpu"))


@pytest.fixture
def old_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card of before 2020 with torch's answers: it imitates bfloat16, and does not have it."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA GeForce GTX 1080")
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: (major, minor) <= (13, 3))


@pytest.mark.usefixtures("old_gpu")
def test_the_card_of_a_gpu_without_bfloat16_says_that_it_computed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(has(each, device) for each in ("bf16", "tf32") for device in (CUDA, MPS))
    assert has("bf16", CPU)
    assert all(has("fp32", device) for device in (CUDA, MPS, CPU))
    assert remark(BF16, MPS) == ", in float32: it has no bfloat16"
    data = tiny_data()
    assert surroundings(data, TINY, replace(BF16, precision="fp32")).device == "cpu: the lab's kernels"
    assert surroundings(data, TINY, BF16).device == "cpu"
    monkeypatch.setattr(Resident, "device", CUDA)
    said = surroundings(data, TINY, BF16).device
    assert said == "cuda: NVIDIA GeForce GTX 1080, in float32: it has no bfloat16"
    assert surroundings(data, TINY, replace(BF16, precision="fp32")).device == "cuda: NVIDIA GeForce GTX 1080"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert surroundings(data, TINY, BF16).device == "cuda: NVIDIA GeForce GTX 1080"


def test_where_bfloat16_is_missing_a_run_and_a_range_test_are_those_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    data, settings = tiny_data(), RangeTest(iterations=20)
    plain, _ = trained(replace(BF16, precision="fp32"), data)
    rounded, _ = trained(BF16, data)
    assert not same(plain, rounded), "a processor has it"
    losses = range_test(build(TINY, 1), data, replace(BF16, precision="fp32"), settings).points
    monkeypatch.setattr(precision, "has", lambda wanted, device: wanted == "fp32")
    instead, _ = trained(BF16, data)
    assert same(plain, instead)
    assert range_test(build(TINY, 1), data, BF16, settings).points == losses
