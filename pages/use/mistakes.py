"""Mistakes: what a network gets wrong, in a chosen order, and the confusion matrix that sorts it."""

import streamlit as st

from core.errors import LabError
from core.mistakes import confusion_matrix, mistakes
from core.mnist import best_present
from core.trace import classifier
from lab import frame, gallery, widgets
from lab.resources import predictions, split
from lab.robustness_view import beyond
from lab.words import show_error

frame.heading(
    "Mistakes", "See which digits a network gets wrong, and how sure it was; start with those it hesitated over."
)
frame.data_notice()
shelf = gallery.on_hand()
if not shelf:
    gallery.stop_without_checkpoint("its mistakes will stand here")
narrow, wide = st.columns([1, 3], gap="large")

with narrow:
    shelved = gallery.checkpoint_picker(shelf)
    split_name = st.segmented_control(
        "Split", ["test", "train"], default="test", required=True, key="split", bind="query-params",
        on_change=gallery.clear_cell,
    )  # fmt: skip
    order = st.selectbox("Order", list(gallery.ORDERS), key="order", bind="query-params")
    st.caption(gallery.ORDERS[order])
    cell = gallery.cell_picker()
    export = st.container()

with wide:
    try:
        card = shelved.card
        widgets.headline(classifier(card.architecture), card.record.test_accuracy, f"{card.dataset}, from its card")
        dataset = gallery.dataset_for(shelved)
        found = predictions(str(shelved.stem), card.weights_sha256, dataset, split_name)
        digits = split(dataset, split_name)
        opened = gallery.image_in_url(len(digits))
    except LabError as error:
        show_error(error)
        st.stop()

    wrong = mistakes(found, order)
    chosen = gallery.within(found, wrong, cell)
    instead = f", which stands in for {card.dataset}" if dataset != card.dataset else ""
    st.markdown(
        f"#### {len(wrong):,} of {len(digits):,} wrong, {found.accuracy:.2%} right\n"
        f"{dataset}, {split_name} split{instead}, evaluated without augmentation."
    )
    compared = gallery.compared_with(shelved, shelf)
    show = gallery.view_picker()
    if show == "Confusion matrix":
        gallery.matrix(confusion_matrix(found))
    elif not len(wrong):
        st.success("Not one mistake on this split.", icon=":material/check_circle:")
    else:
        if cell != gallery.Cell():
            st.markdown(f"{len(chosen):,} of them: {cell.words}")
        gallery.gallery(digits, found, chosen, order, f"page-{shelved.reference}-{split_name}-{order}-{cell}")
    if opened is not None:
        gallery.close_look(
            digits, found, chosen, compared if split_name == "test" and dataset == best_present() else None
        )
    beyond(shelved)
    st.page_link(
        "pages/use/draw.py", label="Draw digits of your own for this network", icon=":material/arrow_forward:",
        query_params={"checkpoint": compared},
    )  # fmt: skip

if cell != gallery.Cell():
    export.button("Show all mistakes", on_click=gallery.clear_cell, icon=":material/filter_alt_off:", width="stretch")
export.download_button(
    "All mistakes as CSV", gallery.as_csv(found, wrong), f"mistakes-{shelved.card.slug or 'own'}-{split_name}.csv",
    "text/csv", icon=":material/download:", on_click="ignore", width="stretch",
)  # fmt: skip
