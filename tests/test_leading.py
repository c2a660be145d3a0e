"""Following the teacher: what is shared of a page, who leads, and when that ends."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import ClassError
from lab.classroom.leading import HERE_SECONDS, MAX_CHARACTERS, PAGES, QUIET_SECONDS, Leading, Place, place_of
from lab.runs.person import Person

ROOT = Path(__file__).resolve().parents[1]
STEP = "pages/learn/step.py"
ANNA, BEN, STUDENT = Person("anna", teacher=True), Person("ben", teacher=True), Person("carl")


def everybody(key: str) -> bool:
    return True


def at(step: str) -> Place:
    return Place(STEP, (("step", (step,)),))


def test_every_page_of_the_menu_but_the_teachers_own_is_one_that_the_class_is_led_to() -> None:
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "pages").rglob("*.py")}
    assert set(PAGES) == pages - {"pages/experiment/queue.py", "pages/learn/teach.py"}


def bound_in(*files: Path) -> set[str]:
    """The keys of the widgets that Streamlit keeps in the URL."""
    calls = (node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    keys: list[ast.expr] = []
    for call in calls:
        named = {each.arg: each.value for each in call.keywords}
        if isinstance(call.func, ast.Attribute) and call.func.attr == "switch":  # url.switch(label, options, key)
            keys += [] if "bind" in named else [call.args[2]]
        elif "bind" in named and "key" in named:
            keys.append(named["key"])
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def test_what_a_page_shares_of_its_widgets_is_what_streamlit_keeps_in_its_url() -> None:
    """Of a widget that is bound, the URL's own value may be an old one: it must not stand among the parameters."""
    shared = {name for each in PAGES.values() for name in each.widgets}
    assert shared <= bound_in(*(ROOT / "pages").rglob("*.py"), *(ROOT / "lab").rglob("*.py"))
    for page, each in PAGES.items():
        assert bound_in(ROOT / page) <= set(each.widgets), page


def test_only_what_a_pages_list_names_is_shared() -> None:
    given = {"step": ("c6",), "me": ("Ms Bell",), "present": ("1",), "lead": ("secret",), "room": ("ABCD",)}
    place = place_of(STEP, given, {"view": "Code", "passphrase": "correct horse", "other": object()})
    assert place == Place(STEP, (("step", ("c6",)),), (("view", "Code"),))
    assert place_of("pages/use/read.py", given, {}) == Place("pages/use/read.py", (("room", ("ABCD",)),))
    assert place_of("pages/experiment/queue.py", given, {}) is None
    assert place_of("", given, {}) is None


def test_what_is_no_plain_value_or_too_long_is_not_shared() -> None:
    handwriting = "pages/use/handwriting.py"
    assert place_of(handwriting, {}, {"label": ["1", "2"], "scores_as": object()}) == Place(
        handwriting, (), (("label", ("1", "2")),)
    )
    assert place_of(STEP, {"step": ("x" * (MAX_CHARACTERS + 1),)}, {}) == Place(STEP)


def test_a_new_place_is_a_new_version_and_the_same_place_is_none() -> None:
    leading = Leading(everybody)
    leading.begin(ANNA, now=0)
    begun = leading.now(now=0)
    assert (begun.on, begun.place) == (True, None)
    leading.move(ANNA, at("c6"), now=1)
    led = leading.now(now=1)
    assert led.version == begun.version + 1
    assert led.place == at("c6")
    leading.move(ANNA, at("c6"), now=2)
    leading.move(ANNA, None, now=3)  # such as to the queue, where nobody is led to
    assert leading.now(now=3) == led
    assert leading.version("a follower", now=3) == led.version


def test_only_the_browser_that_leads_moves_the_class() -> None:
    leading = Leading(everybody)
    leading.begin(ANNA, now=0)
    leading.move(ANNA, at("c6"), now=0)
    leading.move(BEN, at("a2"), now=0)
    leading.move(STUDENT, at("a3"), now=0)
    assert leading.now(now=0).place == at("c6")
    leading.begin(BEN, now=0)  # another teacher takes over
    leading.move(ANNA, at("a2"), now=0)
    assert leading.now(now=0).place is None
    assert (leading.leads(ANNA), leading.leads(BEN)) == (False, True)


def test_a_student_can_neither_lead_nor_end_it() -> None:
    leading = Leading(everybody)
    with pytest.raises(ClassError, match="only the teacher can lead"):
        leading.begin(STUDENT)
    leading.begin(ANNA)
    with pytest.raises(ClassError, match="only the teacher can stop"):
        leading.end(STUDENT)
    assert leading.now().on
    assert not leading.leads(STUDENT)


def test_it_ends_when_the_teacher_ends_it_leaves_or_is_silent_for_two_hours() -> None:
    teachers = {"anna"}
    leading = Leading(teachers.__contains__)
    leading.begin(ANNA, now=0)
    before = leading.version("a follower", now=0)
    leading.end(ANNA)
    assert not leading.now(now=0).on
    assert leading.version("a follower", now=0) != before
    leading.begin(ANNA, now=0)
    assert leading.now(now=QUIET_SECONDS).on
    assert not leading.now(now=QUIET_SECONDS + 1).on
    leading.begin(ANNA, now=0)
    teachers.clear()
    assert not leading.now(now=1).on


def test_followers_are_counted_while_they_are_heard_of() -> None:
    leading = Leading(everybody)
    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda number: leading.version(f"follower {number % 30}", now=0.0), range(300)))
    assert leading.followers(now=1) == 30
    leading.leave("follower 3")
    assert leading.followers(now=1) == 29
    assert leading.followers(now=HERE_SECONDS + 1) == 0
