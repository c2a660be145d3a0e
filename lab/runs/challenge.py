"""The challenge that holds here: the teacher's choice, or else that of the settings."""

from __future__ import annotations

from contextlib import suppress

from core.challenge import Challenge, challenge_from_dict
from core.errors import LabError, SettingsError
from core.record import parse, to_json, write
from lab.runs.database import FILE_NAME
from lab.runs.store import RunStore
from lab.settings import lab_home, settings

PLACE = "the challenge"  # how messages about it begin


def challenge_now(store: RunStore) -> Challenge:
    """What the class's runs are held against now."""
    if kept := store.class_text("challenge"):
        with suppress(SettingsError):  # of another version of the lab: as if the teacher had chosen nothing
            return challenge_from_dict(parse(kept, PLACE, SettingsError), PLACE)
    return settings().challenge


def keep_challenge(store: RunStore, chosen: Challenge | None) -> None:
    """Keep the teacher's choice; None: the settings' holds again."""
    store.set_class_text("challenge", "" if chosen is None else to_json(write(chosen)))


def challenge_here() -> Challenge:
    """The same for a command, which makes no store where there is none, and goes on where it cannot be read."""
    home = lab_home()
    if (home / FILE_NAME).is_file():
        with suppress(LabError):
            return challenge_now(RunStore(home))
    return settings().challenge
