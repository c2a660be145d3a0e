"""Measure how quick the lab feels, on this machine: `python -m tests.measure [NAME ...]`. Prints; asserts nothing.

Needs MNIST and a Chromium. Leave the machine alone meanwhile: each figure is the minimum and the median of a few tries.
"""

from __future__ import annotations

import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.app_server import IDLE, ROOT, browsing, draw, serving, settled, wait_until


def browser() -> Path:
    """The Chromium to drive."""
    return Path(next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name))))


def told(what: str, seconds: list[float], reach: str) -> None:
    """One line of the table."""
    least, middle = min(seconds), statistics.median(seconds)
    print(f"{what:<52} min {least:7.3f} s   median {middle:7.3f} s   n {len(seconds):<3} to reach {reach}", flush=True)


def opening() -> None:
    """From the first request to a fresh server to the first text and the first chart."""
    text, chart = [], []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server, browsing(browser()) as page:
            started = time.perf_counter()
            page.goto(f"{server.address}/ladder")
            page.wait_for_selector("h1")
            text.append(time.perf_counter() - started)
            page.wait_for_selector(".js-plotly-plot .main-svg")
            chart.append(time.perf_counter() - started)
    told("fresh server: first text", text, "2.5 s")
    told("fresh server: first chart", chart, "4.5 s")


def changing() -> None:
    """A step or a knob changed: the script's run at the server."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).switch_page("pages/learn/step.py").run()
    steps, knobs = [], []
    slugs = ["c6-steplr-7416", "a3-dilation-5340", "b4-rotation-7852", "a1-skeleton-509946"]
    for slug in slugs * 5:
        started = time.perf_counter()
        app.selectbox(key="step_picker").set_value(slug).run()
        steps.append(time.perf_counter() - started)
    for width in [0.5, 0.75, 1.25, 1.5, 2.0] * 4:
        started = time.perf_counter()
        app.slider(key="width_picker").set_value(width).run()
        knobs.append(time.perf_counter() - started)
    told("another step, at the server", steps, "0.2 s")
    told("a knob turned, at the server", knobs, "0.2 s")


def first_point() -> None:
    """From Start to the first live point, with the worker cold and warm."""
    cold, warm = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server, browsing(browser()) as page:
            page.goto(f"{server.address}/train?step=a2-final-7758")
            page.get_by_role("button", name="Start training").wait_for()
            cold.append(_start(page))
            _stop(page)
            for _ in range(3):
                page.goto(f"{server.address}/train?step=a2-final-7758")
                settled(page)
                page.wait_for_timeout(1500)
                warm.append(_start(page))
                _stop(page)
    told("Start to the first live point, worker cold", cold, "6 s")
    told("Start to the first live point, worker warm", warm, "1.5 s")


def _start(page: Page) -> float:
    started = time.perf_counter()
    page.get_by_role("button", name="Start training").click()
    wait_until(
        page, "[...document.querySelectorAll('.live-plot')].some(e => e.data?.some(t => t.name == 'each batch'))"
    )
    return time.perf_counter() - started


def _stop(page: Page) -> None:
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("stopped after").wait_for()


def live_chart() -> None:
    """Ten seconds of a running chart: mounts, zoom, and where it stands."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server, browsing(browser()) as page:
        page.goto(f"{server.address}/train?step=a2-final-7758")
        settled(page)
        _start(page)
        page.wait_for_timeout(3000)
        page.evaluate(
            """() => {
                const plots = [...document.querySelectorAll('.live-plot')];
                window.marked = plots; window.tops = new Set(); window.points = new Set();
                const watch = () => {
                    for (const plot of plots)
                        if (plot.isConnected) window.tops.add(Math.round(plot.getBoundingClientRect().top));
                    window.points.add(plots[1].data.find(t => t.name == 'each batch').x.length);
                    requestAnimationFrame(watch);
                };
                watch();
            }"""
        )
        box = page.locator(".live-plot").last.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.35)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.7, steps=8)
        page.mouse.up()
        page.wait_for_timeout(500)
        zoomed = page.evaluate("window.marked[1].layout.xaxis.range")
        page.wait_for_timeout(10_000)
        later = page.evaluate("window.marked[1].layout.xaxis.range")
        connected = page.evaluate("window.marked.filter(p => p.isConnected).length")
        tops = page.evaluate("[...window.tops]")
        updates = page.evaluate("window.points.size")
        print(
            f"live chart, 10 s: {updates} updates, {2 - connected} of 2 charts mounted anew, "
            f"zoom kept: {zoomed == later}, stood at {sorted(tops)} px"
        )
        _stop(page)


