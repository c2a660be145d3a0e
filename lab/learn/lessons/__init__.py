"""The lessons, in the order in which a newcomer should take them."""

from __future__ import annotations

from functools import lru_cache

from core.challenge import CHALLENGE, Challenge
from core.errors import SpecError
from core.record import short
from lab.learn.lessons import challenge as the_challenge
from lab.learn.lessons import (
    dilation,
    field,
    learning_rate,
    lineages,
    mistakes,
    normalisation,
    overfitting,
    parameters,
    skips,
)
from lab.learn.lessons.scene import Lesson


@lru_cache(maxsize=4)
def lessons(challenge: Challenge = CHALLENGE) -> tuple[Lesson, ...]:
    """All lessons; one follows the challenge of the class."""
    return (
        parameters.LESSON,
        field.LESSON,
        lineages.LESSON,
        overfitting.LESSON,
        learning_rate.LESSON,
        dilation.LESSON,
        normalisation.LESSON,
        skips.LESSON,
        mistakes.LESSON,
        the_challenge.lesson(challenge),
    )


LESSONS = lessons()


def lesson_of(key: str, challenge: Challenge = CHALLENGE) -> Lesson:
    """The lesson with this key. Raises SpecError."""
    for lesson in lessons(challenge):
        if lesson.key == key:
            return lesson
    raise SpecError(f"there is no lesson {short(key)}; there are {', '.join(each.key for each in LESSONS)}")
