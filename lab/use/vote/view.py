"""What do you read? The class game, on a projector and on a phone."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.data.disputed import SOURCE, SOURCE_WORDS, disputed
from core.errors import VoteError
from core.training.predictions import Predictions
from lab.classroom.game import Question, Room, Round, Score
from lab.studies.shelf import Shelved
from lab.ui import url
from lab.ui.caches import rooms, split
from lab.ui.formats import percent
from lab.ui.images import MARK, InView, enlarged
from lab.ui.live_plot import live_plot
from lab.ui.presentation import presenting
from lab.ui.words import escaped, show_error
from lab.use.vote.figures import votes

TICK = 1.5  # seconds between two refreshes of a room that others vote in
IMAGE = 308  # pixels, eleven for each of the digit's 28: it fits a phone
BARS = 220  # pixels, the height of the votes' chart

Next = Callable[[], Question | None]


def room_in_url() -> Room:
    """The room of ?room=CODE, or a private one, which nobody else can enter. Raises VoteError."""
    code = st.query_params.get("room", "")
    if code:
        return rooms().find(code)
    if "own_room" not in st.session_state:
        st.session_state.own_room = Room()
    own: Room = st.session_state.own_room
    return own


def leads(room: Room) -> bool:
    """Whether this session may reveal and go on: in a private room always, in a class with the key in ?lead=."""
    given = st.query_params.get("lead", "")
    return not st.query_params.get("room", "") or secrets.compare_digest(given.encode(), room.lead.encode())


def voter() -> str:
    """This session's key among the voters."""
    mark: str = st.session_state.setdefault("voter", secrets.token_hex(8))
    return mark


def questions(view: InView, shelved: Shelved, found: Predictions, indices: NDArray[np.int64], room: Room) -> Next:
    """Gives the first of these images that the room has not been asked about; None when there is no more."""

    def following() -> Question | None:
        asked = room.asked()
        for index in map(int, indices):
            if (view.dataset, view.name, index) not in asked:
                answer = int(found.predicted[index])
                return Question(
                    view.dataset, view.name, index, int(found.labels[index]), answer,
                    float(found.confidence[index]), shelved.card.name,
                )  # fmt: skip
        return None

    return following


def class_controls(room: Room) -> None:
    """Open a room or join one; in a room, the address for the class and the way out."""
    code = st.query_params.get("room", "").strip().upper()
    if not code:
        st.button(
            "Play with the class", on_click=_open, icon=":material/groups:", width="stretch",
            help="Opens a room: everybody votes on their own phone or computer, this screen shows how many have.",
        )  # fmt: skip
        st.text_input("Or join a room", key="room_code", max_chars=8, placeholder="its code", on_change=_join)
        return
    st.metric("Room", code, border=True)
    st.caption("Everybody opens this address, or joins with the code:")
    st.code(_address(), language=None, wrap_lines=True)
    st.button("Leave the room", on_click=url.drop, args=("room", "lead"), icon=":material/logout:", width="stretch")


def _address() -> str:
    """Of this room, for those who vote."""
    return f"{(st.context.url or '').split('?')[0]}?room={st.query_params.room.strip().upper()}"


def _open() -> None:
    code, room = rooms().open()
    st.query_params.room, st.query_params.lead = code, room.lead


def _join() -> None:
    code = st.session_state.room_code.strip().upper()
    if code:
        st.query_params.room = code
        url.drop("lead")


def game(room: Room, following: Next | None) -> None:
    """The image, ten digits to press, and the votes. `following` is for the leader.

    In a room it checks every 1.5 s for other votes and for the next image.
    """
    if following is not None and room.now() is None and (first := following()):
        room.begin(first)
    shared = bool(st.query_params.get("room", ""))
    st.fragment(lambda: _round(room, following, shared), run_every=TICK if shared else None)()


