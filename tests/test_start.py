"""The first screen and the teacher's: a digit is read without a click, old links hold, the plan is the guide's."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import streamlit as st
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from lab.learn.lessons import LESSONS
from lab.learn.plan import PLAN, address
from lab.learn.two_networks import compared, networks
from lab.runs.store import RunStore
from lab.server.addresses import is_own_machine, reachable
from lab.server.cookie import COOKIE
from lab.settings import lab_home
from tests.app_server import ROOT, Server, browsing, draw, serving, settled
from tests.patience import milliseconds, patient, wait
from tests.test_docs import TEXTS
from tests.test_learn_pages import opened, said
from tests.test_lessons import give


def test_the_app_opens_on_a_canvas_two_networks_and_three_ways_on() -> None:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=patient(60)).run()
    assert not app.exception
    assert app.title[0].value == "Draw a digit"
    words = said(app)
    assert "**5,340 parameters**" in words
    assert "**509,946 parameters**" in words
    assert "54" in words  # their mistakes, by their cards: 99.46% and 98.92% of 10,000
    assert "108" in words
    assert f"Start lesson 1: {LESSONS[0].title}" in [each.label for each in app.get("page_link")]


def test_which_makes_fewer_mistakes_follows_from_the_cards() -> None:
    small, large = networks()
    assert compared(small, large).startswith("The small one makes fewer mistakes on 10,000 test digits of MNIST")
    assert "fewer" not in compared(large, small)
    assert "**108**, the other **54**" in compared(large, small)


def test_the_next_lesson_is_the_first_with_a_question_left() -> None:
    app = opened("pages/learn/walkthroughs.py")
    assert [each.proto.type for each in app.button].count("primary") == 1
    for number, scene in enumerate(LESSONS[0].scenes):
        if scene.check:
            app.session_state[f"given-{LESSONS[0].key}-{number}"] = scene.check.answer()
    app.run()
    first, second = app.button[:2]
    assert (first.proto.type, second.proto.type) == ("secondary", "primary")


def test_the_plan_is_that_of_the_guide_and_lasts_90_minutes() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| `(.+?)` \| (.+?) \|$", TEXTS["docs/teachers.md"], re.MULTILINE)
    assert rows == [(str(part.minutes), part.what, address(part), part.how) for part in PLAN]
    assert sum(part.minutes for part in PLAN) == 90


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://localhost:8501/?follow=1", True),
        ("http://127.0.0.1:8501/", True),
        ("http://[::1]:8501/", True),
        ("http://192.168.1.7:8501/", False),
        ("https://lab.example.org/", False),
    ],
)
def test_what_students_cannot_open_is_known(url: str, own: bool) -> None:
    assert is_own_machine(url) == own


def test_the_machines_addresses_keep_the_port_and_what_is_asked() -> None:
    for url in reachable("http://localhost:8501/?follow=1"):
        assert not is_own_machine(url)
        assert url.endswith(":8501/?follow=1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def page(browser_path: Path) -> Iterator[Page]:
    with browsing(browser_path, 1280, 720) as page:
        yield page


@pytest.mark.slow
def test_a_lessons_old_address_leads_to_it(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/?lesson=dilation&scene=2")
    expect(page.get_by_text("Dilation, and the table that was wrong: 2 of 7")).to_be_visible()


@pytest.mark.slow
def test_the_menu_marks_the_section_and_the_teacher_sees_a_code_that_is_not_localhosts(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.address}/teach")
    settled(page)
    learn, *others = page.get_by_test_id("stTopNavSection").all()
    expect(learn).to_have_css("font-weight", "600")
    for section in others:
        expect(section).to_have_css("font-weight", "400")
    expect(page.get_by_text("students cannot open it")).to_be_visible()
    for url in reachable(f"{server.address}/?follow=1")[:1]:
        expect(page.get_by_text(url)).to_be_visible()
        expect(page.get_by_role("img", name=f"QR code of {url}")).to_be_visible()


@pytest.mark.slow
def test_on_a_phone_the_menu_shows_every_page_and_closes_after_a_tap(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.address}/ladder")
    settled(page)
    page.get_by_test_id("stExpandSidebarButton").click()
    pages = page.get_by_test_id("stSidebarNavLink")
    expect(pages).to_have_count(len(list((ROOT / "pages").rglob("*.py"))))
    pages.filter(has_text="Step").click()
    expect(page.get_by_role("heading", name="A step of the ladder")).to_be_visible()
    expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink").first).not_to_be_in_viewport()


def test_answers_are_there_after_a_reload_and_in_a_new_tab(monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = LESSONS[0]
    number, check = next((number, scene.check) for number, scene in enumerate(lesson.scenes) if scene.check)
    token = secrets.token_urlsafe(32)  # AppTest has no cookies
    monkeypatch.setattr(type(st.context), "cookies", property(lambda self: {COOKIE: token}))
    first = opened("pages/learn/walkthroughs.py", lesson=lesson.key, scene=str(number + 1))
    other, their = next((number, scene.check) for number, scene in enumerate(LESSONS[1].scenes) if scene.check)
    second = opened("pages/learn/walkthroughs.py", lesson=LESSONS[1].key, scene=str(other + 1))
    give(first, check, lesson, number, check.answer())
    give(second, their, LESSONS[1], other, their.answer())  # in a tab that was open before
    again = opened("pages/learn/walkthroughs.py")
    assert any(
        f"1 of {sum(scene.check is not None for scene in lesson.scenes)}" in each.value for each in again.caption
    )
    store = RunStore(lab_home())
    kept = json.loads(store.kept(hashlib.sha256(token.encode()).hexdigest(), "answers"))
    store.close()
    assert kept == {
        f"given-{lesson.key}-{number}": check.answer(),
        f"given-{LESSONS[1].key}-{other}": their.answer(),
    }


CLEARED_AND_TOUCHED = """(button, [x, y]) => {
    button.click();  // and before the server can answer, all being faded as while one waits for it:
    document.querySelectorAll('[class*="st-key-sheets-"] > *').forEach(each => { each.style.opacity = 0.3; });
    let touched = document.elementFromPoint(x, y);
    while (touched?.shadowRoot) touched = touched.shadowRoot.elementFromPoint(x, y);
    return touched?.tagName;
}"""


@pytest.mark.slow
@pytest.mark.parametrize(("begins", "kept"), [((140, 20), False), ((200, 20), True)])
def test_a_stroke_that_begins_at_once_after_clear_is_drawn_on_a_kept_drawing_too(
    page: Page, server: Server, begins: tuple[int, int], kept: bool
) -> None:
    page.goto(server.address)
    settled(page)
    read = page.locator(".read b").first
    x, y = begins
    one = [(x, y), (x - 8, 120), (x - 14, 225)]

    def is_read() -> bool:
        draw(page, [(60, 55), (180, 55), (150, 120), (115, 210)])
        with suppress(AssertionError):
            expect(read).to_have_text("7", timeout=milliseconds(5))
            return True
        return False

    wait(is_read, "a seven was read")
    if kept:  # through another page, after which the canvas begins with the drawing
        page.get_by_role("link", name="I teach a class").click()
        expect(page.get_by_text("students cannot open it")).to_be_visible()
        page.go_back()
        expect(read).to_have_text("7")
        settled(page)
    page.locator('[class*="st-key-canvas-"][data-ready]').wait_for()
    sheet = page.locator('[class*="st-key-sheets-"]').bounding_box()
    assert sheet is not None
    point = [sheet["x"] + x, sheet["y"] + y]
    assert page.get_by_role("button", name="Clear").evaluate(CLEARED_AND_TOUCHED, point) == "CANVAS"
    draw(page, one)
    expect(read).to_have_text("1")
    page.get_by_role("button", name="Undo").click()
    expect(read).to_have_text("?")
