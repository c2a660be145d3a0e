"""Designs kept under a name: LAB_HOME/designs/NAME.json, shared by all who use this lab."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from core.architecture.json_form import architecture_from_json, architecture_to_json
from core.architecture.spec import Architecture
from core.errors import ChangedError, ClassError, LabError, SpecError
from core.files import alone_in, reason, remove_inside, replace_text
from core.outside import JOINERS, plain
from core.record import short
from core.words import plural
from lab.runs.person import MACHINE, Person, owns
from lab.settings import lab_home

NAME = re.compile(r"\w[\w ,.()+-]{0,59}")  # no separator of folders, no leading dot; see `is_name`
OWNER = ".owner"  # of the file beside it that holds the owner's key
MAX_DESIGNS = 200
MAX_BYTES = 65_536  # of one file; the largest of the ladder has 1,179


def saved_names() -> list[str]:
    """The names there are, in alphabetical order."""
    return sorted((path.stem for path in _folder().glob("*.json") if is_name(path.stem)), key=str.casefold)


def is_name(name: str) -> bool:
    """Whether a design may be called so: a file's name on every system. A letter may carry its script's marks."""
    letters = "".join("a" if unicodedata.category(each)[0] == "M" or each in JOINERS else each for each in name[1:])
    return bool(NAME.fullmatch(name[:1] + letters)) and name == plain(name).strip(" .")


def save_design(architecture: Architecture, by: Person = MACHINE, seen: Architecture | None = None) -> str:
    """Keep it under its own name; returns the name. `seen`: the design that the saver has seen there, and replaces.

    Raises SpecError or LabError, ClassError where the name holds a design of somebody else's, and ChangedError where
    it holds another one than was seen.
    """
    _path(architecture.name)
    with _alone("the design could not be saved"):  # of two who save under one new name at one moment, one is told
        _check_unchanged(architecture, by, seen)
        return _write(architecture, by)


def save_beside(architecture: Architecture, by: Person = MACHINE) -> str:
    """Keep it under its own name, or the next that is free: "NAME 2"; returns that. Raises SpecError or LabError."""
    _path(architecture.name)
    with _alone("the design could not be saved"):
        names = (architecture.name, *(f"{architecture.name[:55].rstrip()} {n}" for n in range(2, MAX_DESIGNS + 3)))
        free = next(
            name for name in names if held(name) == replace(architecture, name=name) or not _path(name).exists()
        )
        named = replace(architecture, name=free)
        return free if held(free) == named else _write(named, by)


def _check_unchanged(architecture: Architecture, by: Person, seen: Architecture | None) -> None:
    name = architecture.name
    if not _path(name).exists():
        return
    _check_owner(name, by)
    there = held(name)
    if there not in (None, seen, architecture):
        raise ChangedError(_changed(name))


def _changed(name: str) -> str:
    there = held(name)
    ops = plural(len(there.ops), "op") if there else "another design"
    return f"{short(name)} has changed since this page showed it: another tab saved a design with {ops} under this name"


def _write(architecture: Architecture, by: Person) -> str:
    path = _path(architecture.name)
    if not path.exists() and len(saved_names()) >= MAX_DESIGNS:
        raise SpecError(f"{MAX_DESIGNS} designs are saved already; delete one first")
    _folder().mkdir(exist_ok=True)
    replace_text(path.with_suffix(OWNER), owner_of(architecture.name) if path.exists() else by.key)
    replace_text(path, architecture_to_json(architecture) + "\n")
    return architecture.name


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """One at a time among all who change designs. Raises LabError."""
    try:
        with alone_in(lab_home()):
            yield
    except OSError as error:
        raise LabError(f"{what}: {reason(error)}") from error


def held(name: str) -> Architecture | None:
    """The design of that name; None where there is none that can be read."""
    try:
        return saved_design(name)
    except SpecError:
        return None


def saved_design(name: str) -> Architecture:
    """The design of that name. Raises SpecError for a name that there is not, or a file that holds no design."""
    path = _path(name)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError(f"there is no saved design {short(name)}") from None
    except OSError as error:
        raise SpecError(f"the saved design {short(name)} cannot be read: {reason(error)}") from None
    except ValueError:
        raise SpecError(f"the saved design {short(name)} cannot be read: it is no text") from None
    if len(text) > MAX_BYTES:
        raise SpecError(f"the saved design {short(name)} has more than {MAX_BYTES:,} characters")
    return architecture_from_json(text)


def delete_design(name: str, by: Person = MACHINE, seen: Architecture | None = None) -> None:
    """Forget the design of that name; one that is not there is forgotten already. `seen`: what it held; None: unknown.

    Raises SpecError or LabError, ClassError for a design of somebody else's, and ChangedError for one that has changed.
    """
    path = _path(name)
    if not path.exists():
        return
    with _alone(f"the design {short(name)} could not be deleted"):
        _check_owner(name, by)
        if seen and held(name) not in (None, seen):
            raise ChangedError(f"{_changed(name)}; it is not deleted. To delete it all the same, press Delete again")
        for file in (path, path.with_suffix(OWNER)):
            remove_inside(lab_home(), file)


def owner_of(name: str) -> str:
    """The key of the browser that the design of that name came from; "" where none is known."""
    try:
        return _path(name).with_suffix(OWNER).read_text(encoding="utf-8").strip()[:64]
    except (OSError, ValueError):
        return ""


def _check_owner(name: str, by: Person) -> None:
    if not owns(by, owner_of(name)):
        raise ClassError(
            f"the saved design {short(name)} is somebody else's: only its owner, in the same browser, or the teacher "
            "can change it; give yours another name"
        )


def _folder() -> Path:
    return lab_home() / "designs"


def _path(name: str) -> Path:
    """Where a design of that name lies. Raises SpecError for a name that may not be a file's."""
    if not is_name(name):
        raise SpecError(
            f"{short(name)} is no name for a file: up to 60 letters, digits and , . ( ) + - _, beginning with a "
            "letter or digit"
        )
    return _folder() / f"{name}.json"
