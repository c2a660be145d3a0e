"""No page imports another; what need not wait for torch, Streamlit or plotly does not. `lint-imports` does the rest."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TORCH_FREE = (
    "core.architecture.spec",
    "core.architecture.receptive_field",
    "core.architecture.trace",
    "core.training.recipe",
    "core.ladder.catalogue",
    "core.architecture.vary",
    "core.architecture.fit",
    "core.architecture.edit",
    "core.architecture.link",
    "core.advice.advice",
    "core.architecture.difference",
    "core.advice.bad_designs",
    "core.architecture.pytorch_code",
    "core.challenge",
    "core.training.history",
    "core.checkpoints.card",
    "core.export.kinds",
    "core.data.mnist",
    "core.analysis.mistakes",
    "core.analysis.calibration",
    "core.data.disputed",
    "core.analysis.proportion",
    "core.analysis.pairs",
    "core.analysis.evidence",
    "core.analysis.diagnosis",
    "core.analysis.prediction",
    "core.words",
    "core.training.recipe_words",
    "core.training.recipe_difference",
    "core.ladder.field_claims",
    "core.analysis.study",
    "core.analysis.plan",
    "core.analysis.bootstrap",
    "core.data.qmnist",
    "core.analysis.robustness",
    "lab.runs.store",
    "lab.runs.actions",
    "lab.runs.expectation",
    "lab.server.health",
    "lab.server.backup",
    "lab.runs.prune",
    "lab.studies.shelf",
    "lab.runs.machine",
    "lab.studies.results",
    "lab.classroom.designs",
    "lab.learn.lessons",
    "lab.classroom.game",
    "lab.classroom.handwriting",
    "lab.studies.ranking",
    "lab.studies.tables",
    "lab.studies.plan",
    "lab.studies.robustness",
)
STREAMLIT_FREE = (
    "lab.learn.lessons",
    "lab.classroom.game",
    "lab.classroom.handwriting",
    "lab.studies.ranking",
    "lab.runs.store",
    "lab.runs.executor",
    "lab.runs.worker",
    "lab.runs.cluster.connection",
    "lab.runs.cluster.driver",
    "lab.runs.cluster.node",
    "lab.runs.actions",
    "lab.settings",
    "lab.runs.fair_queue",
    "lab.runs.expectation",
    "lab.runs.person",
    "lab.runs.bounds",
    "lab.classroom.class_lock",
    "lab.server.health",
    "lab.server.backup",
    "lab.runs.prune",
    "lab.runs.training_job",
    "lab.studies.shelf",
    "lab.runs.machine",
    "lab.__main__",
    "lab.runs.seeds",
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


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("**/*.py")), ids=lambda path: path.stem)
def test_no_page_imports_another(path: Path) -> None:
    assert packages(path).isdisjoint({"pages", "streamlit_app", "tests"})


def test_the_numbers_the_store_and_the_cards_load_without_torch_or_streamlit() -> None:
    loaded = loaded_by("\n".join(f"import {module}" for module in TORCH_FREE))
    assert loaded.isdisjoint({"torch", "torchvision", "streamlit", "plotly", "pandas"})


@pytest.mark.slow
def test_the_engine_loads_without_streamlit_or_plotly() -> None:
    loaded = loaded_by("\n".join(f"import {module}" for module in STREAMLIT_FREE))
    assert "torch" in loaded  # the worker's
    assert loaded.isdisjoint({"streamlit", "plotly", "pandas"})


@pytest.mark.parametrize("command", [["steps"], ["trace", "a2-final-7758"]], ids=" ".join)
def test_commands_that_only_count_load_neither_torch_nor_streamlit_nor_plotly(command: list[str]) -> None:
    loaded = loaded_by(f"from lab.__main__ import main\nassert main({command!r}) == 0")
    assert loaded.isdisjoint({"torch", "torchvision", "streamlit", "plotly", "pandas"})
