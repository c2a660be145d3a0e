"""Plays a lesson: one scene at a time, its words, what it shows, its check, and the way back and on.

?lesson=KEY&scene=N opens it at a scene; &present=1 shows it large and alone, for a projector; &hide= and &lock= take
away what a teacher does not want used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import LabError
from lab.classroom.locks import Taken
from lab.learn.lessons import lesson_of, lessons, progress, together
from lab.learn.lessons.claims import CANNOT
from lab.learn.lessons.scene import Answer, Check, Lesson, Scene, Show, Way, scene_number, spelt, told
from lab.learn.lessons.shows import WIDE, show
from lab.ui import presentation, url
from lab.ui.arrival import arrival
from lab.ui.caches import challenge, locks
from lab.ui.owner import me
from lab.ui.words import show_error

KINDS = {
    "predict": (":material/psychology_alt:", "Predict"),
    "do": (":material/touch_app:", "Do"),
    "observe": (":material/visibility:", "Observe"),
    "explain": (":material/lightbulb:", "Explain"),
}
HIDE = {"hints": "Hints", "answers": "Answers", "links": "Links out of the lesson", "checks": "Questions"}
LOCK = {"controls": "Sliders and switches", "order": "Going on before the question is answered"}


@dataclass(frozen=True)
class Settings:
    """What the link allows."""

    present: bool
    hidden: frozenset[str]
    locked: frozenset[str]


def settings() -> Settings:
    """From the URL, and from what a teacher's link has taken away before; words that are not known count for nothing.

    Nothing is kept from the teacher, nor from a class that the teacher leads without a lock.
    """
    hidden, locked = (frozenset(st.query_params.get(name, "").split(",")) for name in ("hide", "lock"))
    taken = Taken(hidden & set(HIDE), locked & set(LOCK))
    lesson = st.query_params.get("lesson", "")[:40]
    with suppress(LabError):  # wrong settings are said by the frame
        person = me()
        if not taken and together.is_led_to(lesson):
            locks().freed(person.key, lesson)
        elif not person.teacher:
            taken = locks().opened(person.key, lesson, taken)
    return Settings(presentation.presenting(), taken.hidden, taken.locked)


def lesson_list() -> None:
    """Every lesson, to begin with."""
    proposed, _, _ = progress.next_lesson()
    everything = lessons(challenge())
    for number, (lesson, place) in enumerate(zip(everything, _cells(len(everything)), strict=True), 1):
        done, checks = progress.answered(lesson)
        with place:
            st.markdown(f"## {number} · {lesson.title}\n{lesson.about}")
            begin, state = st.columns([1, 1], vertical_alignment="center")
            if begin.button(
                "Go on" if 0 < done < checks else "Begin", key=f"begin-{lesson.key}", icon=":material/play_arrow:",
                width="stretch", type="primary" if number == proposed else "secondary",
            ):  # fmt: skip
                _go(lesson, 0)
                st.rerun()
            state.caption(
                f"{len(lesson.scenes)} scenes · {lesson.minutes} min  \n{done} of {checks} questions answered"
            )


def _cells(count: int) -> list[st.delta_generator.DeltaGenerator]:
    """Two to a row."""
    cells = []
    for _ in range(-(-count // 2)):
        cells += [column.container(border=True, height="stretch") for column in st.columns(2, gap="medium")]
    return cells[:count]


def player() -> None:
    """The scene that the URL asks for."""
    allowed = settings()
    progress.answers()  # those of an earlier visit are in the session from here on
    try:
        lesson = lesson_of(st.query_params.get("lesson", ""), challenge())
        number = scene_number(lesson, st.query_params.get("scene", ""))
    except LabError as error:
        show_error(error)
        st.button("All lessons", on_click=leave, icon=":material/list:")
        return
    scene = lesson.scenes[number]
    asks = scene.check is not None and "checks" not in allowed.hidden
    with st.container(key="stage" if allowed.present else "lesson"):
        _bar(lesson, number, scene, allowed)
        icon, kind = KINDS[scene.kind]
        st.markdown(f"# {icon} {kind}: {scene.title}")
        arrival(
            f"{lesson.key} {number}",
            f"Scene {number + 1}. {kind}: {scene.title}",
            "stage" if allowed.present else "lesson",
        )
        words, shown, asked = _places(scene, asks, allowed)
        with words:
            st.markdown(told(scene, challenge()))
            _recalled(lesson, number, allowed)
        answered = (
            shown.container()
        )  # by a class, for its teacher: above what the scene shows, so that they are in view
        with shown:
            for place, each in enumerate(scene.show):
                if not (isinstance(each, Way) and "links" in allowed.hidden):
                    key = f"show-{lesson.key}-{number}-{place}"
                    show(each, key, "controls" in allowed.locked, "answers" not in allowed.hidden)
        if scene.check and asks:
            with asked:
                _check(lesson, number, scene, scene.check, allowed, answered)


def _places(scene: Scene, asks: bool, allowed: Settings) -> tuple[DeltaGenerator, DeltaGenerator, DeltaGenerator]:
    """Where the words, what they are about, and the question stand.

    On a projector the question is in view, whatever the scene shows: a wide table has words and question side by side
    above it, anything else has them on its left; words that show nothing are larger.
    """
    if not allowed.present:
        return st.container(), st.container(), st.container()
    shows = _exhibits(scene)
    if shows and not any(isinstance(each, WIDE) for each in shows):
        left, right = st.columns([4, 5], gap="medium")
        return left.container(), right, left.container()
    if not shows or not asks:
        alone = st.container(key=None if shows else "alone")
        return alone.container(), alone.container(), alone.container()
    left, right = st.columns(2, gap="medium")
    return left, st.container(), right


def _exhibits(scene: Scene) -> list[Show]:
    return [each for each in scene.show if not isinstance(each, Way)]


def _bar(lesson: Lesson, number: int, scene: Scene, allowed: Settings) -> None:
    """How far it is, and the way back and on, by button and by arrow key; always in the same place."""
    far, ways = st.columns([5, 4], vertical_alignment="bottom")
    row = ways.container(horizontal=True, horizontal_alignment="right", gap="small")
    far.progress((number + 1) / len(lesson.scenes), text=f"{lesson.title}: {number + 1} of {len(lesson.scenes)}")
    row.button(
        "Back", on_click=_go, args=(lesson, number - 1), disabled=number == 0, icon=":material/arrow_back:",
        shortcut="Left",
    )  # fmt: skip
    waits = "order" in allowed.locked and scene.check is not None and "checks" not in allowed.hidden
    if number == len(lesson.scenes) - 1:
        row.button("End", on_click=leave, type="primary", icon=":material/check:", shortcut="Right")
    else:
        row.button(
            "Next", on_click=_go, args=(lesson, number + 1), type="primary", icon=":material/arrow_forward:",
            shortcut="Right",
            disabled=waits and progress.key_of(lesson, number) not in progress.answers(),
            help="Answer the question first." if waits else None,
        )  # fmt: skip
    if allowed.present:
        with row:
            presentation.leave_button()
    else:
        with row.popover("Lesson", icon=":material/more_horiz:"):
            st.button("All lessons", on_click=leave, icon=":material/list:")
            presentation.present_button("Present it, large and alone")
            if allowed.hidden or allowed.locked:
                st.caption("Your teacher's link hides or locks some of this lesson.")
            else:
                st.markdown("**A link for the class**, to this scene")
                _link(lesson, number)


def _check(
    lesson: Lesson, number: int, scene: Scene, check: Check, allowed: Settings, answered: DeltaGenerator
) -> None:
    """The question, the answer given, and what is to be said of it. `answered`: where a class's answers stand."""
    kept, answers = progress.key_of(lesson, number), "answers" not in allowed.hidden
    asked, part = together.topic(lesson, number, check), together.part_in(lesson, number)
    closed = part == "follows" and together.is_closed(asked)
    question, beside = st.container(), st.container()
    if part == "leads" and _exhibits(scene):
        beside = answered
    elif part == "leads" and allowed.present:
        question, beside = st.columns([3, 2], gap="medium")
    with question:
        _form(lesson, number, check, partial(together.give, asked, check) if part == "follows" else None, closed)
    given: Answer | None = st.session_state.get(kept)
    with beside:
        if part == "leads":
            together.leaders_part(asked, check, answers)
        elif part == "follows":
            given = together.followers_part(asked, check, answers)
    if given is not None:
        _feedback(check, given, f"check-{lesson.key}-{number}-reveal", allowed)


