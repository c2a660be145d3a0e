"""Look inside: what each layer of a trained network makes of a digit, and what its answer rests on."""

import streamlit as st

from core.errors import LabError
from core.words import plural
from lab.ui import checkpoints, frame, unreadable
from lab.ui.headline import headline
from lab.ui.predictions import torch_warming
from lab.ui.words import show_error
from lab.use.inside import view as inside_view
from lab.use.inside.snapshots import snapshots

frame.heading(
    "Look inside",
    "See what every layer makes of a digit, work out one of its values, and find out what the answer rests on.",
)
frame.data_notice()
shelf = checkpoints.on_hand()
if not shelf:
    checkpoints.stop_without_checkpoint("its feature maps will stand here")
torch_warming()
narrow, wide = st.columns([1, 3.6], gap="large")

try:
    with narrow:
        shelved = inside_view.checkpoint_picker(shelf)
        kept, damaged = snapshots(shelved)
        chosen = inside_view.epoch_picker(shelved, kept)
        unreadable.list_snapshots(damaged)
        dataset = checkpoints.dataset_for(shelved)
        subject = inside_view.subject_picker(dataset)
    with wide:
        walked = inside_view.network_of(chosen)
        epochs = plural(chosen.card.epoch + 1, "epoch")
        headline(walked, chosen.card.record.test_accuracy, f"{chosen.card.dataset}, after {epochs}")
        show = st.segmented_control(
            "Show", inside_view.VIEWS, default=inside_view.VIEWS[0], required=True, key="show", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
        if subject is None:
            st.info("Draw a digit on the left; its way through the network appears here.", icon=":material/draw:")
            st.stop()
    network, maps, probabilities = inside_view.inside_of(chosen, subject.digit)
    with narrow:
        inside_view.show_subject(subject, probabilities)
        layer = inside_view.layer_picker(walked) if show in inside_view.OF_ONE_LAYER else None
    with wide:
        if show == "Feature maps":
            inside_view.maps_view(walked, maps)
        elif show == "One pixel" and layer:
            with narrow:
                unit = inside_view.unit_picker(layer, maps[layer.index + 1])
            inside_view.pixel_view(
                walked, subject.digit, maps, inside_view.worked_out(network, walked, maps, layer, unit), chosen.card
            )
        elif show == "Filters" and layer:
            inside_view.filters_view(layer, inside_view.kernels_of(network, layer))
        elif show == "What counts":
            inside_view.counts_view(network, chosen, subject, probabilities)
        elif show == "Dead filters":
            inside_view.dead_view(chosen, dataset)
        elif layer:
            inside_view.epochs_view(shelved, kept, subject, layer)
        inside_view.ways_on(shelved)
except LabError as error:
    with wide:
        show_error(error)
