"""The queue as everybody sees it, and when a turn comes, in words: worked by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.data.mnist import EMBEDDED
from core.ladder import catalogue
from lab.runs.expectation import Expected, expected
from lab.runs.fair_queue import Turn
from lab.runs.person import Person
from lab.runs.queue_now import queue_now
from lab.runs.rows import MAX_LOST, BatchRow, Run, new_run
from lab.runs.store import RunStore
from lab.runs.turn_words import about, lost_in_words, place_in_words, turn_in_words
from lab.settings import lab_home
from tests.made_runs import made_run

pytestmark = pytest.mark.own_data

ANNA, BEN = Person("anna", "Anna"), Person("ben", "Ben")
C6 = catalogue.by_slug("c6-steplr-7416")  # 15 epochs of 469 batches of 128


@pytest.fixture
def store() -> Iterator[RunStore]:
    found = RunStore(lab_home())
    yield found
    found.close()


def queued(store: RunStore, by: Person, dataset: str = "MNIST") -> Run:
    new = new_run(C6.architecture, C6.recipe, dataset)
    return store.submit(replace(new, device="cpu", owner=by.nickname, owner_key=by.key))[0]


def under_way(store: RunStore, by: Person, done: int = 0, images_per_second: float = 4690.0) -> Run:
    """One that a worker has taken from the queue, with so many iterations done."""
    queued(store, by)
    run = store.claim(["cpu"], "w", "cpu", a_person=9)
    assert run is not None
    if done:
        store.add_batches(run.id, "w", [BatchRow(done - 1, (done - 1) // 469, 0.1, 0.97, 0.01, images_per_second)])
    return run


def test_the_queue_says_when_each_run_starts_and_ends_by_the_pace_of_those_before(store: RunStore) -> None:
    made_run(store, [0.99] * 3, architecture=C6.architecture, recipe=replace(C6.recipe, epochs=3))  # 2 s an epoch
    under_way(store, ANNA, done=469 * 5)  # of 15 epochs: 10 are left
    again, other = queued(store, ANNA), queued(store, BEN)
    now = queue_now(store, expected(store))
    assert [each.seconds for each in now.under_way] == [pytest.approx(20, rel=0.01)]
    assert [(each.run.id, each.place, each.own_before) for each in now.waiting] == [(other.id, 1, 0), (again.id, 2, 1)]
    assert [each.starts for each in now.waiting] == [pytest.approx(20, rel=0.01), pytest.approx(50, rel=0.01)]
    assert [each.ends for each in now.waiting] == [pytest.approx(50, rel=0.01), pytest.approx(80, rel=0.01)]
    assert now.last_start == pytest.approx(50, rel=0.01)


def test_before_a_first_run_has_finished_no_time_is_made_up(store: RunStore) -> None:
    under_way(store, ANNA)
    queued(store, BEN)
    now = queue_now(store, expected(store))
    assert [each.seconds for each in now.under_way] == [None]
    assert [(each.starts, each.ends) for each in now.waiting] == [(None, None)]
    assert now.last_start is None
    words = turn_in_words(now.waiting[0].expected)
    assert words == "next in line; how long runs take here is known once the first has finished"


def test_the_first_run_of_all_is_expected_to_end_by_its_own_pace(store: RunStore) -> None:
    under_way(store, ANNA, done=469 * 5, images_per_second=1280.0)  # ten batches a second
    (found,) = queue_now(store, {}).under_way
    assert found.seconds == pytest.approx(469 * 10 / 10)
    assert found.share == pytest.approx(1 / 3)


def test_who_waits_with_several_runs_has_each_counted_before_the_next(store: RunStore) -> None:
    for by in (ANNA, BEN, ANNA, ANNA):
        queued(store, by)
    waiting = queue_now(store, expected(store)).waiting
    assert [each.place for each in waiting] == [1, 2, 3, 4]
    assert [each.own_before for each in waiting if each.run.owner == "Anna"] == [0, 1, 2]
    assert [each.own_before for each in waiting if each.run.owner == "Ben"] == [0]


def test_of_nobodys_runs_none_is_said_to_be_the_same_persons(store: RunStore) -> None:
    store.submit(new_run(C6.architecture, C6.recipe, EMBEDDED))
    store.submit(new_run(C6.architecture, C6.recipe, EMBEDDED))
    assert [each.own_before for each in queue_now(store, expected(store)).waiting] == [0, 0]


# ------------------------------------------------------------------------------------------------------------- in words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "a moment"), (7, "10 s"), (44, "40 s"), (56, "1 min"), (280, "5 min"), (599, "10 min"), (3599, "1 h")),
        *((4800, "1 h 15 min"), (35_000, "9 h 45 min"), (36_000, "10 h"), (90_000, "25 h")),
    ],
)
def test_an_estimate_is_said_no_more_exactly_than_it_is_known(seconds: float, words: str) -> None:
    assert about(seconds) == words


@pytest.mark.parametrize(("position", "words"), [(0, "next in line"), (1, "1 run before it"), (2, "2 runs before it")])
def test_a_place_is_how_many_start_before(position: int, words: str) -> None:
    assert place_in_words(position) == words


def test_a_turn_is_told_with_its_time_and_with_the_reason_that_is_the_persons_own() -> None:
    soon, late = Expected(Turn("a", 0, 4.9), True, False), Expected(Turn("a", 2, 300), True, False)
    assert turn_in_words(None) == "looking for its turn"
    assert turn_in_words(soon) == "next in line, starts in a moment"
    assert turn_in_words(replace(soon, turn=Turn("a", 0, 5))) == "next in line, starts in a moment"
    assert turn_in_words(replace(soon, turn=Turn("a", 0, 5.1))) == "next in line, starts in about 10 s"
    assert turn_in_words(late) == "2 runs before it, starts in about 5 min"
    assert turn_in_words(late, 1) == "2 runs before it, starts in about 5 min, after your other run"
    assert turn_in_words(late, 2) == "2 runs before it, starts in about 5 min, after your other runs"
    assert turn_in_words(replace(late, paused=True)) == "2 runs before it; the teacher holds the queue"


def test_a_lost_worker_is_told_with_the_epochs_that_stay_and_the_last_try(store: RunStore) -> None:
    run = queued(store, ANNA)
    assert lost_in_words(run, 3) == ""
    lost = replace(run, lost=1)
    assert lost_in_words(lost, 0) == "Its worker was lost: it begins anew in a moment."
    assert lost_in_words(lost, 1) == "Its worker was lost, its 1 epoch not: it goes on from epoch 2 in a moment."
    last = "Should that happen once more, it ends as failed."
    assert lost_in_words(replace(run, lost=MAX_LOST - 1), 0).endswith(last)
    assert lost_in_words(replace(lost, status="running"), 3) == ""
