"""Names that mean something to Markdown, HTML, Streamlit or Plotly, in a real browser, on each page that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from core.architecture.link import to_code
from core.architecture.spec import Architecture
from core.data.drawn_digit import prepare
from core.data.embedded_digits import embedded_digits
from lab.classroom.handwriting import Handwriting
from lab.runs.store import RunStore
from lab.ui.words import JOINER
from tests.app_server import Server, browsing, charts_drawn, serving, settled, wait_until
from tests.made_runs import made_run, save_weights
from tests.tiny import TINY

pytestmark = [pytest.mark.slow, pytest.mark.own_data]

NAME = "https://example.com <b>x</b> :material/sailing: $y$ -> ~~z~~"
OWNER, TAG = "mia@example.com <i>m</i>", "www.example.com"
FOUND = """() => ({
    links: [...document.querySelectorAll('a')]
        .map(each => each.getAttribute('href') || each.getAttribute('xlink:href') || '')
        .filter(to => to.includes('example.com') && !to.startsWith('/') && !to.startsWith('http://localhost')),
    marks: [...document.querySelectorAll('b, strong, i, em, del')].map(each => each.textContent)
        .filter(words => ['x', 'm', 'z'].includes(words)),
    formulas: document.querySelectorAll('.katex').length,
    icons: [...document.querySelectorAll('[data-testid="stIconMaterial"], [role="img"]')]
        .filter(each => each.textContent === 'sailing').length,
    arrows: (document.body.innerText.match(/→ ~~z/g) || []).length,
})"""
SHOWN = "([joiner, words]) => document.body.innerText.replaceAll(joiner, '').includes(words)"
NOTHING = {"links": [], "marks": [], "formulas": 0, "icons": 0, "arrows": 0}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """The app on a store with two such runs, and the links to where they are shown."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_HOME", str(home))
        store = RunStore(home)
        runs = [made_run(store, [0.98, 0.995, 0.996], name=NAME, owner=OWNER, seed=n, tags=[TAG]) for n in (1, 2)]
        for run in runs:
            save_weights(run, [0.98, 0.995, 0.996], run.seed)
        store.close()
        digit = embedded_digits()[0][0]
        Handwriting(home).keep(prepare(digit).digit, digit, 0, OWNER, "a")
        (home / "designs").mkdir()
        first, both = runs[0].id, ",".join(run.id for run in runs)
        design = to_code(Architecture(f"{NAME}\n\n# big", TINY.ops))
        links = {
            "train": f"run={first}", "compare": f"runs={both}", "board": "", "mistakes": f"checkpoint={first}/last",
            "draw": f"checkpoint={first}/last", "inside": f"checkpoint={first}/last", "handwriting": "",
            "read": f"checkpoint={first}/last", "design": f"design={design}", "field": f"design={design}",
            "learning_rate": f"design={design}",
        }  # fmt: skip
        with serving(home) as server:
            yield server, links


@pytest.fixture(scope="module")
def page(browser_path: Path) -> Iterator[Page]:
    with browsing(browser_path) as opened:
        yield opened


@pytest.mark.parametrize(
    "path",
    [
        "train",
        "compare",
        "board",
        "mistakes",
        "draw",
        "inside",
        "handwriting",
        "read",
        "design",
        "field",
        "learning_rate",
    ],
)
def test_a_name_is_shown_as_it_was_typed(path: str, pages: tuple[Server, dict[str, str]], page: Page) -> None:
    server, links = pages
    page.goto(f"{server.address}/{path}?{links[path]}")
    settled(page)
    charts_drawn(page)
    assert page.evaluate(FOUND) == NOTHING
    if path in ("train", "compare", "draw", "field"):  # elsewhere in a canvas, a menu, or after a click
        wait_until(page, SHOWN, [JOINER, "<b>x</b> :material/sailing: $y$"])
