"""Walkthroughs: the lessons, and the one that is being taken."""

import streamlit as st

from lab.learn.lessons import player as lesson_player
from lab.ui import frame
from lab.ui.links import link

if st.query_params.get("lesson"):
    lesson_player.player()
else:
    frame.heading(
        "Walkthroughs",
        "Learn the design of small networks a scene at a time: predict, do, observe, explain. Begin anywhere; the "
        "first ones take nothing for granted.",
    )
    lesson_player.lesson_list()
    link("learn/ladder", "Or look at the ladder")
