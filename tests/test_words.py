"""Words from outside stay words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.words import escaped

BEFORE_PUNCTUATION = re.compile(r"\\([!-/:-@\[-`{-~])")  # where CommonMark takes a backslash away


@given(st.text())
def test_what_is_shown_is_what_was_said(text: str) -> None:
    assert BEFORE_PUNCTUATION.sub(r"\1", escaped(text)) == text


@pytest.mark.parametrize("mark", [*r"\`*_[]<>~$:#&"])
def test_every_mark_that_means_something_within_a_line_is_taken_as_itself(mark: str) -> None:
    assert escaped(f"{mark}Anna{mark}") == f"\\{mark}Anna\\{mark}"


def test_a_name_with_an_underscore_within_is_left_as_it_is() -> None:
    assert escaped("validation_size") == "validation_size"
    assert escaped("a__b") == r"a\_\_b"
