"""The README, CONTRIBUTING and docs/ name only what exists: files, modules, commands, pages, lessons, buttons."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from core.ladder.brought import read_ladder
from core.ladder.catalogue import by_slug
from lab.cli.parser import main
from lab.learn.lessons import LESSONS, lesson_of
from lab.learn.lessons.player import HIDE, LOCK
from lab.learn.lessons.scene import scene_number
from tests.patience import patient

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
FILES = [ROOT / "README.md", *ROOT.glob("CONTRIBUTING.md"), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES}

EXAMPLE = re.compile(r'^```\w+ title="([^"]+)"\n.*?^```$', re.MULTILINE | re.DOTALL)  # of the worked examples
ENDINGS = (".py", ".md", ".json", ".toml", ".txt", ".yml", ".conf", ".service", ".jinja", ".sqlite3", ".lock")
# What a running lab writes, another program's files, and what a reader makes: none of them is in the repository.
ELSEWHERE = re.compile(
    r"/.*|~.*|LAB_HOME/.*|.*\bNAME\b.*|MNIST/raw.*|data/|checkpoints/runs/?|handwriting\.sqlite3|mine\.json|FILE.*|\d.*|"
    r"\.streamlit/secrets\.toml|\.ci/venv.*|\.venv.*"
)
every_text = pytest.mark.parametrize("name", TEXTS)


def inline(text: str) -> list[str]:
    """What stands between single backquotes."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of `python -m lab` that is named, with the rest of its line."""
    for line in (*inline(text), *"\n".join(re.findall(r"^```\w*$(.*?)^```", text, re.M | re.DOTALL)).splitlines()):
        for found in re.finditer(r"python -m lab ([a-z-]+)([^&|]*)", line):
            yield found[1], found[2]


# ---------------------------------------------------------------------------------------------------------- the README


def test_the_readme_is_short_and_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_bytes()
    assert len(readme) <= 9_000
    assert b"```sh\npip install -r requirements.txt && streamlit run streamlit_app.py\n```" in readme
    assert b"```sh\npip install -r requirements-dev.txt && pytest\n```" in readme


def test_the_readmes_tree_names_what_exists_and_every_folder_of_core_and_lab() -> None:
    (tree,) = re.findall(r"^```\n(streamlit_app\.py.*?)^```", TEXTS["README.md"], re.MULTILINE | re.DOTALL)
    above, named = "", set()
    for line in tree.splitlines():
        names = re.split(r" {2,}", line.strip())[0].split(" ")
        if not line.startswith(" "):
            above = names[0]
        named |= {name if name == above else above + name for name in names}
    assert [name for name in named if not (ROOT / name).exists()] == []
    inner = {f"{path.relative_to(ROOT)}/" for top in ("core", "lab") for path in (ROOT / top).glob("[a-z]*/")}
    assert inner <= named


# ------------------------------------------------------------------------------------------------ files, modules, links


@every_text
def test_every_file_and_folder_that_a_page_names_exists(name: str) -> None:
    text = TEXTS[name]
    made = {ROOT / path for path in EXAMPLE.findall(text)}  # by the page's own example
    words = [word for span in inline(text) for word in span.split()]
    paths = {word for word in words if re.fullmatch(r"[\w.][\w./-]*", word) and ("/" in word or word.endswith(ENDINGS))}
    paths |= set(re.findall(r"\b(?:tests|core|lab|pages|docs|checkpoints)/[\w/.-]*\w", re.sub(EXAMPLE, "", text)))
    folders = [ROOT, ROOT / "docs", *(ROOT / path for path in paths if path.endswith("/"))]
    absent = [
        path
        for path in paths
        if not ELSEWHERE.fullmatch(path)
        and not any((folder / path).exists() for folder in folders)
        and not any(one == ROOT / path or (ROOT / path) in one.parents or one.stem == Path(path).name for one in made)
    ]
    assert absent == []


@every_text
def test_every_module_that_a_page_names_exists(name: str) -> None:
    named = re.findall(r"python -m ([\w.]+)", TEXTS[name])
    named += re.findall(r"(?<![\w/.-])((?:core|lab|tests)(?:\.\w+)+)", " ".join(inline(TEXTS[name])))
    for module in named:
        path = ROOT / module.replace(".", "/")
        there = (path.with_suffix(".py"), path / "__main__.py", path / "__init__.py")
        assert module in ("pytest", "mkdocs", "pip", "venv") or any(each.exists() for each in there), module


@every_text
def test_every_link_leads_to_a_file(name: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(EXAMPLE, "", TEXTS[name])):
        assert urlsplit(target).scheme or (ROOT / name).parent.joinpath(target).exists(), target


