"""The class game: rooms that many vote in at once, and the page alone, as one who leads and as one who votes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.mistakes import mistakes
from core.data.disputed import DISPUTED
from core.data.mnist import EMBEDDED
from core.errors import VoteError
from lab.classroom.game import MAX_ROOMS, MAX_ROUNDS, MAX_VOTERS, Question, Room, Rooms
from lab.ui.caches import rooms
from tests.test_learn_pages import opened, said
from tests.test_use_pages import answers, save

READ = "pages/use/read.py"


def question(index: int = 0, label: int = 4, answer: int = 9) -> Question:
    return Question("MNIST", "test", index, label, answer, 0.6, "a network")


def test_a_digit_for_the_image_before_is_not_counted_for_the_next_and_two_tabs_go_on_once() -> None:
    room, first, second, third = Room(), question(1), question(2), question(3)
    room.begin(first)
    room.begin(second)  # another tab of the leader's
    room.vote("a", 7, first)
    room.ask(second, first)
    room.ask(third, first)  # pressed in both tabs
    now = room.now()
    assert now is not None
    assert (now.number, now.question) == (2, second)
    with pytest.raises(VoteError, match="the next image came before your digit"):
        room.vote("a", 7, first)
    room.reveal(first)  # in a tab that is behind
    assert room.now() == now


def test_the_last_vote_of_each_voter_counts_until_the_label_is_shown() -> None:
    room = Room()
    room.ask(question())
    for voter, digit in (("a", 4), ("b", 9), ("a", 9)):
        room.vote(voter, digit)
    room.reveal()
    room.vote("c", 1)
    now = room.now()
    assert now is not None
    assert now.counts == (0,) * 9 + (2,)
    assert now.majority == 9
    assert room.vote_of("a") == 9
    assert room.vote_of("c") is None


def test_thirty_who_vote_at_once_are_all_counted() -> None:
    room = Room()
    room.ask(question())
    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda voter: room.vote(f"voter {voter}", voter % 10), range(300)))
    now = room.now()
    assert now is not None
    assert now.counts == (30,) * 10
    assert now.majority is None


def test_a_score_counts_the_rounds_that_were_voted_in_and_shown() -> None:
    room = Room()
    for label, answer, votes in ((4, 9, "449"), (5, 5, "535"), (1, 7, ""), (2, 0, "02"), (8, 8, "8")):
        room.ask(question(label, label, answer))
        for voter, digit in enumerate(votes):
            room.vote(str(voter), int(digit))
        if label != 8:
            room.reveal()
    own, everyone = room.score_of("0"), room.score()
    assert (own.rounds, own.right, own.network) == (3, 2, 1)
    assert (everyone.rounds, everyone.right, everyone.network) == (3, 2, 1)  # the tie is nobody's


def test_a_question_that_nobody_answered_gives_way_to_the_next() -> None:
    room = Room()
    room.ask(question(1))
    room.ask(question(2))
    now = room.now()
    assert now is not None
    assert (now.number, now.question.index) == (1, 2)


def test_rooms_rounds_and_voters_are_bounded() -> None:
    some = Rooms()
    codes = [some.open()[0] for _ in range(MAX_ROOMS + 1)]
    with pytest.raises(VoteError, match=f"there is no room '{codes[0]}'"):
        some.find(codes[0])
    assert some.find(codes[-1].lower()) is some.find(codes[-1])
    room = Room()
    for index in range(MAX_ROUNDS + 3):
        room.ask(question(index))
        room.vote("a", 4)
    assert room.now().number == MAX_ROUNDS + 3  # type: ignore[union-attr]
    assert len(room.asked()) == MAX_ROUNDS
    room = Room()
    room.ask(question())
    for voter in range(MAX_VOTERS):
        room.vote(str(voter), 1)
    room.vote("0", 2)
    with pytest.raises(VoteError, match=f"at most {MAX_VOTERS}"):
        room.vote("one more", 1)
    with pytest.raises(VoteError, match="got 10"):
        room.vote("0", 10)


@pytest.fixture
def network(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The reference of an untrained network; MNIST is absent."""
    monkeypatch.setenv("LAB_DATA", "/nonexistent")
    save(home, "tiny", EMBEDDED)
    return "tiny"


def pressed(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def test_alone_one_votes_sees_the_label_and_goes_on(network: str) -> None:
    predictions = answers()
    first, second = (int(index) for index in mistakes(predictions)[:2])
    app = opened(READ, checkpoint=network)
    assert not app.exception
    assert "The label is" not in said(app)
    app = pressed(app, str(predictions.labels[first]))
    assert "The label is" not in said(app)
    app = pressed(app, "Reveal")
    assert f"The label is **{predictions.labels[first]}**" in said(app)
    assert f"read **{predictions.predicted[first]}**" in said(app)
    assert "You: 1 of 1 as labelled (the network 0)" in said(app)
    app = pressed(app, "Next image")
    assert "The label is" not in said(app)
    assert "**Image 2**" in said(app)
    app = pressed(pressed(app, str((predictions.labels[second] + 1) % 10)), "Reveal")
    assert "You: 1 of 2 as labelled" in said(app)


def test_a_class_votes_in_a_room_that_only_the_one_who_opened_it_leads(network: str) -> None:
    teacher = pressed(opened(READ, checkpoint=network), "Play with the class")
    code, lead = teacher.query_params["room"], teacher.query_params["lead"]
    assert "Reveal" in [button.label for button in teacher.button]
    students = [opened(READ, room=code) for _ in range(3)]
    for student in students:
        assert not student.exception
        assert {"Reveal", "Next image"}.isdisjoint(button.label for button in student.button)
        pressed(student, "3")
    assert "**3** voted" in said(teacher.run())
    pressed(teacher, "Reveal")
    student = students[0].run()
    label = rooms().find(code).now().question.label  # type: ignore[union-attr]
    assert f"The label is **{label}**" in said(student)
    assert f"{3 if label == 3 else 0} of 3 voted for the label" in said(student)
    assert "Reveal" in [button.label for button in opened(READ, checkpoint=network, room=code, lead=lead).button]
    assert "Reveal" not in [button.label for button in opened(READ, room=code, lead="guessed").button]


def test_a_room_that_is_not_there_is_one_sentence(network: str) -> None:
    app = opened(READ, room="<b>X")
    assert not app.exception
    assert len(app.error) == 1
    assert "there is no room" in app.error[0].value
    assert "\\<b\\>X" in app.error[0].value


def test_a_disputed_label_is_said_when_it_is_shown(mnist_raw: Path) -> None:
    code, room = rooms().open()
    each = DISPUTED[0]
    room.ask(Question("MNIST", "test", each.index, each.label, 9, 0.5, "a network"))
    assert "disputed" not in said(opened(READ, room=code))
    room.reveal()
    assert f"The label is disputed: {each.words}" in said(opened(READ, room=code))
