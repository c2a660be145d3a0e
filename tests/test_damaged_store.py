"""One flipped byte: the damaged run is set aside and said, everything else works, and the supervisor lives on."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from core.challenge import CHALLENGE
from core.data.mnist import EMBEDDED
from core.errors import LabError
from lab.runs import supervisor
from lab.runs.expectation import expected
from lab.runs.queue_now import queue_now
from lab.runs.rows import Run
from lab.runs.store import RunStore
from lab.server.backup import backup, restore
from lab.server.health import look_at_store
from lab.studies.entries import menu, of_runs
from lab.studies.ranking import standings
from tests.made_runs import made_run
from tests.test_learn_pages import opened
from tests.test_worker import queued

pytestmark = pytest.mark.own_data


@pytest.fixture
def store(home: Path) -> RunStore:
    return RunStore(home)


def class_of_runs(store: RunStore) -> dict[str, Run]:
    """One of each status that matters here."""
    ended = made_run(store, [0.9, 0.95], dataset=EMBEDDED)
    running = made_run(store, [0.9], dataset=EMBEDDED, status=None)
    return {"finished": ended, "running": running, "queued": queued(store)}


@contextmanager
def untyped(store: RunStore) -> Iterator[sqlite3.Connection]:
    """A connection that writes what no statement of the lab's could: as a flipped byte would, past types and checks."""
    with closing(sqlite3.connect(store.file, isolation_level=None)) as connection:
        laid_out = connection.execute("SELECT sql, name FROM sqlite_schema WHERE type = 'table'").fetchall()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), 'STRICT', '') WHERE type = 'table'"
        )
        connection.execute("PRAGMA writable_schema = RESET")
    with closing(sqlite3.connect(store.file, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        yield connection
        connection.execute("PRAGMA writable_schema = ON")
        connection.executemany("UPDATE sqlite_schema SET sql = ? WHERE name = ?", laid_out)
        connection.execute("PRAGMA writable_schema = RESET")


def damage(store: RunStore, run: Run, column: str, value: str) -> None:
    """Write that value into one column of a run."""
    with untyped(store) as connection:
        connection.execute(f"UPDATE runs SET {column} = {value} WHERE id = ?", (run.id,))


def looks(store: RunStore) -> list[Callable[[], object]]:
    """What Train, Queue, Board and Compare read, and what supervisor and workers do."""
    return [
        lambda: store.entries(),
        lambda: store.runs(),
        lambda: [store.job(each.job) for each in store.runs()],
        lambda: store.last_epochs([each.id for each in store.runs()]),
        lambda: store.names(),
        lambda: expected(store),
        lambda: queue_now(store, expected(store)),
        lambda: menu(store),
        lambda: standings(store.entries(), lambda run: tuple(store.epochs(run.id)), CHALLENGE),
        lambda: [store.batches(each.id) for each in store.runs()],
        lambda: store.slots(),
        lambda: store.kept("ada", "work"),
        lambda: store.damaged_runs(),
        lambda: store.claim(["cpu"], "w9"),
        lambda: store.recover(1e9),
    ]


DAMAGES = {
    "no UTF-8 in its name": ("name", "CAST(x'74ff' AS TEXT)", "its name has bytes that are no UTF-8"),
    "no UTF-8 in its recipe": ("recipe", "CAST(x'7bff7d' AS TEXT)", "its recipe has bytes that are no UTF-8"),
    "garbage for an architecture": ("architecture", "'{\"name\": '", "its architecture is no JSON"),
    "no network": ("architecture", "'[]'", "its architecture is no JSON object"),
    "no number for its seed": ("seed", "'one'", "its seed is 'one', not a whole number"),
    "none where one must be": ("parameters", "NULL", "its parameters is None, not a whole number"),
    "a text for a moment": ("created", "'today'", "its created is 'today', not a number"),
    "a moment far away": ("heartbeat", "1e300", "its heartbeat is 1e+300, which is no moment"),
    "bytes for a text": ("owner", "x'00ff'", "its owner is b'\\x00\\xff', not text"),
    "another status": ("status", "'finisied'", "its status is 'finisied', not one of "),
    "rates that are none": ("rate_changes", "'[[1]]'", "its rate_changes is no list of pairs"),
    "a result that is none": ("result", "'{'", "its result is no JSON"),
}


CASES = [("queued", *each) for each in DAMAGES.values()]
CASES += [(which, *DAMAGES["no UTF-8 in its name"]) for which in ("finished", "running")]


@pytest.mark.parametrize(("which", "column", "value", "reason"), CASES)
def test_a_damaged_run_is_set_aside_in_one_sentence_and_all_others_are_there(
    which: str, column: str, value: str, reason: str, store: RunStore
) -> None:
    runs = class_of_runs(store)
    damage(store, runs[which], column, value)
    for look in looks(store):
        look()
    assert {each.id for each in store.runs()} == {run.id for name, run in runs.items() if name != which}
    (aside,) = store.damaged_runs()
    assert aside.sentence.startswith(f"Run {runs[which].id} is damaged and was set aside: {reason}")
    assert aside.sentence.endswith("; its row is kept in the table set_aside.")
    assert aside.sentence.count("\n") == 0
    with pytest.raises(LabError, match="is damaged and was set aside"):
        store.get(runs[which].id)
    assert len(store.epochs(runs[which].id)) == {"finished": 2, "running": 1, "queued": 0}[which], "its figures stay"
    assert not look_at_store(store.folder, aside.found)[0].well


def test_what_is_json_but_no_network_stands_in_nobodys_way(store: RunStore) -> None:
    runs = class_of_runs(store)
    for run in runs.values():
        damage(store, run, "architecture", "'{\"nama\": 1}'")
    damage(store, runs["running"], "recipe", '\'{"epochs": "ten"}\'')
    sound = queued(store)
    for look in looks(store):
        look()
    assert sound.id in {each.id for each in store.runs()}
    with pytest.raises(LabError):
        of_runs(store, [store.get(runs["finished"].id)], "key")


def test_damaged_figures_are_left_out_and_the_rest_of_them_stays(store: RunStore) -> None:
    run = class_of_runs(store)["finished"]
    with untyped(store) as connection:
        connection.execute("UPDATE epochs SET test_accuracy = 'high' WHERE epoch = 1")
        connection.execute("INSERT INTO workers VALUES ('cpu', 3, x'ff', 'one', 'here', 1, 'now', '')")
    assert [record.epoch for record in store.epochs(run.id)] == [0]
    assert store.slots() == []


@pytest.mark.slow
def test_flipped_bytes_anywhere_in_the_file_raise_no_more_than_a_sentence_and_never_end_the_supervisor(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "TENDING_SECONDS", 0.001)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.002)
    monkeypatch.setattr(supervisor, "ensure_workers", lambda *_: None)
    class_of_runs(store)
    store.close()
    with closing(sqlite3.connect(store.file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    content, chance = store.file.read_bytes(), random.Random(18)
    used = [place for place, byte in enumerate(content) if byte]  # most of a small store is empty space
    for number in range(60):
        home = tmp_path / f"{number}"
        home.mkdir()
        flipped = bytearray(content)
        for place in chance.sample(used, chance.choice([1, 1, 3])):
            flipped[place] ^= 1 << chance.randrange(8)
        (home / store.file.name).write_bytes(flipped)
        with suppress(LabError):  # what is no store is refused in a sentence
            damaged = RunStore(home, patience=0.1)
            for look in looks(damaged):
                with suppress(LabError):
                    look()
            leaving, ticks = threading.Event(), [0]

            def counted(seconds: float, leaving: threading.Event = leaving, ticks: list[int] = ticks) -> bool:
                ticks[0] += 1
                return ticks[0] > 3

            monkeypatch.setattr(leaving, "wait", counted)
            supervisor.supervise(damaged, leaving)
            assert ticks[0] == 4
            damaged.close()
        look_at_store(home, 1.8e9)
        shutil.rmtree(home)


def test_backup_and_restore_name_the_damaged_run_and_keep_all_others(
    store: RunStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = class_of_runs(store)
    damage(store, runs["finished"], "name", "CAST(x'74ff' AS TEXT)")
    file, manifest = backup(store.folder, tmp_path / "kept.zip")
    assert manifest.runs == 3
    assert "run number 1 is damaged: its name has bytes that are no UTF-8" in caplog.text
    caplog.clear()
    restore(file, tmp_path / "new")
    assert "name in the table runs had bytes that are no UTF-8: 't\ufffd'" in caplog.text
    restored = RunStore(tmp_path / "new")
    assert {run.id for run in restored.runs()} == {run.id for run in runs.values()}, "a byte costs a letter, no run"
    assert restored.get(runs["finished"].id).name == "t\ufffd"
    restored.close()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["train", "queue", "board", "compare"])
def test_a_page_of_runs_says_which_was_set_aside_and_shows_the_others(page: str, store: RunStore) -> None:
    runs = class_of_runs(store)
    damage(store, runs["queued"], "name", "CAST(x'74ff' AS TEXT)")
    app = opened(f"pages/experiment/{page}.py")
    assert not app.exception
    assert any(f"Run {runs['queued'].id} is damaged and was set aside" in each.value for each in app.markdown)
