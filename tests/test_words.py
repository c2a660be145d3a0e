"""Words from outside stay words."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.outside import plain
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
