"""What keeps the project's habits true: one version of each tool, a container that has all it copies, a Makefile."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.patience import patient, wait

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
DEVELOPMENT = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")


def loaded(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def pinned() -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+)==(\S+)$", DEVELOPMENT, re.MULTILINE))


# --------------------------------------------------------------------------------------------------------------- tools


def test_the_hooks_run_the_tools_of_the_requirements_and_no_other_version() -> None:
    repositories = loaded(".pre-commit-config.yaml")["repos"]
    for each in repositories:  # a hook that is fetched brings a version of its own, which then has to be the same
        tool = each["repo"].rstrip("/").split("/")[-1].removesuffix("-pre-commit").removeprefix("mirrors-")
        assert each["repo"] == "local" or each["rev"].lstrip("v") == pinned()[tool]
    hooks = [hook for each in repositories if each["repo"] == "local" for hook in each["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}, "the installed tool"
    packages = {"ruff": "ruff", "mypy": "mypy", "lint-imports": "import-linter"}
    commands = [hook["entry"].split()[0] for hook in hooks]
    assert set(commands) == packages.keys()
    assert {packages[command] for command in commands} <= pinned().keys()


def test_the_checks_are_the_same_by_hand_before_a_commit_and_in_ci() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("ruff check .", "ruff format --check .", "mypy", "lint-imports"):
        assert f"\n\t{command}\n" in makefile
        assert f"\n{command}\n" in ci


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_says_what_there_is() -> None:
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = {line.split()[0] for line in told.splitlines()}
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert named == set(targets) >= {"help", "setup", "run", "test", "fast", "lint", "docs", "ci"}


def test_ci_runs_on_each_python_that_is_promised() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = loaded(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13"]
    assert project["requires-python"] == f">={versions[0]}"
    assert f"FROM python:{versions[-1]}-slim" in DOCKERFILE


@pytest.mark.parametrize("path", ["bug.yml", "idea.yml"])
def test_a_form_asks_something_and_each_answer_has_a_name(path: str) -> None:
    form = loaded(f".github/ISSUE_TEMPLATE/{path}")
    assert form.keys() >= {"name", "description", "body"}
    names = [field["id"] for field in form["body"]]
    assert len(set(names)) == len(names) > 1
    assert all(field["attributes"]["label"] for field in form["body"])


def test_every_file_that_contributing_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:core|lab|pages|tests|docs|\.github)/[\w./-]*|[\w-]+\.(?:py|md|toml|txt|yaml))`", text)
    assert len(paths) > 10
    assert [path for path in paths if not path.startswith("docs/") and not (ROOT / path).exists()] == []


# ------------------------------------------------------------------------------------------------------- the container


def copied() -> list[str]:
    """What the Dockerfile copies from the repository."""
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split() if not source.startswith("--")]


def test_all_that_the_container_copies_is_there_and_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied())
    assert [source for source in copied() if not (ROOT / source).exists()] == []
    assert {"streamlit_app.py", "static", "checkpoints", "pages", "core", "lab"} <= set(copied())


def test_the_container_listens_where_it_is_asked_and_keeps_data_in_volumes() -> None:
    settings = dict(
        re.findall(r"([A-Z_]+)=(\S+)", "\n".join(re.findall(r"^ENV (?:.*\\\n)*.*", DOCKERFILE, re.MULTILINE)))
    )
    port = settings["STREAMLIT_SERVER_PORT"]
    assert settings["STREAMLIT_SERVER_ADDRESS"] == "0.0.0.0"
    assert f"EXPOSE {port}" in DOCKERFILE
    assert f"http://localhost:{port}/_stcore/health" in DOCKERFILE
    volumes = json.loads(re.findall(r"^VOLUME (.*)$", DOCKERFILE, re.MULTILINE)[0])
    assert volumes == [settings["LAB_HOME"], settings["LAB_DATA"]]

    services = loaded("compose.yaml")["services"]
    assert [each.split(":")[1] for each in services["lab"]["volumes"]] == volumes
    assert services["caddy"]["environment"]["APP"] == f"lab:{port}"
    assert "ports" not in services["lab"], "nobody reaches the app past the proxy"
    mounted = [each.split(":") for each in services["caddy"]["volumes"]]
    assert [(ROOT / source).exists() for source, *_ in mounted if source.startswith("./")] == [True]
    caddyfile = (ROOT / mounted[0][0]).read_text(encoding="utf-8")
    assert set(re.findall(r"\{\$(\w+):", caddyfile)) == set(services["caddy"]["environment"])
    assert set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE)) == services["lab"]["build"]["args"].keys()
    defined = loaded("compose.yaml")["volumes"].keys()
    named = {each.split(":")[0] for service in services.values() for each in service["volumes"]}
    assert {name for name in named if not name.startswith("./")} == set(defined)


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    """The address of a lab in a container that is built here."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker daemon answers here; what can be told from its files is tested above")
    name = f"lab-test-{time.time_ns()}"
    subprocess.run(["docker", "build", "--quiet", "--tag", name, str(ROOT)], check=True, timeout=patient(1200))
    run = ["docker", "run", "--rm", "--detach", "--name", name, "--publish", "127.0.0.1::8501", name]
    subprocess.run(run, check=True, timeout=patient(60))
    try:
        told = subprocess.run(["docker", "port", name, "8501"], capture_output=True, text=True, check=True).stdout
        yield f"http://{told.split()[0]}"
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False)


@pytest.mark.slow
def test_a_lab_in_a_container_answers_and_says_which_part_is_not_well(container: str) -> None:
    def answers() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{container}/_stcore/health", timeout=patient(2)):
            return True
        return False

    wait(answers, "the container answered", pause=0.5)
    with pytest.raises(urllib.error.HTTPError) as found:
        urllib.request.urlopen(f"{container}/health", timeout=patient(30))
    assert found.value.code == 503
    parts = json.loads(found.value.read())
    assert [name for name, well in parts.items() if not well] == ["well", "data"], "MNIST is not in the image"