def editing() -> None:
    """An op's field changed on the Design page, to the updated totals: the script's run at the server."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app = app.switch_page("pages/experiment/design.py").run()
    seconds = []
    for value in [8, 9, 11, 12] * 6:
        field = next(each for each in app.number_input if each.label == "out_channels")
        started = time.perf_counter()
        field.set_value(value).run()
        seconds.append(time.perf_counter() - started)
    told("an op edited, at the server", seconds, "0.15 s")


def switching() -> None:
    """From each page to the next, caches warm: the script's run at the server, page by page."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    pages = sorted(path.relative_to(ROOT) for path in (ROOT / "pages").rglob("*.py"))
    seconds: dict[Path, list[float]] = {page: [] for page in pages}
    for _ in range(6):
        for page in pages:
            started = time.perf_counter()
            app = app.switch_page(str(page)).run()
            seconds[page].append(time.perf_counter() - started)
    for page, found in seconds.items():
        told(f"page {page.stem}, warm", found[1:], "0.4 s")


def range_test_point() -> None:
    """From the range test's button to its first point, the worker warm."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server, browsing(browser()) as page:
        seconds = []
        for _ in range(6):
            page.goto(f"{server.address}/learning_rate?step=a2-final-7758")
            settled(page)
            page.wait_for_timeout(2000)
            started = time.perf_counter()
            page.get_by_role("button", name="Start the range test").click()
            wait_until(page, POINTS)
            seconds.append(time.perf_counter() - started)
            page.get_by_text("finished").first.wait_for()
        told("range test: first point, worker warm", seconds[1:], "2 s")


POINTS = "[...document.querySelectorAll('.live-plot')].some(each => each.data?.[0]?.x?.length > 0)"


def epoch() -> None:
    """An epoch of the 7,758 network with its write-up's recipe, evaluation included, through the command line."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "lab", "train", "a2-final-7758", "--epochs", "3", "--device", "cpu", "--json"]
        import json
        import os

        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "LAB_HOME": home}, capture_output=True, check=True, text=True
        )
        told("7,758 network, an epoch", [each["seconds"] for each in json.loads(done.stdout)["epochs"]], "30 s")


def stroke() -> None:
    """From the end of a stroke to the updated probabilities."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server, browsing(browser()) as page:
        page.goto(f"{server.address}/draw")
        settled(page)
        page.wait_for_timeout(4000)
        seconds = []
        for number in range(8):
            before = _bars(page)
            draw(page, [(80 + 12 * number, 60), (90 + 12 * number, 200 - 10 * number)])
            started = time.perf_counter()
            wait_until(page, f"before => ({BARS}) != before && ({BARS}) != ''", before)
            seconds.append(time.perf_counter() - started)
            page.wait_for_selector(IDLE)
            page.wait_for_timeout(700)
        told("stroke to probabilities, the first", seconds[:1], "0.5 s")
        told("stroke to probabilities, the others", seconds[1:], "0.5 s")


BARS = "JSON.stringify([...document.querySelectorAll('.js-plotly-plot, .live-plot')].map(e => e.data?.[0]?.y ?? ''))"


def _bars(page: Page) -> str:
    return str(page.evaluate(BARS))


MEASUREMENTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (opening, changing, editing, switching, first_point, range_test_point, live_chart, stroke, epoch)
}


def main() -> None:
    """Print what was measured on."""
    import os

    print(f"python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    for name in sys.argv[1:] or MEASUREMENTS:
        MEASUREMENTS[name]()


if __name__ == "__main__":
    main()
