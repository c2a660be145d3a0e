"""Learning rate: a range test with its curve live, what it suggests, and the schedules that start from it."""

from dataclasses import replace

import streamlit as st

from core.architecture.trace import classifier
from core.training.recipe import check_recipe
from lab.experiment.rate import view as rate_page
from lab.experiment.train.run_panel import run_panel
from lab.runs import actions as jobs
from lab.runs import supervisor
from lab.ui import frame
from lab.ui.caches import challenge, dataset_here, store
from lab.ui.headline import headline
from lab.ui.links import link
from lab.ui.owner import me
from lab.ui.words import errors_shown

frame.heading(
    "Learning rate",
    "Raise the rate batch by batch, see where the loss falls and where it explodes, and use one of these rates in "
    "Train.",
)
narrow, wide = st.columns([1, 3], gap="large")
run_id = st.query_params.get("run", "")
rate_page.adopt_network(run_id)
dataset = dataset_here(challenge().dataset)

with narrow:
    network = rate_page.network_picker()
    start = st.button(
        "Start the range test", type="primary", width="stretch", icon=":material/speed:", shortcut="Ctrl+Enter"
    )
    settings = rate_page.range_inputs()

with wide:
    frame.data_notice(challenge().dataset)
    with errors_shown():
        walked = classifier(network.architecture)
        recipe = check_recipe(replace(network.recipe, range_test=settings))
        supervisor.ensure_worker(store())  # warm by the time Start is pressed
        if start:
            (run,) = jobs.submit(
                store(), network.architecture, recipe, kind="range_test", slug=network.slug, dataset=dataset, by=me()
            )
            run_id = st.query_params.run = run.id
        if not run_id:
            headline(walked, None, "after training")
            rate_page.before_a_test(network, settings)
    if run_id:
        run_panel(run_id)
    rate_page.their_mistake()
    rate_page.schedule_view(network, dataset)
    link("experiment/train", "Train this network", network.link)

with narrow:
    if run_id:
        rate_page.edge_warning(settings, run_id)
