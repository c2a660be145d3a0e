"""Whose run is next: worked by hand, and held against what must be true of every order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.runs.fair_queue import NOBODY, UnderWay, Waiting, next_of, turns


def names(order: list[object]) -> str:
    return " ".join(turn.id for turn in order)  # type: ignore[attr-defined]


def queue(*ids: str, seconds: float = 10.0) -> list[Waiting]:
    """Runs such as anna1, ben1, in the order of submission."""
    return [Waiting(each, each.rstrip("0123456789"), place, seconds=seconds) for place, each in enumerate(ids)]


def test_ten_runs_of_one_person_do_not_keep_the_others_waiting() -> None:
    waiting = queue("anna1", "anna2", "anna3", "ben1", "anna4", "cleo1", "ben2")
    order = turns(waiting, [], {}, a_person=1, slots=1)
    assert names(order) == "anna1 ben1 cleo1 anna2 ben2 anna3 anna4"
    assert [turn.seconds for turn in order] == [0, 10, 20, 30, 40, 50, 60]
    assert [turn.position for turn in order] == list(range(7))


def test_a_second_seat_is_not_given_to_who_has_one_already() -> None:
    order = turns(queue("anna1", "anna2", "ben1"), [], {}, a_person=1, slots=2)
    assert [(turn.id, turn.seconds) for turn in order] == [("anna1", 0), ("ben1", 0), ("anna2", 10)]
    assert next_of(queue("anna2"), {"anna": 1}, {}, a_person=1) is None
    assert next_of(queue("anna2"), {"anna": 1}, {}, a_person=2) == queue("anna2")[0]


def test_a_run_that_the_teacher_put_first_waits_for_nobodys_turn() -> None:
    urgent = Waiting("anna9", "anna", place=-1, urgent=True)
    assert next_of([*queue("ben1"), urgent], {"anna": 1}, {"anna": 5.0}, a_person=1) == urgent


def test_who_was_served_longest_ago_is_next() -> None:
    waiting = queue("anna1", "ben1", "cleo1")
    assert next_of(waiting, {}, {"anna": 30.0, "ben": 10.0, "cleo": 20.0}, 1) == waiting[1]
    assert next_of(waiting, {}, {"anna": 30.0, "ben": 10.0}, 1) == waiting[2]  # who was never served comes first


def test_a_start_is_expected_when_a_seat_becomes_free() -> None:
    under_way = [UnderWay("dora", 7.0), UnderWay("emil", 3.0)]
    order = turns(queue("anna1", "ben1", "cleo1"), under_way, {}, a_person=1, slots=2)
    assert [(turn.id, turn.seconds) for turn in order] == [("anna1", 3), ("ben1", 7), ("cleo1", 13)]


def test_runs_that_came_from_no_browser_may_stand_side_by_side() -> None:
    waiting = [Waiting("a", NOBODY, 0, seconds=10), Waiting("b", NOBODY, 1, seconds=10)]
    assert [turn.seconds for turn in turns(waiting, [], {}, a_person=1, slots=2)] == [0, 0]


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 100), st.booleans()), max_size=25),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 100)), max_size=4),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_everybody_comes_once_and_nobody_waits_for_a_second_turn_of_another(
    runs: list[tuple[str, float, bool]], under_way: list[tuple[str, float]], a_person: int, slots: int
) -> None:
    waiting = [Waiting(f"{person}{n}", person, n, urgent, seconds) for n, (person, seconds, urgent) in enumerate(runs)]
    order = turns(waiting, [UnderWay(*each) for each in under_way], {}, a_person, slots)
    assert sorted(turn.id for turn in order) == sorted(run.id for run in waiting)
    starts = [turn.seconds for turn in order]
    assert starts == sorted(starts)
    by_id = {run.id: run for run in waiting}
    calm = [by_id[turn.id] for turn in order if not by_id[turn.id].urgent]
    for person in "abcdef":  # of one person, first come is first served
        places = [run.place for run in calm if run.person == person]
        assert places == sorted(places)
    for turn in order:  # never more at once than there are slots, once those under way have made room
        running = [t for t in order if t.seconds <= turn.seconds < t.seconds + by_id[t.id].seconds]
        assert len(running) <= slots