@every_text
def test_every_slug_that_a_page_names_is_a_step(name: str) -> None:
    own = read_ladder(ROOT / "docs" / "examples" / "class-ladder").steps
    if EXAMPLE.search(TEXTS[name]):
        return  # an example may add one, and its own test looks for it
    for line in re.findall(r"python -m lab (?:trace|train|range-test|mistakes) ([a-z][\w-]+)(?![\w.-])", TEXTS[name]):
        assert by_slug(line, own)


# ----------------------------------------------------------------------------------------------------- the command line


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What --help prints; it exits with 2 for a command that does not exist."""
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0, command
    return capsys.readouterr().out


@every_text
def test_every_command_and_option_that_a_page_names_exists(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command, rest in commands(TEXTS[name]):
        options = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest))
        assert options <= set(re.findall(r"--[a-z][a-z-]*", help_of(command, capsys))), command


def test_the_page_of_commands_has_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"^    ([a-z-]+)\b", capsys.readouterr().out, re.MULTILINE))
    assert {command for command, _ in commands(TEXTS["docs/command-line.md"])} == known


# --------------------------------------------------------------------------------------------------- pages and buttons


def test_the_students_guide_names_every_page_of_the_menu() -> None:
    menu = []
    section = ""
    for line in (ROOT / "streamlit_app.py").read_text(encoding="utf-8").splitlines():
        if found := re.search(r'^\s+"(\w+)": \[', line):
            section = found[1]
        if found := re.search(r'st\.Page\("pages/.*title="([^"]+)"', line):
            menu.append((section, found[1]))
    assert re.findall(r"^\| \*\*(\w+): ([^*]+)\*\* \|", TEXTS["docs/students.md"], re.MULTILINE) == menu


@pytest.mark.parametrize("name", ["README.md", "docs/students.md", "docs/teachers.md", "docs/add-a-lesson.md"])
def test_every_page_and_button_in_italics_is_in_the_app(name: str) -> None:
    sources = [ROOT / "streamlit_app.py", *(ROOT / "lab").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    app = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    for words in re.findall(r"(?<!\*)\*([A-Z][^*\n]*)\*(?!\*)", TEXTS[name]):
        assert re.search(rf'["\[]{re.escape(words)}', app), words


def test_every_link_into_the_app_opens_a_page_a_lesson_and_a_scene() -> None:
    scripts = {path.stem for path in (ROOT / "pages").rglob("*.py")}
    links = [word for word in inline(TEXTS["docs/teachers.md"]) if word.startswith("/")]
    assert len(links) > 8
    for link in links:
        parts = urlsplit(link)
        asked = parse_qs(parts.query)
        assert parts.path == "/" or parts.path[1:] in scripts, link
        assert asked.keys() <= {"lesson", "scene", "present", "hide", "lock", "follow"}
        assert set(asked.get("hide", [])) <= set(HIDE)
        assert set(asked.get("lock", [])) <= set(LOCK)
        for key in asked.get("lesson", []):
            scene_number(lesson_of(key), asked.get("scene", [""])[0])  # raises SpecError


# ------------------------------------------------------------------------------------------------- the plan for a class


def test_the_plan_takes_90_minutes_and_each_lesson_its_own() -> None:
    guide = TEXTS["docs/teachers.md"]
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| `([^`]+)` \|", guide, re.MULTILINE)
    assert sum(int(minutes) for minutes, _, _ in rows) == 90
    minutes_of = {lesson.title: lesson.minutes for lesson in LESSONS}
    for minutes, what, link in rows:
        if "lesson=" in link:
            assert minutes_of[what] == int(minutes)
    later = {title: int(minutes) for title, minutes in re.findall(r'"([^"]+)" \((\d+) min\)', " ".join(guide.split()))}
    planned = {what for _, what, link in rows if "lesson=" in link}
    assert {title: minutes for title, minutes in minutes_of.items() if title not in planned} == later


def test_the_time_that_a_class_needs_follows_from_the_measured_epoch() -> None:
    (seconds,) = re.findall(
        r"an epoch of the 7,758 network, [^|]+ \| [\d.]+ s \| ([\d.]+) s", TEXTS["docs/measurements.md"]
    )
    guide = " ".join(TEXTS["docs/teachers.md"].split())
    assert f"takes {seconds} s" in guide
    assert f"about {30 * 3 * float(seconds) / 60:.0f} minutes in total" in guide


# ------------------------------------------------------------------------------------------------------------- the site


def test_the_site_builds_without_a_warning_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # an advertisement for its successor
    built = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=patient(100))
    assert built.returncode == 0, built.stdout + built.stderr
    for page in TEXTS.keys() - {"README.md", "CONTRIBUTING.md"}:
        html = (tmp_path / page.removeprefix("docs/")).with_suffix(".html").read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe)[^>]+src=\"?([^\" >]+)|<link[^>]+href=\"?([^\" >]+)", html)
        assert fetched
        assert not [address for pair in fetched for address in pair if re.match(r"(\w+:)?//", address)]
