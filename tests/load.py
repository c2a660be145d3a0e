"""What the app bears when a class is on it: `python -m tests.load [ROW ...] [--sessions 30]`. Prints rows of a table.

Each row starts the real app in a folder of its own and comes to it as browsers do, over HTTP and Streamlit's websocket.
The visitors live in this one process, on the same machine as the app and its worker, and what they need for themselves
counts into the figures; how late this process ran is told beside them. The exit status is 1 if a row misses its target.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from core.data.mnist import EMBEDDED, is_present
from core.ladder import catalogue
from core.words import plural
from lab.runs.actions import submit
from lab.runs.person import MACHINE
from lab.runs.rows import Run
from lab.runs.store import RunStore
from tests.app_server import Server, serving
from tests.streamlit_client import Answer, ClientError, Element, Tab, options_of

SESSIONS = 30
UPDATE_MS = (50, 150)  # p50 and p95
CLICK_MS = 400  # p95
START_SECONDS = 1.0  # p95
MAX_MB = 700
FLAT_MB = 20  # by which the second half of the views may raise the app's memory, on the fitted line
SECONDS_A_CLICK = 3.0
ARRIVAL_SECONDS = (0.8, 1.5)  # p50 and p95
ARRIVE_WITHIN = 3.0  # seconds within which everybody opens the first page
START_WITHIN = 2.0  # seconds within which everybody presses
VIEWS = 1000
VIEWS_A_VISIT = (5, 15)  # pages that a visitor looks at before leaving
DOWN = 2.0  # seconds for which the app is gone
PATIENCE = 1200.0  # seconds for what is waited for: on a busy machine training is slow


@dataclass(frozen=True)
class Options:
    """How large the load is."""

    sessions: int = SESSIONS
    seconds: float = 60.0  # of watching or clicking
    views: int = VIEWS
    epochs: int = 60  # of the embedded digits, for a run that goes on through a restart: half a minute or more
    port: int = 0  # 0: any that is free
    url: str = ""  # of an app that is there already, instead of one that is started
    seed: int = 1


@dataclass(frozen=True)
class App:
    """The app under load. Of one that was there already, the process and the folder are not known."""

    address: str
    home: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.address).port or 80


@dataclass(frozen=True)
class Row:
    """A row of the table: what was done, what is to be reached, and what was measured."""

    what: str
    reach: str
    measured: str
    sound: bool  # nothing failed, nothing was lost
    quick: bool  # or small, as the figures ask

    @property
    def reached(self) -> bool:
        """Whether the target is."""
        return self.sound and self.quick


# ------------------------------------------------------------------------------------------------------ the rows


async def panels(options: Options) -> Row:
    """Everybody watches one run: how long does an update of the live panel take?"""
    async with the_app(options) as app, AsyncExitStack() as stack:
        first = await stack.enter_async_context(Tab(app.address))
        await first.open("/train")
        dataset = "MNIST" if is_present("MNIST") and options.seconds >= 30 else EMBEDDED
        run_id = await start_run(first, dataset, epochs=15 if dataset == "MNIST" else 100)
        tabs = [first, *await opened(stack, app, options.sessions - 1, f"/train?run={run_id}")]
        await until(lambda: all(panel_of(tab, run_id) for tab in tabs), "the panels tick")
        await until(lambda: says(first, "images/s"), "the run trains")
        await asyncio.sleep(3.0)
        for tab in tabs:
            tab.updates.clear()
        shown, began = [progress(tab) for tab in tabs], time.perf_counter()
        busy = busy_seconds(app)
        with lateness() as late:
            await asyncio.sleep(options.seconds)
        took, busy = time.perf_counter() - began, busy_seconds(app) - busy
        updates = [[each for each in tab.updates if each.fragment_id == panel_of(tab, run_id)] for tab in tabs]
        moved = sum(progress(tab) != before for tab, before in zip(tabs, shown, strict=True))
        failures = failures_of(tabs)
        await first.press("Stop")
    seconds = [each.seconds for of_tab in updates for each in of_tab]
    p50, p95 = (1000 * at(seconds, percent) for percent in (50, 95))
    rate = len(seconds) / took / len(tabs)
    size = at([each.size for of_tab in updates for each in of_tab], 50) / 1e3
    return Row(
        f"{counted(tabs)} with a live run panel at 1 Hz, one run training: p50 / p95 of an update",
        f"{UPDATE_MS[0]} / {UPDATE_MS[1]} ms",
        f"{p50:.0f} / {p95:.0f} ms, {len(seconds):,} updates of {size:.0f} kB at {rate:.2f} Hz, {moved} of {len(tabs)} "
        f"panels moved on, {dataset}; the app's processor {1000 * busy / len(seconds):.0f} ms an update, client late "
        f"by {at(late, 95) * 1000:.0f} ms at p95{told(failures)}",
        moved == len(tabs) and not failures,
        p50 <= UPDATE_MS[0] and p95 <= UPDATE_MS[1] and rate >= 0.95,
    )


async def pages(options: Options) -> Row:
    """Everybody clicks through the Learn pages: to another page, another step, another view, another scene."""
    async with the_app(options) as app, AsyncExitStack() as stack:
        await shown_once(app)
        tabs = await opened(stack, app, options.sessions, "/")
        busy = busy_seconds(app)
        with lateness() as late:
            clicked = await asyncio.gather(
                *(_clicks(tab, options.seconds, random.Random(options.seed + n)) for n, tab in enumerate(tabs))
            )
        busy = busy_seconds(app) - busy
        failures = failures_of(tabs)
    kinds: dict[str, list[float]] = {}
    for kind, answer in (each for of_tab in clicked for each in of_tab):
        kinds.setdefault(kind, []).append(1000 * answer.seconds)
    every = [each for values in kinds.values() for each in values]
    slowest = max(kinds, key=lambda kind: at(kinds[kind], 95))
    p95 = at(every, 95)
    return Row(
        f"{counted(tabs)} clicking through the Learn pages, one click in {SECONDS_A_CLICK:g} s each: p95",
        f"{CLICK_MS} ms",
        f"{p95:.0f} ms, p50 {at(every, 50):.0f} ms, {len(every):,} clicks, slowest: {slowest} "
        f"{at(kinds[slowest], 95):.0f} ms; the app's processor {1000 * busy / len(every):.0f} ms a click, the client "
        f"late by {at(late, 95) * 1000:.0f} ms at p95{told(failures)}",
        not failures,
        p95 <= CLICK_MS,
    )


async def start(options: Options) -> Row:
    """Everybody presses Start within two seconds: is each run queued once, and how long does the answer take?"""
    chance = random.Random(options.seed)
    async with the_app(options) as app, AsyncExitStack() as stack:
        await shown_once(app)
        tabs = await opened(stack, app, options.sessions, *(f"/train?me=visitor-{n}" for n in range(options.sessions)))
        for tab in tabs:
            await _fill_in(tab, EMBEDDED, epochs=1)
        await asyncio.sleep(2.0)

        async def press(tab: Tab, after: float) -> float:
            await asyncio.sleep(after)
            answer = await tab.press("Start training")
            if not tab.parameter("run"):
                raise ClientError("Start was pressed and no run is shown")
            return answer.seconds

        pressed = await asyncio.gather(
            *(press(tab, chance.uniform(0, START_WITHIN)) for tab in tabs), return_exceptions=True
        )
        seconds = [each for each in pressed if isinstance(each, float)]
        shown = Counter(run_id for tab in tabs if (run_id := tab.parameter("run")))
        wrong = [str(each) for each in pressed if not isinstance(each, float)]
        ended = ""
        if app.home:
            wrong += await _all_finished(app.home, shown, len(tabs))
            ended = ", all trained to their end" if not wrong else ""
        failures = failures_of(tabs)
    wrong += [f"run {run_id} shown to {times}" for run_id, times in shown.items() if times > 1]
    p95 = at(seconds, 95)
    return Row(
        f"{counted(tabs)} press Start within {START_WITHIN:g} s: p95 of the answer",
        f"all queued, none lost, none twice, {START_SECONDS:g} s",
        f"{p95:.2f} s, p50 {at(seconds, 50):.2f} s, {len(shown)} runs for {len(tabs)} people{ended}"
        f"{told([*wrong, *failures])}",
        len(shown) == len(tabs) and not wrong and not failures,
        p95 <= START_SECONDS,
    )


async def memory(options: Options) -> Row:
    """Visitors come, look at pages, and go: how much memory does the app take, and does it go on growing?"""
    chance = random.Random(options.seed)
    done, visits = 0, 0
    samples: list[tuple[int, float, float]] = []  # views, PSS and RSS in MB
    failures: list[str] = []
    async with the_app(options) as app:
        if app.process is None:
            raise SystemExit("the row about memory has to start the app itself; leave --url out")
        pid = app.process.pid

        def viewed() -> None:
            nonlocal done
            done += 1
            if done % 10 == 0:
                samples.append((done, *memory_of(pid)))

        async def seat() -> None:
            nonlocal visits
            while done < options.views:
                visits += 1
                async with Tab(app.address) as tab:
                    await tab.open("/")
                    viewed()
                    for _ in range(chance.randint(*VIEWS_A_VISIT)):
                        await asyncio.sleep(chance.uniform(0.2, 1.0))
                        await tab.go(chance.choice(tab.pages).url_pathname)
                        viewed()
                failures.extend(tab.failures)

        began = time.perf_counter()
        await asyncio.gather(*(seat() for _ in range(options.sessions)))
        took = time.perf_counter() - began
    views, pss, rss = (np.array(column) for column in zip(*samples, strict=True))
    second = views >= views[-1] / 2
    slope = float(np.polyfit(views[second], pss[second], 1)[0])
    growth = slope * (views[-1] - views[second][0])
    return Row(
        f"memory of the app after {done:,} page views by {options.sessions} sessions",
        f"under {MAX_MB} MB, flat over the second half",
        f"{pss[-1]:.0f} MB (PSS; RSS {rss[-1]:.0f} MB, at most {rss.max():.0f} MB), {growth:+.0f} MB over the second "
        f"half, which is {100 * slope:+.1f} MB per 100 views; {visits} visits in {took:.0f} s{told(failures)}",
        not failures,
        bool(rss.max() < MAX_MB and growth < FLAT_MB),
    )


async def restart(options: Options) -> Row:
    """The app is killed and started again while everybody watches a run: do all come back, and does the run go on?"""
    async with the_app(options) as app, AsyncExitStack() as stack:
        home, process = app.home, app.process
        if home is None or process is None:
            raise SystemExit("the row about a restart has to start the app itself; leave --url out")
        first = await stack.enter_async_context(Tab(app.address))
        await first.open("/train")
        run_id = await start_run(first, EMBEDDED, options.epochs)
        tabs = [first, *await opened(stack, app, options.sessions - 1, f"/train?run={run_id}")]
        await until(lambda: says(first, "images/s"), "the run trains")
        during = [stored(home, run_id)]
        process.kill()
        await until(lambda: not any(tab.connected for tab in tabs), "the app is gone")
        await asyncio.sleep(DOWN)
        during.append(stored(home, run_id))
        with ExitStack() as again:  # started in a thread: the visitors go on knocking meanwhile
            await asyncio.to_thread(again.enter_context, serving(home, app.port))
            back = time.perf_counter()
            await until(lambda: all(tab.reconnections for tab in tabs), "all are back", 120.0)
            answers = [tab.reconnections[0].answer for tab in tabs]
            during.append(stored(home, run_id))
            await until(lambda: stored(home, run_id).status not in ("queued", "running"), "the run ends")
            end = f"finished after {options.epochs} of {plural(options.epochs, 'epoch')}"
            await until(lambda: all(says(tab, end) for tab in tabs), "everybody is told of the run's end", 60.0)
            ended, epochs = stored(home, run_id), epochs_of(home, run_id)
            failures = failures_of(tabs)
    waited = max(each.sent + each.seconds for each in answers) - back
    running = all(run.status == "running" for run in during)
    same = ended.worker == during[0].worker
    return Row(
        f"app killed and started again with {counted(tabs)} open and a run going",
        "all reconnect, run intact",
        f"{len(answers)} of {len(tabs)} back, the last {waited:.1f} s after the app answered again; the run "
        f"{'ran on' if running else 'did not run on'}, {ended.status} after {epochs} of {options.epochs} "
        f"epochs on {'the same worker' if same else 'another worker'}, which everybody was told{told(failures)}",
        running and same and ended.status == "finished" and epochs == options.epochs and not failures,
        True,
    )


async def arrival(options: Options) -> Row:
    """Everybody opens the lab within three seconds of its start, while a run trains: how long is the first page?"""
    if options.url:
        raise SystemExit("the row about an arrival has to start the app itself; leave --url out")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, ExitStack() as ending:
        store = ending.enter_context(closing(RunStore(Path(home))))
        step = catalogue.by_slug("a2-final-7758")
        recipe = replace(step.recipe, epochs=options.epochs)
        (run,) = submit(store, step.architecture, recipe, dataset=EMBEDDED, slug=step.slug, by=MACHINE)
        await until(lambda: store.get(run.id).status == "running", "the run trains")
        server: Server = await asyncio.to_thread(ending.enter_context, serving(Path(home), options.port))
        begun = time.perf_counter() - server.started
        app = App(server.address, server.home, server.process)
        async with AsyncExitStack() as stack:
            tabs = [await stack.enter_async_context(Tab(app.address)) for _ in range(options.sessions)]

            async def come(number: int, tab: Tab) -> float:
                await asyncio.sleep(number * ARRIVE_WITHIN / len(tabs))
                asked = time.perf_counter()
                await tab.open("/")
                return time.perf_counter() - asked

            with lateness() as late:
                seconds = await asyncio.gather(*(come(number, tab) for number, tab in enumerate(tabs)))
            ended, failures = stored(Path(home), run.id).status, failures_of(tabs)
    p50, p95 = at(seconds, 50), at(seconds, 95)
    return Row(
        f"{counted(tabs)} open the first page within {ARRIVE_WITHIN:.0f} s of the app's start: p50 / p95",
        f"{ARRIVAL_SECONDS[0]} / {ARRIVAL_SECONDS[1]} s",
        f"{p50:.2f} / {p95:.2f} s, the first {seconds[0]:.2f} s; the app answered {begun:.1f} s after its start, the "
        f"run was {ended} at the end, client late by {at(late, 95) * 1000:.0f} ms at p95{told(failures)}",
        not failures,
        p50 <= ARRIVAL_SECONDS[0] and p95 <= ARRIVAL_SECONDS[1],
    )


async def crowd(options: Options) -> Row:
    """Sessions that stay open on Start and on Train, a third after the other, and leave; then all of it once more."""
    most, rss, failures = options.sessions, list[float](), list[str]()
    async with the_app(options) as app:
        if app.process is None:
            raise SystemExit("the row about a crowd has to start the app itself; leave --url out")
        pid = app.process.pid
        async with Tab(app.address) as first:  # so that what is loaded once is loaded
            await first.open("/train")
        rss.append(memory_of(pid)[1])
        for _ in range(2):
            async with AsyncExitStack() as stack:
                for third in range(3):
                    share = most * (third + 1) // 3 - most * third // 3
                    tabs = [await stack.enter_async_context(Tab(app.address)) for _ in range(share)]
                    for number, tab in enumerate(tabs):
                        await tab.open("/train" if number % 2 else "/")
                    rss.append(memory_of(pid)[1])
                    failures.extend(failures_of(tabs))
            await asyncio.sleep(options.seconds)
            rss.append(memory_of(pid)[1])
    before, after = rss[4], rss[8]
    figures = " / ".join(f"{each:.0f}" for each in rss[:5])
    return Row(
        f"{most} sessions that stay open on Start and Train: RSS of the app in MB before, at a third, at two, at all, "
        f"{options.seconds:.0f} s after all have left",
        f"no more than {FLAT_MB} MB from one round to the next",
        f"{figures}; a second round {' / '.join(f'{each:.0f}' for each in rss[5:])}; "
        f"{1000 * (rss[3] - rss[0]) / most:.0f} kB a session{told(failures)}",
        not failures,
        after - before < FLAT_MB,
    )


ROWS: dict[str, Callable[[Options], Coroutine[Any, Any, Row]]] = {
    row.__name__: row for row in (panels, pages, start, memory, crowd, restart, arrival)
}


# --------------------------------------------------------------------------------------------- what visitors do


async def opened(stack: AsyncExitStack, app: App, count: int, *locations: str) -> list[Tab]:
    """That many tabs, opened at those locations in turn, ten a second."""
    tabs = [await stack.enter_async_context(Tab(app.address)) for _ in range(count)]

    async def open_one(number: int, tab: Tab) -> None:
        await asyncio.sleep(number / 10)
        await tab.open(locations[number % len(locations)])

    await asyncio.gather(*(open_one(number, tab) for number, tab in enumerate(tabs)))
    return tabs


async def shown_once(app: App) -> None:
    """One visitor looks at each page once, so that what the app computes only once is done."""
    async with Tab(app.address) as tab:
        await tab.open("/")
        for page in tab.pages:
            await tab.go(page.url_pathname)


async def _fill_in(tab: Tab, dataset: str, epochs: int) -> None:
    await tab.choose("Data set", dataset)
    await tab.choose("Epochs", epochs)


async def start_run(tab: Tab, dataset: str, epochs: int) -> str:
    """Start a run on the Train page; its id."""
    await _fill_in(tab, dataset, epochs)
    await tab.press("Start training")
    if not (run_id := tab.parameter("run")):
        raise ClientError(f"Start was pressed and no run is shown: {'; '.join(tab.failures)}")
    return run_id


async def _clicks(tab: Tab, seconds: float, chance: random.Random) -> list[tuple[str, Answer]]:
    """Click once in SECONDS_A_CLICK; what was clicked, and the answer to it."""
    await asyncio.sleep(chance.uniform(0, SECONDS_A_CLICK))
    end, due, answers = time.perf_counter() + seconds, time.perf_counter(), []
    while due < end:
        answers.append(await _click(tab, chance))
        due += SECONDS_A_CLICK
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return answers


async def _click(tab: Tab, chance: random.Random) -> tuple[str, Answer]:
    """Click on something of a Learn page: as often on the menu as on what the page itself offers."""
    learn = [page.url_pathname for page in tab.pages if page.section_header == "Learn"]
    offered = [each for each in tab.of_kind("selectbox", "button_group", "checkbox", "button") if _may_be_clicked(each)]
    if not offered or chance.random() < 0.4:
        there = chance.choice([path for path in learn if f"/{path}" != tab.path])
        return f"to /{there}", await tab.go(there)
    element = chance.choice(offered)
    where = f"{element.label} on {tab.path}"
    if element.kind == "button":
        return where, await tab.press(element.key or element.label)
    if element.kind == "checkbox":
        return where, await tab.choose(element.key or element.label, chance.random() < 0.5)
    return where, await tab.choose(element.key or element.label, chance.choice(options_of(element)))


def _may_be_clicked(element: Element) -> bool:
    """Not what waits for a form's button, nor a button that leads nowhere within the Learn pages."""
    message = element.message
    if getattr(message, "disabled", False) or getattr(message, "form_id", ""):
        return False
    return element.kind != "button" or element.label in ("Begin", "Next", "Back", "All lessons")