def _form(lesson: Lesson, number: int, check: Check, tell: Callable[[Answer], None] | None, closed: bool) -> None:
    """The question and the field for its answer. `tell`: where an answer goes beside this session."""
    place, kept = f"check-{lesson.key}-{number}", progress.key_of(lesson, number)
    with st.form(place, border=True, enter_to_submit=True):
        st.markdown(f"**{check.question}**")
        answer = f"{place}-choice" if check.options else f"{place}-number"
        if check.options:
            st.radio(
                check.question,
                check.options,
                index=None,
                key=answer,
                label_visibility="collapsed",
                horizontal=True,
                disabled=closed,
            )
        else:
            whole = check.tolerance in (0, 1)
            st.number_input(
                check.question + (f", in {check.unit}" if check.unit else ""),
                value=None,
                key=answer,
                label_visibility="collapsed",
                step=1.0 if whole else None,
                placeholder=check.unit or "a number",
                width="stretch" if presentation.presenting() else 240,
                format="%.0f" if whole else "%.4g",
                disabled=closed,
            )
        words = "Commit to it" if lesson.scenes[number].kind == "predict" else "Check"
        st.form_submit_button(
            words, icon=":material/check:", on_click=_keep, args=(answer, kept, tell), disabled=closed
        )


def _keep(answer: str, kept: str, tell: Callable[[Answer], None] | None) -> None:
    """Keep what was answered, before the page is drawn: what depends on it comes first on the page."""
    if st.session_state[answer] is not None:
        progress.keep(kept, st.session_state[answer])
        if tell:
            tell(st.session_state[answer])


