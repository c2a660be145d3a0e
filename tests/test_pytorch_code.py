"""The code to copy, run as a student would run it, against the network that the lab builds."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from core.architecture.pytorch_code import pytorch_code
from core.architecture.spec import Architecture, BatchNorm, Conv, Dropout, Flatten, GlobalAvgPool, ReLU
from core.architecture.trace import trace
from core.ladder.catalogue import STEPS, by_slug
from core.ladder.model import Step
from core.training.network import build
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data


def executed(architecture: Architecture) -> tuple[nn.Sequential, str]:
    """What the generated code defines as `network`, and what it prints."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(pytorch_code(architecture), names)
    return names["network"], printed.getvalue()


def assert_same_network(architecture: Architecture) -> None:
    theirs, printed = executed(architecture)
    ours = build(architecture, seed=1)
    mine, copied = list(ours.state_dict().values()), list(theirs.state_dict().values())
    assert [tensor.shape for tensor in mine] == [tensor.shape for tensor in copied]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), mine, strict=True)))
    images = torch.rand(3, *architecture.input, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))
    assert f"{trace(architecture).parameters:,} parameters" in printed


@settings(max_examples=40, deadline=None)
@given(architectures())
def test_the_code_builds_the_same_network(architecture: Architecture) -> None:
    assert_same_network(architecture)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.slug)
def test_the_code_of_every_step_builds_the_same_network(step: Step) -> None:
    assert_same_network(step.architecture)


def test_dropout_is_written_with_all_its_digits() -> None:
    theirs, _ = executed(Architecture("d", (Dropout(0.12345678), Conv(2, 3))))
    assert theirs[0].p == 0.12345678


def test_batch_norm_on_a_single_pixel_does_not_stop_the_code() -> None:
    ops = (Conv(4, 3), GlobalAvgPool(), Conv(10, 1), BatchNorm(), ReLU(), Flatten())
    assert_same_network(Architecture("norm after the global pool", ops))


@pytest.mark.parametrize(
    "name", ["two\nlines", "import os\rraise SystemExit", "quotes \"'", "a\x00b", "\u2028x", "half \ud800", "\x0cform"]
)
def test_a_name_cannot_break_out_of_its_comment(name: str) -> None:
    assert_same_network(Architecture(name, (Conv(2, 3), ReLU())))


def test_every_layer_says_its_output_shape() -> None:
    code = pytorch_code(Architecture("shapes", (Conv(8, 3), GlobalAvgPool(), Flatten())))
    assert [line.split("# ")[1] for line in code.splitlines() if line.startswith("    ")] == [
        "(N, 8, 26, 26)",
        "(N, 8, 1, 1)",
        "(N, 8)",
    ]


@pytest.mark.slow
def test_the_copied_file_runs_on_its_own(tmp_path: Path) -> None:
    file = tmp_path / "copied.py"
    file.write_text(pytorch_code(by_slug("a2-final-7758").architecture), encoding="utf-8")
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.startswith("7,758 parameters, output (")
