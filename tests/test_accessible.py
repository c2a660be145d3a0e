"""Every page by axe-core's rules, light and dark: no fault but those that Streamlit's own elements have."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.app_server import Server, browsing, charts_drawn, serving, settled, wait_until
from tests.pictures import PAGES

pytestmark = [pytest.mark.slow, pytest.mark.own_data]

# Rule, and what stands in the element that breaks it: Streamlit draws these, and no option of it mends them.
STREAMLITS = (
    ("empty-table-header", 'role="columnheader"'),  # the column of a data frame's row numbers or ticks
    ("scrollable-region-focusable", "stSidebarContent"),  # the folded sidebar
    ("scrollable-region-focusable", "katex"),  # a formula that is wider than its column
    ("presentation-role-conflict", "stFileUploaderDropzone"),
)
DARK = "() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor === 'rgb(18, 22, 27)'"
HEADINGS = "() => [...document.querySelectorAll('h1')].map(each => each.innerText)"


def _axe() -> str:
    package = importlib.util.find_spec("axe_playwright_python")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")


AXE = _axe()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def page(browser_path: Path) -> Iterator[Page]:
    with browsing(browser_path) as page:
        yield page


def faults(page: Page, rules: str = "{}") -> list[str]:
    """What axe finds, one line an element."""
    found: list[dict[str, Any]] = page.evaluate(f"axe.run({rules}).then(found => found.violations)")
    return [
        f"{rule['id']}: {node['html'][:200]} ({(node['any'] or node['all'] or node['none'])[0]['message'][:200]})"
        for rule in found
        for node in rule["nodes"]
        if not any(rule["id"] == name and words in node["html"] for name, words in STREAMLITS)
    ]


@pytest.mark.parametrize("name", [name for name, address in PAGES.items() if "{run}" not in address])
def test_a_page_has_no_fault_of_ours(page: Page, server: Server, name: str) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(server.address + PAGES[name])
    settled(page)
    charts_drawn(page)
    page.evaluate(AXE)
    found = faults(page)
    assert len(page.evaluate(HEADINGS)) == 1
    page.emulate_media(color_scheme="dark")
    wait_until(page, DARK)
    found += faults(page, '{runOnly: ["color-contrast"]}')
    assert not found, "\n".join(found)
