"""Search on the Design page: in AppTest what it says, in a browser from Start to the front and on from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.architecture.edit import insert
from core.architecture.link import from_code, to_code
from core.architecture.spec import Flatten
from core.data.mnist import EMBEDDED
from core.search.space import SearchSpec, Space
from core.training.history import EpochRecord
from core.training.recipe import Recipe
from lab.runs import searching
from lab.runs.person import Person
from lab.runs.searches import front, set_error, tries_of
from lab.runs.searching import advance, start_search, stop_search
from lab.runs.store import RunStore
from tests.app_server import browsing, serving, settled
from tests.test_learn_pages import opened, said
from tests.tiny import TINY

DESIGN = "pages/experiment/design.py"
ADA = Person("ada", "Ada")
pytestmark = pytest.mark.own_data


@pytest.fixture(autouse=True)
def _digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A store on which a search starts no worker."""
    monkeypatch.setattr(searching, "ensure_workers", lambda *_: None)
    return RunStore(home)


def searched(store: RunStore, losses: tuple[float, ...], tries: int) -> str:
    """A search whose first tries have ended with these losses; one of 9 stands for a failure."""
    spec = SearchSpec(Space(least_channels=2, most_channels=12), 600, tries)
    found = start_search(store, TINY, Recipe(epochs=1), spec, dataset=EMBEDDED, device="cpu", by=ADA)
    for loss in losses:
        run = store.claim(["cpu"], "w", a_person=9)
        assert run is not None
        store.add_epoch(run.id, "w", EpochRecord(0, loss, 0.5, loss, 1 - loss / 10, 99.0, 0.99, 0.01, 1.0))
        store.finish(run.id, "w", "failed" if loss == 9 else "finished", "out of memory" if loss == 9 else "")
        advance(store)
    return found.id


def test_the_form_says_before_the_start_what_the_search_will_be(home: Path) -> None:
    app = opened(DESIGN, view="Search", **{"from": "a2-final-7758"})
    assert not app.exception
    assert "30 runs, one after the other" in said(app)
    assert "this design has 7,758 parameters" in said(app)


def test_a_budget_below_the_smallest_network_is_said_with_both_numbers_and_there_is_no_start(home: Path) -> None:
    app = opened(DESIGN, view="Search", **{"from": "a2-final-7758"})
    app.number_input(key="search-budget").set_value(900).run()
    (error,) = app.error
    assert "996 parameters, the budget is 900" in error.value
    assert "search-start" not in [button.key for button in app.button]


def test_a_design_that_cannot_be_trained_cannot_be_searched(home: Path) -> None:
    broken = insert(TINY, 1, Flatten())
    app = opened(DESIGN, view="Search", design=to_code(broken))
    assert not app.exception
    assert "needs a network that can be trained" in said(app)


def test_the_ranges_of_what_may_vary_stand_below_it(home: Path) -> None:
    app = opened(DESIGN, view="Search", **{"from": "a2-final-7758"})
    keys = {field.key for field in app.number_input}
    assert {"search-least_channels", "search-most_channels"} <= keys
    assert "search-least_rate" not in keys
    app.session_state["search-varying"] = ["learning_rate"]
    app.run()
    keys = {field.key for field in app.number_input}
    assert {"search-least_rate", "search-most_rate"} <= keys
    assert "search-least_channels" not in keys


def test_the_page_shows_the_front_of_a_search_that_is_under_way(store: RunStore) -> None:
    search_id = searched(store, (0.9, 0.8, 0.7, 9), tries=8)
    best = front(tries_of(store, search_id))
    app = opened(DESIGN, view="Search", search=search_id)
    assert not app.exception
    assert not app.error
    told = said(app)
    assert "4 of 8 networks trained" in [each.text for each in app.get("progress")] or "4 of 8" in told
    assert "1 network failed, the last one so: out of memory" in told
    for each in best:
        assert f"**{each.parameters:,}** parameters" in told
    assert "search-stop" not in [button.key for button in app.button]  # it is another browser's


@pytest.mark.parametrize("how", ["stopped", "ended early"])
def test_a_search_that_has_ended_early_says_so(store: RunStore, how: str) -> None:
    search_id = searched(store, (0.9,), tries=8)
    if how == "stopped":
        stop_search(store, search_id, ADA)
    else:
        stop_search(store, search_id, ADA)
        store.change("UPDATE searches SET stopped = 0 WHERE id = ?", (search_id,))
        set_error(store, search_id, "nothing is left to try")
        assert "nothing is left to try" in said(opened(DESIGN, view="Search", search=search_id))
    assert how in said(opened(DESIGN, view="Search", search=search_id))


def test_a_search_that_is_not_here_is_said(home: Path) -> None:
    app = opened(DESIGN, view="Search", search="none")
    assert not app.exception
    assert "there is no search" in app.error[0].value


# ------------------------------------------------------------------------------------------------------- in a browser


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_label(label)
    field.fill(value)
    field.press("Tab")
    settled(page)


@pytest.mark.slow
def test_from_start_to_the_front_to_another_design_and_to_a_longer_training(home: Path, browser_path: Path) -> None:
    with serving(home) as server, browsing(browser_path) as page:
        page.goto(f"{server.address}/design?view=Search&design={to_code(TINY)}")
        settled(page)
        for label, value in (
            ("Networks to try", "3"),
            ("Epochs for each", "1"),
            ("Budget, parameters", "1000"),
            ("Fewest channels", "2"),
        ):
            fill(page, label, value)
        page.get_by_role("button", name="Dropout", exact=True).click()
        expect(page.get_by_label("Most dropout")).to_be_visible()
        page.get_by_role("button", name="Start search").press("Enter")
        expect(page.get_by_text("3 of 3 networks trained")).to_be_visible()
        expect(page.get_by_text("· finished")).to_be_visible()
        store = RunStore(home)
        [search_id] = [row["id"] for row in store.rows("SELECT id FROM searches")]
        assert f"search={search_id}" in page.url
        best = front(tries_of(store, search_id))[-1]
        assert best.run is not None
        expect(page.locator(".live-plot .main-svg").first).to_be_visible()
        row = page.locator(f".st-key-front-{best.run.id}")
        expect(row).to_contain_text(f"{best.parameters:,} parameters")
        row.get_by_role("button", name="Open in Design").click()
        expect(page.get_by_role("radio", name="Layers")).to_be_checked()
        settled(page)
        shown = dict(part.split("=", 1) for part in page.url.partition("?")[2].split("&"))["design"]
        assert from_code(shown).ops == best.run.architecture.ops
        page.get_by_text("Search", exact=True).click()
        page.locator(f".st-key-front-{best.run.id}").get_by_role("link", name="Train longer").click()
        expect(page.get_by_text(f"{best.run.name}").first).to_be_visible()
        settled(page)
        assert page.get_by_label("Epochs").first.input_value() == "1"
        store.close()
