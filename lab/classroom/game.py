"""The class game: everybody votes on what an image shows; then label, the network's answer and votes are shown.

No Streamlit: a room is shared by all sessions that know its code, a private room by nobody.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.data.mnist import SplitName
from core.errors import VoteError
from core.record import short

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # of a room's code; I and O are read as digits
CODE_LENGTH = 4
MAX_ROOMS = 32  # at once on a server; the one without a vote for longest is removed
MAX_VOTERS = 400  # in a room
MAX_ROUNDS = 200  # that a room remembers


@dataclass(frozen=True)
class Question:
    """An image, and what is hidden until it is revealed."""

    dataset: str
    split: SplitName
    index: int
    label: int
    answer: int  # the network's
    confidence: float
    network: str  # its name


@dataclass(frozen=True)
class Round:
    """One image as it stands: how many read which digit, and whether the label has been shown."""

    number: int  # from 1
    question: Question
    counts: tuple[int, ...]  # ten
    revealed: bool

    @property
    def voters(self) -> int:
        return sum(self.counts)

    @property
    def majority(self) -> int | None:
        """The digit that more read than any other; None where there is none."""
        most = max(self.counts)
        return self.counts.index(most) if most and self.counts.count(most) == 1 else None


@dataclass(frozen=True)
class Score:
    """Over the rounds revealed so far."""

    rounds: int
    right: int  # whose answer was the label
    network: int  # of those, how many the network read as the label


@dataclass
class _Open:
    question: Question
    votes: dict[str, int] = field(default_factory=dict)  # by voter
    revealed: bool = False


class Room:
    """One game. Many sessions vote at once, so all that reads or changes it holds the lock."""

    def __init__(self) -> None:
        self.lead = secrets.token_urlsafe(9)  # who knows it may reveal and ask the next
        self._lock = threading.Lock()
        self._rounds: list[_Open] = []
        self._forgotten = 0  # rounds that were dropped

    def begin(self, question: Question) -> None:
        """Begin the first round, unless another tab of the leader's has just done so."""
        with self._lock:
            if not self._rounds:
                self._rounds.append(_Open(question))

    def ask(self, question: Question, seen: Question | None = None) -> None:
        """Begin the next round. A round without a vote that was not revealed is replaced.

        `seen`: what the leader had on the screen; pressed twice, or in two tabs, it goes on once.
        """
        with self._lock:
            if not self._is_asked(seen):
                return
            if self._rounds and not self._rounds[-1].revealed and not self._rounds[-1].votes:
                self._rounds.pop()
            self._rounds.append(_Open(question))
            if len(self._rounds) > MAX_ROUNDS:
                self._rounds.pop(0)
                self._forgotten += 1

    def _is_asked(self, seen: Question | None) -> bool:
        """Whether the round that somebody saw is still the current one; None saw none. The caller holds the lock."""
        return seen is None or (bool(self._rounds) and self._rounds[-1].question == seen)

    def vote(self, voter: str, digit: int, seen: Question | None = None) -> None:
        """Count a voter's digit in place of the one before; after the reveal none is counted. Raises VoteError.

        `seen`: what they read it for; a digit for the image before is not counted for the next one.
        """
        if not 0 <= digit <= 9:
            raise VoteError(f"a vote is a digit from 0 to 9, got {digit}")
        with self._lock:
            if not self._is_asked(seen):
                raise VoteError("the next image came before your digit, which was not counted; read this one")
            if not self._rounds or self._rounds[-1].revealed:
                return
            votes = self._rounds[-1].votes
            if voter not in votes and len(votes) >= MAX_VOTERS:
                raise VoteError(f"this room is full: {len(votes)} have voted, at most {MAX_VOTERS} can")
            votes[voter] = digit

    def reveal(self, seen: Question | None = None) -> None:
        """Show the label; the votes stand. `seen`: as for `ask`, so that no image is revealed before it is read."""
        with self._lock:
            if self._rounds and self._is_asked(seen):
                self._rounds[-1].revealed = True

    def now(self) -> Round | None:
        """The current round; None before the first."""
        with self._lock:
            return self._told(len(self._rounds) - 1) if self._rounds else None

    def asked(self) -> frozenset[tuple[str, str, int]]:
        """Data set, split and index of every image that has been asked about."""
        with self._lock:
            questions = [each.question for each in self._rounds]
        return frozenset((each.dataset, each.split, each.index) for each in questions)

    def vote_of(self, voter: str) -> int | None:
        """The voter's digit in this round."""
        with self._lock:
            return self._rounds[-1].votes.get(voter) if self._rounds else None

    def score_of(self, voter: str) -> Score:
        """Of the rounds that this voter took part in."""
        with self._lock:
            mine = [each for each in self._rounds if each.revealed and voter in each.votes]
            pairs = [(each.question, each.votes[voter]) for each in mine]
        return _score(pairs)

    def score(self) -> Score:
        """Of the class: its answer is the digit with most votes; a tie counts for nobody."""
        with self._lock:
            told = [self._told(place) for place, each in enumerate(self._rounds) if each.revealed]
        return _score([(each.question, each.majority) for each in told if each.voters])

    def _told(self, place: int) -> Round:
        found = self._rounds[place]
        votes = list(found.votes.values())
        counts = tuple(votes.count(digit) for digit in range(10))
        return Round(self._forgotten + place + 1, found.question, counts, found.revealed)


def _score(pairs: Sequence[tuple[Question, int | None]]) -> Score:
    return Score(
        rounds=len(pairs),
        right=sum(said == question.label for question, said in pairs),
        network=sum(question.answer == question.label for question, _ in pairs),
    )


class Rooms:
    """The rooms of a server, by code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rooms: OrderedDict[str, Room] = OrderedDict()  # the one heard of last stands last

    def open(self) -> tuple[str, Room]:
        """A new room and its code."""
        with self._lock:
            code = self._free_code()
            self._rooms[code] = Room()
            if len(self._rooms) > MAX_ROOMS:
                self._rooms.popitem(last=False)
            return code, self._rooms[code]

    def find(self, code: str) -> Room:
        """The room of that code, in capitals or not. Raises VoteError."""
        wanted = code.strip().upper()
        with self._lock:
            if wanted not in self._rooms:
                raise VoteError(f"there is no room {short(code[:20])} on this server; ask your teacher for the code")
            self._rooms.move_to_end(wanted)
            return self._rooms[wanted]

    def _free_code(self) -> str:
        while True:  # 331,776 codes for 32 rooms
            code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
            if code not in self._rooms:
                return code
