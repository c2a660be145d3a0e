"""What is imported before anybody waits for it, and when: never while browsers are arriving."""

from __future__ import annotations

import importlib
import threading
import time

from lab.studies.shelf import shipped

# Of the first page: before the first browser is let in, for thirty that come at once would wait for each other.
FIRST_PAGE = ("lab.learn.start", "lab.ui.follow", "lab.ui.frame", "pandas")  # pandas: for the canvas's data
NEXT_PAGES = ("lab.learn.ladder",)  # plotly
QUIET_SECONDS = 3.0  # without a newcomer, before more is imported: that keeps a core busy

_last_arrival = [0.0]  # by time.monotonic()


def arrived() -> None:
    """Somebody opens the first page."""
    _last_arrival[0] = time.monotonic()


def first_page() -> None:
    """Import what the first page needs, and read what it shows."""
    for module in FIRST_PAGE:
        importlib.import_module(module)
    shipped()  # their cards, which are then kept
    arrived()


def once_quiet(*modules: str) -> threading.Thread:
    """Import these as soon as nobody has arrived for some seconds."""

    def wait() -> None:
        while (left := _last_arrival[0] + QUIET_SECONDS - time.monotonic()) > 0:
            time.sleep(left)
        for module in modules:
            importlib.import_module(module)

    thread = threading.Thread(target=wait, name=f"import {', '.join(modules)}", daemon=True)
    thread.start()
    return thread
