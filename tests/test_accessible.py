"""Every page by axe-core's rules, light and dark: no fault but those that Streamlit's own elements have."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.app_server import Server, browsing, charts_drawn, serving, settled, visitor, wait_until
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
def opened(browser_path: Path, server: Server) -> Iterator[tuple[Page, Callable[[str], None]]]:
    """The browser, and how it goes to another page."""
    with browsing(browser_path) as page:
        visit = visitor(page)
        page.goto(f"{server.address}/queue")  # none of the pages that are looked at
        settled(page)
        page.evaluate(AXE)
        yield page, visit


def faults(page: Page, rules: str = "") -> list[str]:
    """What axe finds, one line an element."""
    asked = f'{{resultTypes: ["violations"], {rules}}}'  # the rest is not told in full
    found: list[dict[str, Any]] = page.evaluate(f"axe.run({asked}).then(found => found.violations)")
    return [
        f"{rule['id']}: {node['html'][:200]} ({(node['any'] or node['all'] or node['none'])[0]['message'][:200]})"
        for rule in found
        for node in rule["nodes"]
        if not any(rule["id"] == name and words in node["html"] for name, words in STREAMLITS)
    ]


@pytest.mark.parametrize("name", [name for name, address in PAGES.items() if "{run}" not in address])
def test_a_page_has_no_fault_of_ours(opened: tuple[Page, Callable[[str], None]], server: Server, name: str) -> None:
    page, visit = opened
    page.emulate_media(color_scheme="light")
    visit(server.address + PAGES[name])
    charts_drawn(page)
    expect(page.locator("h1")).to_have_count(1)
    found = faults(page)
    page.emulate_media(color_scheme="dark")
    wait_until(page, DARK)
    found += faults(page, 'runOnly: ["color-contrast"]')
    assert not found, "\n".join(found)
