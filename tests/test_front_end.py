"""JavaScript, CSS, HTML and SQL lie in files of their own, and each file is correct by the rules of its language."""

import ast
import re
import sqlite3
import subprocess
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
import tinycss2
from jinja2 import Environment
from playwright._impl._driver import compute_driver_executable

from lab.ui import colours
from tests.patience import patient

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("core", "lab", "pages")
PRODUCT = [ROOT / "streamlit_app.py", *(path for top in FOLDERS for path in (ROOT / top).rglob("*.py"))]
NEUTRAL = {"#000000", "#FFFFFF", "#B87F00"}  # ground, ink on it, and the orange that is legible as a letter on white
VOID = {"br", "input", "meta", "rect", "image", "path"}
FOREIGN = re.compile(r"<(style|div|span|svg|table)\b|\bfunction ?\(|\) => |CREATE TABLE|^\s*[.#][\w-]+ \{", re.M)


def files(kind: str) -> list[Path]:
    found = sorted(path for path in (ROOT / "lab").rglob(f"*.{kind}"))
    assert found, kind
    return found


def named(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", files("js"), ids=named)
def test_a_script_is_a_module_that_parses_and_exports_what_streamlit_calls(path: Path) -> None:
    node, _ = compute_driver_executable()
    script = path.read_text(encoding="utf-8")
    done = subprocess.run(
        [node, "--check", "--input-type=module", "-"], input=script, capture_output=True, text=True, timeout=patient(60)
    )
    assert done.returncode == 0, done.stderr
    assert "export default function" in script


@pytest.mark.parametrize("path", files("css"), ids=named)
def test_a_style_sheet_parses_and_its_colours_are_those_of_the_figures(path: Path) -> None:
    css = path.read_text(encoding="utf-8")
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    assert rules
    for rule in rules:
        assert rule.type != "error", rule
        inner = [rule]
        if rule.type == "at-rule":
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
        for each in inner:
            assert each.type == "qualified-rule", each
            declared = tinycss2.parse_blocks_contents(each.content, skip_comments=True, skip_whitespace=True)
            assert declared, each
            assert all(one.type == "declaration" for one in declared), declared
    themes = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    grounds = {themes[scheme]["backgroundColor"] for scheme in ("light", "dark")}
    ours = {value for value in vars(colours).values() if isinstance(value, str)} | NEUTRAL | grounds
    if path.name != "report.css":  # it has two shades of a colour, one for each theme
        assert set(re.findall(r"#[0-9A-F]{6}\b", css)) <= ours


class Balanced(HTMLParser):
    """Tags that are open and not closed yet."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("path", files("html"), ids=named)
def test_every_tag_of_a_component_is_closed(path: Path) -> None:
    reader = Balanced()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    assert not reader.open


@pytest.mark.parametrize("path", files("jinja"), ids=named)
def test_a_template_parses(path: Path) -> None:
    Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", files("sql"), ids=named)
def test_a_file_of_sql_holds_whole_statements(path: Path) -> None:
    sql = path.read_text(encoding="utf-8").strip()
    assert sqlite3.complete_statement(sql if sql.endswith(";") else f"{sql};")


def test_no_python_string_holds_another_language() -> None:
    for path in PRODUCT:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                found = FOREIGN.search(node.value)
                assert not found, f"{path.relative_to(ROOT)}:{node.lineno}: {found}"
