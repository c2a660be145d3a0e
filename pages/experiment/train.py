"""Train: start a run of a step, watch it live, and open the runs there have been."""

import streamlit as st

from core.errors import LabError
from core.mnist import DATASETS, DOWNLOAD_BYTES
from core.recipe import check_recipe
from core.trace import classifier
from lab import figures, frame, jobs, widgets
from lab.machine import read_machine
from lab.previews import augmentation_preview
from lab.recipe_form import recipe_form
from lab.resources import dataset_here, store
from lab.run_panel import iterations_per_epoch, run_panel
from lab.run_table import run_table

frame.heading(
    "Train a network", "Take a step and its recipe, change what you like, start it, and watch what becomes of it."
)
if said := st.session_state.pop("train_error", ""):
    st.error(said)
narrow, wide = st.columns([1, 3], gap="large")

with narrow:
    step = widgets.step_picker()
    buttons = st.container()  # filled below: what they start is not known yet
    recipe = recipe_form(step.recipe, f"recipe-{step.slug}")
    with st.expander("Data set, device", icon=":material/database:"):
        dataset = st.selectbox("Data set", DATASETS, DATASETS.index(dataset_here()), key="dataset")
        machine = read_machine(store().folder)
        device = st.selectbox("Device", ["auto", *(machine.devices if machine else ())], key="device")

with wide:
    frame.data_notice("MNIST" if dataset not in DOWNLOAD_BYTES else dataset)

try:
    architecture = widgets.varied(step)
    walked = classifier(architecture)
    check_recipe(recipe)
    jobs.ensure_worker(store())  # warm by the time Start is pressed
except LabError as error:
    wide.error(str(error))
    st.stop()


def start(kind: jobs.Kind) -> None:
    """Queue the run and put it into the URL."""
    try:
        run = jobs.submit(store(), architecture, recipe, kind=kind, slug=step.slug, dataset=dataset, device=device)
        st.query_params.run = run.id
    except LabError as error:
        st.session_state.train_error = str(error)


with buttons:
    st.button("Start training", type="primary", on_click=start, args=("train",), width="stretch",
              icon=":material/play_arrow:", shortcut="Ctrl+Enter")  # fmt: skip
    st.button("Range test", on_click=start, args=("range_test",), width="stretch", icon=":material/speed:",
              help="100 batches at rising learning rates; suggests one.")  # fmt: skip

with wide:
    if run_id := st.query_params.get("run", ""):
        try:
            run_panel(run_id)
        except LabError as error:
            st.error(str(error))
    else:
        widgets.headline(walked, None, f"target {recipe.target_accuracy:.1%}")
        st.caption(widgets.recipe_words(recipe))
        batches = iterations_per_epoch(dataset, recipe)
        st.markdown("**The learning rate to come**")
        st.plotly_chart(figures.schedule(recipe, batches), key="schedule", config={"displaylogo": False},
                        alt="The learning rate over the epochs.")  # fmt: skip
        st.markdown("**The first images the network will see**")
        augmentation_preview(dataset, recipe)
    run_table()