def _feedback(check: Check, given: Answer, key: str, allowed: Settings) -> None:
    if check.is_right(given):
        st.success(f"Right. {check.why()}", icon=":material/check_circle:")
        return
    slip = check.slip(given) or ("" if "hints" in allowed.hidden else check.hint)
    said = f"Not right: “{given}”." if isinstance(given, str) else f"Not {spelt(given)}."
    st.warning(f"{said} {slip}", icon=":material/close:")
    if "answers" not in allowed.hidden and st.toggle("Show the answer", key=key):
        st.info(f"**{spelt(check.answer())}**{f' {check.unit}' if check.unit else ''}. {check.why()}")


def _recalled(lesson: Lesson, number: int, allowed: Settings) -> None:
    """What was asked and predicted in the scene before, in one that shows what came of it."""
    check = lesson.scenes[number - 1].check if lesson.scenes[number].recalls else None
    given = st.session_state.get(progress.key_of(lesson, number - 1))
    if check and given is not None:
        st.caption(f"{check.question} {recalled(check, given, 'answers' not in allowed.hidden)}")


def recalled(check: Check, given: Answer, answers: bool = True) -> str:
    """What was predicted, and whether it came so. `answers`: whether a wrong prediction may be told the right one."""
    predicted = f"You predicted {_with_unit(given, check)}"
    if check.is_right(given):
        return f"{predicted}; that is right."
    if not answers:
        return f"{predicted}."
    told = CANNOT if check.answer() == CANNOT else f"is {_with_unit(check.answer(), check)}"
    return f"{predicted}; it {told}."


def _with_unit(answer: Answer, check: Check) -> str:
    """As one says it after `predicted` or `is`."""
    if answer == CANNOT:
        return f"that it {CANNOT}"
    return f"{spelt(answer)} {check.unit}".strip()


def _link(lesson: Lesson, number: int) -> None:
    """A link for the class that opens here, with what is not to be used taken away."""
    hidden = st.multiselect("Hide", list(HIDE), format_func=HIDE.__getitem__, key="teacher-hide")
    locked = st.multiselect("Lock", list(LOCK), format_func=LOCK.__getitem__, key="teacher-lock")
    parameters = {"lesson": lesson.key, "scene": str(number + 1), "hide": ",".join(hidden), "lock": ",".join(locked)}
    base = (st.context.url or "").split("?")[0]
    st.code(f"{base}?{urlencode({name: value for name, value in parameters.items() if value}, safe=',')}", None)


def _go(lesson: Lesson, number: int) -> None:
    st.query_params.lesson = lesson.key
    st.query_params.scene = str(number + 1)


def leave() -> None:
    """Back to the list of lessons."""
    url.drop("lesson", "scene", "present")
