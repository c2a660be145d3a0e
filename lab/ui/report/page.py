"""A run, a seed group or a comparison as one HTML page that needs nothing else.

The page has no script and loads nothing; the template escapes every word, and no path of this machine is in it.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.architecture.spec import describe
from core.architecture.trace import spell
from core.challenge import MAX_EPOCHS, MAX_PARAMETERS
from core.checkpoints.card import card_to_dict
from core.words import loss_words, plural
from lab.studies.reference import how_measured
from lab.studies.results import held_in_words, in_words
from lab.ui.comparison_figure import Shown
from lab.ui.formats import VERDICTS
from lab.ui.report.facts import facts_of


def report_html(shown: Sequence[Shown], made: datetime) -> str:
    """The page about one entry or several. `made`: when, in the reader's time zone."""
    page: str = (
        _templates()
        .get_template("report.html.jinja")
        .render(facts=facts_of(shown), made=made, python=platform.python_version(), torch=version("torch"))
    )
    return page


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "percent": "{:.2%}".format,
        "count": "{:,}".format,
        "signed": lambda value: f"{value:+,}".replace("-", "−") if value else "",
        "loss": loss_words,
        "op": describe,
        "shape": spell,
        "plural": plural,
        "summary": in_words,
        "held": held_in_words,
        "measured": lambda record: how_measured(record).replace("**", ""),
        "plain": lambda words: words.replace("**", ""),
        "card": lambda card: json.dumps(card_to_dict(card), indent=1),
    }
    environment.globals |= {
        "verdicts": VERDICTS,
        "challenge": {"epochs": MAX_EPOCHS, "parameters": MAX_PARAMETERS},
    }
    environment.globals |= {
        "verdicts": VERDICTS,
        "challenge": {"epochs": MAX_EPOCHS, "parameters": MAX_PARAMETERS},
    }
    return environment


def report_name(shown: Sequence[Shown]) -> str:
    """The file's name: plain letters, whatever the runs are called."""
    kept = "-".join(each.entry.key for each in shown[:3])
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in kept)
    return f"report-{plain[:80]}.html"
