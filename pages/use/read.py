"""What do you read? Digits that a network got wrong, read by a class before label and prediction are shown."""

import streamlit as st

from core.analysis.mistakes import mistakes
from core.errors import LabError
from lab.ui import checkpoints, frame, images, presentation, unreadable
from lab.ui.caches import split
from lab.ui.links import link
from lab.ui.predictions import predictions
from lab.ui.words import show_error
from lab.use.mistakes import gallery
from lab.use.vote import view as vote_view

row = frame.heading(
    "What do you read?",
    "Read the digits that a network got wrong: vote first, alone or as a class, then see the label and its answer.",
    presents=True,
)
try:
    room = vote_view.room_in_url()
except LabError as error:
    show_error(error)
    link("use/read", "Play alone, or join with a code")
    st.stop()
if not vote_view.leads(room):
    vote_view.game(room, None)
    st.stop()

frame.data_notice()
shelf = checkpoints.on_hand()
if not shelf:
    checkpoints.stop_without_checkpoint("you can read the digits that it got wrong")
narrow, wide = presentation.columns(row, 1, 3, "Room and images")
with narrow:
    vote_view.class_controls(room)
    shelved = checkpoints.picker(shelf, clears=gallery.CELL)
    unreadable.list_checkpoints()
    order = st.selectbox("Order", list(gallery.ORDERS), key="order", bind="query-params")
    st.caption(gallery.ORDERS[order])
    cell = gallery.cell_picker()

with wide:
    try:
        dataset = checkpoints.dataset_for(shelved)
        found = predictions(str(shelved.stem), shelved.card.weights_sha256, dataset, "test")
        view = images.InView(split(dataset, "test"), dataset, "test")
    except LabError as error:
        show_error(error)
        st.stop()
    chosen = gallery.within(found, mistakes(found, order), cell)
    if not len(chosen):
        st.info(f"It has no such mistake: {cell.words}.", icon=":material/info:")
    vote_view.game(room, vote_view.questions(view, shelved, found, chosen, room))
    if not presentation.presenting():
        link("use/mistakes", "All its mistakes", {"checkpoint": shelved.reference})
