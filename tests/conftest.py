"""What the tests stand on: a home of their own, no network, and the things a machine may not have.

A test has no data set unless it asks for MNIST by a fixture. So what works only where MNIST is fails on every machine.
Where LAB_TESTS_REQUIRE names mnist, all tests have it: the lab has to work with it and without it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from core.data.mnist import data_root, is_present
from tests.patience import FACTOR

# How fast inputs are made and examples run depends on what else the machine does: neither may fail a test.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")

REQUIRED = os.environ.get("LAB_TESTS_REQUIRE", "").split(",")

_data = os.environ.setdefault("LAB_TESTS_DATA", str(data_root()))  # a process that pytest-xdist starts inherits it
_session_home = tempfile.TemporaryDirectory(prefix="lab-tests-")  # for what starts before any test's own home is set
os.environ["LAB_HOME"] = _session_home.name
os.environ["LAB_OFFLINE"] = "1"
os.environ["LAB_DATA"] = _data if "mnist" in REQUIRED else str(Path(_session_home.name) / "no data")


OPENS_PAGES = (
    "AppTest",
    "opened",
    "serving",
    "browsing",
    "sync_playwright",
)  # as a test file names what it opens one with
FAST_SECONDS = 20.0  # of the processors, its own processes included: they do not depend on what else the machine does
_used = pytest.StashKey[float]()


@pytest.hookimpl(tryfirst=True)  # before -m picks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the fast ones. Files with slow tests go first: one that began last would keep the other cores waiting."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        names = vars(getattr(item, "module", None) or item)
        if not item.get_closest_marker("slow") and not any(name in names for name in OPENS_PAGES):
            item.add_marker(pytest.mark.fast)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note how much of the processors the test takes."""
    before = os.times()
    try:
        return (yield)
    finally:
        item.stash[_used] = sum(os.times()[:4]) - sum(before[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where the fast half is run by its name, a test of it that is not fast fails, so that it stays fast."""
    report = yield
    used = item.stash.get(_used, 0.0)
    by_name = "fast" in item.config.getoption("markexpr") and item.get_closest_marker("fast") is not None
    if by_name and call.when == "call" and report.passed and used > FAST_SECONDS * FACTOR:
        report.outcome = "failed"
        report.longrepr = f"took {used:.1f} s of the processors, and counts as fast: mark it slow (see pyproject.toml)"
    return report


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own LAB_HOME: no test writes to the user's runs, and none reaches for the network."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LAB_HOME", str(folder))
    monkeypatch.setenv("LAB_OFFLINE", "1")
    monkeypatch.setenv("LAB_WORKER_IDLE", "2")  # a worker that a page's test started must not outlive it
    # A page's test puts the page there, and the processes that a later test spawns would begin by running it.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    if "lab.runs.supervisor" in sys.modules:
        sys.modules["lab.runs.supervisor"]._started.clear()  # another test's workers, which may be made up
    if "streamlit" in sys.modules:
        sys.modules["streamlit"].cache_resource.clear()  # or this test's pages would use the last one's store
    return folder


@pytest.fixture
def worker_here(home: Path) -> Iterator[None]:
    """A worker in a thread of this process: the start of another process takes seconds."""
    from lab.runs.machine import write_machine
    from lab.runs.store import RunStore
    from lab.runs.worker import Worker, describe_machine

    store = RunStore(home)
    write_machine(describe_machine(home), home)
    own = Worker(store, "cpu")
    thread = threading.Thread(target=own.work, args=(600.0,))
    thread.start()
    while store.slot("cpu") is None and thread.is_alive():
        time.sleep(0.01)
    yield
    own.leaving.set()
    thread.join()


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder that holds the data set MNIST, for a process that is given it as LAB_DATA."""
    root = Path(_data)
    if not is_present("MNIST", root):
        absent("mnist", f"MNIST is not in {root}; set LAB_DATA, or run python -m lab data --download")
    return root


@pytest.fixture
def mnist_raw(mnist: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with MNIST's four files; the test finds the data set in its usual place."""
    monkeypatch.setenv("LAB_DATA", str(mnist))
    return mnist / "MNIST" / "raw"


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """A Chromium to drive."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    path = next((path for path in found if path), None)
    if path is None:
        absent("browser", "no chromium, chromium-browser or google-chrome is on the PATH")
    return Path(path)


def absent(what: str, reason: str) -> NoReturn:
    """Skip the test; fail it where LAB_TESTS_REQUIRE, a comma-separated list, names what is absent."""
    if what in REQUIRED:
        pytest.fail(f"LAB_TESTS_REQUIRE names {what}: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _session_home_is_removed() -> Iterator[None]:
    yield
    _session_home.cleanup()
