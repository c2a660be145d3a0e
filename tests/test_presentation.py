"""On a projector, in a real browser: each question of each lesson in view, type and charts as large as the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lab.learn.lessons import LESSONS
from tests.app_server import Server, browsing, charts_drawn, serving, settled, visitor
from tests.patience import milliseconds, wait

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 1280, 720
LEAST = 32.0  # pixels of body text at 1920 x 1080, to be read from the last row
FORM = """() => {
    const form = document.querySelector('[data-testid="stForm"]')?.getBoundingClientRect();
    return form && [form.left, form.top, form.right, form.bottom];
}"""
TYPE = """selector => Math.min(...[...document.querySelectorAll(selector)]
    .filter(each => each.getClientRects().length && each.textContent.trim())
    .map(each => parseFloat(getComputedStyle(each).fontSize)))"""
DRAWN = """() => Math.min(...[...document.querySelectorAll('.xtick text, .ytick text')]
    .map(each => each.getBoundingClientRect().height))"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def opened(browser_path: Path, server: Server) -> Iterator[tuple[Page, Callable[[str], None]]]:
    """The browser, and how it goes to another page."""
    with browsing(browser_path, WIDTH, HEIGHT) as page:
        visit = visitor(page)
        page.goto(f"{server.address}/queue")
        settled(page)
        yield page, visit


@pytest.fixture
def page(opened: tuple[Page, Callable[[str], None]]) -> Page:
    return opened[0]


@pytest.fixture
def visit(opened: tuple[Page, Callable[[str], None]]) -> Callable[[str], None]:
    return opened[1]


def scene_of(server: Server, lesson: str, scene: int = 1) -> str:
    return f"{server.address}/walkthroughs?lesson={lesson}&scene={scene}&present=1"


def out_of_view(page: Page) -> list[float] | None:
    """The box of the question where it is not wholly on the screen."""
    page.locator('[data-testid="stForm"]').wait_for()
    left, top, right, bottom = box = page.evaluate(FORM)
    return None if left >= 0 and top >= 0 and right <= WIDTH and bottom <= HEIGHT else box


def test_the_question_is_in_view_in_every_scene_of_every_lesson(
    page: Page, visit: Callable[[str], None], server: Server
) -> None:
    found = {}
    for lesson in LESSONS:
        for number, scene in enumerate(lesson.scenes, 1):
            if scene.check is None:
                continue
            visit(scene_of(server, lesson.key, number))
            expect(page.get_by_role("heading", level=1)).to_contain_text(scene.title)
            if box := out_of_view(page):
                found[f"{lesson.key}, scene {number}"] = box
    assert not found


def test_type_tables_fields_and_charts_grow_with_the_screen(
    page: Page, visit: Callable[[str], None], server: Server
) -> None:
    sizes = {}
    for width, height in ((WIDTH, HEIGHT), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        visit(scene_of(server, "parameters", 6))  # a long table and a question
        page.locator(".stMain td").first.wait_for()
        words = page.evaluate(TYPE, ".stMain :is(p:not(:is(td, th) p), input)"), page.evaluate(TYPE, ".stMain td")
        visit(scene_of(server, "dilation", 7))
        expect(page.get_by_text("7 of 7")).to_be_visible()
        page.locator(".ytick text").first.wait_for()
        charts_drawn(page)
        sizes[height] = (*words, page.evaluate(DRAWN))
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    assert sizes[1080][0] >= LEAST
    for small, large in zip(sizes[HEIGHT], sizes[1080], strict=True):
        assert large / small == pytest.approx(1.5, abs=0.1)


LESSON = next(each for each in LESSONS if each.key == "skips")


@pytest.mark.parametrize("path", ["board", "read"])
def test_the_board_and_the_vote_are_presented_and_left_by_escape(
    page: Page, visit: Callable[[str], None], server: Server, path: str
) -> None:
    visit(f"{server.address}/{path}")
    page.get_by_role("button", name="Present", exact=False).first.click()
    page.wait_for_url("**present=1**")
    expect(page.get_by_role("button", name="Leave")).to_be_visible()
    expect(page.get_by_text("Learn", exact=True)).to_have_count(0)
    settled(page)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Learn", exact=True).first).to_be_visible()
    assert "present" not in page.url


def test_at_a_new_scene_the_heading_has_the_focus_and_is_said(page: Page, server: Server) -> None:
    page.goto(scene_of(server, "skips"))
    settled(page)
    assert page.evaluate("document.activeElement.tagName") != "H1", "a page that is opened leaves the focus alone"
    expect(page.get_by_role("heading", level=1)).to_contain_text(LESSON.scenes[0].title)

    def comes() -> bool:
        page.keyboard.press("ArrowRight")  # once more where the page was too new to listen
        with suppress(AssertionError):
            expect(page.locator("h1:focus")).to_contain_text(LESSON.scenes[1].title, timeout=milliseconds(10))
            return True
        return False

    wait(comes, "the second scene came")
    expect(page.get_by_role("status").filter(has_text="Scene 2.")).to_have_count(1)
