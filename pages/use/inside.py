"""Look inside: what each layer of a trained network computes from a digit, and what its answer depends on."""

from pathlib import Path

import streamlit as st

from core.architecture.trace import classifier
from core.errors import LabError
from lab.ui import checkpoints, frame, unreadable, url
from lab.ui.export_menu import export_menu, of_weights
from lab.ui.headline import headline
from lab.ui.links import link
from lab.ui.names import named
from lab.ui.predictions import torch_warming
from lab.ui.words import show_error
from lab.use.inside.epochs import epochs_view
from lab.use.inside.evidence import counts_view
from lab.use.inside.filters import dead_view, filters_view, kernels_of
from lab.use.inside.inputs import (
    epoch_picker,
    layer_picker,
    show_subject,
    subject_picker,
    unit_picker,
)
from lab.use.inside.maps import inside_of, maps_view
from lab.use.inside.pixel import pixel_view, worked_out
from lab.use.inside.snapshots import snapshots

VIEWS = ("Feature maps", "One pixel", "Filters", "What counts", "Dead filters", "Over the epochs")
OF_ONE_LAYER = ("One pixel", "Filters", "Over the epochs")

frame.heading(
    "Look inside",
    "See what every layer computes from a digit, check one of its values, and find out what the answer depends on.",
)
frame.data_notice()
shelf = checkpoints.on_hand()
if not shelf:
    checkpoints.stop_without_checkpoint("its feature maps appear here")
torch_warming()
narrow, wide = st.columns([1, 3.6], gap="large")

try:
    with narrow:
        shelved = checkpoints.picker(shelf, clears=("epochs", "layer", "channel", "unit"))
        unreadable.list_checkpoints()
        kept, damaged = snapshots(shelved)
        chosen = epoch_picker(shelved, kept)
        unreadable.list_snapshots(damaged)
        of_the_run = chosen.stem == str(shelved.stem)
        reference = (
            shelved.reference if of_the_run else f"{shelved.reference.partition('/')[0]}/epoch-{chosen.card.epoch + 1}"
        )
        export_menu(lambda: [of_weights(named(shelved), Path(chosen.stem), chosen.card, reference)])
        dataset = checkpoints.dataset_for(shelved)
        subject = subject_picker(dataset)
    with wide:
        walked = classifier(chosen.card.architecture)
        headline(walked, chosen.card.record.test_accuracy, f"{chosen.card.dataset}, {chosen.card.after}")
        show = url.switch("Show", VIEWS, "show")
        if subject is None:
            st.info("Draw a digit on the left; its feature maps appear here.", icon=":material/draw:")
            st.stop()
    network, maps, probabilities = inside_of(chosen, subject.digit)
    with narrow:
        show_subject(subject, probabilities)
        layer = layer_picker(walked) if show in OF_ONE_LAYER else None
    with wide:
        if show == "Feature maps":
            maps_view(walked, maps)
        elif show == "One pixel" and layer:
            with narrow:
                unit = unit_picker(layer, maps.outputs[layer.name])
            pixel_view(walked, subject.digit, maps, worked_out(network, maps, layer, unit), chosen.card)
        elif show == "Filters" and layer:
            filters_view(layer, kernels_of(network, layer))
        elif show == "What counts":
            counts_view(network, chosen, subject, probabilities)
        elif show == "Dead filters":
            dead_view(chosen, dataset)
        elif layer:
            epochs_view(shelved, kept, subject, layer)
        wrong, field = st.columns(2)
        link("use/mistakes", "Find a digit that it gets wrong", {"checkpoint": shelved.reference}, at=wrong)
        if shelved.card.slug:
            link(
                "learn/field", "Its receptive field", {"step": shelved.card.slug}, icon="center_focus_strong", at=field
            )
except LabError as error:
    with wide:
        show_error(error)
