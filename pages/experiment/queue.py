"""Queue: who is under way and who waits, for everybody; and what the teacher decides for the class."""

import streamlit as st

from lab.experiment.queue import view as queue_view
from lab.experiment.queue.machine import check_this_machine
from lab.ui import frame, teacher
from lab.ui.links import link
from lab.ui.unreadable import list_runs
from lab.ui.words import errors_shown

frame.heading(
    "The queue", "Who is under way, who waits, and when each is expected to start: everybody in turn, nobody twice."
)
narrow, wide = st.columns([1, 3.4], gap="large")
with errors_shown():
    with narrow:
        teacher.panel()
        queue_view.rules()
        check_this_machine()
    with wide:
        teacher.invitation()
        queue_view.queue()
        list_runs()
link("experiment/train", "Train a network of your own")
