"""What a design started from, by the URL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from core.advice.bad_designs import BAD_DESIGNS
from core.architecture.spec import Architecture
from core.errors import SpecError
from core.ladder.catalogue import label
from core.ladder.model import Step
from core.ladder.relatives import EXTRAS
from core.record import short
from lab.classroom.designs import owner_of, saved_design, saved_names
from lab.studies import own_ladder
from lab.ui import url
from lab.ui.owner import me
from lab.ui.step import FIRST_STEP, FROM, SAVED

EMPTY = "empty"


@dataclass(frozen=True)
class Start:
    """A network to begin with."""

    key: str  # in the URL
    title: str
    architecture: Architecture
    fault: str = ""  # of a bad design: what is wrong with it, in a few words
    wrong: str = ""  # and in more


def _fixed() -> dict[str, Start]:
    return _of_steps(own_ladder.ladder())


@lru_cache(maxsize=2)
def _of_steps(ladder: tuple[Step, ...]) -> dict[str, Start]:
    steps = [Start(step.slug, label(step), step.architecture) for step in (*ladder, *EXTRAS)]
    empty = Start(EMPTY, "An empty network", Architecture("My network", ()))
    bad = [
        Start(each.slug, f"{each.architecture.name}: find out why", each.architecture, each.title, each.wrong)
        for each in BAD_DESIGNS
    ]
    return {start.key: start for start in (*steps, empty, *bad)}


def start_titles() -> dict[str, str]:
    """What a design may start from, by its key in the URL: one's own, the steps, the class's, nothing, the bad ones.

    Nobody looks first for an empty network, or for one to find a fault in: these stand last.
    """
    fixed = {key: start.title for key, start in _fixed().items()}
    last = [key for key, start in _fixed().items() if key == EMPTY or start.fault]
    saved = {SAVED + name: f"Saved: {name}" for name in saved_names()}
    mine = {key: title for key, title in saved.items() if owner_of(key.removeprefix(SAVED)) == me().key}
    return mine | {key: fixed[key] for key in fixed if key not in last} | saved | {key: fixed[key] for key in last}


def start_named(key: str) -> Start:
    """The start of that key. Raises SpecError for one that there is not, or a saved one that cannot be read."""
    if key.startswith(SAVED):
        return Start(key, f"Saved: {key[len(SAVED) :]}", saved_design(key[len(SAVED) :]))
    if key not in _fixed():
        raise SpecError(f"there is no step or design {short(key)} to start from")
    return _fixed()[key]


def start_in_url() -> Start:
    """The start that the URL names; where it names none, or one that is gone, the first step."""
    first = next(start for key, start in _fixed().items() if key.startswith(FIRST_STEP))
    return url.read(FROM, start_named, first)
