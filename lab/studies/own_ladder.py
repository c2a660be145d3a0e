"""The class's own ladder, from the folder that LAB_LADDER names, and the catalogue with its steps."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from core.errors import SettingsError
from core.ladder import catalogue
from core.ladder.brought import NOTHING, Brought, read_ladder
from core.ladder.model import Lineage, Step
from core.ladder.ours import OWN
from lab.settings import settings


def own_ladder() -> Brought:
    """What the folder holds, read once for each process; nothing without a folder."""
    with suppress(SettingsError):  # every page says it
        if folder := settings().ladder:
            return _read(folder)
    return NOTHING


@lru_cache(maxsize=4)
def _read(folder: str) -> Brought:
    return read_ladder(Path(folder).expanduser())


def ladder() -> tuple[Step, ...]:
    """The catalogue's steps, and then the class's own."""
    return (*catalogue.LADDER, *own_ladder().steps)


def lineages() -> tuple[Lineage, ...]:
    """Those that have a step, in the order of the ladder."""
    own = own_ladder()
    return (*catalogue.LINEAGES, OWN, *([own.lineage] if own.steps else []))


def by_slug(slug: str) -> Step:
    """As in the catalogue, with the class's own. Raises SpecError."""
    return catalogue.by_slug(slug, own_ladder().steps)


def before(step: Step) -> Step | None:
    """The step before it in its lineage."""
    return catalogue.before(step, own_ladder().steps)


def lineage_of(step: Step) -> Lineage:
    """The lineage that the step belongs to."""
    return catalogue.lineage_of(step, own_ladder().lineage)
