"""The training script as a notebook: its sections are the cells, each with a few words before it."""

from __future__ import annotations

import json
import platform

from core.architecture.pytorch_code import import_code
from core.export.script import about, sections
from core.export.section import Subject
from core.record import Json


def training_notebook(subject: Subject) -> bytes:
    """A notebook in the format nbformat 4.5, without outputs. Raises SpecError for a network that takes no digits."""
    parts = sections(subject)
    title, *words = about(subject)
    cells = [_markdown(f"# {title}\n" + "\n".join(words)), _code(import_code("\n\n".join(each.code for each in parts)))]
    for each in parts:
        cells += [_markdown(f"## {each.title}\n{each.words}"), _code(each.code)]
    document: Json = {
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": platform.python_version()},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1).encode()


def _markdown(text: str) -> dict[str, Json]:
    return {"cell_type": "markdown", "metadata": {}, "source": list[Json](text.splitlines(keepends=True))}


def _code(text: str) -> dict[str, Json]:
    lines = list[Json](text.splitlines(keepends=True))
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": lines}
