"""Words from outside stay words, and a figure has one format everywhere."""

from __future__ import annotations

import ast
import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import words as figures
from core.outside import plain
from lab.settings import ROOT
from lab.ui.words import JOINER, escaped, plotted

BEFORE_PUNCTUATION = re.compile(r"\\([!-/:-@\[-`{-~])")  # where CommonMark takes a backslash away


@given(st.text())
def test_what_is_shown_is_what_was_said_on_one_line(text: str) -> None:
    shown = BEFORE_PUNCTUATION.sub(r"\1", escaped(text)).replace(JOINER, "")
    assert shown == plain(text)


@pytest.mark.parametrize("mark", [*r"\`*_[]<>~$:#&|"])
def test_every_mark_that_means_something_within_a_line_is_taken_as_itself(mark: str) -> None:
    assert escaped(f"{mark}Anna{mark}") == f"\\{mark}Anna\\{mark}"


def test_a_name_with_an_underscore_within_is_left_as_it_is() -> None:
    assert escaped("validation_size") == "validation_size"
    assert escaped("a__b") == r"a\_\_b"


@pytest.mark.parametrize("start", ["- item", "+ item", "---", "===", "1. one", "12) two"])
def test_nothing_begins_a_list_or_a_rule(start: str) -> None:
    assert "\\" in escaped(start)[: len(start.split()[0])]


@pytest.mark.parametrize("text", ["a\n\n# big", "a  \nb", "\u2028# big", "\x85- item", "    code", "\tcode"])
def test_a_line_break_or_an_indent_begins_nothing(text: str) -> None:
    assert len(escaped(text).splitlines()) == 1
    assert not escaped(text).startswith((" ", "\t", "#", "-"))


# In the browser these become links, icons and other signs after all backslashes are gone: see test_browser.py.
@pytest.mark.parametrize(
    "text",
    [
        *("https://example.com", "HTTP://EXAMPLE.COM", "www.example.com", "mia@example.com", ":material/delete:"),
        *("->", "<-", "<->", "--", ">=", "<=", "~=", "a -> b", ":streamlit:"),
    ],
)
def test_what_is_looked_for_in_finished_text_is_parted(text: str) -> None:
    assert JOINER in escaped(text)


def test_usual_words_have_nothing_invisible_in_them() -> None:
    for text in ("C6 · StepLR", "op 7 MaxPool(kernel_size=2): the map is only 1 wide", "3 - 1 = 2", "1.5 M", "a: b/c"):
        assert JOINER not in escaped(text)


@given(st.text())
def test_no_chart_finds_a_tag_or_a_figure_of_its_own_in_a_name(text: str) -> None:
    shown = plotted(text)
    assert "<" not in shown
    assert "%{" not in shown
    assert html.unescape(shown).replace(JOINER, "") == html.unescape(html.escape(plain(text)))


# --------------------------------------------------------------------------------------------------------- the figures

USUAL = {",", "+,", ".2%"}  # a count with commas, a difference of counts, an accuracy: each has this one format
OWN = {"axes.py", "curves.py"}  # the marks of an axis have as many digits as they need; points of a line are cut short
PAGES = ("lab/ui", "lab/experiment", "lab/use", "lab/learn/field", "pages")


def test_no_page_formats_a_figure_in_a_way_of_its_own() -> None:
    found = []
    paths = [path for folder in PAGES for path in (ROOT / folder).rglob("*.py")]
    for path in (*paths, *(ROOT / "lab/learn").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FormattedValue) or not isinstance(node.format_spec, ast.JoinedStr):
                continue
            spec = ast.unparse(node.format_spec)[2:-1]
            if (
                spec not in USUAL
                and not spec.startswith("{")
                and "%H" not in spec
                and "%Y" not in spec
                and path.name not in OWN
            ):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {{{ast.unparse(node.value)}:{spec}}}")
    assert not found, "core.words has the formats of figures"


def test_each_kind_of_figure_has_its_format() -> None:
    assert (figures.percent(0.9941), figures.points_words(0.00123)) == ("99.41%", "0.12")
    assert (figures.share_words(0.5), figures.share_words(0.123, 1)) == ("50%", "12.3%")
    assert (figures.rounded(1234.56, 1), figures.signed_words(0.25, 2)) == ("1,234.6", "+0.25")
    assert (figures.significant(0.5, 6), figures.significant(1234.0)) == ("0.5", "1,234")
    assert (figures.rate_words(0.00001), figures.loss_words(0.016123)) == ("0.00001", "0.01612")


def test_no_field_for_a_number_refuses_it_without_a_word() -> None:
    known = {  # a place in a list or a map, whose ends its label or its help names; an answer of any size
        "lab/ui/number_field.py", "lab/ui/explorer.py", "lab/use/inside/inputs.py", "lab/learn/lessons/player.py",
    }  # fmt: skip
    found = {
        str(path.relative_to(ROOT))
        for folder in ("lab", "pages")
        for path in (ROOT / folder).rglob("*.py")
        if ".number_input(" in path.read_text(encoding="utf-8")
    }
    assert found == known


def test_numbers_in_names_are_sorted_as_numbers() -> None:
    names = ["layer10", "layer9", "layer\u00b2", "10", "layer", "9b", ""]
    assert sorted(names, key=figures.number_order) == ["", "9b", "10", "layer", "layer9", "layer10", "layer\u00b2"]
