"""Whether the app, the store of runs, its workers, the device and the data work: for people, and for a monitor.

Each part is examined without changing anything: no store is made or brought up to date, no worker started, no torch
imported. `python -m lab health` says what was found; the app's /health says only which part is well and which is not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import sqlite3
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from http.client import HTTPException
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from core.data.mnist import EMBEDDED, data_root, is_present, load_split
from core.errors import DataError, SettingsError
from core.files import reason, remove_inside
from core.record import Json
from core.words import plural
from lab.runs.damage import damaged_in, text_of
from lab.runs.database import APPLICATION_ID, FILE_NAME, GO_ON, MIGRATIONS, identity_of, is_gone
from lab.runs.leases import silent_for
from lab.runs.machine import read_machine
from lab.runs.supervisor import STALE_SECONDS, STARTING_SECONDS
from lab.settings import ROOT, lab_home, settings

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

LEAST_FREE_BYTES = 500_000_000  # below this, checkpoints and the store's log may soon not fit
PATIENCE = 2.0  # seconds to wait for a lock, for the app's answer and for the cluster's
FRESH_SECONDS = 1.0  # for which an answer of /health is given again
LONGEST_SECONDS = 10.0  # that /health waits for a look at the parts, such as one at a disk that hangs
RUNS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
CONFIGURATION = ROOT / ".streamlit" / "config.toml"

PartName = Literal["app", "store", "worker", "device", "data", "cluster"]

log = logging.getLogger("lab.server.health")


@dataclass(frozen=True)
class Finding:
    """What was found of one part, in one sentence."""

    part: PartName
    well: bool
    sentence: str


@dataclass(frozen=True)
class Health:
    """The findings of all parts."""

    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        """Whether all parts are."""
        return all(finding.well for finding in self.findings)

    def to_json(self) -> dict[str, Json]:
        """Everything that was found, for the command line."""
        parts: dict[str, Json] = {each.part: {"well": each.well, "sentence": each.sentence} for each in self.findings}
        return {"well": self.well, "parts": parts}

    def verdicts(self) -> dict[str, bool]:
        """Which part is well and which is not, and nothing else: for anybody who can reach the server."""
        return {"well": self.well} | {finding.part: finding.well for finding in self.findings}


def examine(app: Finding, home: Path, now: float) -> Health:
    """The health of all parts; the caller gives the app's own. `now`: seconds since 1970."""
    store, seen = look_at_store(home, now)
    findings = [app, store, look_at_worker(seen, now), look_at_device(home, now), look_at_data()]
    try:
        address = settings().ray_address
    except SettingsError as error:
        findings[0] = replace(app, well=False, sentence=str(error))
        return Health(tuple(findings))
    return Health((*findings, look_at_cluster(address)) if address else tuple(findings))


# ----------------------------------------------------------------------------------------------------------------- app


def app_address(configuration: Path = CONFIGURATION) -> str:
    """Where the app listens, as its configuration and the environment say, without loading Streamlit."""
    try:
        server = tomllib.loads(configuration.read_text(encoding="utf-8")).get("server", {})
    except (OSError, ValueError):  # then the app, too, goes by its defaults
        server = {}
    host = os.environ.get("STREAMLIT_SERVER_ADDRESS") or server.get("address", "localhost")
    port = os.environ.get("STREAMLIT_SERVER_PORT") or server.get("port", 8501)
    host = "localhost" if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def look_at_app(address: str) -> Finding:
    """Whether the app answers at its address, an http:// or https:// one."""
    began = time.perf_counter()
    try:
        if urlsplit(address).scheme not in ("http", "https"):
            raise ValueError("give an address that begins with http:// or https://")
        with urllib.request.urlopen(f"{address.rstrip('/')}/_stcore/health", timeout=PATIENCE) as answer:
            answer.read(100)
    except urllib.error.HTTPError as error:
        return Finding("app", False, f"the app at {address} answers with status {error.code}")
    except (OSError, ValueError, HTTPException) as error:  # refused, no address, no answer of HTTP's
        why = getattr(error, "reason", error)
        return Finding("app", False, f"nothing answers at {address}: {why}")
    return Finding("app", True, f"answers at {address} in {(time.perf_counter() - began) * 1e3:.0f} ms")


