"""Imports run pages -> lab -> core, and what need not wait for torch, Streamlit or plotly does not."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TORCH_FREE = (
    "core.spec",
    "core.receptive_field",
    "core.trace",
    "core.recipe",
    "core.catalogue",
    "core.vary",
    "core.fit",
    "core.edit",
    "core.link",
    "core.advice",
    "core.difference",
    "core.bad_designs",
    "core.pytorch_code",
    "core.challenge",
    "core.history",
    "core.card",
    "core.mnist",
    "core.mistakes",
    "core.calibration",
    "core.disputed",
    "core.proportion",
    "core.pairs",
    "core.evidence",
    "core.diagnosis",
    "core.prediction",
    "core.words",
    "core.recipe_words",
    "core.recipe_difference",
    "core.field_claims",
    "core.study",
    "core.robustness",
    "lab.runs",
    "lab.jobs",
    "lab.expectation",
    "lab.health",
    "lab.backup",
    "lab.prune",
    "lab.shelf",
    "lab.machine",
    "lab.studies",
    "lab.design.saved",
    "lab.lessons",
    "lab.vote.game",
    "lab.draw.handwriting",
    "lab.board.ranking",
    "lab.study_tables",
    "lab.robustness_table",
)
STREAMLIT_FREE = (
    "lab.lessons",
    "lab.vote.game",
    "lab.draw.handwriting",
    "lab.board.ranking",
    "lab.runs",
    "lab.carrier",
    "lab.worker",
    "lab.cluster.connection",
    "lab.cluster.driver",
    "lab.cluster.node",
    "lab.jobs",
    "lab.settings",
    "lab.fair_queue",
    "lab.expectation",
    "lab.person",
    "lab.bounds",
    "lab.class_lock",
    "lab.health",
    "lab.backup",
    "lab.prune",
    "lab.training_run",
    "lab.shelf",
    "lab.machine",
    "lab.__main__",
    "lab.many_seeds",
)


def imported(path: Path) -> set[str]:
    """The full names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def loaded_by(code: str) -> set[str]:
    """The top-level packages, and the modules of ours, that a fresh interpreter has loaded after running the code."""
    script = f"import sys\n{code}\nimport json\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("path", sorted((ROOT / "core").glob("**/*.py")), ids=lambda path: path.stem)
def test_core_imports_neither_lab_nor_pages_nor_streamlit(path: Path) -> None:
    assert packages(path).isdisjoint({"lab", "pages", "streamlit", "plotly", "streamlit_app", "tests"})


@pytest.mark.parametrize("path", sorted((ROOT / "lab").glob("**/*.py")), ids=lambda path: path.stem)
def test_lab_imports_no_page(path: Path) -> None:
    assert packages(path).isdisjoint({"pages", "streamlit_app", "tests"})


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("**/*.py")), ids=lambda path: path.stem)
def test_no_page_imports_another(path: Path) -> None:
    assert packages(path).isdisjoint({"pages", "streamlit_app", "tests"})


def test_the_numbers_the_store_and_the_cards_load_without_torch_or_streamlit() -> None:
    loaded = loaded_by("\n".join(f"import {module}" for module in TORCH_FREE))
    assert loaded.isdisjoint({"torch", "torchvision", "streamlit", "plotly", "pandas"})


def test_the_engine_loads_without_streamlit_or_plotly() -> None:
    loaded = loaded_by("\n".join(f"import {module}" for module in STREAMLIT_FREE))
    assert "torch" in loaded  # the worker's
    assert loaded.isdisjoint({"streamlit", "plotly", "pandas"})


@pytest.mark.parametrize("command", [["steps"], ["trace", "a2-final-7758"]], ids=" ".join)
def test_commands_that_only_count_load_neither_torch_nor_streamlit_nor_plotly(command: list[str]) -> None:
    loaded = loaded_by(f"from lab.__main__ import main\nassert main({command!r}) == 0")
    assert loaded.isdisjoint({"torch", "torchvision", "streamlit", "plotly", "pandas"})
