"""Who asks for something: a browser, known by its token's hash, the teacher, or the command line."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ClassError
from lab.runs.rows import Run
from lab.settings import settings


@dataclass(frozen=True)
class Person:
    """Somebody at a browser. There are no accounts: what is known is a token that only their browser has."""

    key: str = ""  # the token's hash; "" where the browser keeps none
    nickname: str = ""
    teacher: bool = False


MACHINE = Person(teacher=True)  # a person with the command line has the files too


def owns(person: Person, owner_key: str) -> bool:
    """Whether what has this owner is theirs, or they are the teacher; what is nobody's is the teacher's, if any."""
    if person.teacher:
        return True
    return owner_key == person.key if owner_key else not settings().class_passphrase


def may_change(person: Person, run: Run) -> bool:
    """Whether they may stop, hold, name or delete a run."""
    return owns(person, run.owner_key)


def check_may_change(person: Person, run: Run) -> Run:
    """The run itself. Raises ClassError for one that is not theirs to change."""
    if not may_change(person, run):
        whose = f"{run.owner}'s" if run.owner else "somebody else's"
        raise ClassError(f"run {run.id} is {whose}: only its owner, in the same browser, or the teacher can change it")
    return run


def check_teacher(person: Person, what: str) -> None:
    """Raises ClassError for anybody but the teacher. `what`: what they want to do, as in `stop all runs`."""
    if not person.teacher:
        raise ClassError(f"only the teacher can {what}; enter the passphrase on the Queue page")