# --------------------------------------------------------------------------------------------------------------- store


@dataclass(frozen=True)
class Seen:
    """What the store says of its runs and workers. Moments are seconds since 1970."""

    queued: int = 0
    running: int = 0
    queued_since: float | None = None  # of the run that has waited longest
    oldest_heartbeat: float | None = None  # of the running runs
    slots: tuple[tuple[str, float], ...] = ()  # device and heartbeat of each worker
    paused: bool = False  # the teacher holds the queue
    damaged: int = 0  # runs that are damaged, or were set aside for that within the last day


def look_at_store(home: Path, now: float) -> tuple[Finding, Seen | None]:
    """Whether the store of runs opens and can be written, and what it says; None where it cannot be read."""
    unwell = partial(Finding, "store", False)
    if not home.is_dir():
        return Finding("store", True, f"there is none yet: {home} is made with the first page or run"), Seen()
    try:
        _try_writing(home)
        free = shutil.disk_usage(home).free
    except OSError as error:
        return unwell(f"{home}: nothing can be written there: {reason(error)}"), None
    file = home / FILE_NAME
    if is_gone(file):
        return unwell(f"{file} is gone: this home had a store of runs; {GO_ON}"), None
    if not (file.exists() and file.stat().st_size):  # it is made just now
        return Finding("store", True, f"{file} is made with the first page or run; {_bytes(free)} free"), Seen()
    try:
        version, runs, seen = _read(file, now)
    except UnicodeDecodeError:  # SQLite quotes what it found in a message of its own
        return unwell(f"{file}: it is damaged"), None
    except sqlite3.Error as error:
        return unwell(f"{file}: {error}"), None
    if version > len(MIGRATIONS):
        return unwell(f"{file}: version {version}, and this lab reads up to version {len(MIGRATIONS)}"), None
    if seen.damaged:
        aside = f"{plural(seen.damaged, 'run')} found damaged within the last day, and set aside"
        return unwell(f"{file}: {aside}; see the pages of runs, and the disk"), seen
    if free < LEAST_FREE_BYTES:
        return unwell(f"{home}: {_bytes(free)} free, at least {_bytes(LEAST_FREE_BYTES)} are needed"), seen
    size = sum(path.stat().st_size for path in home.glob(f"{FILE_NAME}*"))
    beats = "" if seen.oldest_heartbeat is None else f" (last heard of {_span(now, seen.oldest_heartbeat)} ago)"
    counted = f"{plural(runs, 'run')}, {seen.running} running{beats}, {seen.queued} queued"
    whole = f"version {version}, {_bytes(size)}, {counted}; {_bytes(free)} free in {home}"
    return Finding("store", True, whole), seen


def _try_writing(home: Path) -> None:
    """Write a file and take it away again. Raises OSError."""
    probe = home / f".health.{os.getpid()}"  # swept like other temporary files, should it stay
    try:
        probe.write_bytes(b"well?" * 1000)
    finally:
        remove_inside(home, probe)


