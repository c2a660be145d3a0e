"""The class answers together: counting, the reveal, who waits, the table; and what a teacher's link keeps locked."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import ClassError
from lab.classroom.answers import MAX_PEOPLE, MAX_ROUNDS, ClassAnswers, Given, Now, Topic
from lab.classroom.leading import HERE_SECONDS, Leading
from lab.classroom.locks import LOCKED_SECONDS, Locks, Taken
from lab.learn.lessons.together import MOST_BARS, OTHERS, counted
from lab.runs.person import Person

pytestmark = pytest.mark.own_data

TOPIC = Topic("dilation", 2, "What is the field?")
ANNA, BEN, TEACHER = Person("anna", "Anna"), Person("ben"), Person("bell", "Ms Bell", teacher=True)


def test_the_last_answer_of_each_counts_until_the_reveal_and_nobody_sees_any_before() -> None:
    answers = ClassAnswers()
    for by, answer in ((ANNA, 14.0), (BEN, 12.0), (ANNA, 12.0)):
        answers.give(TOPIC, by, answer, right=answer == 12)
    assert answers.now(TOPIC) == Now(round=1, answered=2, revealed=False)
    assert answers.shown(TOPIC) == ()
    answers.reveal(TOPIC, TEACHER)
    answers.give(TOPIC, ANNA, 1.0, right=False)
    answers.give(TOPIC, Person("carl"), 1.0, right=False)
    assert [each.answer for each in answers.shown(TOPIC)] == [12.0, 12.0]
    assert answers.answer_of(TOPIC, "anna") == 12.0
    assert answers.answer_of(TOPIC, "carl") is None


def test_thirty_who_answer_at_once_are_all_counted() -> None:
    answers = ClassAnswers()
    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda n: answers.give(TOPIC, Person(f"student {n % 30}"), float(n), right=False), range(300)))
    assert answers.now(TOPIC).answered == 30


def test_asked_again_a_question_is_open_and_empty_and_both_rounds_stand_in_the_table() -> None:
    answers = ClassAnswers()
    answers.give(TOPIC, ANNA, "=lower", right=False, moment=0.0)
    answers.reveal(TOPIC, TEACHER)
    answers.ask_again(TOPIC, TEACHER)
    assert answers.now(TOPIC) == Now(round=2)
    assert answers.answer_of(TOPIC, "anna") is None
    answers.give(TOPIC, BEN, 3.5, right=True, moment=60.0)
    lines = list(csv.DictReader(io.StringIO(answers.table(TEACHER))))
    assert [(each["round"], each["nickname"], each["person"], each["answer"], each["right"]) for each in lines] == [
        ("1", "Anna", "anna", "'=lower", "no"),
        ("2", "", "ben", "3.5", "yes"),
    ]
    assert [(each["answered"], each["revealed"]) for each in lines] == [
        ("1970-01-01T00:00:00+00:00", "yes"),
        ("1970-01-01T00:01:00+00:00", "no"),
    ]


def test_only_the_teacher_reveals_asks_again_sees_who_waits_and_has_the_table() -> None:
    answers = ClassAnswers()
    for act in (
        lambda: answers.reveal(TOPIC, ANNA),
        lambda: answers.ask_again(TOPIC, ANNA),
        lambda: answers.waiting(TOPIC, {}, ANNA),
        lambda: answers.table(ANNA),
    ):
        with pytest.raises(ClassError, match="only the teacher can"):
            act()
    assert answers.now(TOPIC) == Now()


def test_who_follows_and_has_not_answered_waits() -> None:
    leading, answers = Leading(lambda _: True), ClassAnswers()
    for tab, by in (("tab 1", ANNA), ("tab 2", ANNA), ("tab 3", BEN), ("tab 4", Person("carl", "Carl"))):
        leading.version(tab, now=0.0, by=by)
    here = leading.here(now=1.0)
    assert answers.waiting(TOPIC, here, TEACHER) == ["", "Anna", "Carl"]
    answers.give(TOPIC, ANNA, 1.0, right=False)
    assert answers.waiting(TOPIC, here, TEACHER) == ["", "Carl"]
    assert leading.here(now=HERE_SECONDS + 1) == {}


def test_rounds_and_people_are_bounded() -> None:
    answers = ClassAnswers()
    for number in range(MAX_PEOPLE):
        answers.give(TOPIC, Person(str(number)), 1.0, right=False)
    answers.give(TOPIC, Person("0"), 2.0, right=False)
    with pytest.raises(ClassError, match=f"at most {MAX_PEOPLE}"):
        answers.give(TOPIC, Person("one more"), 1.0, right=False)
    for scene in range(MAX_ROUNDS):
        answers.give(Topic("another", scene, "?"), ANNA, 1.0, right=False)
    assert answers.now(TOPIC) == Now()
    assert len(answers.table(TEACHER).splitlines()) == 1 + MAX_ROUNDS


def test_the_spread_has_every_choice_in_its_order_and_of_numbers_the_most_frequent_by_size() -> None:
    chosen = [Given("", answer, right=False, moment=0.0) for answer in ("b", "a", "b")]
    assert counted(chosen, ("a", "b", "c")) == [("a", 1), ("b", 2), ("c", 0)]
    numbers = [float(each) for each in [*range(MOST_BARS), *range(MOST_BARS), 90, 91, 92]]
    spread = counted([Given("", each, right=False, moment=0.0) for each in numbers], ())
    assert spread == [(str(each), 2) for each in range(MOST_BARS)] + [(OTHERS, 3)]


def test_a_locked_link_stays_locked_without_its_words_until_the_teacher_opens_it_or_the_day_ends() -> None:
    locks, taken = Locks(), Taken(frozenset({"answers"}), frozenset({"order"}))
    assert locks.opened("anna", "dilation", Taken(), now=0.0) == Taken()
    assert locks.opened("anna", "dilation", taken, now=0.0) == taken
    assert locks.opened("anna", "dilation", Taken(), now=1.0) == taken
    assert locks.opened("anna", "skips", Taken(), now=1.0) == Taken()
    assert locks.opened("ben", "dilation", Taken(), now=1.0) == Taken()
    assert locks.opened("anna", "dilation", Taken(), now=LOCKED_SECONDS + 1) == Taken()
    locks.freed("anna", "dilation")
    assert locks.opened("anna", "dilation", Taken(), now=1.0) == Taken()
