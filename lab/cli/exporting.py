"""The command that lets a network or a run leave the lab: export."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.checkpoints.card import Card
from core.errors import CheckpointError, DataError
from core.export.kinds import KINDS, Leaving, stem_of
from core.export.section import Subject
from core.files import reason, replace_bytes
from core.record import Json
from lab.cli.networks import network, recipe_in
from lab.studies.shelf import find


def add_export(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The command's words."""
    leaving = add("export", export_command, "Write a run or a network as a file that works without the lab.")
    leaving.add_argument("source", metavar="CHECKPOINT|NETWORK", help="a shipped slug, a saved name, or a path")
    leaving.add_argument("--as", dest="kind", choices=KINDS, default="script")
    leaving.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="a recipe as JSON or a training script, instead of the run's or step's",
    )
    leaving.add_argument("-o", "--output", type=Path, metavar="FILE", help="instead of a name after the run or network")


def export_command(options: argparse.Namespace) -> Json:
    """One file: the training script, the notebook, the weights, or the network itself."""
    from core.export.files import file_of  # with torch, which takes two seconds to import

    leaving = _leaving(options.source, options.recipe)
    target: Path = options.output or Path(leaving.name(options.kind))
    if options.output is None and target.exists():
        raise DataError(f"{target} is already there; -o FILE writes to another name, or replaces it")
    content = file_of(options.kind, leaving)
    try:
        replace_bytes(target, content)
    except OSError as error:
        raise DataError(f"{target}: {len(content):,} bytes could not be written: {reason(error)}") from None
    if not options.json:
        print(f"{target}: {len(content):,} bytes")
    return {"file": str(target), "bytes": len(content), "kind": options.kind}


def _leaving(source: str, recipe_file: Path | None) -> Leaving:
    """What is meant: a checkpoint where there is one of that name or path, else a network. Raises LabError."""
    recipe = recipe_in(recipe_file) if recipe_file else None
    found = _checkpoint(source)
    if found is None:
        architecture, own, slug = network(source)
        return Leaving(Subject(architecture, recipe or own, stem=slug))
    stem, card = found
    subject = Subject(card.architecture, recipe or card.recipe, card, stem_of(source, card))
    if recipe and recipe != card.recipe:  # its figures are those of another recipe
        return Leaving(replace(subject, card=None))
    return Leaving(subject, stem)


def _checkpoint(source: str) -> tuple[Path, Card] | None:
    try:
        shelved = find(source)
    except CheckpointError:
        if source.endswith(".safetensors"):
            raise
        return None
    return shelved.stem, shelved.card
