"""How far a visitor is in the lessons."""

from __future__ import annotations

import streamlit as st

from lab.learn.lessons import LESSONS
from lab.learn.lessons.scene import Lesson


def answered(lesson: Lesson) -> tuple[int, int]:
    """How many of a lesson's questions are answered, and how many there are."""
    asked = [number for number, scene in enumerate(lesson.scenes) if scene.check is not None]
    return sum(f"given-{lesson.key}-{number}" in st.session_state for number in asked), len(asked)


def next_lesson() -> tuple[int, Lesson, bool]:
    """The first lesson with a question left, its number from 1, and whether any question has been answered at all."""
    far = [answered(lesson) for lesson in LESSONS]
    place = next((place for place, (done, asked) in enumerate(far) if done < asked), 0)
    return place + 1, LESSONS[place], any(done for done, _ in far)
