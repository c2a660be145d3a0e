"""What the lab's own code must not contain, whatever a file or a student says: read off its syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
FILES = [
    ROOT / "streamlit_app.py",
    *(path for name in ("core", "lab", "pages") for path in (ROOT / name).rglob("*.py")),
]
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}  # as a bare name; re.compile is another
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "xml.sax"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call of the lab: what is called as one would write it, the call, and where it stands."""
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node, f"{path.relative_to(ROOT)}:{node.lineno}"


def imports() -> Iterator[tuple[str, str, str]]:
    """Every import of the lab: the module, what is taken from it, and where it stands."""
    for path in FILES:
        for node in ast.walk(tree(path)):
            place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                yield from ((each.name, "", place) for each in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.module or "", each.name, place) for each in node.names)


def keyword(call: ast.Call, name: str) -> object:
    """The constant that a call gives by that keyword; None where it gives none, or no constant."""
    value = next((each.value for each in call.keywords if each.arg == name), None)
    return value.value if isinstance(value, ast.Constant) else None


@pytest.mark.slow
def test_no_text_is_run_as_code() -> None:
    assert [place for called, _, place in calls() if called in RUNS_TEXT] == []


@pytest.mark.slow
def test_nothing_is_unpickled() -> None:
    assert [place for module, _, place in imports() if module in UNSAFE_MODULES] == []
    assert [place for module, name, place in imports() if (module, name) == ("torch", "load")] == []
    assert [place for called, call, place in calls() if called.endswith("load") and keyword(call, "allow_pickle")] == []


def test_torch_loads_weights_only() -> None:
    loads = [call for called, call, _ in calls() if called == "torch.load"]
    assert loads
    assert all(keyword(call, "weights_only") is True for call in loads)


def test_no_shell_is_asked() -> None:
    asked = ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput")
    assert [place for called, call, place in calls() if called in asked or keyword(call, "shell")] == []


def test_no_page_lets_words_be_html() -> None:
    for called, call, place in calls():
        assert not keyword(call, "unsafe_allow_html"), place
        assert not keyword(call, "unsafe_allow_javascript"), place
        if called == "st.html":  # what it gets is in the code as a whole: a text, a module's constant, or its template
            given = call.args[0]
            if isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute) and given.func.attr == "render":
                given = given.func.value
            named = given.attr if isinstance(given, ast.Attribute) else getattr(given, "id", "")
            assert isinstance(given, ast.Constant) or named.isupper(), place
        if called in ("Environment", "Template"):
            assert keyword(call, "autoescape") is True, place
