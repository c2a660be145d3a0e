"""Mistakes: what a network gets wrong, in a chosen order, beside another network, and how sure it should be."""

from functools import partial

import streamlit as st

from core.analysis.mistakes import confusion_matrix, mistakes
from core.architecture.trace import classifier
from core.data.mnist import best_present
from core.errors import LabError
from lab.ui import checkpoints, file_names, frame, images, unreadable, url
from lab.ui.caches import split
from lab.ui.export_menu import export_menu, of_checkpoint
from lab.ui.headline import headline
from lab.ui.predictions import predictions
from lab.ui.readings import asked_beside
from lab.ui.words import show_error
from lab.use.mistakes import gallery
from lab.use.mistakes.calibration import calibration_view
from lab.use.mistakes.disagreement import disagreement
from lab.use.mistakes.robustness import beyond

frame.heading(
    "Mistakes", "See which digits a network gets wrong, and how sure it was; start with those it hesitated over."
)
frame.data_notice()
shelf = checkpoints.on_hand()
if not shelf:
    checkpoints.stop_without_checkpoint("its mistakes appear here")
show = gallery.view_in_url()
narrow, wide = st.columns([1, 3], gap="large")

with narrow:
    shelved = checkpoints.picker(shelf, clears=gallery.CELL)
    export_menu(lambda: [of_checkpoint(shelved)])
    unreadable.list_checkpoints()
    other = gallery.other_picker(shelf, shelved) if show == "Disagree" else None
    split_name = url.switch(
        "Split", ["test", "train"], "split", label_visibility="visible", on_change=gallery.clear_cell
    )
    order = st.selectbox("Order", list(gallery.ORDERS), key="order", bind="query-params")
    st.caption(gallery.ORDERS[order])
    cell = gallery.cell_picker() if show in ("Gallery", "Confusion matrix") else gallery.Cell()
    export = st.container()

with wide:
    try:
        card = shelved.card
        headline(classifier(card.architecture), card.record.test_accuracy, f"{card.dataset}, from its card")
        dataset = checkpoints.dataset_for(shelved)
        found = predictions(str(shelved.stem), card.weights_sha256, dataset, split_name)
        view = images.InView(split(dataset, split_name), dataset, split_name)
        beside = predictions(str(other.stem), other.card.weights_sha256, dataset, split_name) if other else None
    except LabError as error:
        show_error(error)
        st.stop()

    wrong = mistakes(found, order)
    chosen = gallery.within(found, wrong, cell)
    gallery.counted(view, card.dataset, found, wrong)
    compared = checkpoints.compared_with(shelved, shelf)
    askable = compared if split_name == "test" and dataset == best_present() else None
    look = partial(images.close_look, view, found, askable, asked_beside(shelved, shelf))
    gallery.view_picker()
    if show == "Gallery":
        gallery.gallery(view, found, chosen, cell, order, shelved.reference, look)
    elif show == "Disagree" and other and beside:
        disagreement(view, shelved, other, found, beside, order, look)
    else:
        if show == "Confusion matrix":
            gallery.matrix(confusion_matrix(found))
        elif show == "Calibration":
            calibration_view(found)
        else:
            said = f"There is no second checkpoint of {card.dataset} yet: train one to compare."
            st.info(said, icon=":material/info:")
        look(chosen)
    beyond(shelved)
    gallery.ways_on(shelved, compared, order, cell)

if cell != gallery.Cell():
    export.button("Show all mistakes", on_click=gallery.clear_cell, icon=":material/filter_alt_off:", width="stretch")
export.download_button(
    "All mistakes as CSV",
    gallery.as_csv(view, found, wrong),
    file_names.of_checkpoint(shelved, f"mistakes-{split_name}", ".csv"),
    "text/csv",
    icon=":material/download:",
    on_click="ignore",
    width="stretch",
)
