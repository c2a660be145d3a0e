"""A lesson's question, asked of the class: while the teacher leads, followers answer; nobody sees how until the reveal.

The teacher's place makes a question the class's: who follows and is at the same scene answers together with the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Literal

import streamlit as st

from core.errors import LabError, SpecError
from core.words import plural
from lab.classroom.answers import Given, Topic
from lab.classroom.leading import Lead
from lab.learn.lessons.figures import spread
from lab.learn.lessons.scene import Answer, Check, Lesson, scene_number, spelt
from lab.ui import follow, teacher
from lab.ui.caches import class_answers, leading
from lab.ui.live_plot import live_plot
from lab.ui.nickname import nickname, nickname_field
from lab.ui.owner import me
from lab.ui.words import escaped

TICK = 2.0  # seconds between two looks at how many have answered; each compares three values
MOST_BARS = 8  # different answers that are drawn; the rest are counted together
OTHERS = "other answers"

Part = Literal["", "leads", "follows"]


def topic(lesson: Lesson, number: int, check: Check) -> Topic:
    """The question of a scene, counted from 0."""
    return Topic(lesson.key, number + 1, check.question)


def part_in(lesson: Lesson, number: int) -> Part:
    """What this session is to the class at this scene: its teacher, one who follows there, or nothing."""
    with suppress(LabError):  # wrong settings are said by the frame
        if leading().leads(me()):
            return "leads"
        if follow.is_following() and _is_at(leading().now(), lesson, number):
            return "follows"
    return ""


def is_led_to(lesson: str) -> bool:
    """Whether this session follows, and the teacher is in this lesson."""
    lead = leading().now()
    place = dict(lead.place.parameters) if lead.on and lead.place else {}
    return follow.is_following() and place.get("lesson") == (lesson,)


def _is_at(lead: Lead, lesson: Lesson, number: int) -> bool:
    """Whether the teacher is at this scene."""
    if not lead.on or lead.place is None:
        return False
    told = dict(lead.place.parameters)
    with suppress(SpecError):
        return told.get("lesson") == (lesson.key,) and scene_number(lesson, *told.get("scene", ("",))) == number
    return False


def is_closed(asked: Topic) -> bool:
    """Whether no answer is counted any more."""
    return class_answers().now(asked).revealed


def give(asked: Topic, check: Check, answer: Answer) -> None:
    """Count this browser's answer; called where it is given. A refusal is shown by `followers_part`."""
    try:
        class_answers().give(asked, me(), answer, check.is_right(answer))
    except LabError as error:
        st.session_state[teacher.REFUSED] = error


# ------------------------------------------------------------------------------------------------------- who follows


def followers_part(asked: Topic, check: Check, answers: bool) -> Answer | None:
    """How it stands, for one who answers. Returns the answer once it is revealed: then it is judged."""
    teacher.show_refusal()
    drawn = class_answers().now(asked)
    mine = class_answers().answer_of(asked, me().key)

    def look() -> None:
        now = class_answers().now(asked)
        if (now.round, now.revealed) != (drawn.round, drawn.revealed):
            st.rerun()  # the form opens or closes
        if not now.revealed:
            st.caption(f"**{plural(now.answered, 'person', 'people')}** answered.")

    if drawn.revealed:
        _spread(asked, check, answers)
    elif mine is None:
        st.markdown(":material/groups: The class answers this together.")
    else:
        st.markdown(
            f":material/check: You answered **{escaped(spelt(mine))}**. You can change it until the teacher reveals "
            "the answers."
        )
    st.fragment(look, run_every=TICK)()
    if not nickname():
        nickname_field()
    return mine if drawn.revealed else None


# --------------------------------------------------------------------------------------------------------- who leads


def leaders_part(asked: Topic, check: Check, answers: bool) -> None:
    """How many have answered and who has not, and the reveal; for the teacher."""
    st.fragment(partial(_leaders_part, asked, check, answers), run_every=TICK)()


def _leaders_part(asked: Topic, check: Check, answers: bool) -> None:
    now, here, person = class_answers().now(asked), leading().here(), me()
    if not person.teacher:
        st.rerun()
    waiting = class_answers().waiting(asked, here, person)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        others = f" · {len(waiting)} of {len(here)} who follow have not" * (not now.revealed)
        st.markdown(f":material/groups: **{now.answered} answered**{others}", width="content")
        if now.revealed:
            st.button(
                "Ask again",
                key="ask_again",
                icon=":material/replay:",
                on_click=teacher.attempt,
                args=(partial(class_answers().ask_again, asked),),
                help="Begins anew. The answers so far stay in the table.",
            )
        else:
            st.button(
                "Reveal",
                key="reveal_answers",
                icon=":material/visibility:",
                type="primary",
                on_click=teacher.attempt,
                args=(partial(class_answers().reveal, asked),),
            )
        if waiting and not now.revealed:
            with st.popover("Who has not", icon=":material/hourglass_empty:"):
                st.markdown(_names(waiting))
    teacher.show_refusal()
    if now.revealed:
        _spread(asked, check, answers)
        if answers:
            st.info(f"**{spelt(check.answer())}{f' {check.unit}' if check.unit else ''}**. {check.why()}")


def _names(waiting: Sequence[str]) -> str:
    """Of those who have not answered; those without a nickname are counted."""
    named = [escaped(name) for name in waiting if name]
    unnamed = len(waiting) - len(named)
    return ", ".join(named + [f"{unnamed} without a nickname"] * bool(unnamed))


# -------------------------------------------------------------------------------------------------------- the spread


def _spread(asked: Topic, check: Check, answers: bool) -> None:
    given = class_answers().shown(asked)
    if not given:
        st.markdown("Nobody had answered.")
        return
    counts = counted(given, check.options)
    right = spelt(check.answer()) if answers else None
    live_plot(
        spread(counts, right if any(each.right for each in given) or check.options else None),
        key="class-spread",
        alt=", ".join(f"{name}: {count}" for name, count in counts),
    )
    if answers:
        st.markdown(f"**{sum(each.right for each in given)} of {len(given)}** answered right.")


def counted(given: Sequence[Given], options: Sequence[str]) -> list[tuple[str, int]]:
    """How many gave which answer: all choices in their order, or the numbers that were given, by size."""
    if options:
        by_choice = Counter(each.answer for each in given)
        return [(option, by_choice[option]) for option in options]
    by_number = Counter(each.answer for each in given if not isinstance(each.answer, str))
    most = sorted(each for each, _ in by_number.most_common(MOST_BARS))
    others = sum(by_number.values()) - sum(by_number[each] for each in most)
    return [(spelt(each), by_number[each]) for each in most] + [(OTHERS, others)] * bool(others)
