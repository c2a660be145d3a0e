"""Pruning: only by a setting, by age and by number, and never a run with a tag or one that has not ended."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cli.parser import main
from lab.runs.prune import DAY_SECONDS, ENDED, due, prune
from lab.runs.rows import Run
from lab.runs.store import RunStore
from lab.settings import Settings, settings
from tests.made_runs import made_run

pytestmark = pytest.mark.own_data

NOW = 1_800_000_000.0


@pytest.fixture
def store(home: Path) -> RunStore:
    return RunStore(home)


def ended(store: RunStore, days_ago: float, tags: tuple[str, ...] = ()) -> Run:
    """A finished run of that age with a file, whatever the clock says."""
    run = made_run(store, [0.9], tags=tags)
    with closing(sqlite3.connect(store.file)) as connection, connection:
        connection.execute("UPDATE runs SET ended = ? WHERE id = ?", (NOW - days_ago * DAY_SECONDS, run.id))
    (store.folder / run.id).mkdir()
    (store.folder / run.id / "last.json").write_text("{}")
    return store.get(run.id)


def there(store: RunStore) -> set[str]:
    return {run.id for run in store.runs(1000)}


def test_without_a_setting_nothing_is_deleted(store: RunStore) -> None:
    ended(store, days_ago=10_000)
    assert prune(store, Settings(), NOW) == []
    assert len(there(store)) == 1


def test_runs_older_than_the_days_are_deleted_with_their_figures_and_files(store: RunStore) -> None:
    old, young = ended(store, days_ago=31), ended(store, days_ago=29)
    assert [run.id for run in prune(store, Settings(keep_days=30), NOW)] == [old.id]
    assert there(store) == {young.id}
    assert store.epochs(old.id) == []
    assert not (store.folder / old.id).exists()
    assert (store.folder / young.id / "last.json").exists()


def test_a_run_exactly_as_old_as_the_days_stays(store: RunStore) -> None:
    ended(store, days_ago=30)
    assert prune(store, Settings(keep_days=30), NOW) == []


def test_beyond_the_number_the_earliest_are_deleted(store: RunStore) -> None:
    runs = [ended(store, days_ago=1) for _ in range(5)]
    prune(store, Settings(keep_runs=2), NOW)
    assert there(store) == {run.id for run in runs[-2:]}


def test_either_setting_is_enough_to_be_deleted(store: RunStore) -> None:
    ended(store, days_ago=40)
    ended(store, days_ago=1)
    last = ended(store, days_ago=1)
    prune(store, Settings(keep_days=30, keep_runs=1), NOW)
    assert there(store) == {last.id}


def test_a_tagged_run_stays_and_does_not_count_among_those_that_are_kept(store: RunStore) -> None:
    tagged = ended(store, days_ago=1000, tags=("best",))
    plain = ended(store, days_ago=1)
    prune(store, Settings(keep_days=30, keep_runs=1), NOW)
    assert there(store) == {tagged.id, plain.id}


def test_what_waits_or_runs_stays_however_old(store: RunStore) -> None:
    running = made_run(store, [0.9], status=None)
    waiting = store.resume(made_run(store, [0.9], status="stopped").id)
    prune(store, Settings(keep_days=1, keep_runs=1), NOW * 2)
    assert there(store) == {running.id, waiting.id}


def test_a_clock_that_was_set_back_deletes_nothing(store: RunStore) -> None:
    run = ended(store, days_ago=10)
    prune(store, Settings(keep_days=1), NOW - 20 * DAY_SECONDS)
    assert there(store) == {run.id}


@pytest.mark.parametrize("change", ["tag", "resume"])
def test_a_run_that_is_tagged_or_queued_between_look_and_deletion_stays(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    run = made_run(store, [0.9], status="stopped")
    runs = store.runs

    def meanwhile(*arguments: object) -> list[Run]:
        found = runs()
        if change == "tag":
            store.set_tags(run.id, ["keep"])
        else:
            store.resume(run.id)
        return found

    monkeypatch.setattr(store, "runs", meanwhile)
    assert prune(store, Settings(keep_days=1), NOW * 2) == []
    assert store.get(run.id).id == run.id


def test_files_that_cannot_be_deleted_do_not_keep_the_others(
    store: RunStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ended(store, days_ago=9), ended(store, days_ago=9)
    stays = store.folder / second.id
    (stays / "last.json").unlink()
    stays.rmdir()
    (store.folder / "elsewhere").mkdir()
    stays.symlink_to(store.folder / "elsewhere")  # which rmtree refuses to follow
    assert len(prune(store, Settings(keep_days=1), NOW)) == 2
    assert there(store) == set()
    assert not (store.folder / first.id).exists()
    assert (store.folder / "elsewhere").is_dir()
    assert "the run is deleted, its files are not" in caplog.text


def test_the_command_names_them_first_and_deletes_them_then(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = made_run(store, [0.9], name="old one"), made_run(store, [0.9])
    monkeypatch.setenv("LAB_KEEP_RUNS", "1")
    settings.cache_clear()
    assert main(["prune", "--dry-run"]) == 0
    assert f"{old.id}  " in capsys.readouterr().out
    assert there(store) == {old.id, new.id}
    assert main(["prune"]) == 0
    assert "deleted: 1 (LAB_KEEP_DAYS=0, LAB_KEEP_RUNS=1; 0 keeps all)" in capsys.readouterr().out
    assert there(store) == {new.id}
    settings.cache_clear()


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(RunStore(tmp_path_factory.mktemp("pattern")), [0.9])


@given(
    st.lists(st.tuples(st.sampled_from((*ENDED, "queued", "running")), st.booleans(), st.floats(-5, 90)), max_size=30),
    st.integers(0, 60),
    st.integers(0, 10),
)
def test_what_is_due_is_what_the_two_rules_say_of_each_run_alone(
    pattern: Run, made: list[tuple[str, bool, float]], keep_days: int, keep_runs: int
) -> None:
    runs = [
        replace(pattern, id=str(n), status=status, tags=("t",) if tagged else (), ended=NOW - age * DAY_SECONDS)
        for n, (status, tagged, age) in enumerate(made)
    ]
    found = {run.id for run in due(runs, Settings(keep_days=keep_days, keep_runs=keep_runs), NOW)}
    for n, (status, tagged, age) in enumerate(made):
        newer = sum(other in ENDED and not marked for other, marked, _ in made[:n])
        old = keep_days > 0 and age > keep_days
        surplus = keep_runs > 0 and newer >= keep_runs
        assert (str(n) in found) == (status in ENDED and not tagged and (old or surplus))
