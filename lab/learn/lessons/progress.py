"""How far a visitor is in the lessons: their answers, in the session and, over a reload, under the browser's key."""

from __future__ import annotations

import json
from contextlib import suppress

import streamlit as st

from core.errors import LabError
from lab.learn.lessons import LESSONS
from lab.learn.lessons.scene import Answer, Lesson
from lab.ui import owner
from lab.ui.caches import store

READ = "answers_read"  # in the session: whether the kept answers are in it


def key_of(lesson: Lesson, number: int) -> str:
    """The session's key for the answer given in a scene."""
    return f"given-{lesson.key}-{number}"


def answers() -> dict[str, Answer]:
    """Every answer given so far, by `key_of`; the first time, with those that this browser's visitor gave before."""
    if READ not in st.session_state:
        st.session_state[READ] = True
        with suppress(LabError):
            for key, answer in _read(store().kept(owner.me().key, "answers")).items():
                st.session_state.setdefault(key, answer)
    return {key: st.session_state[key] for key in _keys() if key in st.session_state}


def keep(key: str, answer: Answer) -> None:
    """Keep an answer, beside those of this browser's other tabs; without a cookie, for this session only."""
    here = answers() | {key: answer}
    st.session_state[key] = answer
    with suppress(LabError):  # what does not work says so on every page
        person = owner.me()
        if owner.SESSION not in st.session_state:
            store().keep(person.key, "answers", lambda kept: json.dumps(here | _read(kept) | {key: answer}))


def _read(kept: str) -> dict[str, Answer]:
    """The answers of a kept text, as far as this version of the lab knows the questions."""
    try:
        found = json.loads(kept or "{}")
    except ValueError:
        return {}
    answers = found.items() if isinstance(found, dict) else ()
    return {key: answer for key, answer in answers if key in _keys() and isinstance(answer, str | int | float)}


def answered(lesson: Lesson) -> tuple[int, int]:
    """How many of a lesson's questions are answered, and how many there are."""
    given = answers()
    asked = [number for number, scene in enumerate(lesson.scenes) if scene.check is not None]
    return sum(key_of(lesson, number) in given for number in asked), len(asked)


def next_lesson() -> tuple[int, Lesson, bool]:
    """The first lesson with a question left, its number from 1, and whether any question has been answered at all."""
    far = [answered(lesson) for lesson in LESSONS]
    place = next((place for place, (done, asked) in enumerate(far) if done < asked), 0)
    return place + 1, LESSONS[place], any(done for done, _ in far)


def _keys() -> list[str]:
    return [key_of(lesson, number) for lesson in LESSONS for number, scene in enumerate(lesson.scenes) if scene.check]
