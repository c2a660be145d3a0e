"""The app as a user starts it, on a port of its own; and a Chromium to click through it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.patience import milliseconds, patient, wait

ROOT = Path(__file__).resolve().parents[1]
SCREENSHOTS = ROOT / "tests" / "screenshots"
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
APP = (sys.executable, "-m", "streamlit", "run", "streamlit_app.py")
expect.set_options(timeout=milliseconds(120))  # of all tests in a browser, whoever started it: 5 s are too few
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]'

CHARTS_DRAWN = """() => !document.querySelector('[data-testid="stSkeleton"]')
    && [...document.querySelectorAll('[data-testid="stPlotlyChart"], .live-plot')]
        .every(chart => chart.querySelector('.main-svg'))"""


@dataclass(frozen=True)
class Server:
    """A running app."""

    address: str
    home: Path
    started: float  # time.perf_counter() at its start
    process: subprocess.Popen[bytes]


@contextmanager
def serving(home: Path, port: int = 0, root: Path = ROOT, command: Sequence[str] = APP) -> Iterator[Server]:
    """Start the app on its own LAB_HOME, wait until it answers, and end it and its workers afterwards. Port 0: any.

    `root`: the folder in which the app is started, such as a copy of it; `command`: what starts it there.
    """
    port = port or _free_port()
    started = time.perf_counter()
    environment = {**os.environ, "LAB_HOME": str(home), "LAB_WORKER_IDLE": "60"}
    log = (home / "app.log").open("wb")
    process = subprocess.Popen(
        [*command, "--server.port", str(port)],
        cwd=root,
        env=environment,
        stdout=log,
        stderr=log,
    )
    address = f"http://localhost:{port}"
    try:
        _wait_for(f"{address}/_stcore/health", process)
        yield Server(address, home, started, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patient(20))
        except subprocess.TimeoutExpired:  # on a busy machine; its workers must not be left behind
            process.kill()
            process.wait()
        log.close()
        _end_workers(home)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert process.poll() is None, f"the app ended with status {process.returncode}"
        with suppress(OSError), urllib.request.urlopen(address, timeout=patient(2)):
            return True
        return False

    wait(answers, f"{address} answered", pause=0.05)


def _end_workers(home: Path) -> None:
    from lab.runs import supervisor
    from lab.runs.store import RunStore

    if not (home / "runs.sqlite3").exists():
        return
    store = RunStore(home)
    supervisor.end_workers(store)
    store.close()


@contextmanager
def browsing(executable: Path, width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Page]:
    """A page of a fresh Chromium; an error on its console fails nothing, an exception of ours on the page does."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(executable), args=list(CHROMIUM_ARGUMENTS))
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.set_default_timeout(milliseconds(120))
        yield page
        browser.close()


VISIT = """address => { history.pushState({}, "", address); dispatchEvent(new PopStateEvent("popstate")); }"""


def visitor(page: Page) -> Callable[[str], None]:
    """Goes to another address of the app, as the browser's history does, and waits until its script has run.

    To load the whole app anew takes seconds. Call it before the app is opened: it listens to what the server sends.
    """
    ended = 0

    def hear(payload: bytes | str) -> None:
        nonlocal ended
        message = ForwardMsg.FromString(payload) if isinstance(payload, bytes) else ForwardMsg()
        if message.WhichOneof("type") == "script_finished":
            ended += message.script_finished == ForwardMsg.ScriptFinishedStatus.FINISHED_SUCCESSFULLY

    def visit(address: str) -> None:
        before, deadline = ended, time.monotonic() + patient(120)
        page.evaluate(VISIT, address)
        while ended == before:
            assert time.monotonic() < deadline, f"no script has run for {address}"
            page.wait_for_timeout(20)
        settled(page)

    page.on("websocket", lambda socket: socket.on("framereceived", hear))
    return visit


def settled(page: Page) -> None:
    """Wait until the script has run and the page is connected, and see that it shows no exception."""
    page.wait_for_selector(IDLE)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def wait_until(page: Page, expression: str, arg: Any = None) -> None:
    """Ask the page until a JavaScript expression, or a function of `arg`, is true.

    `Page.wait_for_function` asks from within the page, where our Content-Security-Policy rightly forbids `eval`.
    """
    deadline = time.monotonic() + patient(120)
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(20)


def charts_drawn(page: Page) -> None:
    """Wait until each chart of the page has its axes and nothing on it is still to be loaded."""
    wait_until(page, CHARTS_DRAWN)


def draw(page: Page, points: Sequence[tuple[float, float]]) -> None:
    """One stroke on the canvas, in its own pixels."""
    box = page.locator('[class*="st-key-sheets-"] canvas').first.bounding_box()  # of two, the one that Clear leaves
    assert box is not None
    page.mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=6)
    page.mouse.up()


def screenshot(page: Page, name: str) -> None:
    """Keep a picture of the whole page, to be looked at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    height = page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(height, 4000))})
    page.wait_for_timeout(400)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
    page.set_viewport_size(size)
