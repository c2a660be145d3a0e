"""The first screen: two networks of very different sizes read the digit that the visitor draws, and three ways on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from jinja2 import Template
from numpy.typing import NDArray

from core.data.drawn_digit import FAINTEST_PEAK, prepare
from core.errors import LabError
from core.words import share_words
from lab.learn.lessons.progress import next_lesson
from lab.learn.two_networks import SMALL, compared, networks
from lab.server import readiness
from lab.ui.caches import challenge
from lab.ui.canvas import canvas
from lab.ui.formats import percent
from lab.ui.links import link
from lab.ui.predictions import probabilities
from lab.ui.words import errors_shown

ANSWER = Template(Path(__file__).with_name("answer.html").read_text(encoding="utf-8"), autoescape=True)
PAD, STROKE = 252, 18  # pixels: nine for each of the digit's 28, and a line as wide as MNIST's


@st.fragment
def duel() -> None:
    """The canvas, and what the two networks read in it; a fragment, so that a stroke reruns nothing else."""
    here = networks()
    sides = st.container(horizontal=True, gap="large", key="duel")
    pad, answers = sides.container(width=PAD), sides.container(width="stretch")
    with pad:
        canvas("start", PAD, STROKE)
    with answers, errors_shown():
        digit = drawn()
        for column, shelved in zip(st.columns(2, gap="medium"), here, strict=False):
            with column.container(border=True, key=f"duel-{shelved.reference}", gap="xsmall"):
                st.markdown(f"**{shelved.card.parameters:,} parameters**")
                _answer(None if digit is None else probabilities(shelved, digit[None])[0])
        if len(here) == 2:
            st.markdown(f"## {compared(*here)}")
            link("experiment/train", "Train the small one yourself", {"step": SMALL}, "model_training")


def drawn() -> NDArray[np.uint8] | None:
    """The drawing as MNIST would have it, (28, 28); None while there is none."""
    picture = st.session_state.get("start_picture")
    if picture is None or int(picture.max()) < FAINTEST_PEAK:
        return None
    try:
        return prepare(picture).digit
    except LabError:  # no digit yet: the first dot of one
        return None


def _answer(values: NDArray[np.float32] | None) -> None:
    """The digit that is read and its ten probabilities, or the room for them: nothing moves when they come."""
    told = (
        "no digit yet"
        if values is None
        else ", ".join(f"{n}: {share_words(share, 1)}" for n, share in enumerate(values))
    )
    best = "?" if values is None else int(values.argmax())
    sure = "draw a digit" if values is None else percent(float(values.max()))
    shares = [0.0] * 10 if values is None else values.tolist()
    st.html(ANSWER.render(best=best, sure=sure, shares=shares, told=told))


def ways_on() -> None:
    """The challenge in one sentence, and a way for each who comes."""
    with st.container(key="ways-on"):
        asked = challenge()
        st.markdown(f"## Can you build one with at most {asked.parameters:,} parameters that holds {asked.target}?")
        learn, build, teach = st.columns(3, gap="medium")
        number, lesson, begun = next_lesson()
        with learn:
            words = f"Go on with lesson {number}" if begun else f"Start lesson {number}"
            link("learn/walkthroughs", f"{words}: {lesson.title}", {"lesson": lesson.key}, "school", width="stretch")
        with build:
            link("experiment/design", "Take the challenge", {"from": SMALL}, "flag", width="stretch")
        with teach:
            link("learn/teach", "I teach a class", icon="co_present", width="stretch")


def make_ready() -> None:
    """Import torch for the first stroke, once nobody else is just arriving: a class must not wait for it."""
    readiness.arrived()
    _torch_once_quiet()


@st.cache_resource(show_spinner=False)
def _torch_once_quiet() -> None:
    readiness.once_quiet("core.training.evaluation")
