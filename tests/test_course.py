"""The simulated course against queues that are worked by hand, and one that has a formula."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.course import Course, Press, fair, first_come, is_first, measured_seconds, percentile, presses, simulate

pytestmark = pytest.mark.own_data


def test_one_seat_makes_each_wait_as_lindleys_recursion_says() -> None:
    """Lindley 1952, doi:10.1017/S0305004100027638: a wait is the last one's, plus its run, less the time between."""
    chance = random.Random(3)
    pressed, moment = [], 0.0
    for n in range(200):
        moment += chance.expovariate(1 / 10)
        pressed.append(Press(moment, f"person {n}", chance.expovariate(1 / 9), True))
    expected = [0.0]
    for last, this in itertools.pairwise(pressed):
        expected.append(max(0.0, expected[-1] + last.seconds - (this.moment - last.moment)))
    for order in (first_come, fair):  # of people who start one run each, the same
        assert [wait.seconds for wait in simulate(pressed, 1, order)] == pytest.approx(expected)


def test_three_runs_of_one_person_keep_nobody_else_waiting() -> None:
    pressed = [Press(0, "anna", 10, first) for first in (True, False, False)] + [Press(1, "ben", 10, True)]
    by = {order: [(w.press.person, w.seconds) for w in simulate(pressed, 1, order)] for order in (fair, first_come)}
    assert by[fair] == [("anna", 0), ("ben", 9), ("anna", 20), ("anna", 30)]
    assert by[first_come] == [("anna", 0), ("anna", 10), ("anna", 20), ("ben", 29)]
    assert [wait.seconds for wait in simulate(pressed, 4, fair)] == [0, 0, 10, 20], "one run a person under way"


def test_a_course_is_the_same_twice_and_everybodys_runs_start() -> None:
    course = Course(people=20, gpus=2, exercises=2, minutes=40, speed_up=20)
    pressed = presses(course, measured_seconds())
    assert pressed == presses(course, measured_seconds())
    assert sum(press.first for press in pressed) == 40
    waits = simulate(pressed, 2, fair)
    assert sorted(map(id, (wait.press for wait in waits))) == sorted(map(id, pressed))
    assert 0 <= percentile(waits, 0.5, is_first) <= percentile(waits, 0.95, is_first)