def _read(file: Path, now: float) -> tuple[int, int, Seen]:
    """The store's version, how many runs it has, and what it says of them. Raises sqlite3.Error."""
    uri = f"{file.absolute().as_uri()}?mode=rw"  # never made here; and reading alone could not open the log
    with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)) as connection:
        connection.row_factory, connection.text_factory = sqlite3.Row, text_of
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise sqlite3.DatabaseError("this is not a store of runs")
        connection.execute("BEGIN IMMEDIATE")  # take the write lock for a moment, to see that it can be taken
        runs, queued, running, since, beat = connection.execute(RUNS).fetchone()
        slots = connection.execute("SELECT device, heartbeat FROM workers ORDER BY heartbeat DESC").fetchall()
        has_class = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'class'").fetchone()  # version 4
        held = has_class and connection.execute("SELECT value FROM class WHERE name = 'queue_paused'").fetchone()
        aside = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'set_aside'").fetchone()  # version 8
        connection.execute("ROLLBACK")
        damaged = len(damaged_in(connection)) if aside else 0
        if aside:
            recent = "SELECT count(*) FROM set_aside WHERE abs(? - found) < 86400"
            damaged += connection.execute(recent, (now,)).fetchone()[0]
    beats = tuple((str(each["device"]), each["heartbeat"]) for each in slots if isinstance(each["heartbeat"], float))
    return (
        version,
        runs,
        Seen(int(queued), int(running), _number(since), _number(beat), beats, bool(held and held[0]), damaged),
    )


def _number(value: object) -> float | None:
    """A moment; None where there is none, or a damaged row has something else there."""
    return value if isinstance(value, int | float) else None


# -------------------------------------------------------------------------------------------------------------- worker


def look_at_worker(seen: Seen | None, now: float) -> Finding:
    """Whether what waits has a worker, and what runs shows life."""
    if seen is None:
        return Finding("worker", False, "nothing is known: the store of runs cannot be read")
    if seen.oldest_heartbeat is not None and silent_for(seen.oldest_heartbeat, now) > STALE_SECONDS:
        heard = f"a running run was last heard of {_span(now, seen.oldest_heartbeat)} ago"
        return Finding("worker", False, f"{heard}, at most {STALE_SECONDS:.0f} s are usual")
    alive = [(device, beat) for device, beat in seen.slots if silent_for(beat, now) <= STALE_SECONDS]
    if alive:
        devices = ", ".join(f"{device} (heartbeat {_span(now, beat)} ago)" for device, beat in alive)
        return Finding("worker", True, f"{'busy' if seen.running else 'ready'} on {devices}")
    if seen.running:  # trained from the command line, by a process without a slot
        return Finding("worker", True, f"{seen.running} running, each heard of within {STALE_SECONDS:.0f} s")
    if not seen.queued:
        return Finding("worker", True, "none is needed: nothing waits")
    if seen.paused:
        return Finding("worker", True, f"none is needed: the teacher holds the queue of {seen.queued}")
    waited = 0.0 if seen.queued_since is None else silent_for(seen.queued_since, now)
    last = f", the last heartbeat was {_span(now, seen.slots[0][1])} ago" if seen.slots else ""
    if waited < STARTING_SECONDS:
        return Finding("worker", True, f"{seen.queued} queued, and a worker is given {STARTING_SECONDS:.0f} s to start")
    return Finding("worker", False, f"{seen.queued} queued, the first for {waited:,.0f} s, and no worker lives{last}")


# ------------------------------------------------------------------------------------------------ device, data, cluster


def look_at_device(home: Path, now: float) -> Finding:
    """What the last worker found on this machine, and that torch is still the one it was found with."""
    try:
        installed = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Finding("device", False, "torch is not installed: pip install -r requirements.txt")
    machine = read_machine(home)
    if machine is None:
        return Finding("device", True, f"known once a worker has started; torch {installed} is installed")
    if not machine.devices:
        return Finding("device", False, "the last worker found no device")
    threads = plural(machine.threads, "thread")
    found = f"{', '.join(machine.names)}; torch {installed}, {threads}"
    return Finding("device", True, ". ".join((found, *machine.unused)).rstrip("."))


def look_at_data() -> Finding:
    """Whether MNIST is there and whole: its files are read once, and again when one has changed."""
    folder = data_root() / "MNIST" / "raw"
    if not is_present("MNIST"):
        missing = f"MNIST is not in {data_root()}, the {EMBEDDED} are used instead: python -m lab data --download"
        return Finding("data", False, missing)
    try:
        files = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir())
        counts = _counts(folder, tuple(files))
    except (DataError, OSError) as error:
        return Finding("data", False, str(error))
    return Finding("data", True, f"MNIST, {counts[0]:,} + {counts[1]:,} images, checked, in {data_root()}")


