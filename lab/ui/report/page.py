"""A run, a seed group or a comparison as one HTML page that needs nothing else.

The page has no script and loads nothing; the template escapes every word, and no path of this machine is in it.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

from lab.ui import file_names
from lab.ui.comparison_figure import Shown
from lab.ui.report.facts import facts_of
from lab.ui.report.templates import templates


def report_html(shown: Sequence[Shown], made: datetime) -> str:
    """The page about one entry or several. `made`: when, in the reader's time zone."""
    page: str = (
        templates()
        .get_template("report.html.jinja")
        .render(facts=facts_of(shown), made=made, python=platform.python_version(), torch=version("torch"))
    )
    return page


def report_name(shown: Sequence[Shown]) -> str:
    """The file's name: plain letters, whatever the runs are called."""
    return file_names.of_entries((each.entry for each in shown), "report", ".html")
