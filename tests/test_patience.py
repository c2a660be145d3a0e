"""No test waits for luck: limits grow with the load of the machine, and a pause is a condition or a time of quiet."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import patience
from tests.patience import patient, wait

pytestmark = pytest.mark.own_data

TESTS = Path(__file__).parent
# What a test waits with, and where among its arguments the limit is.
LIMITED = {"wait": 0, "join": 0, "get": None, "wait_for": 1, "set_default_timeout": 0, "set_options": None}
OPENING = ("from_file", "from_string", "from_function")  # an AppTest
PAUSES = ("sleep", "wait_for_timeout")
# Work inside a thread that others have to overlap with, or a lock held for longer than somebody's patience.
MEANT = {"test_pace.py": 1, "test_asynchronous_device.py": 1, "test_worker.py": 2}


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            yield node, node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id


def is_number(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)


def fixed_limits(path: Path) -> list[int]:
    """The lines with a limit that is the same on every machine."""
    found = []
    for call, name in calls(path):
        limits = [each.value for each in call.keywords if each.arg in ("timeout", "default_timeout", "open_timeout")]
        if name in OPENING and not limits:  # Streamlit gives up after three seconds
            found.append(call.lineno)
        place = LIMITED.get(name)
        if place is not None and len(call.args) > place and isinstance(call.func, ast.Attribute):
            limits.append(call.args[place])
        found += [call.lineno for limit in limits if is_number(limit)]
    return found


@pytest.mark.parametrize("path", sorted(TESTS.glob("test_*.py")), ids=lambda path: path.stem)
def test_no_test_gives_up_at_the_same_moment_on_every_machine(path: Path) -> None:
    assert fixed_limits(path) == []


@pytest.mark.parametrize("path", sorted(TESTS.glob("test_*.py")), ids=lambda path: path.stem)
def test_no_test_sleeps_for_luck(path: Path) -> None:
    pauses = [call.lineno for call, name in calls(path) if name in PAUSES and not asyncio_yields(call)]
    assert len(pauses) <= MEANT.get(path.name, 0), pauses


def asyncio_yields(call: ast.Call) -> bool:
    """Whether the call is asyncio.sleep(0), which only lets others go first."""
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def test_a_limit_is_longer_where_more_waits_for_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 0.0, 0.0))
    assert patient(10) == 20
    monkeypatch.setattr(os, "getloadavg", lambda: (8.0, 0.0, 0.0))
    assert patient(10) == 80
    monkeypatch.setattr(patience, "FACTOR", 3.0)
    assert patient(10) == 240


def test_what_never_comes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "patient", lambda seconds: seconds)
    with pytest.raises(AssertionError, match=r"waited 0.01 s in vain until it rained"):
        wait(lambda: False, "it rained", seconds=0.01)
