"""Teach a class: become the teacher, let the students in, and a plan for 90 minutes."""

import streamlit as st

from lab.learn import teach
from lab.ui import frame, teacher
from lab.ui.links import link
from lab.ui.words import errors_shown

frame.heading("Teach a class", "Let the students in, lead them from page to page, and follow a plan for 90 minutes.")
narrow, wide = st.columns([1, 1.9], gap="large")
with errors_shown():
    with narrow:
        st.markdown("## 1 · Let the students in")
        teach.way_in()
        st.markdown("## 2 · Be the teacher")
        teacher.panel()
    with wide:
        st.markdown("## 3 · Ninety minutes")
        teach.plan()
link("experiment/queue", "The queue: who trains, who waits, and what you decide for all", icon="groups")
