"""The class's answers to a lesson's question: counted while the teacher leads, shown when the teacher says so.

No Streamlit. In memory only: a class is thirty people that look each second or two, and the database has other work.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.errors import ClassError
from core.outside import cut
from core.record import MAX_TEXT
from core.spreadsheet import Cell, csv_text
from lab.runs.person import Person, check_teacher

MAX_ROUNDS = 500  # that are remembered; the one begun first goes first
MAX_PEOPLE = 400  # in a round
COLUMNS = ("lesson", "scene", "question", "round", "nickname", "person", "answer", "right", "answered", "revealed")


@dataclass(frozen=True)
class Topic:
    """A question, by where it stands."""

    lesson: str  # its key
    scene: int  # from 1
    question: str


@dataclass(frozen=True)
class Given:
    """One person's answer, the last one that they gave."""

    nickname: str
    answer: float | str
    right: bool
    moment: float  # seconds since 1970


@dataclass(frozen=True)
class Now:
    """How a question stands. It is what everybody may know: not who said what."""

    round: int = 0  # from 1; 0 before the first answer
    answered: int = 0
    revealed: bool = False


@dataclass
class _Round:
    topic: Topic
    number: int
    answers: dict[str, Given] = field(default_factory=dict)  # by the browser's key
    revealed: bool = False


class ClassAnswers:
    """Every question that a class was asked. Many sessions at once, so all that reads or changes holds the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rounds: OrderedDict[tuple[Topic, int], _Round] = OrderedDict()
        self._latest: dict[Topic, _Round] = {}

    def give(self, topic: Topic, by: Person, answer: float | str, right: bool, moment: float | None = None) -> None:
        """Count this person's answer in place of the one before; none after the reveal. Raises ClassError."""
        with self._lock:
            found = self._latest.get(topic) or self._begin(topic)
            if found.revealed:
                return
            if by.key not in found.answers and len(found.answers) >= MAX_PEOPLE:
                raise ClassError(f"{len(found.answers)} people have answered; at most {MAX_PEOPLE} can")
            answer = cut(answer, MAX_TEXT) if isinstance(answer, str) else answer
            found.answers[by.key] = Given(by.nickname, answer, right, time.time() if moment is None else moment)

    def reveal(self, topic: Topic, by: Person) -> None:
        """Show the answers to everybody; they stand. Raises ClassError for anybody but the teacher."""
        check_teacher(by, "reveal the answers")
        with self._lock:
            (self._latest.get(topic) or self._begin(topic)).revealed = True

    def ask_again(self, topic: Topic, by: Person) -> None:
        """Begin a new round of a question; the one before is kept for the table. Raises ClassError."""
        check_teacher(by, "ask again")
        with self._lock:
            self._begin(topic)

    def now(self, topic: Topic) -> Now:
        """What a browser compares every other second."""
        with self._lock:
            found = self._latest.get(topic)
            return Now(found.number, len(found.answers), found.revealed) if found else Now()

    def answer_of(self, topic: Topic, key: str) -> float | str | None:
        """What this browser has answered in the round that is on."""
        with self._lock:
            found = self._latest.get(topic)
            given = found.answers.get(key) if found else None
            return given.answer if given else None

    def shown(self, topic: Topic) -> tuple[Given, ...]:
        """The answers, once they are revealed; before that nobody gets them."""
        with self._lock:
            found = self._latest.get(topic)
            return tuple(found.answers.values()) if found and found.revealed else ()

    def waiting(self, topic: Topic, here: Mapping[str, str], by: Person) -> list[str]:
        """The nicknames, some of them "", of those who are `here`, by key, and have not answered. Raises ClassError."""
        check_teacher(by, "see who has not answered")
        with self._lock:
            found = self._latest.get(topic)
            return sorted(name for key, name in here.items() if found is None or key not in found.answers)

    def table(self, by: Person) -> str:
        """All rounds as CSV, one answer a line; moments in UTC. Raises ClassError for anybody but the teacher.

        `person` tells people without a nickname apart; it is the beginning of their browser's key.
        """
        check_teacher(by, "have the class's answers")
        with self._lock:
            rounds = [(each, each.revealed, dict(each.answers)) for each in self._rounds.values()]
        return csv_text(
            COLUMNS, (_line(each, key, given, shown) for each, shown, some in rounds for key, given in some.items())
        )

    def _begin(self, topic: Topic) -> _Round:
        last = self._latest.get(topic)
        begun = _Round(topic, last.number + 1 if last else 1)
        self._rounds[topic, begun.number] = self._latest[topic] = begun
        if len(self._rounds) > MAX_ROUNDS:
            _, dropped = self._rounds.popitem(last=False)
            if self._latest.get(dropped.topic) is dropped:
                del self._latest[dropped.topic]
        return begun


def _line(each: _Round, key: str, given: Given, revealed: bool) -> tuple[Cell, ...]:
    moment = datetime.fromtimestamp(given.moment, UTC).isoformat(timespec="seconds")
    topic, right, shown = each.topic, "yes" if given.right else "no", "yes" if revealed else "no"
    return (
        topic.lesson,
        topic.scene,
        topic.question,
        each.number,
        given.nickname,
        key[:8],
        given.answer,
        right,
        moment,
        shown,
    )
