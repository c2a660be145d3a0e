"""Words that come from outside, shown as they are: nothing a URL, a file or a student says becomes markup."""

from __future__ import annotations

import re

import streamlit as st

from core.errors import LabError

# Links, images, tags, code, formulas, colours, emphasis, headings, &lt;. Within a word an underscore means nothing.
MARKUP = re.compile(r"([\\`*\[\]<>~$:#&]|(?<![^\W_])_|_(?![^\W_]))")


def escaped(text: str) -> str:
    """The text as Markdown that shows it, rather than what it may mark up."""
    return MARKUP.sub(r"\\\1", text)


def show_error(error: LabError) -> None:
    """The error's sentence in a red box, word for word."""
    st.error(escaped(str(error)))
