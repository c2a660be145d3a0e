"""The templates of the report, and how they write numbers."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.architecture.sizes import shape_words
from core.architecture.spec import op_words
from core.words import loss_words
from lab.studies.results import held_in_words, in_words


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Every value goes through HTML's escaping; a name that a template lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "percent": "{:.2%}".format,
        "count": "{:,}".format,
        "signed": lambda value: f"{value:+,}".replace("-", "−") if value else "",
        "loss": loss_words,
        "op": op_words,
        "shape": shape_words,
        "summary": in_words,
        "held": held_in_words,
        "plain": lambda words: words.replace("**", ""),
    }
    return environment
