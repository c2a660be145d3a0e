"""A ladder of a class's own: a folder with a JSON file for each step, in the order of the files' names.

A file that is no step is told in one sentence and left out; the others are a lineage like those of the catalogue.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from core.architecture.json_form import architecture_from_dict, architecture_to_dict
from core.architecture.sizes import shape_words
from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.errors import SpecError
from core.files import reason
from core.ladder.model import Claim, Lineage, Link, Step, in_order
from core.record import By, Json, Length, Range, check, parse, read, short
from core.training.recipe import Recipe, recipe_from_dict, recipe_to_dict

KEY = "e"  # of the lineage, after the catalogue's four
ABOUT = "ladder.json"  # the file about the whole ladder; it may be left out
MAX_STEPS = 30
MAX_BYTES = 200_000  # of one file
DIGITS_INPUT = (1, 28, 28)
STEM = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ADDRESS = re.compile(r"https?://[^\s<>\"()]+")

Title = Annotated[str, Length(1, 100)]
Words = Annotated[str, Length(0, 2_000)]
Accuracy = Annotated[float, Range(0, 1)]
Log = Annotated[tuple[Accuracy, ...], Length(0, 1_000)]


@dataclass(frozen=True)
class _About:
    title: Title = "The class's own"
    about: Words = "Steps that the teacher has put here."
    source: Words = ""


@dataclass(frozen=True)
class _Claim:
    test_accuracy: Accuracy  # the best epoch's
    train_accuracy: Accuracy | None = None
    epoch: Annotated[int, Range(1, 1_000)] | None = None  # of the best, counted from 1
    test_log: Log = ()  # after each epoch
    train_log: Log = ()
    note: Words = ""


@dataclass(frozen=True)
class _Written:
    """A step as its file has it."""

    title: Title
    network: Annotated[Architecture, By(architecture_from_dict, architecture_to_dict)]
    recipe: Annotated[Recipe, By(recipe_from_dict, recipe_to_dict)] | None = None
    claim: _Claim | None = None
    change: Words = ""
    target: Words = ""
    result: Words = ""
    analysis: Words = ""
    source: Words = ""
    links: Annotated[tuple[Link, ...], Length(0, 10)] = ()


@dataclass(frozen=True)
class Brought:
    """What a folder holds."""

    lineage: Lineage
    steps: tuple[Step, ...] = ()
    faults: tuple[str, ...] = ()  # a sentence for each file that was left out


NOTHING = Brought(Lineage(KEY, _About.title, _About.about, ""))


def read_ladder(folder: Path) -> Brought:
    """The ladder in a folder. Raises nothing: what cannot be read is among the faults."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json" and not path.name.startswith("."))
    except OSError as error:
        return Brought(NOTHING.lineage, faults=(f"{folder}: the ladder's folder cannot be read: {reason(error)}",))
    files = [path for path in paths if path.name != ABOUT]
    faults, steps = list[str](), list[Step]()
    if len(files) > MAX_STEPS:
        faults.append(f"{folder}: {len(files)} steps, at most {MAX_STEPS} are shown; the first {MAX_STEPS} are")
    about = _About()
    if len(files) < len(paths):
        try:
            about = check(read(_About, _json(folder / ABOUT), ABOUT, SpecError), ABOUT, SpecError)
        except SpecError as error:
            faults.append(str(error))
    for path in files[:MAX_STEPS]:
        try:
            steps.append(_step(path))
        except SpecError as error:
            faults.append(str(error))
    lineage = Lineage(KEY, about.title, about.about, about.source)
    return Brought(lineage, in_order(lineage, *steps), tuple(faults))


def _json(path: Path) -> Json:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"{path.name}: {path.stat().st_size:,} bytes, at most {MAX_BYTES:,} are read")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError(f"{path.name}: it cannot be read: {reason(error)}") from None
    except UnicodeError:
        raise SpecError(f"{path.name}: it is not a text in UTF-8") from None
    return parse(text, path.name, SpecError)


def _step(path: Path) -> Step:
    """The step in a file. Raises SpecError, naming the file and the place in it."""
    place = path.name
    if not STEM.fullmatch(path.stem):
        raise SpecError(
            f"{place}: {short(path.stem)} cannot be part of a link; name the file with a to z, 0 to 9 and - between "
            "them, such as 01-wider.json"
        )
    written = read(_Written, _json(path), place, SpecError)
    network = written.network
    if network.input != DIGITS_INPUT:
        raise SpecError(
            f"{place}: network: it takes images of {shape_words(network.input)}, the data sets have "
            f"{shape_words(DIGITS_INPUT)}"
        )
    try:
        parameters = classifier(network).parameters
    except SpecError as error:
        raise SpecError(f"{place}: network: {error}") from None
    for number, link in enumerate(written.links):
        if not ADDRESS.fullmatch(link.address):
            raise SpecError(
                f"{place}: links[{number}]: address: {short(link.address)} is no address; one begins with https://"
            )
    return Step(
        slug=f"class-{path.stem}-{parameters}",
        title=" ".join(written.title.split()),
        architecture=network,
        recipe=written.recipe or Recipe(),
        claim=_claim(written.claim),
        source=written.source or "the class's own ladder",
        change=written.change,
        target=written.target,
        result=written.result,
        analysis=written.analysis,
        links=written.links,
    )


def _claim(said: _Claim | None) -> Claim | None:
    if said is None:
        return None
    epoch = None if said.epoch is None else said.epoch - 1
    return Claim(said.train_accuracy, said.test_accuracy, epoch, said.train_log, said.test_log, said.note)
