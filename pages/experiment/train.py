"""Train: start a run of a step, watch it live, and open the runs there have been."""

from dataclasses import replace

import streamlit as st

from core.analysis.prediction import prediction_to_json
from core.architecture.trace import classifier
from core.data.mnist import DATASETS, DOWNLOAD_BYTES
from core.training.recipe import check_recipe
from lab.experiment.train.bounds_view import limits_of, tell
from lab.experiment.train.brought_recipe import told_as_brought
from lab.experiment.train.prediction import prediction_form
from lab.experiment.train.previews import before_a_run
from lab.experiment.train.recipe_form import recipe_form, snapshots_toggle
from lab.experiment.train.run_panel import adopt_step, form_of, run_panel
from lab.experiment.train.run_table import run_table
from lab.experiment.train.seeds_field import new_seed, seeds_field
from lab.runs import actions as jobs
from lab.runs import supervisor
from lab.runs.machine import read_machine
from lab.runs.seed_list import parse_seeds
from lab.settings import lab_home
from lab.studies.reference import held_against, reference_of
from lab.ui import frame, url
from lab.ui.caches import challenge, dataset_here, store
from lab.ui.nickname import nickname_field
from lab.ui.owner import me
from lab.ui.step import RECIPE, brought_recipe, design_to_train, step_picker, varied, what_changed
from lab.ui.words import errors_shown

frame.heading(
    "Train a network", "Take a step and its recipe, change what you like, start it, and watch what becomes of it."
)
narrow, wide = st.columns([1, 3], gap="large")
run_id = st.query_params.get("run", "")
adopt_step(run_id)

with narrow:
    step = step_picker(design_to_train())
    what_changed(step)
    nickname_field()
    buttons, predicted = st.container(), st.container()  # filled below: what they are about is not known yet
    seeds_text = seeds_field(step.slug)
    brought = brought_recipe()
    told_as_brought(brought)
    recipe = recipe_form(*form_of(run_id, step, brought))
    with st.expander("Data set, device", icon=":material/database:") as folded:
        dataset = st.selectbox("Data set", DATASETS, DATASETS.index(dataset_here(challenge().dataset)), key="dataset")
        machine = read_machine(lab_home())
        device = st.selectbox("Device", ["auto", *(machine.devices if machine else ())], key="device")
    with buttons:
        limits = limits_of(step, recipe, dataset, me(), seeds_text)
        start = st.button("Start training", type="primary", width="stretch", icon=":material/play_arrow:",
                          shortcut="Ctrl+Enter", disabled=limits is not None and not limits.may_train)  # fmt: skip
        test = st.button("Range test", width="stretch", icon=":material/speed:",
                         disabled=limits is not None and not limits.may_test,
                         help="100 batches at rising learning rates; suggests one.")  # fmt: skip
        tell(limits)

with wide:
    noticed = "MNIST" if dataset not in DOWNLOAD_BYTES else dataset
    with errors_shown():  # a run that is open stays open, whatever the form says
        architecture = varied(step)
        walked = classifier(architecture)
        seeds = parse_seeds(seeds_text)
        recipe = check_recipe(replace(recipe, seed=seeds[0]))
        with folded:
            snapshots = snapshots_toggle(walked.parameters, step.slug)
        with predicted:
            reference = reference_of(step.slug, architecture) if dataset == "MNIST" else None
            prediction = prediction_form(held_against(reference), step.slug)
        supervisor.ensure_worker(store())  # warm by the time Start is pressed
        if start or test:
            kind: jobs.Kind = "train" if start else "range_test"
            (run, *_) = jobs.submit(
                store(), architecture, recipe, kind=kind, slug=step.slug, dataset=dataset, device=device, by=me(),
                prediction=prediction_to_json(prediction) if prediction and start else "",
                snapshots=snapshots and start, seeds=seeds if start and len(seeds) > 1 else (),
            )  # fmt: skip
            run_id = st.query_params.run = run.job
            if start:
                url.drop(RECIPE)  # from now on the form is the run's
            new_seed(step.slug)
        if not run_id:
            frame.data_notice(noticed)
            before_a_run(walked, recipe, dataset, device)
    if run_id:
        run_panel(run_id)
        frame.data_notice(noticed)
    run_table()