def _round(room: Room, following: Next | None, shared: bool) -> None:
    now = room.now()
    if now is None:
        st.info("Nothing to read yet: the leader has not started.", icon=":material/hourglass_empty:")
        return
    question = now.question
    if shared and presenting():
        st.markdown(f"Vote at **{_address()}** or with the code **{st.query_params.room.strip().upper()}**")
    picture, voting = st.columns([2, 3], gap="large")
    digits = split(question.dataset, question.split)
    picture.image(
        enlarged(digits.images[question.index], 22),
        width="stretch" if presenting() else IMAGE,
        output_format="PNG",
        alt=f"Image {question.index}" + (f", labelled {question.label}." if now.revealed else "; its label is hidden."),
    )
    with picture:  # where there is room for it: what is below stays in its place
        if now.revealed:
            _reveal(now, shared)
        _scores(room, shared)
    with voting:
        people = f" · **{now.voters}** voted" if shared else ""
        st.markdown(f"**Image {now.number}**{people} · :small[press a digit, here or on the keyboard]")
        _buttons(room, now)
        if following is not None:
            _lead(room, now, following)
        shown = now.revealed or (shared and following is not None and st.session_state.get("votes_live", False))
        counts = now.counts if shown else (0,) * 10
        live_plot(
            votes(counts, question.label if now.revealed else None, question.answer if now.revealed else None, BARS),
            key="votes",
            alt=_counted(counts) if shown else "The votes are shown with the label.",
        )


def _buttons(room: Room, now: Round) -> None:
    mine = room.vote_of(voter())

    def press(digit: int) -> None:
        try:
            room.vote(voter(), digit, now.question)
        except VoteError as error:
            st.session_state.vote_refused = str(error)

    grid = st.grid(5, min_column_width=44, gap="xsmall", key="ballot")
    for digit in range(10):
        grid.container().button(
            str(digit), key=f"vote-{digit}", on_click=press, args=(digit,), disabled=now.revealed, width="stretch",
            type="primary" if digit == mine else "secondary", shortcut=str(digit),
        )  # fmt: skip
    if refused := st.session_state.pop("vote_refused", ""):
        show_error(VoteError(refused))


def _lead(room: Room, now: Round, following: Next) -> None:
    def go_on() -> None:
        if question := following():
            room.ask(question, now.question)
        else:
            st.session_state.votes_end = True

    reveal, onward = st.columns(2)
    reveal.button(
        "Reveal", on_click=room.reveal, args=(now.question,), disabled=now.revealed, width="stretch",
        icon=":material/visibility:", type="secondary" if now.revealed else "primary", shortcut="Enter",
    )  # fmt: skip
    onward.button(
        "Next image", on_click=go_on, width="stretch", shortcut="Right", type="primary" if now.revealed else "secondary"
    )
    if st.query_params.get("room", ""):
        st.toggle(
            "Show the votes as they come in", key="votes_live", help="Late voters then see the votes of the others."
        )
    if st.session_state.pop("votes_end", False):
        st.info("That was the last of these images; choose another order or network.", icon=":material/done_all:")


def _reveal(now: Round, shared: bool) -> None:
    question = now.question
    said = "" if not now.voters else f" {now.counts[question.label]} of {now.voters} voted for the label." * shared
    agreed = "agrees with the label" if question.answer == question.label else "was wrong"
    st.markdown(
        f"The label is **{question.label}**. The network *{escaped(question.network)}* read **{question.answer}** with "
        f"{percent(question.confidence)} and {agreed}.{said}"
    )
    if doubt := disputed(question.dataset, question.split, question.index):
        st.warning(f"The label is disputed: {doubt.words} ([{SOURCE_WORDS}]({SOURCE})).", icon=MARK)


def _scores(room: Room, shared: bool) -> None:
    lines = [f"You: {_scored(own)}"] if (own := room.score_of(voter())).rounds else []
    if shared and (everyone := room.score()).rounds:
        lines.append(f"The class, by what most read: {_scored(everyone)}")
    if lines:
        st.caption(" · ".join(lines))


def _scored(score: Score) -> str:
    return f"{score.right} of {score.rounds} as labelled (the network {score.network})"


def _counted(counts: Sequence[int]) -> str:
    return ", ".join(f"{digit}: {count}" for digit, count in enumerate(counts) if count) or "No votes yet."
