"""Bring your own: code, weights, ONNX or a table from elsewhere, read, matched, and put on the shelf."""

import streamlit as st

from core.errors import LabError
from lab.ui import frame
from lab.ui.links import link
from lab.ui.predictions import torch_warming
from lab.ui.words import show_error
from lab.use.bring import inputs, weights
from lab.use.bring.shelf import imported_list
from lab.use.bring.source import source_view

frame.heading(
    "Bring your own",
    "Paste the code of your network or drop its files; with its weights, every page here works on it.",
)
frame.data_notice()
torch_warming()
narrow, wide = st.columns([1, 2.2], gap="large")

with narrow:
    brought = inputs.brought()
with wide:
    for error in brought.errors:
        show_error(error)
    if brought.is_empty:
        inputs.what_it_takes()
    try:
        network = source_view(brought, narrow)
        if network or brought.tensors:
            weights.weights_view(brought, network, narrow)
    except LabError as error:
        show_error(error)
    imported_list()
    link("experiment/design", "Or design a network of your own")
