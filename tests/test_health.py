"""Health: one sentence for each part with its figures, found without changing anything; and what a monitor is told."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from core.data.mnist import EMBEDDED
from lab.cli.parser import main
from lab.runs.database import FILE_NAME, MIGRATIONS
from lab.runs.machine import Machine, write_machine
from lab.runs.store import RunStore
from lab.server import health
from lab.server.health import (
    Finding,
    Health,
    Seen,
    Watch,
    app_address,
    examine,
    look_at_data,
    look_at_store,
    look_at_worker,
)
from lab.settings import settings
from tests.made_runs import made_run
from tests.patience import patient

ROOT = Path(__file__).resolve().parents[1]
APP = Finding("app", True, "answers")
NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_RAY_ADDRESS", raising=False)
    settings.cache_clear()


def queued(store: RunStore) -> None:
    run = made_run(store, [0.9], status="stopped")
    store.resume(run.id)


# --------------------------------------------------------------------------------------------------------------- parts


def test_a_home_that_is_not_there_yet_is_well_and_is_not_made(tmp_path: Path) -> None:
    finding, seen = look_at_store(tmp_path / "none", NOW)
    assert finding.well
    assert seen == Seen()
    assert not (tmp_path / "none").exists()


def test_the_store_tells_its_version_and_how_many_runs_are_where(home: Path) -> None:
    store = RunStore(home)
    made_run(store, [0.9], status="finished")
    made_run(store, [0.9], status=None)
    queued(store)
    finding, seen = look_at_store(home, time.time())
    assert finding.well, finding.sentence
    assert f"version {len(MIGRATIONS)}, " in finding.sentence
    assert "3 runs, 1 running (last heard of 0." in finding.sentence
    assert "1 queued; " in finding.sentence
    assert "GB free" in finding.sentence or "MB free" in finding.sentence
    assert seen is not None
    assert (seen.running, seen.queued) == (1, 1)


def test_looking_changes_no_byte_of_the_store_and_leaves_no_file(home: Path) -> None:
    store = RunStore(home)  # open, as the app has it: the log is not folded into the file meanwhile
    made_run(store, [0.9])
    before = {path.name: path.read_bytes() for path in home.iterdir() if not path.name.endswith("-shm")}
    examine(APP, home, time.time())
    assert {path.name: path.read_bytes() for path in home.iterdir() if not path.name.endswith("-shm")} == before
    store.close()


def test_a_store_of_an_older_version_is_read_and_not_brought_up_to_date(home: Path) -> None:
    with closing(sqlite3.connect(home / FILE_NAME)) as old:
        for statements in MIGRATIONS[:3]:
            for statement in statements:
                old.execute(statement)
        old.execute("PRAGMA user_version = 3")
        old.execute(f"PRAGMA application_id = {health.APPLICATION_ID}")
    finding, _ = look_at_store(home, NOW)
    assert finding.well, finding.sentence
    assert finding.sentence.startswith("version 3, ")


def test_a_file_that_is_no_store_is_said_with_its_name(home: Path) -> None:
    (home / FILE_NAME).write_bytes(b"no database" * 100)
    finding, seen = look_at_store(home, NOW)
    assert not finding.well
    assert finding.sentence == f"{home / FILE_NAME}: file is not a database"
    assert seen is None
    assert not look_at_worker(seen, NOW).well


def test_a_store_of_a_newer_lab_is_not_well(home: Path) -> None:
    RunStore(home).close()
    with closing(sqlite3.connect(home / FILE_NAME)) as store:
        store.execute("PRAGMA user_version = 99")
    assert f"version 99, and this lab reads up to version {len(MIGRATIONS)}" in look_at_store(home, NOW)[0].sentence


def test_a_store_that_another_keeps_locked_is_not_well(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.1)
    RunStore(home).close()
    with closing(sqlite3.connect(home / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert look_at_store(home, NOW)[0].sentence.endswith("database is locked")
        other.execute("ROLLBACK")
    assert look_at_store(home, NOW)[0].well


def test_a_home_in_which_nothing_can_be_written_is_not_well(home: Path) -> None:
    RunStore(home).close()
    (home / f".health.{health.os.getpid()}").mkdir()  # in the way of the probe: an error that root meets too
    finding, _ = look_at_store(home, NOW)
    assert not finding.well
    assert finding.sentence.startswith(f"{home}: nothing can be written there: ")


def test_a_disk_that_is_nearly_full_is_not_well(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RunStore(home).close()
    monkeypatch.setattr(health, "LEAST_FREE_BYTES", shutil.disk_usage(home).total * 2)
    assert "free, at least" in look_at_store(home, NOW)[0].sentence


@pytest.mark.parametrize(
    ("seen", "well", "sentence"),
    [
        (Seen(), True, "none is needed: nothing waits"),
        (Seen(slots=(("cpu", NOW - 0.5),)), True, "ready on cpu (heartbeat 0.5 s ago)"),
        (Seen(running=1, oldest_heartbeat=NOW, slots=(("cpu", NOW - 1),)), True, "busy on cpu (heartbeat 1.0 s ago)"),
        (Seen(running=1, oldest_heartbeat=NOW - 600), False, "a running run was last heard of 10 min ago, at most 15"),
        (Seen(running=1, oldest_heartbeat=NOW + 600), False, "last heard of 10 min"),  # the clock was set back
        (Seen(running=2, oldest_heartbeat=NOW - 1), True, "2 running, each heard of within 15 s"),
        (Seen(queued=3, queued_since=NOW - 2), True, "3 queued, and a worker is given 20 s to start"),
        (Seen(queued=3, queued_since=NOW - 90), False, "3 queued, the first for 90 s, and no worker lives"),
        (Seen(queued=1, queued_since=NOW - 90, slots=(("cpu", NOW - 9000),)), False, "the last heartbeat was 2 h ago"),
        (Seen(queued=3, queued_since=NOW - 90, paused=True), True, "the teacher holds the queue of 3"),
    ],
)
def test_a_worker_is_missed_only_where_one_is_needed(seen: Seen, well: bool, sentence: str) -> None:
    finding = look_at_worker(seen, NOW)
    assert finding.well == well
    assert sentence in finding.sentence


def test_the_device_is_the_one_that_the_last_worker_found(home: Path) -> None:
    assert "known once a worker has started" in health.look_at_device(home, NOW).sentence
    write_machine(Machine(("cuda", "cpu"), ("cuda: NVIDIA H200", "cpu"), "2.13.0", 16), home)
    finding = health.look_at_device(home, NOW)
    assert finding.well
    assert finding.sentence.startswith("cuda: NVIDIA H200, cpu; torch 2.")


def test_missing_data_say_what_stands_in_for_them_and_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    finding = look_at_data()
    assert not finding.well
    assert EMBEDDED in finding.sentence
    assert "python -m lab data --download" in finding.sentence


def test_data_are_checked_again_when_a_file_has_changed(
    mnist_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "MNIST" / "raw"
    copy.mkdir(parents=True)
    for path in mnist_raw.iterdir():
        if "ubyte" in path.name:
            shutil.copy(path, copy)
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    assert "60,000 + 10,000 images, checked" in look_at_data().sentence
    labels = next(copy.glob("t10k-labels*"))
    labels.write_bytes(labels.read_bytes()[:-1])
    finding = look_at_data()
    assert not finding.well
    assert labels.name.removesuffix(".gz") in finding.sentence


def test_the_cluster_is_named_where_one_is_set_and_is_well_where_something_listens() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert health.look_at_cluster(f"127.0.0.1:{port}").well
        assert health.look_at_cluster(f"ray://127.0.0.1:{port}").well
    assert "cannot be reached" in health.look_at_cluster(f"127.0.0.1:{port}").sentence
    assert health.look_at_cluster("auto").well
    assert not health.look_at_cluster("127.0.0.1:port").well


def test_a_part_for_the_cluster_is_there_only_with_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [finding.part for finding in examine(APP, home, NOW).findings] == [
        *("app", "store", "worker", "device", "data"),
    ]
    monkeypatch.setenv("LAB_RAY_ADDRESS", "auto")
    settings.cache_clear()
    assert examine(APP, home, NOW).findings[-1].part == "cluster"


def test_a_setting_that_cannot_be_used_is_said_of_the_app(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_MOST_EPOCHS", "many")
    settings.cache_clear()
    assert "LAB_MOST_EPOCHS" in examine(APP, home, NOW).findings[0].sentence


# -------------------------------------------------------------------------------------------------------- command line


def test_the_apps_address_is_that_of_its_configuration_unless_the_environment_says_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app_address() == "http://localhost:8501"
    file = tmp_path / "config.toml"
    file.write_text('[server]\naddress = "0.0.0.0"\nport = 8600\n')
    assert app_address(file) == "http://localhost:8600"
    monkeypatch.setenv("STREAMLIT_SERVER_PORT", "8700")
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "::1")
    assert app_address(file) == "http://[::1]:8700"
    assert app_address(tmp_path / "none.toml") == "http://[::1]:8700"


class Answering(BaseHTTPRequestHandler):
    """Says ok to Streamlit's own health check, as the app does."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_stcore/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the tests' output is not a log."""


def test_the_command_exits_with_0_where_all_is_well_and_1_where_not(
    home: Path, mnist_raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert main(["health", "--json", "--app", address]) == 0
        server.shutdown()
    document = json.loads(capsys.readouterr().out)
    assert document["well"] is True
    assert document["parts"]["app"]["sentence"].startswith(f"answers at {address} in ")
    assert main(["health", "--json", "--app", address]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["parts"]["app"]["well"] is False
    assert shown.err == "python -m lab health: not well: app\n"


@pytest.mark.parametrize("address", ["ftp://localhost", "http://localhost:port", "localhost", "file:///etc/hostname"])
def test_an_address_that_is_none_is_said(address: str) -> None:
    assert health.look_at_app(address).sentence.startswith(f"nothing answers at {address}: ")


def test_health_is_looked_at_without_torch_and_streamlit() -> None:
    code = (
        "import sys\nfrom lab.__main__ import main\nmain(['health'])\nprint({'torch', 'streamlit'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


# ------------------------------------------------------------------------------------------------------------ endpoint


@contextmanager
def served() -> Iterator[str]:
    """The address of a server with the routes of health, in a thread."""
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=health.routes()), log_level="error"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(patient(10))


def asked(request: str | urllib.request.Request) -> tuple[int, str, str]:
    """The status, the body and what is said of keeping it."""
    try:
        with urllib.request.urlopen(request, timeout=patient(20)) as answer:
            return answer.status, answer.read().decode(), answer.headers["cache-control"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers.get("cache-control", "")


def test_the_endpoint_says_which_part_is_well_and_nothing_of_the_server(home: Path, mnist_raw: Path) -> None:
    RunStore(home).close()
    with served() as address:
        status, body, keeping = asked(f"{address}/health")
        assert status == 200, body
        assert json.loads(body) == dict.fromkeys(("well", "app", "store", "worker", "device", "data"), True)
        assert keeping == "no-store"
        assert asked(urllib.request.Request(f"{address}/health", method="POST"))[0] == 405


def test_the_endpoint_answers_503_and_the_log_says_why_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    (home / FILE_NAME).write_bytes(b"no database")
    with served() as address:
        for _ in range(3):
            status, body, _ = asked(f"{address}/health")
            assert status == 503
            assert str(home) not in body
            assert json.loads(body)["store"] is False
    assert len([record for record in caplog.records if "store is not well" in record.message]) == 1


def test_however_many_ask_the_parts_are_looked_at_once_while_the_server_goes_on_with_other_things() -> None:
    looks, other_things = [], threading.Event()

    def look() -> Health:
        looks.append(other_things.wait(patient(30)))  # ends only when the loop gets to do something else
        return Health((APP,))

    async def ask() -> None:
        watch = Watch(look)
        everybody = asyncio.gather(*(watch.health() for _ in range(100)))
        await asyncio.sleep(0)
        other_things.set()
        assert all(found is not None and found.well for found in await everybody)
        assert await watch.health() is not None

    asyncio.run(ask())
    assert looks == [True]


def test_a_look_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LONGEST_SECONDS", 0.05)

    given_up = threading.Event()

    def hang() -> Health:
        given_up.wait(patient(30))
        return Health((APP,))

    async def ask() -> Health | None:
        found = await Watch(hang).health()
        given_up.set()
        return found

    assert asyncio.run(ask()) is None


def test_a_look_costs_less_than_20_ms_of_the_processor(home: Path, mnist_raw: Path) -> None:
    store = RunStore(home)
    for _ in range(20):
        made_run(store, [0.9])
    examine(APP, home, time.time())  # reads the data, once
    times = []
    for _ in range(10):
        began = time.process_time()
        examine(APP, home, time.time())
        times.append(time.process_time() - began)
    assert min(times) < 0.02