def panel_of(tab: Tab, run_id: str) -> str:
    """The ticking fragment that draws the run's live charts; "" before it is there."""
    ticking = tab.ticking()
    charts = [each for each in tab.of_kind("bidi_component") if each.key.endswith(run_id)]
    return next((each.fragment_id for each in charts if ticking.get(each.fragment_id) == 1.0), "")


def says(tab: Tab, words: str) -> bool:
    """Whether the page says that."""
    return any(words in text for text in tab.texts())


def progress(tab: Tab) -> str:
    """What the panel says of how far the run is."""
    return next((text for text in tab.texts() if "iteration" in text and "images/s" in text), "")


async def until(true: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait until it is. Raises ClientError."""
    end = time.perf_counter() + patience
    while not true():
        if time.perf_counter() > end:
            raise ClientError(f"waited {patience:g} s in vain until {what}")
        await asyncio.sleep(0.1)


# ----------------------------------------------------------------------------------------------- what is measured


@asynccontextmanager
async def the_app(options: Options) -> AsyncIterator[App]:
    """The app, started for this row in a folder of its own, or the one that is there already."""
    if options.url:
        yield App(options.url)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, ExitStack() as stack:
        server: Server = await asyncio.to_thread(stack.enter_context, serving(Path(home), options.port))
        yield App(server.address, server.home, server.process)


def stored(home: Path, run_id: str) -> Run:
    """The run as the store has it."""
    store = RunStore(home)
    try:
        return store.get(run_id)
    finally:
        store.close()


async def _all_finished(home: Path, shown: Counter[str], people: int) -> list[str]:
    """Wait until the queue is empty; whatever is not as it should be with the runs in the store."""
    store = RunStore(home)
    try:
        await until(lambda: not store.runs(limit=1, statuses=("queued", "running")), "the queue is empty")
        runs = store.runs(limit=10 * people)
        wrong = [f"run {run.id} of {run.owner} is {run.status}" for run in runs if run.status != "finished"]
        wrong += [f"{who} has {n} runs" for who, n in Counter(run.owner for run in runs).items() if n > 1]
        wrong += [f"run {run.id} is shown to nobody" for run in runs if run.id not in shown]
        wrong += [f"run {run_id} is shown and not stored" for run_id in set(shown) - {run.id for run in runs}]
        return wrong
    finally:
        store.close()


def epochs_of(home: Path, run_id: str) -> int:
    """How many epochs of the run the store has."""
    store = RunStore(home)
    try:
        return len(store.epochs(run_id))
    finally:
        store.close()


def memory_of(pid: int) -> tuple[float, float]:
    """A process's memory in MB: its share of what is shared (PSS), and with all of that (RSS). Linux."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return kilobytes["Pss"] * 1024 / 1e6, kilobytes["Rss"] * 1024 / 1e6


def busy_seconds(app: App) -> float:
    """Processor seconds that the app's process has used so far; not a number where it is not ours. Linux."""
    if app.process is None:
        return float("nan")
    fields = Path(f"/proc/{app.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def lateness() -> Iterator[list[float]]:
    """By how many seconds this process is late, sampled ten times a second: what it adds to the figures, at most."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            due = time.perf_counter() + 0.1
            await asyncio.sleep(0.1)
            late.append(time.perf_counter() - due)

    task = asyncio.create_task(watch())
    try:
        yield late
    finally:
        task.cancel()


def at(values: Sequence[float], percent: float) -> float:
    """A percentile; infinite of nothing, which then misses every target."""
    return float(np.percentile(values, percent)) if values else float("inf")


def failures_of(tabs: Sequence[Tab]) -> list[str]:
    """Every exception and error that was shown to anyone."""
    return [each for tab in tabs for each in tab.failures]


def told(wrong: Sequence[str]) -> str:
    """The first of what went wrong, and of how many."""
    return f"; **{len(wrong)} went wrong**, first: {' '.join(wrong[0].split())[:200]}" if wrong else ""


def counted(tabs: Sequence[Tab]) -> str:
    """`30 sessions`."""
    return f"{len(tabs)} session{'' if len(tabs) == 1 else 's'}"


def machine() -> str:
    """Versions and machine, for the table's last column."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("streamlit", "torch"))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    except OSError:
        models = []
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    cores = f"{os.cpu_count()} cores, {models[0] if models else platform.machine()}"
    return f"Python {platform.python_version()}, {libraries}, {cores}, load {busy:.1f} before"


async def _until_told_to_end(row: Coroutine[Any, Any, Row]) -> Row:
    """The row; ended by a signal, it ends the app and its workers too."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await row


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that are named; 1 if one misses its target."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="What the app bears.")
    parser.add_argument("rows", nargs="*", choices=[*ROWS, "all"], default="all", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--sessions", type=int, default=Options.sessions)
    parser.add_argument("--seconds", type=float, default=Options.seconds, help="of watching or clicking")
    parser.add_argument("--views", type=int, default=Options.views, help="for the row about memory")
    parser.add_argument("--epochs", type=int, default=Options.epochs, help="of the run that goes on through a restart")
    parser.add_argument("--port", type=int, default=0, help="of the app that is started; any free one by default")
    parser.add_argument("--url", default="", help="of an app that runs already, for panels, pages and start")
    parser.add_argument("--seed", type=int, default=Options.seed)
    given = parser.parse_args(arguments)
    names = list(ROWS) if "all" in given.rows else given.rows
    options = Options(given.sessions, given.seconds, given.views, given.epochs, given.port, given.url, given.seed)
    print("| what | reach | measured | reached | on |\n|---|---|---|---|---|", flush=True)
    missed = False
    for name in names:
        on = machine()
        try:
            row = asyncio.run(_until_told_to_end(ROWS[name](options)))
        except ClientError as error:
            row = Row(name, "", f"gave up: {error}", False, False)
        except asyncio.CancelledError:
            return 143  # what a shell says of a process that SIGTERM ended
        missed |= not row.reached
        verdict = "yes" if row.reached else "**no**"
        print(f"| {row.what} | {row.reach} | {row.measured} | {verdict} | {on} |", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
