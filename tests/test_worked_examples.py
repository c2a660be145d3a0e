"""The worked examples in docs/: each is applied to a copy of the repository, as printed, and its own test is run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import patient

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r'^```(diff|python) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
FOLDERS = ("core", "lab", "pages", "tests", ".streamlit")
FILES = ("streamlit_app.py", "pyproject.toml")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["add-an-op", "add-a-step", "add-a-page", "add-a-lesson"])
def test_a_worked_example_works_as_printed(name: str, tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))
    copy_of_the_repository(tmp_path)
    for language, path, text in blocks:
        (change if language == "diff" else create)(tmp_path / path, text)
    changed = sorted({path for _, path, _ in blocks})
    run(tmp_path, "ruff", "check", "--no-cache", *changed)
    run(tmp_path, "ruff", "format", "--no-cache", "--check", *changed)
    (test,) = (path for path in changed if path.startswith("tests/test_"))
    said = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", test)
    passed = re.search(r"^(\d+) passed in", said, re.MULTILINE)
    assert passed, said  # none is skipped
    assert int(passed[1]) >= (tmp_path / test).read_text(encoding="utf-8").count("\ndef test_") > 0


def copy_of_the_repository(root: Path) -> None:
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "screenshots"))
    for file in FILES:
        shutil.copy(ROOT / file, root / file)
    (root / "checkpoints").symlink_to(ROOT / "checkpoints")


def change(path: Path, diff: str) -> None:
    """Apply a diff without line numbers: its old lines must be in the file exactly once."""
    lines = [line or " " for line in diff.splitlines()]
    old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] in kept) for kept in (" -", " +"))
    source = path.read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{path.name} has these lines {source.count(old)} times:\n{old}"
    path.write_text(source.replace(old, new), encoding="utf-8")


def create(path: Path, text: str) -> None:
    assert not path.exists()
    path.write_text(text, encoding="utf-8")


def run(folder: Path, module: str, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=patient(600),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
