"""Words from outside, shown unchanged: nothing in a URL, a file or a student's text becomes markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.errors import LabError
from core.outside import plain
from lab.runs.reasons import without_folders

# Links, images, tags, code, formulas, colours, emphasis, headings, tables, &lt;. Within a word an underscore means
# nothing.
MARKUP = re.compile(r"([\\`*\[\]<>~$:#&|]|(?<![^\W_])_|_(?![^\W_]))")
LIST = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-+=]))")  # before what begins an item, a rule or an underline
# What is looked for in the finished text, where no backslash stands any more: addresses, icons, arrows. An invisible
# character that allows no line break parts them.
FOUND_LATER = re.compile(
    r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)|(?<=:)(?=material/|streamlit:)"
    r"|(?<=(?<!\S)[<>~-])(?=(?:->|[->=])(?!\S))",
    re.IGNORECASE,
)
JOINER = "\u2060"


def escaped(text: str) -> str:
    """The text on one line, as Markdown that shows it, rather than what it may mark up."""
    words = FOUND_LATER.sub(JOINER, plain(text))
    return LIST.sub(r"\1\\", MARKUP.sub(r"\\\1", words))


def plotted(text: str) -> str:
    """The text as Plotly shows it: in every label it reads a little HTML, and in a template %{...}."""
    return html.escape(plain(text), quote=False).replace("%{", f"%{JOINER}{{")


def told(text: str) -> str:
    """A reason as Markdown: `escaped`, without the folders of this server. Each error, fault or reason goes here."""
    return escaped(without_folders(text))


def show_error(error: LabError) -> None:
    """The error's sentence in a red box."""
    st.error(told(str(error)))


@contextmanager
def errors_shown() -> Iterator[None]:
    """An error ends what is done within, and is said in its place; the page goes on behind it."""
    try:
        yield
    except LabError as error:
        show_error(error)