@lru_cache(maxsize=2)
def _counts(folder: Path, files: tuple[tuple[str, int, int], ...]) -> tuple[int, int]:
    """Images of both splits, whose content is compared with known hashes. Raises DataError, and is then asked again."""
    return len(load_split("MNIST", "train")), len(load_split("MNIST", "test"))


def look_at_cluster(address: str) -> Finding:
    """Whether something listens at the cluster's address, where it names a port."""
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return Finding("cluster", False, f"LAB_RAY_ADDRESS is {address}: {error}")
    if not host or not port:
        return Finding("cluster", True, f"runs go to Ray at {address}, which is looked for when one starts")
    try:
        with socket.create_connection((host, port), timeout=PATIENCE):
            return Finding("cluster", True, f"runs go to Ray at {address}, which can be reached")
    except OSError as error:
        return Finding("cluster", False, f"runs go to Ray at {address}, which cannot be reached: {error}")


def _span(now: float, moment: float) -> str:
    seconds = silent_for(moment, now)
    for unit, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"


def _bytes(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.1f} MB"


# ------------------------------------------------------------------------------------------------------- the endpoint


class Watch:
    """Looks at the parts at most once a second, however many ask, and says in the log what changes."""

    def __init__(self, look: Callable[[], Health]) -> None:
        self._look = look
        self._began = 0.0
        self._task: asyncio.Task[Health] | None = None
        self._unwell: frozenset[PartName] = frozenset()

    async def health(self) -> Health | None:
        """The latest findings, made in a thread; None where that takes too long, such as on a disk that hangs."""
        if self._task is None or (self._task.done() and time.monotonic() - self._began > FRESH_SECONDS):
            self._began = time.monotonic()
            self._task = asyncio.create_task(asyncio.to_thread(self._looked))
        try:
            return await asyncio.wait_for(asyncio.shield(self._task), LONGEST_SECONDS)
        except TimeoutError:
            return None

    def _looked(self) -> Health:
        health = self._look()
        unwell = frozenset(finding.part for finding in health.findings if not finding.well)
        for finding in health.findings:
            if finding.part in unwell ^ self._unwell:
                state = "well again" if finding.well else "not well"
                log.warning("%s is %s: %s", finding.part, state, finding.sentence)
        self._unwell = unwell
        return health


_first: dict[Path, tuple[int, int]] = {}  # which file of that name this process saw first


def is_replaced(file: Path) -> bool:
    """Whether the store's file is another than the one that this process saw first: it was swapped under the app."""
    now = identity_of(file)
    return now is not None and _first.setdefault(file, now) != now


def of_this_app(started: float) -> Health:
    """The health that the running app reports: by answering, it is well itself. `started`: seconds since 1970."""
    now, file = time.time(), lab_home() / FILE_NAME
    found = examine(Finding("app", True, f"has answered for {_span(now, started)}"), lab_home(), now)
    if not is_replaced(file):
        return found
    swapped = f"{file} is another file than when the app started: end the app and its workers, and start them again"
    return Health(
        tuple(replace(each, well=False, sentence=swapped) if each.part == "store" else each for each in found.findings)
    )


def routes() -> list[BaseRoute]:
    """GET /health: 200 where all is well, else 503, and which part is not. Says nothing else of the server."""
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    is_replaced(lab_home() / FILE_NAME)
    watch = Watch(partial(of_this_app, time.time()))

    async def answer(request: Request) -> Response:
        health = await watch.health()
        verdicts = health.verdicts() if health else {"well": False}
        return JSONResponse(verdicts, 200 if verdicts["well"] else 503, headers={"Cache-Control": "no-store"})

    return [Route("/health", answer, methods=["GET"])]
