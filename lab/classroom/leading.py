"""Following the teacher: the leader's place, for all sessions that have joined. No Streamlit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.errors import ClassError
from lab.runs.person import Person

QUIET_SECONDS = 2 * 3600.0  # without a sign from the leader, nobody leads the class any more
HERE_SECONDS = 5.0  # a follower with no sign for longer is not counted
NOBODY = Person()
MAX_FOLLOWERS = 2000  # that are counted
MAX_CHARACTERS = 16_000  # of all parameters together; a design has some hundred, a large one some thousand

Value = str | bool | int | float | tuple[str, ...]


@dataclass(frozen=True)
class Shared:
    """What of a page goes with the teacher: parameters of its URL, and widgets that Streamlit binds to it."""

    parameters: tuple[str, ...] = ()
    widgets: tuple[str, ...] = ()


KNOBS = ("width", "dropout", "bn")
NETWORK = ("step", "design", "from", *KNOBS)
# Every page that the class can follow to. What is in no list stays the teacher's own: nickname (me), the key to a game
# (lead), the projector's large print (present). The queue and *Teach a class* are not here: there the teacher works.
PAGES: Mapping[str, Shared] = {
    "pages/learn/start.py": Shared(),
    "pages/learn/walkthroughs.py": Shared(("lesson", "scene", "hide", "lock")),
    "pages/learn/ladder.py": Shared(),
    "pages/learn/step.py": Shared(NETWORK, ("view",)),
    "pages/learn/field.py": Shared((*NETWORK, "op", "unit", "digit"), ("show",)),
    "pages/experiment/design.py": Shared(("from", "design"), ("view", "form")),
    "pages/experiment/train.py": Shared((*NETWORK, "recipe", "run")),
    "pages/experiment/learning_rate.py": Shared((*NETWORK, "run")),
    "pages/experiment/compare.py": Shared(("runs", "first", "second", "show", "image"), ("view", "curve", "smoothing")),
    "pages/experiment/board.py": Shared(("nickname", "tag"), ("ladder",)),
    "pages/use/import.py": Shared(("onto", "class", "normalisation")),
    "pages/use/mistakes.py": Shared(
        ("checkpoint", "other", "show", "true", "predicted", "image", "group"),
        ("split", "order", "bins", "calibration_as"),
    ),
    "pages/use/read.py": Shared(("room", "checkpoint", "true", "predicted"), ("order",)),
    "pages/use/draw.py": Shared(("digit", "checkpoint"), ("source",)),
    "pages/use/handwriting.py": Shared((), ("label", "scores_as")),
    "pages/use/inside.py": Shared(("checkpoint", "epochs", "image", "layer", "channel", "unit"), ("from", "show")),
}


@dataclass(frozen=True)
class Place:
    """Where somebody is: a page of the menu, and what of it others may see."""

    page: str  # such as "pages/learn/step.py"
    parameters: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of the URL
    widgets: tuple[tuple[str, Value], ...] = ()  # those that Streamlit keeps in the URL, by their keys


def place_of(page: str, parameters: Mapping[str, tuple[str, ...]], widgets: Mapping[str, object]) -> Place | None:
    """The place, with only what that page's list names; None for a page that the class cannot follow to."""
    shared = PAGES.get(page)
    if shared is None:
        return None
    told = tuple((name, parameters[name]) for name in shared.parameters if parameters.get(name))
    if sum(len(text) for _, values in told for text in values) > MAX_CHARACTERS:
        told = ()
    kept = ((name, _value(widgets[name])) for name in shared.widgets if name in widgets)
    return Place(page, told, tuple((name, value) for name, value in kept if value is not None))


def _value(given: object) -> Value | None:
    if isinstance(given, list | tuple):
        return tuple(given) if all(isinstance(each, str) for each in given) else None
    return given if isinstance(given, str | bool | int | float) else None


@dataclass(frozen=True)
class Lead:
    """What followers get."""

    version: int  # a new one: something has changed
    on: bool  # whether anybody leads
    place: Place | None  # None until the leader has opened a page that the class can follow to


@dataclass
class _Leader:
    key: str
    heard: float
    place: Place | None = None


class Leading:
    """Who leads the class, and where to. One at a time; many sessions ask at once. It is forgotten when the app ends.

    Times are seconds on the clock of time.monotonic().
    """

    def __init__(self, is_teacher: Callable[[str], bool]) -> None:
        """`is_teacher`: whether a browser, by its key, is still the teacher's."""
        self._is_teacher = is_teacher
        self._lock = threading.Lock()
        self._version = 0
        self._leader: _Leader | None = None
        self._followers: dict[str, tuple[float, Person]] = {}  # when they were last heard of, and who they are

    def begin(self, by: Person, now: float | None = None) -> None:
        """This teacher leads from now on. Raises ClassError for anybody else."""
        if not by.teacher:
            raise ClassError("only the teacher can lead the class; enter the passphrase on the Queue page first")
        with self._lock:
            self._leader = _Leader(by.key, time.monotonic() if now is None else now)
            self._version += 1

    def end(self, by: Person) -> None:
        """Nobody leads any more. Raises ClassError for anybody but the teacher."""
        if not by.teacher:
            raise ClassError("only the teacher can stop leading the class")
        with self._lock:
            self._end()

    def move(self, by: Person, place: Place | None, now: float | None = None) -> None:
        """The new place of a browser: it counts only if it is the leader's; None is no place to follow to."""
        with self._lock:
            if self._leader is None or self._leader.key != by.key:
                return
            self._leader.heard = time.monotonic() if now is None else now
            if place is not None and place != self._leader.place:
                self._leader.place = place
                self._version += 1

    def now(self, now: float | None = None) -> Lead:
        """The place that the class follows to."""
        with self._lock:
            self._see_to_end(time.monotonic() if now is None else now)
            return Lead(self._version, self._leader is not None, self._leader.place if self._leader else None)

    def version(self, follower: str, now: float | None = None, by: Person = NOBODY) -> int:
        """What a follower compares each second; it is counted as here. `by`: who it is, for the teacher."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._see_to_end(now)
            if follower in self._followers or len(self._followers) < MAX_FOLLOWERS:
                self._followers[follower] = (now, by)
            return self._version

    def leave(self, follower: str) -> None:
        """Stop counting a follower."""
        with self._lock:
            self._followers.pop(follower, None)

    def followers(self, now: float | None = None) -> int:
        """How many follow."""
        with self._lock:
            self._forget_quiet(time.monotonic() if now is None else now)
            return len(self._followers)

    def here(self, now: float | None = None) -> dict[str, str]:
        """The nicknames, some of them "", of those who follow, by their browsers' keys: two tabs are one person."""
        with self._lock:
            self._forget_quiet(time.monotonic() if now is None else now)
            return {by.key: by.nickname for _, by in self._followers.values()}

    def leads(self, by: Person) -> bool:
        """Whether it is this browser that leads."""
        with self._lock:
            return self._leader is not None and self._leader.key == by.key and by.teacher

    def _forget_quiet(self, now: float) -> None:
        self._followers = {each: one for each, one in self._followers.items() if now - one[0] <= HERE_SECONDS}

    def _see_to_end(self, now: float) -> None:
        leader = self._leader
        if leader and (now - leader.heard > QUIET_SECONDS or not self._is_teacher(leader.key)):
            self._end()

    def _end(self) -> None:
        if self._leader is not None:
            self._leader = None
            self._version += 1
