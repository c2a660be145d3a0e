"""The store of runs, on real SQLite files: several processes, faults of the disk, and what must never happen twice."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import re
import resource
import signal
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.analysis.spread import Spread, spread
from core.errors import RunError
from core.training.history import EpochRecord, RateChange
from lab.runs import actions
from lab.runs import database as runs
from lab.runs.expectation import expected
from lab.runs.leases import silent_for
from lab.runs.machine import Machine, write_machine
from lab.runs.person import MACHINE
from lab.runs.rows import MAX_LOST, BatchRow, Control, Ending, Kind, NewRun, Pause, Run, Status
from lab.runs.store import RunStore
from lab.settings import ROOT, lab_home
from tests.made_runs import begun
from tests.patience import patient

pytestmark = pytest.mark.own_data

PROCESSES = multiprocessing.get_context("spawn")  # as on every platform, and as a fresh worker would open the store


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


def position(store: RunStore, run: Run) -> int:
    """How many start before it; 0 of one that does not wait."""
    found = expected(store).get(run.id)
    return found.turn.position if found else 0


def submitted(
    store: RunStore, name: str = "mine", device: str = "cpu", kind: Kind = "train", owner_key: str = ""
) -> Run:
    return store.submit(
        NewRun(
            owner_key=owner_key,
            kind=kind,
            name=name,
            architecture_json='{"name":"mine"}',
            recipe_json="{}",
            dataset="MNIST",
            device=device,
            parameters=7_758,
            seed=1,
            epochs=15,
            slug="basic-7",
            owner="Ada",
        )
    )[0]


def claimed(store: RunStore, worker: str = "w", device: str = "cpu", kind: Kind = "train") -> Run:
    submitted(store, device=device, kind=kind)
    run = store.claim([device], worker)
    assert run is not None
    return run


def epoch(number: int, test_accuracy: float = 0.99) -> EpochRecord:
    return EpochRecord(number, 0.1, 0.97, None, None, 0.05, test_accuracy, 0.01, 12.5)


def batch(iteration: int, epoch: int = 0, loss: float = 0.5) -> BatchRow:
    return BatchRow(iteration, epoch, loss, 0.9, 0.01, 5_000.0)


def one_sentence(error: pytest.ExceptionInfo[RunError], place: Path) -> str:
    text = str(error.value)
    assert str(place) in text
    assert "\n" not in text
    assert "Traceback" not in text
    return text


# --------------------------------------------------------------------------------------------------------------- rows


def test_a_submitted_run_is_read_back_as_it_was_given(store: RunStore) -> None:
    before = time.time()
    run = submitted(store)
    assert before <= run.created <= time.time()
    assert run == store.get(run.id)
    assert run == Run(
        id=run.id,
        kind="train",
        status="queued",
        slug="basic-7",
        name="mine",
        architecture_json='{"name":"mine"}',
        recipe_json="{}",
        dataset="MNIST",
        device="cpu",
        parameters=7_758,
        seed=1,
        epochs=15,
        owner="Ada",
        parent="",
        seed_group="",
        created=run.created,
        started=None,
        ended=None,
        heartbeat=None,
        worker="",
        device_name="",
        stop_requested=False,
        error="",
        result="",
        tags=(),
        prediction="",
        snapshots=False,
        pause="",
        paused_since=None,
        rate_factor=1.0,
        rate_changes=(),
        place=1,
        owner_key="",
        urgent=False,
        bounded=True,
        lost=0,
        claimed=None,
        side_by_side=0,
    )


def test_ids_differ_and_fit_urls_command_lines_and_file_names(store: RunStore) -> None:
    ids = {submitted(store).id for _ in range(50)}
    assert len(ids) == 50
    assert all(re.fullmatch("[0-9a-f]{16}", run_id) for run_id in ids)


@pytest.mark.parametrize(
    "name",
    ["Ζωή 🦉 网络", "'; DROP TABLE runs; --", "<b>bold</b> **x**", "", "=1+1", "n" * 100_000, "é"],
)
def test_any_text_is_stored_as_text(store: RunStore, name: str) -> None:
    run = submitted(store, name)
    assert store.get(run.id).name == name
    assert [run.name for run in store.runs()] == [name]


@pytest.mark.parametrize(
    ("name", "kept"),
    [("<b>bold</b>\n**x**", "<b>bold</b> **x**"), ("a\0b", "a b"), ("e\u0301", "é"), ("a\ud800", "a\ufffd")],
)
def test_a_name_is_one_line_of_plain_text(store: RunStore, name: str, kept: str) -> None:
    assert store.get(submitted(store, name).id).name == kept


def test_a_number_beyond_the_files_range_is_refused_in_one_sentence(store: RunStore) -> None:
    with pytest.raises(RunError, match=r"2\*\*63") as error:
        store.submit(
            NewRun(
                kind="train",
                name="",
                architecture_json="",
                recipe_json="",
                dataset="",
                device="cpu",
                parameters=2**63,
                seed=0,
                epochs=1,
            )
        )[0]
    one_sentence(error, store.file)


@pytest.mark.parametrize("foreign", ["xyz", "", "' OR 1=1 --", "../../etc", "a\ud800", "ö", "x" * 10_000])
def test_a_foreign_id_is_no_run_here(store: RunStore, foreign: str) -> None:
    submitted(store)
    with pytest.raises(RunError, match="there is no run '") as error:
        store.get(foreign)
    assert len(str(error.value).encode()) < 100
    for attempt in (store.retry, store.resume, store.request_stop, store.delete):
        with pytest.raises(RunError):
            attempt(foreign)
    assert len(store.runs()) == 1


def test_runs_come_newest_first_filtered_and_limited(store: RunStore) -> None:
    first, second, third = (submitted(store, name) for name in "abc")
    store.request_stop(second.id)
    assert [run.name for run in store.runs()] == ["c", "b", "a"]
    assert [run.name for run in store.runs(limit=2)] == ["c", "b"]
    assert [run.name for run in store.runs(statuses=["queued"])] == ["c", "a"]
    assert [run.name for run in store.runs(statuses=["queued", "stopped"])] == ["c", "b", "a"]
    assert store.runs(statuses=["failed"]) == []
    assert first.id != third.id


def test_epochs_come_in_order_and_a_split_is_kept_apart_from_none(store: RunStore) -> None:
    run = claimed(store)
    with_split = replace(epoch(1), validation_loss=0.06, validation_accuracy=0.98)
    assert store.add_epoch(run.id, "w", with_split)
    assert store.add_epoch(run.id, "w", epoch(0))
    assert store.epochs(run.id) == [epoch(0), with_split]


def test_the_last_epoch_of_each_run_is_found_at_once(store: RunStore) -> None:
    one, two, without = claimed(store), claimed(store), claimed(store)
    for number in range(3):
        store.add_epoch(one.id, "w", epoch(number))
    store.add_epoch(two.id, "w", epoch(0, 0.5))
    found = store.last_epochs([one.id, two.id, without.id, "foreign"])
    assert found == {one.id: epoch(2), two.id: epoch(0, 0.5)}
    assert store.last_epochs([]) == {}


def test_a_loss_that_is_no_number_or_infinite_comes_back_so(store: RunStore) -> None:
    run = claimed(store)
    store.add_batches(run.id, "w", [batch(0, loss=math.nan), batch(1, loss=math.inf)])
    store.add_epoch(
        run.id, "w", replace(epoch(0), train_loss=math.nan, validation_loss=math.nan, validation_accuracy=0.1)
    )
    assert math.isnan(store.batches(run.id)[0].loss)
    assert store.batches(run.id)[1].loss == math.inf
    (record,) = store.epochs(run.id)
    assert math.isnan(record.train_loss)
    assert record.validation_loss is not None
    assert math.isnan(record.validation_loss)
    assert record.validation_accuracy == 0.1


def test_adding_the_same_rows_again_changes_nothing(store: RunStore) -> None:
    run = claimed(store)
    rows = [batch(iteration) for iteration in range(20)]
    for _ in range(2):
        store.add_batches(run.id, "w", rows)
        store.add_epoch(run.id, "w", epoch(0))
    assert store.batches(run.id) == rows
    assert store.epochs(run.id) == [epoch(0)]


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 19, 20, 21, 97, 1_000, 7_035])
@pytest.mark.parametrize("at_most", [1, 2, 10, 500])
def test_batches_are_thinned_evenly_in_order_with_first_and_last(store: RunStore, count: int, at_most: int) -> None:
    run = claimed(store)
    store.add_batches(run.id, "w", [batch(3 * number) for number in range(count)])
    iterations = [row.iteration for row in store.batches(run.id, at_most=at_most)]
    assert iterations == sorted(set(iterations))
    assert len(iterations) == min(count, at_most)
    assert iterations[-1] == 3 * (count - 1)
    assert iterations[0] == 0 or at_most == 1
    gaps = [later - earlier for earlier, later in itertools.pairwise(iterations)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 2 * 3


def test_only_batches_after_an_iteration_are_read(store: RunStore) -> None:
    run = claimed(store)
    store.add_batches(run.id, "w", [batch(iteration) for iteration in range(100)])
    assert [row.iteration for row in store.batches(run.id, after_iteration=96)] == [97, 98, 99]
    assert [row.iteration for row in store.batches(run.id, after_iteration=89, at_most=4)] == [90, 93, 96, 99]
    assert store.batches(run.id, after_iteration=99) == []


def test_deleting_a_run_deletes_its_figures_and_no_others(store: RunStore) -> None:
    gone, kept = claimed(store), claimed(store)
    for run in (gone, kept):
        store.add_epoch(run.id, "w", epoch(0))
        store.add_batches(run.id, "w", [batch(0)])
    store.finish(gone.id, "w", "finished")
    store.delete(gone.id)
    with pytest.raises(RunError, match="there is no run"):
        store.get(gone.id)
    assert (store.epochs(gone.id), store.batches(gone.id)) == ([], [])
    assert (store.epochs(kept.id), store.batches(kept.id)) == ([epoch(0)], [batch(0)])


def test_a_running_run_is_not_deleted(store: RunStore) -> None:
    run = claimed(store)
    with pytest.raises(RunError, match="is running"):
        store.delete(run.id)
    assert store.get(run.id) == run


def test_a_run_is_renamed_tagged_and_given_to_someone_at_any_time(store: RunStore) -> None:
    run = claimed(store)
    store.finish(run.id, "w", "finished")
    assert store.rename(run.id, "  wider,\n first try ").name == "wider, first try"
    assert store.set_tags(run.id, ["class 7b", " ", "best", "class  7b"]).tags == ("class 7b", "best")
    assert store.set_owner(run.id, "Grace").owner == "Grace"
    changed = store.get(run.id)
    assert (changed.name, changed.tags, changed.owner) == ("wider, first try", ("class 7b", "best"), "Grace")
    assert (store.set_tags(run.id, []).tags, store.set_owner(run.id, "").owner) == ((), "")


def test_names_tags_and_nicknames_have_their_bounds(store: RunStore) -> None:
    run = submitted(store)
    store.rename(run.id, "n" * 60)
    store.set_tags(run.id, [str(number) * 30 for number in range(8)])
    store.set_owner(run.id, "o" * 30)
    kept = store.get(run.id)
    with pytest.raises(RunError, match="the name has 61 characters, at most 60 fit"):
        store.rename(run.id, "n" * 61)
    with pytest.raises(RunError, match="at least 1 character, this one has 0"):
        store.rename(run.id, " \n")
    with pytest.raises(RunError, match="a tag has 31 characters, at most 30 fit"):
        store.set_tags(run.id, ["t" * 31])
    with pytest.raises(RunError, match="at most 8 tags, these are 9"):
        store.set_tags(run.id, list("abcdefghi"))
    with pytest.raises(RunError, match="'a,b' has a comma"):
        store.set_tags(run.id, ["a,b"])
    with pytest.raises(RunError, match="the nickname has 31 characters, at most 30 fit"):
        store.set_owner(run.id, "o" * 31)
    assert store.get(run.id) == kept
    for attempt in (
        lambda: store.rename("xyz", "a"),
        lambda: store.set_tags("xyz", []),
        lambda: store.set_owner("", ""),
    ):
        with pytest.raises(RunError, match="there is no run"):
            attempt()


def test_a_prediction_stays_with_its_run(store: RunStore) -> None:
    run = store.submit(
        NewRun(
            kind="train",
            name="mine",
            architecture_json="{}",
            recipe_json="{}",
            dataset="MNIST",
            device="cpu",
            parameters=7_758,
            seed=1,
            epochs=15,
            prediction="[]",
        )
    )[0]
    store.claim(["cpu"], "w")
    store.add_epoch(run.id, "w", epoch(0))
    store.finish(run.id, "w", "stopped")
    assert store.get(run.id).prediction == "[]"
    assert store.retry(run.id)[0].prediction == "", "a new run is predicted anew"


def test_a_run_is_deleted_with_its_files_and_no_others(store: RunStore) -> None:
    gone, kept, running = claimed(store), claimed(store), claimed(store)
    for run in (gone, kept, running):
        (store.folder / run.id / "snapshots").mkdir(parents=True)
        (store.folder / run.id / "snapshots" / "epoch-000.json").write_text("{}")
    store.finish(gone.id, "w", "finished")
    store.finish(kept.id, "w", "finished")
    actions.delete(store, gone.id, MACHINE)
    with pytest.raises(RunError, match="is running"):
        actions.delete(store, running.id, MACHINE)
    with pytest.raises(RunError, match="there is no run"):
        actions.delete(store, "..", MACHINE)
    assert [(store.folder / run.id).is_dir() for run in (gone, kept, running)] == [False, True, True]
    assert {run.id for run in store.runs()} == {kept.id, running.id}


# ------------------------------------------------------------------------------------------------------------ controls


def test_what_a_worker_is_asked_to_do_is_read_at_once(store: RunStore) -> None:
    run = claimed(store)
    assert store.control(run.id) == Control()
    store.set_pause(run.id, "epoch")
    store.set_rate_factor(run.id, 0.5)
    assert store.control(run.id) == Control(pause="epoch", rate_factor=0.5)
    store.request_stop(run.id)
    assert store.control(run.id).stop
    assert store.control("gone") == Control(stop=True)


def test_a_held_run_says_since_when_until_it_goes_on(store: RunStore) -> None:
    run = claimed(store)
    before = time.time()
    store.set_pause(run.id, "epoch")
    assert store.hold(run.id, "w", "epoch")
    held = store.get(run.id)
    assert (held.status, held.pause) == ("running", "now")
    assert held.paused_since is not None
    assert before <= held.paused_since <= time.time()
    assert store.hold(run.id, "w", "now")
    assert store.get(run.id).paused_since == held.paused_since, "held all the time"
    assert not store.hold(run.id, "another", "now")
    store.set_pause(run.id, "")
    assert store.release(run.id, "w")
    assert (store.get(run.id).pause, store.get(run.id).paused_since) == ("", None)


@pytest.mark.parametrize(
    ("asked", "since", "left", "is_held"),
    [("now", "", "", False), ("now", "epoch", "epoch", False), ("epoch", "", "", False), ("epoch", "now", "now", True)],
)
def test_what_is_asked_while_the_worker_comes_to_a_halt_stands(
    store: RunStore, asked: Pause, since: Pause, left: Pause, is_held: bool
) -> None:
    run = claimed(store)
    store.set_pause(run.id, asked)
    store.set_pause(run.id, since)  # after the worker has read what was asked before
    assert store.hold(run.id, "w", asked)
    assert store.control(run.id).pause == left
    assert (store.get(run.id).paused_since is not None) == is_held


@pytest.mark.parametrize("status", ["finished", "stopped", "failed", "interrupted"])
def test_an_ended_run_is_no_longer_held_and_takes_no_orders(store: RunStore, status: Ending) -> None:
    run = claimed(store)
    store.set_rate_factor(run.id, 2)
    store.set_rate_changes(run.id, "w", [RateChange(7, 2.0)])
    store.set_pause(run.id, "now")
    store.hold(run.id, "w", "now")
    store.finish(run.id, "w", status)
    ended = store.get(run.id)
    assert (ended.pause, ended.paused_since, ended.rate_factor) == ("", None, 2)
    assert ended.rate_changes == (RateChange(7, 2.0),)
    store.set_pause(run.id, "now")
    store.set_rate_factor(run.id, 3)
    assert store.get(run.id) == ended


def test_a_run_that_lost_its_worker_keeps_its_rate_and_is_to_be_held_again(store: RunStore) -> None:
    run = claimed(store)
    store.set_rate_factor(run.id, 0.25)
    store.set_pause(run.id, "now")
    store.hold(run.id, "w", "now")
    (again,) = store.recover(30, now=time.time() + 60)
    assert (again.status, again.pause, again.paused_since, again.rate_factor) == ("queued", "now", None, 0.25)


@pytest.mark.parametrize("factor", [0, -1, 1e7, 1e-7, math.nan, math.inf])
def test_a_rate_is_not_multiplied_by_nonsense(store: RunStore, factor: float) -> None:
    run = claimed(store)
    with pytest.raises(RunError, match="outside 1e-06 to 1e"):
        store.set_rate_factor(run.id, factor)
    assert store.get(run.id).rate_factor == 1


def test_a_run_knows_whether_others_wait_for_its_device(store: RunStore) -> None:
    run = claimed(store)
    assert not store.others_wait(run.id)
    submitted(store, device="cuda")
    assert not store.others_wait(run.id)
    submitted(store, device="auto")
    assert store.others_wait(run.id)
    assert not store.others_wait("gone")


# -------------------------------------------------------------------------------------------------------------- groups


def grouped(store: RunStore, group: str, seed: int, worker: str = "w") -> Run:
    return begun(
        store,
        NewRun(
            kind="train",
            name=f"seed {seed}",
            architecture_json="{}",
            recipe_json="{}",
            dataset="MNIST",
            device="cpu",
            parameters=7_758,
            seed=seed,
            epochs=15,
        ),
        seed_group=group,
        worker=worker,
        device_name="a processor",
    )


def test_a_job_is_a_group_by_its_seeds_or_a_single_run(store: RunStore) -> None:
    runs = {seed: grouped(store, "g", seed) for seed in (7, 0, 12)}
    single = submitted(store)
    grouped(store, "other", 3)
    assert store.job("g") == [runs[0], runs[7], runs[12]]
    assert store.job(single.id) == [single]
    assert store.job(runs[7].id) == [runs[7]], "one of its runs alone"
    assert (runs[7].job, single.job) == ("g", single.id)
    for foreign in ("", "h", "a\ud800"):
        with pytest.raises(RunError, match="there is no run '"):
            store.job(foreign)


def asked(**changes: object) -> NewRun:
    return replace(
        NewRun("train", "mine", "{}", "{}", "MNIST", parameters=7_758, seed=1, epochs=15, device="cpu"),
        **changes,  # type: ignore[arg-type]
    )


def test_several_seeds_are_submitted_as_one_group_each_with_its_own_recipe(store: RunStore) -> None:
    runs = store.submit(asked(owner="Ada"), seeds=(3, 0))
    assert [(run.seed, run.recipe.seed, run.owner, run.status) for run in runs] == [
        (3, 3, "Ada", "queued"),
        (0, 0, "Ada", "queued"),
    ]
    assert runs[0].seed_group == runs[1].seed_group != ""
    (single,) = store.submit(asked(), seeds=(9,))
    assert (single.seed, single.recipe.seed, single.seed_group) == (9, 9, "")


def test_more_seeds_join_a_run_and_a_group_and_none_twice(store: RunStore) -> None:
    (single,) = store.submit(asked(), seeds=(5,))
    group = store.extend(single.id, (6, 7))
    assert [run.seed for run in group] == [5, 6, 7]
    assert group[0].id == single.id
    assert {run.seed_group for run in group} == {group[0].seed_group} != {""}
    assert [run.seed for run in store.extend(group[0].job, (8,))] == [5, 6, 7, 8]
    assert len(store.entries()) == 1
    with pytest.raises(RunError, match="seed 7: this run has the seeds 5, 6, 7, 8 already"):
        store.extend(group[0].job, (9, 7))
    assert len(store.runs()) == 4


def test_the_worker_of_a_group_claims_its_seeds_and_no_other_worker_does(store: RunStore) -> None:
    store.submit(asked(owner_key="ada"), seeds=(1, 2, 3))
    first = store.claim(["cpu"], "one")
    assert first is not None
    assert first.seed == 1
    assert store.claim(["cpu"], "two") is None, "its seeds are left to the worker that has it"
    second = store.claim_seed(first.seed_group, "one")
    assert second is not None
    assert (second.seed, second.worker, second.status) == (2, "one", "running")
    third = store.claim(["cpu"], "two", spread=True)
    assert third is not None
    assert (third.seed, third.worker) == (3, "two"), "a group is one job of its person, however many train it"
    assert store.claim_seed(first.seed_group, "one") is None
    assert store.queue().busy == {"ada": 1}


def test_a_held_queue_gives_no_further_seed(store: RunStore) -> None:
    group = store.submit(asked(), seeds=(1, 2))[0].seed_group
    assert store.claim(["cpu"], "w") is not None
    store.set_class("queue_paused", True)
    assert store.claim_seed(group, "w") is None
    store.set_class("queue_paused", False)
    assert store.claim_seed(group, "w") is not None


def test_how_many_seeds_train_at_a_time_is_decided_once(store: RunStore) -> None:
    group = store.submit(asked(), seeds=(1, 2, 3))[0].seed_group
    assert store.set_side_by_side(group, 8) == 3, "no more than there are seeds"
    store.extend(group, (4, 5))
    assert store.set_side_by_side(group, 8) == 3, "sums depend on the number of threads, so it stays"
    assert {run.side_by_side for run in store.job(group)} == {3}
    wanted = store.submit(asked(side_by_side=2), seeds=(1, 2, 3))[0].seed_group
    assert store.set_side_by_side(wanted, 8) == 2


def test_the_own_seeds_of_a_group_are_not_others_that_wait(store: RunStore) -> None:
    store.submit(asked(), seeds=(1, 2))
    first = store.claim(["cpu"], "w")
    assert first is not None
    assert not store.others_wait(first.id)
    submitted(store)
    assert store.others_wait(first.id)


def test_a_table_has_a_group_as_one_entry_where_its_latest_run_is(store: RunStore) -> None:
    first = submitted(store, "first")
    group = {seed: grouped(store, "g", seed) for seed in (5, 4)}
    between = submitted(store, "between")
    group[3] = grouped(store, "g", 3)
    other = grouped(store, "other", 9)
    last = submitted(store, "last")
    entries = [[last], [other], [group[3], group[4], group[5]], [between], [first]]
    assert store.entries() == entries
    assert [store.entries(limit) for limit in range(6)] == [entries[:limit] for limit in range(6)]
    assert store.runs() == [last, other, group[3], between, group[4], group[5], first]


def test_one_heartbeat_keeps_all_of_a_workers_runs_alive_and_names_them(store: RunStore) -> None:
    mine = [grouped(store, "g", seed) for seed in range(3)]
    other = grouped(store, "g", 3, worker="other")
    store.finish(mine[0].id, "w", "finished")
    assert store.heartbeats("w") == {mine[1].id, mine[2].id}
    assert store.get(mine[2].id).heartbeat > mine[2].heartbeat  # type: ignore[operator]
    assert store.get(other.id) == other
    assert store.heartbeats("nobody") == set()


def test_a_retried_run_of_a_group_is_a_single_one(store: RunStore) -> None:
    run = grouped(store, "g", 1)
    store.finish(run.id, "w", "failed", "why")
    again = store.retry(run.id)[0]
    assert (again.seed, again.parent, again.seed_group) == (1, run.id, "")
    assert (again.status, again.worker, again.started) == ("queued", "", None)


def test_a_mean_comes_with_its_deviation_and_n() -> None:
    assert spread([0.990, 0.994, 0.995]) == Spread(3, pytest.approx(0.993), pytest.approx(0.0026457513))
    assert spread([0.99]) == Spread(1, 0.99, None)
    assert spread([]) == Spread(0, None, None)


# ---------------------------------------------------------------------------------------------------------- the queue


def test_the_oldest_run_for_the_device_is_claimed_first(store: RunStore) -> None:
    names = [("a", "cuda"), ("b", "cpu"), ("c", "auto"), ("d", "cpu")]
    for name, device in names:
        submitted(store, name, device)
    order = [run.name for _ in range(4) if (run := store.claim(["cpu", "auto"], "w", "a processor"))]
    assert order == ["b", "c", "d"]
    claimed_run = store.claim(["cuda"], "other", "an accelerator")
    assert claimed_run is not None
    assert (claimed_run.name, claimed_run.worker, claimed_run.device_name) == ("a", "other", "an accelerator")
    assert claimed_run.status == "running"
    assert claimed_run.started is not None
    assert claimed_run.heartbeat is not None
    assert store.claim(["cpu", "cuda", "auto"], "w") is None


def test_the_queue_position_counts_those_that_are_claimed_before(store: RunStore) -> None:
    write_machine(Machine(("cpu",), ("cpu",), "2.0", 1), store.folder)  # so that "auto" is the processor
    first, other, auto, second = (submitted(store, device=device) for device in ("cpu", "cuda", "auto", "cpu"))
    assert [position(store, run) for run in (first, other, auto, second)] == [0, 0, 1, 2]
    store.claim(["cpu"], "w")
    assert [position(store, run) for run in (first, other, auto, second)] == [0, 0, 0, 1]
    store.request_stop(auto.id)
    assert position(store, second) == 0


def _claim_all(folder: Path, worker: str, barrier: threading.Barrier, claims: multiprocessing.Queue[list[str]]) -> None:
    """The first 50 at the same moment as the other, then what is left: SQLite may let one go first for long."""
    store = RunStore(folder)
    mine = []
    for _ in range(50):
        barrier.wait(patient(60))
        run = store.claim(["cpu"], worker)
        assert run is not None
        mine.append(run.id)
    barrier.wait(patient(60))  # or one might take all that is left while the other waits for the lock with its fiftieth
    while (run := store.claim(["cpu"], worker)) is not None:
        mine.append(run.id)
    claims.put(mine)


def test_two_processes_claiming_200_runs_never_claim_one_twice(store: RunStore) -> None:
    ids = [submitted(store).id for _ in range(200)]
    claims, barrier = PROCESSES.Queue(), PROCESSES.Barrier(2)
    workers = [
        PROCESSES.Process(target=_claim_all, args=(store.folder, worker, barrier, claims)) for worker in ("one", "two")
    ]
    for process in workers:
        process.start()
    lists = [claims.get(timeout=patient(60)) for _ in workers]
    for process in workers:
        process.join()
    assert all(lists), "both were to have a share"
    assert sorted(lists[0] + lists[1]) == sorted(ids)
    assert {run.worker for run in store.runs(limit=300)} == {"one", "two"}


def test_thirty_threads_submit_at_once_and_none_is_lost(store: RunStore) -> None:
    names = [f"student {number}" for number in range(30)]
    threads = [threading.Thread(target=submitted, args=(store, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.name for run in store.runs()) == sorted(names)
    assert sorted(position(store, run) for run in store.runs()) == list(range(30))


def test_a_waiting_run_is_stopped_at_once_and_never_claimed(store: RunStore) -> None:
    run = store.request_stop(submitted(store).id)
    assert run.status == "stopped"
    assert run.ended is not None
    assert store.claim(["cpu"], "w") is None


def test_a_running_run_goes_on_until_its_worker_sees_the_request(store: RunStore) -> None:
    run = claimed(store)
    assert not store.stop_requested(run.id)
    assert store.request_stop(run.id).status == "running"
    assert store.stop_requested(run.id)
    assert store.finish(run.id, "w", "stopped")
    assert store.get(run.id).status == "stopped"


def test_an_ended_run_stays_as_it_ended_when_it_is_stopped(store: RunStore) -> None:
    run = claimed(store)
    store.set_result(run.id, "w", '{"learning_rate":0.1}')
    store.finish(run.id, "w", "finished")
    ended = store.get(run.id)
    assert store.request_stop(run.id) == ended
    assert (ended.status, ended.result) == ("finished", '{"learning_rate":0.1}')


def test_the_worker_of_a_run_that_is_gone_is_told_to_stop(store: RunStore) -> None:
    assert store.stop_requested("gone")


# ------------------------------------------------------------------------------------------------ heartbeat and resume


def test_only_a_silent_worker_loses_its_run(store: RunStore) -> None:
    run = claimed(store)
    heartbeat = store.get(run.id).heartbeat
    assert heartbeat is not None
    assert store.recover(30, now=heartbeat + 29) == []
    assert store.heartbeat(run.id, "w")
    (again,) = store.recover(30, now=heartbeat + 60)
    assert again == store.get(run.id)
    assert (again.status, again.lost, again.place) == ("queued", 1, run.place)
    assert re.fullmatch("its worker gave no sign of life for (59|60) s", again.error)
    assert store.recover(30, now=heartbeat + 90) == []


def test_a_dead_workers_run_goes_on_after_its_last_epoch_until_it_has_lost_five_workers(store: RunStore) -> None:
    run = submitted(store)
    for lost in range(1, MAX_LOST + 1):
        assert store.claim(["cpu"], f"w{lost}") is not None
        store.add_batches(run.id, f"w{lost}", [batch(n, n // 10) for n in range(15)])
        (found,) = store.recover(3_600, dead=[f"w{lost}"])
        assert (found.lost, found.status) == (lost, "queued" if lost < MAX_LOST else "failed")
        assert store.batches(run.id) == ([batch(n, n // 10) for n in range(15)] if lost == MAX_LOST else [])
    assert found.error.startswith("5 workers were lost with this run, one after the other, before an epoch was done: ")
    assert found.error.endswith("it may need more memory than there is; the last time its worker died")
    assert store.claim(["cpu"], "late") is None
    assert store.resume(run.id).lost == 0, "somebody who asks for it gives it five more"


def test_a_run_that_gets_on_may_lose_any_number_of_workers(store: RunStore) -> None:
    run = submitted(store)
    for number in range(MAX_LOST + 2):
        assert store.claim(["cpu"], f"w{number}") is not None
        assert store.add_epoch(run.id, f"w{number}", epoch(number))
        store.add_batches(run.id, f"w{number}", [batch(10 * number + 3, number), batch(10 * number + 13, number + 1)])
        (found,) = store.recover(3_600, dead=[f"w{number}"])
        assert (found.lost, found.status) == (1, "queued")
        assert store.epochs(run.id) == [epoch(n) for n in range(number + 1)]
        assert [row.epoch for row in store.batches(run.id)] == list(range(number + 1))


def test_a_run_that_its_worker_gives_back_keeps_its_place(store: RunStore) -> None:
    run, behind = submitted(store), submitted(store)
    store.claim(["cpu"], "w")
    assert not store.put_back(run.id, "another")
    assert store.put_back(run.id, "w")
    assert (store.get(run.id).status, store.get(run.id).lost) == ("queued", 0)
    for lost in range(1, MAX_LOST + 1):
        again = store.claim(["cpu"], "w")
        assert again is not None
        assert again.id == run.id, "before the one behind it"
        assert store.put_back(run.id, "w", "CUDA error: an illegal memory access", lost=True)
        assert store.get(run.id).lost == lost
    assert (store.get(run.id).status, store.get(run.id).error) == ("failed", "CUDA error: an illegal memory access")
    assert store.claim(["cpu"], "w").id == behind.id  # type: ignore[union-attr]


def test_a_person_has_one_run_under_way_and_then_it_is_the_others_turn(store: RunStore) -> None:
    names = ("anna1", "anna2", "anna3", "ben1", "cleo1", "ben2")
    runs = {name: submitted(store, name, owner_key=name[:-1]) for name in names}
    first = store.claim(["cpu"], "w1")
    second = store.claim(["cpu"], "w2")
    third = store.claim(["cpu"], "w3")
    assert None not in (first, second, third)
    assert [run.name for run in (first, second, third)] == ["anna1", "ben1", "cleo1"]
    assert store.claim(["cpu"], "w4") is None, "all three have one"
    store.finish(third.id, "w3", "finished")
    assert store.claim(["cpu"], "w3") is None
    store.finish(first.id, "w1", "finished")
    assert store.claim(["cpu"], "w1").name == "anna2"  # type: ignore[union-attr]
    assert [position(store, runs[name]) for name in ("ben2", "anna3")] == [0, 1]


def test_the_teacher_puts_a_run_first_and_last_and_holds_the_queue(store: RunStore) -> None:
    one, _, three = (submitted(store, name, owner_key=name) for name in ("one", "two", "three"))
    store.put_first(three.id)
    store.put_last(one.id)
    assert [run.name for run in store.queue().waiting] == ["three", "two", "one"]
    assert not store.class_setting("queue_paused")
    store.set_class("queue_paused", True)
    assert store.claim(["cpu"], "w") is None
    assert store.queue().paused
    store.set_class("queue_paused", False)
    assert [store.claim(["cpu"], "w").name for _ in range(3)] == ["three", "two", "one"]  # type: ignore[union-attr]


def test_a_silent_run_that_was_asked_to_stop_is_stopped(store: RunStore) -> None:
    run = claimed(store)
    store.request_stop(run.id)
    (ended,) = store.recover(30, now=time.time() + 60)
    assert ended.status == "stopped"


def test_the_dead_do_not_live_on_when_the_clock_is_set_back(store: RunStore) -> None:
    run = claimed(store)
    (again,) = store.recover(30, now=time.time() - 3_600)
    assert (again.id, again.status) == (run.id, "queued")
    assert silent_for(100.0, now=40.0) == silent_for(40.0, now=100.0) == 60.0


def test_a_worker_that_comes_back_too_late_changes_nothing(store: RunStore) -> None:
    run = claimed(store, "late")
    store.add_epoch(run.id, "late", epoch(0))
    store.recover(30, now=time.time() + 60)
    assert store.claim(["cpu"], "new") is not None
    assert not store.heartbeat(run.id, "late")
    assert not store.add_epoch(run.id, "late", epoch(1))
    assert not store.add_batches(run.id, "late", [batch(7)])
    assert not store.rewind(run.id, "late", 0)
    assert not store.finish(run.id, "late", "failed", "late")
    assert store.heartbeat(run.id, "new")
    assert (store.epochs(run.id), store.batches(run.id)) == ([epoch(0)], [])
    assert store.get(run.id).status == "running"


@pytest.mark.parametrize("status", ["interrupted", "stopped", "failed"])
def test_a_resumed_run_keeps_its_whole_epochs_and_nothing_after(store: RunStore, status: runs.Ending) -> None:
    run = claimed(store)
    store.add_batches(run.id, "w", [batch(iteration, iteration // 10) for iteration in range(25)])
    store.add_epoch(run.id, "w", epoch(0))
    store.add_epoch(run.id, "w", epoch(1))
    store.finish(run.id, "w", status, "why")
    behind = submitted(store)
    resumed = store.resume(run.id)
    assert (resumed.id, resumed.status, resumed.error, resumed.ended) == (run.id, "queued", "", None)
    assert not resumed.stop_requested
    assert store.epochs(run.id) == [epoch(0), epoch(1)]
    assert [row.iteration for row in store.batches(run.id)] == list(range(20))
    assert (position(store, behind), position(store, run)) == (0, 1), "to the end of the queue"


@pytest.mark.parametrize(("kind", "kept"), [("train", '{"chosen":0.1}'), ("range_test", "")])
def test_a_result_is_there_at_once_and_kept_by_the_training_that_goes_on_with_it(
    store: RunStore, kind: Kind, kept: str
) -> None:
    run = claimed(store, kind=kind)
    assert not store.set_result(run.id, "other", '{"chosen":9}')
    assert store.set_result(run.id, "w", '{"chosen":0.1}')
    assert store.get(run.id).result == '{"chosen":0.1}'
    store.finish(run.id, "w", "interrupted")
    assert store.get(run.id).result == '{"chosen":0.1}'
    assert store.resume(run.id).result == kept


@pytest.mark.parametrize("status", ["queued", "running", "finished"])
def test_a_run_that_has_not_been_cut_short_is_not_resumed(store: RunStore, status: Status) -> None:
    run = submitted(store) if status == "queued" else claimed(store)
    if status == "finished":
        store.finish(run.id, "w", "finished")
    with pytest.raises(RunError, match=f"is {status}; only one that"):
        store.resume(run.id)
    assert store.get(run.id).status == status


def test_rewinding_forgets_the_epochs_that_the_resume_file_does_not_hold(store: RunStore) -> None:
    run = claimed(store)
    store.add_batches(run.id, "w", [batch(iteration, iteration // 10) for iteration in range(30)])
    for number in range(3):
        store.add_epoch(run.id, "w", epoch(number))
    assert store.rewind(run.id, "w", 1)
    assert store.epochs(run.id) == [epoch(0)]
    assert [row.iteration for row in store.batches(run.id)] == list(range(10))


def test_a_retried_run_is_a_new_one_with_the_same_specification(store: RunStore) -> None:
    run = claimed(store)
    store.add_epoch(run.id, "w", epoch(0))
    store.finish(run.id, "w", "failed", "the loss is no number")
    again = store.retry(run.id)[0]
    old = store.get(run.id)
    assert again.id != old.id
    assert (again.status, again.parent, again.error) == ("queued", old.id, "")
    asked = (
        "kind",
        "slug",
        "name",
        "architecture_json",
        "recipe_json",
        "dataset",
        "device",
        "parameters",
        "seed",
        "epochs",
    )
    assert all(getattr(again, field) == getattr(old, field) for field in (*asked, "owner"))
    assert store.epochs(again.id) == []
    assert old.status == "failed"


# --------------------------------------------------------------------------------------------------------------- slots


def test_a_device_has_one_live_worker(store: RunStore) -> None:
    now = time.time()
    assert store.slot("cpu") is None
    assert store.take_slot("cpu", "one", 11, stale_after=10, now=now)
    assert store.take_slot("cpu", "one", 11, stale_after=10, now=now), "its own slot"
    assert not store.take_slot("cpu", "two", 12, stale_after=10, now=now + 9)
    assert store.take_slot("cuda", "two", 12, stale_after=10, now=now + 9), "another device"
    assert store.take_slot("cpu", "two", 12, stale_after=10, now=now + 11), "the first has fallen silent"
    assert not store.slot_heartbeat("cpu", "one"), "the first learns of it"
    assert store.take_slot("cpu", "one", 11, stale_after=10, now=now + 11, slot=1), "beside the other"
    assert [(slot.device, slot.slot, slot.worker) for slot in store.slots()] == [
        ("cpu", 0, "two"),
        ("cpu", 1, "one"),
        ("cuda", 0, "two"),
    ]
    store.leave_slot("cpu", "one")
    slot = store.slot("cpu")
    assert slot is not None
    assert (slot.worker, slot.pid, slot.started, slot.heartbeat, slot.run) == ("two", 12, now + 11, now + 11, "")
    store.leave_slot("cpu", "two")
    assert store.slot("cpu") is None


def test_a_slot_says_which_run_its_worker_is_busy_with(store: RunStore) -> None:
    store.take_slot("cpu", "w", os.getpid(), stale_after=10)
    assert store.slot_heartbeat("cpu", "w", "some run")
    slot = store.slot("cpu")
    assert slot is not None
    assert slot.run == "some run"
    assert silent_for(slot.heartbeat, time.time()) < 5


def _take_slot(folder: Path, worker: str, barrier: threading.Barrier, taken: multiprocessing.Queue[bool]) -> None:
    store = RunStore(folder)
    barrier.wait()
    taken.put(store.take_slot("cpu", worker, os.getpid(), stale_after=60))


@pytest.mark.slow
def test_of_four_processes_that_make_a_store_and_take_its_slot_one_gets_it(tmp_path: Path) -> None:
    taken, barrier = PROCESSES.Queue(), PROCESSES.Barrier(4)
    workers = [PROCESSES.Process(target=_take_slot, args=(tmp_path, f"w{n}", barrier, taken)) for n in range(4)]
    for process in workers:
        process.start()
    assert sorted(taken.get(timeout=patient(60)) for _ in workers) == [False, False, False, True]
    for process in workers:
        process.join()


# ------------------------------------------------------------------------------------------------ the file, and faults


def test_two_stores_on_one_file_see_each_others_writes(store: RunStore) -> None:
    other = RunStore(store.folder)
    run = submitted(store)
    assert other.get(run.id) == run
    claimed_there = other.claim(["cpu"], "w")
    assert claimed_there is not None
    assert store.get(run.id) == claimed_there
    other.close()
    assert store.heartbeat(run.id, "w")


def test_a_store_outlives_the_object_that_made_it(store: RunStore) -> None:
    run = submitted(store)
    store.close()
    assert RunStore(store.folder).get(run.id) == run


def test_a_shared_store_may_be_opened_by_many_threads_at_once(tmp_path: Path) -> None:
    failures: list[RunError] = []

    def open_and_submit() -> None:
        try:
            submitted(RunStore(tmp_path / "new" / "folder"))
        except RunError as error:
            failures.append(error)

    threads = [threading.Thread(target=open_and_submit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(RunStore(tmp_path / "new" / "folder").runs()) == 12


def test_the_folder_may_have_an_odd_name(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1? Übung & more"
    run = submitted(RunStore(folder))
    assert RunStore(folder).get(run.id) == run
    assert (folder / runs.FILE_NAME).exists()


def test_the_home_is_lab_home_or_the_repositorys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    assert lab_home() == tmp_path
    monkeypatch.delenv("LAB_HOME")
    assert lab_home() == ROOT / "checkpoints" / "runs"


def test_the_log_and_foreign_keys_are_on_and_the_version_is_in_the_file(store: RunStore) -> None:
    connection = sqlite3.connect(store.file)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(runs.MIGRATIONS),)
    run = claimed(store)
    store.add_batches(run.id, "w", [batch(0)])
    store.finish(run.id, "w", "finished")
    store.delete(run.id)
    assert connection.execute("SELECT count(*) FROM batches").fetchone() == (0,)
    connection.close()


def test_a_file_that_is_no_database_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / runs.FILE_NAME
    file.write_bytes(b"these are my holiday notes\n" * 200)
    with pytest.raises(RunError, match="not a store of runs") as error:
        RunStore(tmp_path)
    one_sentence(error, file)
    assert file.read_bytes() == b"these are my holiday notes\n" * 200


def test_another_programs_database_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / runs.FILE_NAME
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE music (title)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(RunError, match="but not a store of runs") as error:
        RunStore(tmp_path)
    one_sentence(error, file)
    assert file.read_bytes() == before


def test_a_damaged_store_is_one_sentence(store: RunStore) -> None:
    for _ in range(50):
        submitted(store)
    store.close()
    content = bytearray(store.file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)  # the first page, with header and schema, is left whole
    store.file.write_bytes(content)
    with pytest.raises(RunError, match="damaged") as error:
        RunStore(store.folder).runs()
    one_sentence(error, store.file)


def test_a_store_cut_short_is_one_sentence(store: RunStore) -> None:
    for _ in range(50):
        submitted(store)
    store.close()
    with store.file.open("r+b") as file:
        file.truncate(4096 + 100)
    with pytest.raises(RunError) as error:
        RunStore(store.folder).runs()
    one_sentence(error, store.file)


def test_a_store_of_a_newer_version_is_refused_naming_both(store: RunStore) -> None:
    submitted(store)
    newer = len(runs.MIGRATIONS) + 4
    connection = sqlite3.connect(store.file)
    connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    with pytest.raises(RunError, match=f"has version {newer}, and this lab reads up to version") as error:
        RunStore(store.folder)
    assert f"version {len(runs.MIGRATIONS)};" in one_sentence(error, store.file)


def test_an_older_store_is_migrated_and_a_copy_of_it_kept(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    run, version = submitted(store), len(runs.MIGRATIONS)
    monkeypatch.setattr(
        runs, "MIGRATIONS", (*runs.MIGRATIONS, ("ALTER TABLE runs ADD COLUMN tag TEXT NOT NULL DEFAULT ''",))
    )
    assert RunStore(store.folder).get(run.id) == run
    assert store.get(run.id) == run, "one that was open already goes on"
    for file, columns in ((store.file, 1), (store.folder / f"runs.version{version}.sqlite3", 0)):
        connection = sqlite3.connect(file)
        found = connection.execute("SELECT count(*) FROM pragma_table_info('runs') WHERE name = 'tag'").fetchone()
        assert found == (columns,)
        assert connection.execute("SELECT id FROM runs").fetchall() == [(run.id,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (version + columns,)
        connection.close()


def test_a_store_of_version_1_is_migrated_with_its_runs_and_a_copy_kept(tmp_path: Path) -> None:
    file = tmp_path / runs.FILE_NAME
    old = sqlite3.connect(file)
    for statement in runs.MIGRATIONS[0]:
        old.execute(statement)
    old.execute(
        """INSERT INTO runs (place, id, kind, status, slug, name, architecture, recipe, dataset, device, parameters,
               seed, epochs, owner, parent, created)
           VALUES (1, 'abc', 'train', 'queued', '', 'mine', '{}', '{}', 'MNIST', 'cpu', 7758, 1, 15, 'Ada', '', 1e9)"""
    )
    old.execute("INSERT INTO epochs VALUES ('abc', 0, 0.1, 0.97, NULL, NULL, 0.05, 0.99, 0.01, 12.5)")
    old.execute(f"PRAGMA application_id = {runs.APPLICATION_ID}")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()

    store = RunStore(tmp_path)
    assert store.entries() == [[store.get("abc")]]
    assert (store.get("abc").name, store.get("abc").seed_group) == ("mine", "")
    assert store.epochs("abc") == [epoch(0)]
    assert store.job(grouped(store, "g", 2).seed_group)[0].seed == 2
    claimed_run = store.claim(["cpu"], "w")
    assert claimed_run is not None
    assert claimed_run.id == "abc"

    kept = sqlite3.connect(tmp_path / "runs.version1.sqlite3")
    assert kept.execute("SELECT id FROM runs").fetchall() == [("abc",)]
    assert kept.execute("PRAGMA user_version").fetchone() == (1,)
    assert "seed_group" not in {row[1] for row in kept.execute("PRAGMA table_info(runs)")}
    kept.close()


def test_a_store_of_version_2_is_migrated_with_its_runs_and_a_copy_kept(tmp_path: Path) -> None:
    file = tmp_path / runs.FILE_NAME
    old = sqlite3.connect(file)
    for statement in (*runs.MIGRATIONS[0], *runs.MIGRATIONS[1]):
        old.execute(statement)
    columns = """place, id, kind, status, slug, name, architecture, recipe, dataset, device, parameters, seed, epochs,
        owner, parent, created, worker, heartbeat, seed_group"""
    for place, (run_id, status, worker) in enumerate((("abc", "running", "w"), ("def", "queued", "")), start=1):
        old.execute(
            f"""INSERT INTO runs ({columns})
                VALUES ({place}, '{run_id}', 'train', '{status}', '', 'mine', '{{}}', '{{}}', 'MNIST', 'cpu',
                    7758, {place}, 15, 'Ada', '', 1e9, '{worker}', 1e9, 'g')"""
        )
    old.execute("INSERT INTO epochs VALUES ('abc', 0, 0.1, 0.97, NULL, NULL, 0.05, 0.99, 0.01, 12.5)")
    old.execute(f"PRAGMA application_id = {runs.APPLICATION_ID}")
    old.execute("PRAGMA user_version = 2")
    old.commit()
    old.close()

    store = RunStore(tmp_path)
    assert store.entries() == [[store.get("abc"), store.get("def")]]
    migrated = store.get("abc")
    assert (migrated.tags, migrated.prediction, migrated.snapshots) == ((), "", False)
    assert store.control("abc") == Control()
    assert store.epochs("abc") == [epoch(0)]
    assert store.hold("abc", "w", "now"), "its worker goes on with it"
    assert store.get("def").prediction == ""
    assert store.set_tags("abc", ["old"]).tags == ("old",)

    kept = sqlite3.connect(tmp_path / "runs.version2.sqlite3")
    assert kept.execute("SELECT id FROM runs ORDER BY place").fetchall() == [("abc",), ("def",)]
    assert kept.execute("PRAGMA user_version").fetchone() == (2,)
    assert "tags" not in {row[1] for row in kept.execute("PRAGMA table_info(runs)")}
    kept.close()


def test_a_store_of_version_3_is_migrated_and_the_run_that_was_under_way_goes_on(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / runs.FILE_NAME)
    for statement in (*runs.MIGRATIONS[0], *runs.MIGRATIONS[1], *runs.MIGRATIONS[2]):
        old.execute(statement)
    old.execute(
        """INSERT INTO runs (place, id, kind, status, slug, name, architecture, recipe, dataset, device, parameters,
               seed, epochs, owner, parent, created, started, worker, heartbeat)
           VALUES (1, 'abc', 'train', 'running', '', 'mine', '{}', '{}', 'MNIST', 'cpu', 7758, 1, 15, 'Ada', '', 1e9,
               1e9, 'w', 1e9)"""
    )
    old.execute("INSERT INTO epochs VALUES ('abc', 0, 0.1, 0.97, NULL, NULL, 0.05, 0.99, 0.01, 12.5)")
    old.execute("INSERT INTO workers VALUES ('cpu', 'w', 7, 'here', 1e9, 1e9, 'abc')")
    old.execute(f"PRAGMA application_id = {runs.APPLICATION_ID}")
    old.execute("PRAGMA user_version = 3")
    old.commit()
    old.close()

    store = RunStore(tmp_path)
    migrated = store.get("abc")
    assert (migrated.owner_key, migrated.bounded, migrated.urgent, migrated.lost) == ("", True, False, 0)
    assert store.slots() == []
    assert not store.slot_heartbeat("cpu", "w", "abc"), "the old worker learns that it should leave"
    assert [run.status for run in store.recover(30)] == ["queued"]
    assert store.claim(["cpu"], "new") is not None
    assert store.epochs("abc") == [epoch(0)]
    kept = sqlite3.connect(tmp_path / "runs.version3.sqlite3")
    assert kept.execute("SELECT device, worker FROM workers").fetchall() == [("cpu", "w")]
    kept.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    run = submitted(store)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "MIGRATIONS", (*runs.MIGRATIONS, ("DROP TABLE epochs", "DROP TABLE no_such_table")))
        with pytest.raises(RunError, match="no_such_table") as error:
            RunStore(store.folder)
        one_sentence(error, store.file)
    assert RunStore(store.folder).get(run.id) == run
    assert store.epochs(run.id) == []


def test_a_file_in_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RunError, match="cannot be made") as error:
            RunStore(folder)
        one_sentence(error, folder)


def test_a_folder_in_place_of_the_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / runs.FILE_NAME).mkdir()
    with pytest.raises(RunError, match="cannot be opened") as error:
        RunStore(tmp_path)
    one_sentence(error, tmp_path / runs.FILE_NAME)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunError) as error:
        RunStore(tmp_path)
    one_sentence(error, tmp_path)


def test_a_store_that_is_moved_away_is_one_sentence_and_no_new_empty_one(store: RunStore) -> None:
    store.file.rename(store.folder / "elsewhere")
    with pytest.raises(RunError, match="is gone") as error:
        submitted(store)
    one_sentence(error, store.file)
    assert not store.file.exists()


def test_a_locked_store_is_one_sentence_and_can_still_be_read(tmp_path: Path) -> None:
    store = RunStore(tmp_path, patience=0.1)
    run = submitted(store)
    other = sqlite3.connect(store.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RunError, match=r"locked for 0\.1 s") as error:
        submitted(store)
    one_sentence(error, store.file)
    assert store.runs() == [run]
    other.execute("ROLLBACK")
    other.close()
    assert submitted(store).id in {run.id for run in store.runs()}


def _fill(folder: Path, run_id: str, said: multiprocessing.Queue[tuple[int, str]]) -> None:
    store = RunStore(folder)
    limit = 256 * 1024  # bytes: from here on every write beyond them fails, as on a full disk
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    written = 0
    try:
        while written < 1_000:
            store.add_batches(run_id, "w", [batch(100 * written + number) for number in range(100)])
            written += 1
    except RunError as error:
        said.put((written, str(error)))


def test_when_no_more_fits_it_is_one_sentence_and_what_was_written_stays(store: RunStore) -> None:
    run, said = claimed(store), PROCESSES.Queue()
    process = PROCESSES.Process(target=_fill, args=(store.folder, run.id, said))
    process.start()
    written, message = said.get(timeout=patient(60))
    process.join()
    assert written > 0
    assert message.startswith(f"{store.file}: the disk ")
    assert "\n" not in message
    iterations = [row.iteration for row in store.batches(run.id, at_most=1_000_000)]
    assert iterations == list(range(100 * written))
    assert store.heartbeat(run.id, "w"), "with room again, work goes on"


def _write_forever(folder: Path, run_id: str, acknowledged: multiprocessing.Queue[int]) -> None:
    store = RunStore(folder)
    for iteration in range(1_000_000):
        store.add_batches(run_id, "w", [batch(2 * iteration), batch(2 * iteration + 1)])
        if iteration == 100:
            acknowledged.put(iteration)


def test_a_writer_killed_in_the_middle_leaves_whole_transactions(store: RunStore) -> None:
    run, acknowledged = claimed(store), PROCESSES.Queue()
    process = PROCESSES.Process(target=_write_forever, args=(store.folder, run.id, acknowledged))
    process.start()
    acknowledged.get(timeout=patient(60))
    process.kill()
    process.join()
    count = len(store.batches(run.id, at_most=1_000_000))
    assert count >= 2 * 101
    assert count % 2 == 0, "two rows were one transaction"
    connection = sqlite3.connect(store.file)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert store.heartbeat(run.id, "w"), "its lock died with it"
