"""Weights that leave the lab: in the exported code, in ONNX's own runtime, and on the command line."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from torch import nn

from core.architecture.pytorch_code import pytorch_code
from core.architecture.spec import (
    Architecture,
    BatchNorm,
    Concatenate,
    Conv,
    Flatten,
    GlobalAvgPool,
    Linear,
    ReLU,
    Repeat,
    Residual,
)
from core.checkpoints.checkpoint import load
from core.export.files import file_of
from core.export.kinds import KINDS, Leaving, stem_of
from core.export.section import Subject
from core.export.weights import safetensors_file, state_dict_file
from core.training.network import build
from lab.cli.parser import main
from lab.studies.shelf import SHIPPED
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data

SLUGS = sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
C6 = "c6-steplr-7416"


def network_of(code: str) -> nn.Sequential:
    names: dict[str, Any] = {}
    exec(compile(code, "code.py", "exec", dont_inherit=True), names)
    network: nn.Sequential = names["network"]
    return network


def assert_same_in_the_code(network: nn.Sequential, architecture: Architecture) -> None:
    content = state_dict_file(network, architecture)
    weights = torch.load(io.BytesIO(content), weights_only=True)
    theirs = network_of(pytorch_code(architecture))
    theirs.load_state_dict(weights)
    images = torch.rand(3, *architecture.input, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.equal(network.eval()(images), theirs.eval()(images))
    again = safetensors.torch.load(safetensors_file(network, architecture))
    assert all(torch.equal(again[name], value) for name, value in weights.items())


@settings(max_examples=20)
@given(architectures())
def test_a_state_dict_fits_the_exported_code(architecture: Architecture) -> None:
    assert_same_in_the_code(build(architecture, 3), architecture)


def test_a_state_dict_of_bodies_within_bodies_fits_the_exported_code() -> None:
    block = (Conv(4, 3, padding=1), BatchNorm(), ReLU())
    ops = (
        Conv(4, 3), Repeat((Residual((*block, Concatenate(block), Conv(4, 1))),), 2), GlobalAvgPool(), Linear(12),
        ReLU(), Linear(10),
    )  # fmt: skip
    assert_same_in_the_code(build(Architecture("bodies", ops), 3), Architecture("bodies", ops))


def test_the_names_are_torchs_own() -> None:
    network, card = load(SHIPPED / C6)
    weights = torch.load(io.BytesIO(state_dict_file(network, card.architecture)), weights_only=True)
    assert list(weights)[:2] == ["0.weight", "2.weight"]
    flat = Architecture("flat", (Conv(2, 28), Linear(10)))
    assert set(torch.load(io.BytesIO(state_dict_file(build(flat), flat)))) == {
        "0.weight", "0.bias", "2.weight", "2.bias",
    }  # fmt: skip


@pytest.mark.parametrize("slug", SLUGS)
def test_a_shipped_checkpoint_answers_alike_in_the_code_and_in_onnx(slug: str) -> None:
    network, card = load(SHIPPED / slug)
    assert_same_in_the_code(network, card.architecture)
    leaving = Leaving(Subject(card.architecture, card.recipe, card, slug), SHIPPED / slug)
    session = onnxruntime.InferenceSession(file_of("onnx", leaving), providers=["CPUExecutionProvider"])
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = network(images).numpy()
    np.testing.assert_allclose(session.run(None, {"image": images.numpy()})[0], ours, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_leaves_as_every_kind_named_after_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", C6, "--as", kind, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (written,) = tmp_path.iterdir()
    assert (told["file"], told["bytes"]) == (written.name, written.stat().st_size)
    assert written.name.startswith(C6)
    assert main(["export", C6, "--as", kind]) == 2  # it is there, and may have been changed
    assert f"{written.name} is already there" in capsys.readouterr().err


def test_a_network_without_weights_leaves_as_what_needs_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, recipe = tmp_path / "mine.json", tmp_path / "recipe.json"
    architecture = Architecture("Mine", (Conv(10, 28), Flatten()))
    file.write_bytes(file_of("json", Leaving(Subject(architecture, load(SHIPPED / C6)[1].recipe))))
    recipe.write_text('{"epochs": 3, "optimizer": {"name": "Adam"}}')
    for kind, words in KINDS.items():
        target = tmp_path / f"out{words.ending}"
        status = main(["export", str(file), "--as", kind, "--recipe", str(recipe), "-o", str(target)])
        assert (status, target.exists()) == ((2, False) if words.of_a_run else (0, True))
    script = (tmp_path / "out-train.py").read_text()
    assert "EPOCHS = 3" in script
    assert "torch.optim.Adam(" in script
    assert "has no checkpoint; train it" in capsys.readouterr().err


def test_another_recipe_leaves_without_the_runs_figures(tmp_path: Path) -> None:
    recipe, target = tmp_path / "recipe.json", tmp_path / "c6.py"
    recipe.write_text('{"epochs": 3}')
    assert main(["export", C6, "--recipe", str(recipe), "-o", str(target)]) == 0
    assert "no run of it here" in target.read_text()


def test_a_runs_files_are_named_after_its_step_and_the_run() -> None:
    card = load(SHIPPED / C6)[1]
    assert stem_of("ab12cd/last", card) == f"{C6}-ab12cd"
    assert stem_of("ab12cd/best", card) == f"{C6}-ab12cd-best"
    assert stem_of("ab12cd/last", replace(card, slug="", name="My own net")) == "my-own-net-ab12cd"
