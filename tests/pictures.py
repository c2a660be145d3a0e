"""Takes a picture of every page in five sizes, light and dark, to be looked at: `python -m tests.pictures [PAGE ...]`.

They go to tests/screenshots/pages/, named PAGE-phone-dark.png and so on; a run of two epochs is trained first, so
that no page is empty. Besides, it says how many bytes each page brought for its first view, beyond the app's own files.
With --docs it takes those of docs/images instead, of a whole run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, Response, expect

from core.data.mnist import best_present
from core.ladder.catalogue import by_slug
from lab.runs.actions import submit
from lab.runs.person import Person
from lab.runs.store import RunStore
from tests.app_server import ROOT, SCREENSHOTS, browsing, charts_drawn, draw, serving, settled
from tests.measure import browser

ADA = Person(nickname="Ada")
FOLDER = SCREENSHOTS / "pages"
IMAGES = ROOT / "docs" / "images"
SIDES = {  # of a phone, a tablet, laptops and a projector
    "phone": (390, 844),
    "tablet": (820, 1180),
    "laptop": (1280, 720),
    "desk": (1440, 900),
    "hall": (1920, 1080),
}
SIZES = {
    f"{name}-{ground}": (*sides, ground == "dark") for name, sides in SIDES.items() for ground in ("light", "dark")
}

# Name, and where it is opened.
PAGES = {
    "start": "/",
    "walkthroughs": "/walkthroughs",
    "teach": "/teach",
    "lesson": "/walkthroughs?lesson=parameters&scene=2",
    "presentation": "/walkthroughs?lesson=dilation&scene=4&present=1",
    "ladder": "/ladder",
    "step": "/step?step=a2-final-7758",
    "step-field": "/step?step=a3-dilation-5340&view=Receptive+field",
    "step-result": "/step?step=c6-steplr-7416&view=Result",
    "field": "/field?step=a3-dilation-5340",
    "design": "/design?from=a2-final-7758",
    "train": "/train?step=a2-final-7758",
    "run": "/train?run={run}",
    "rate": "/learning_rate?step=a2-final-7758",
    "compare": "/compare?runs={run},c6-steplr-7416",
    "board": "/board",
    "queue": "/queue",
    "import": "/import",
    "mistakes": "/mistakes?checkpoint=c6-steplr-7416",
    "read": "/read",
    "draw": "/draw",
    "inside": "/inside?checkpoint=c6-steplr-7416&image=5",
    "handwriting": "/handwriting",
}

# Name, where it is opened, and how high the picture is.
DOCS = {
    "ladder": ("/ladder", 720),
    "lesson": ("/walkthroughs?lesson=dilation&scene=4&present=1", 720),
    "field": ("/field?step=a3-dilation-5340", 720),
    "design": ("/design?from=a2-final-7758", 1000),
    "explained": ("/train?run={run}", 1250),
    "compare": ("/compare?runs=c5-rotation-7448,c6-steplr-7416", 860),
    "inside": ("/inside?checkpoint=c6-steplr-7416&image=5", 720),
    "mistakes": ("/mistakes?checkpoint=c6-steplr-7416", 1396),
    "draw": ("/draw", 960),
}
SEVEN = ((70, 60), (205, 60), (130, 235))


def for_the_docs(wanted: list[str]) -> None:
    """Take the pictures in docs/images that are asked for, or all."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server:
        run = _a_run(Path(home), epochs=15) if "explained" in (wanted or DOCS) else ""
        for name in wanted or DOCS:
            place, height = DOCS[name]
            with browsing(browser(), 1280, height) as page:
                page.goto(server.address + place.format(run=run))
                settled(page)
                if name == "draw":
                    page.wait_for_timeout(4000)  # until the canvas listens
                    draw(page, SEVEN)
                page.wait_for_timeout(3000)
                page.screenshot(path=IMAGES / f"{name}.png")
                print(name, flush=True)


def every_page(wanted: list[str]) -> None:
    """Take those that are asked for, or all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server:
        run = _a_run(Path(home), epochs=2)
        for variant, (width, height, dark) in SIZES.items():
            with browsing(browser(), width, height, dark) as page:
                sizes = _count(page)
                for name in wanted or PAGES:
                    sizes.clear()
                    page.goto(server.address + PAGES[name].format(run=run))
                    settled(page)
                    _whole(page, FOLDER / f"{name}-{variant}.png")
                    print(f"{name:<16} {variant:<13} {sum(sizes) / 1e3:7.0f} KB", flush=True)


def _a_run(home: Path, epochs: int) -> str:
    """A run, trained; its id."""
    store = RunStore(home)
    step = by_slug("c6-steplr-7416")
    (run,) = submit(
        store, step.architecture, replace(step.recipe, epochs=epochs), slug=step.slug, dataset=best_present(), by=ADA
    )
    deadline = time.monotonic() + 120 * epochs
    while store.get(run.id).status in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.5)
    return run.id


def _count(page: Page) -> list[int]:
    """A list that grows by the size of each message and each picture that the page gets from the server."""
    sizes: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: sizes.append(len(data))))

    def add(response: Response) -> None:
        # In static/ lie Streamlit's own fonts, which a browser keeps.
        if "/media/" in response.url and "/static/" not in response.url:
            sizes.append(int(response.headers.get("content-length", "0")))

    page.on("response", add)
    return sizes


def _whole(page: Page, path: Path) -> None:
    """The page as high as it is."""
    size = page.viewport_size
    assert size is not None
    charts_drawn(page)
    height = page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(height, 5000))})
    charts_drawn(page)  # parts of the page are loaded when they come into view
    page.wait_for_timeout(1500)  # until nothing moves any more
    page.screenshot(path=path)
    page.set_viewport_size(size)


if __name__ == "__main__":
    expect.set_options(timeout=60_000)
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description="Pictures of the pages.")
    parser.add_argument("pages", nargs="*", metavar="PAGE")
    parser.add_argument("--docs", action="store_true", help="those in docs/images")
    asked = parser.parse_args()
    (for_the_docs if asked.docs else every_page)(asked.pages)
