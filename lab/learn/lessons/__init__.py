"""The lessons, in the order in which a newcomer should take them."""

from __future__ import annotations

from core.errors import SpecError
from core.record import short
from lab.learn.lessons import (
    challenge,
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

LESSONS: tuple[Lesson, ...] = (
    parameters.LESSON,
    field.LESSON,
    lineages.LESSON,
    overfitting.LESSON,
    learning_rate.LESSON,
    dilation.LESSON,
    normalisation.LESSON,
    skips.LESSON,
    mistakes.LESSON,
    challenge.LESSON,
)


def lesson_of(key: str) -> Lesson:
    """The lesson with this key. Raises SpecError."""
    for lesson in LESSONS:
        if lesson.key == key:
            return lesson
    raise SpecError(f"there is no lesson {short(key)}; there are {', '.join(each.key for each in LESSONS)}")
