"""Start: draw a digit, see a small and a large network read it, and choose a way on."""

import streamlit as st

from lab.learn import start
from lab.ui import frame

if st.query_params.get("lesson"):  # lessons had this page's address once, and links to them are about
    st.switch_page("pages/learn/walkthroughs.py", query_params=st.query_params.to_dict())

frame.heading(
    "Draw a digit",
    "Two networks read it as you draw. Here you learn how such networks are designed, and how small they can be.",
)
start.duel()
start.ways_on()
start.make_ready()
