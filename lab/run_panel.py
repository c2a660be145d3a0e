"""A run as it is now: status, live curves, target, stop, and, once it has ended, where to go from it."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from contextlib import suppress
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import TypedDict

import streamlit as st

from core import catalogue
from core.errors import LabError
from core.history import EpochRecord
from core.recipe import Recipe, recipe_from_json
from core.spec import architecture_from_json
from core.trace import classifier
from lab import figures, jobs
from lab.live_plot import live_plot
from lab.previews import iterations_per_epoch
from lab.recipe_form import rate_key
from lab.resources import store
from lab.runs import BatchRow, Run
from lab.widgets import headline, recipe_words
from lab.words import escaped, show_error

UNFINISHED = ("queued", "running")
ICONS = {
    "queued": ":material/hourglass_empty:",
    "running": ":material/play_arrow:",
    "finished": ":material/check_circle:",
    "stopped": ":material/stop_circle:",
    "failed": ":material/error:",
    "interrupted": ":material/power_off:",
}


def adopt_step(run_id: str) -> None:
    """Where a link names only a run, let the page's step be the run's."""
    if not run_id or "step" in st.query_params:
        return
    with suppress(LabError):
        st.query_params.step = catalogue.by_slug(store().get(run_id).slug).slug


def form_of(run_id: str, step: catalogue.Step) -> tuple[Recipe, str]:
    """What the form begins with, and its key: the opened run's recipe where it is one of this step's, else the step's.

    So a run that is opened can be changed in one thing and started again; the edits made before stay with the step. A
    range test's rate is applied to the form that it was started from, so that one is left as it is.
    """
    key = f"recipe-{step.slug}"
    if run_id:
        with suppress(LabError):
            run = store().get(run_id)
            if run.slug == step.slug and run.kind == "train":
                return recipe_from_json(run.recipe), f"{key}-{run.id}"
    return step.recipe, key


def run_panel(run_id: str) -> None:
    """The panel of one run; it ticks each second while the run is under way. An error is said in its place."""
    try:
        clock = _clock(store().get(run_id))
    except LabError as error:
        show_error(error)
        return

    def panel() -> None:
        try:
            now = store().get(run_id)
            if now.status in UNFINISHED:
                jobs.watch(store(), now)
            if _clock(now) != clock:
                st.rerun()  # only the full run can change the panel's clock
            _panel(now)
        except LabError as error:
            show_error(error)

    st.fragment(panel, run_every=clock)()


def _clock(run: Run) -> float | None:
    """Seconds between two looks: few until the first point is there, one while it runs or waits, none at the end."""
    if run.status not in UNFINISHED:
        return None
    at_once = store().queue_position(run.id) == 0 and not store().batches(run.id, at_most=1)
    return 0.25 if at_once else 1.0


def _panel(run: Run) -> None:
    recipe = recipe_from_json(run.recipe)
    epochs = store().epochs(run.id)
    batches = store().batches(run.id, at_most=400)
    reached = epochs[-1].test_accuracy if epochs else None
    headline(classifier(architecture_from_json(run.architecture)), reached, f"target {recipe.target_accuracy:.1%}")
    status, stop = st.columns([5, 1], vertical_alignment="center")
    status.markdown(f"{ICONS[run.status]} **{escaped(run.name)}** · {_status(run, recipe, epochs, batches)}")
    if run.status in UNFINISHED and stop.button(
        "Stop", icon=":material/stop:", disabled=run.stop_requested, width="stretch"
    ):
        store().request_stop(run.id)
        st.rerun()
    if run.kind == "range_test":
        _range_test(run, batches)
        return
    _progress(run, recipe, batches)
    if run.error:
        st.error(escaped(run.error))
    if run.dataset != "MNIST":
        st.caption(f"Trained on the {run.dataset}: these figures are not MNIST's.")
    per_epoch = iterations_per_epoch(run.dataset, recipe)
    claimed = claimed_log(run)
    accuracy, loss = st.columns(2)
    with accuracy:
        live_plot(
            figures.accuracy_curves(epochs, recipe.epochs, recipe.target_accuracy, claimed),
            key=f"accuracy-{run.id}", height=250, alt="Accuracy by epoch on training, validation and test images.",
        )  # fmt: skip
    with loss:
        live_plot(
            figures.loss_curves(epochs, batches, recipe.epochs, per_epoch),
            key=f"loss-{run.id}", height=250, alt="Loss of each batch and each epoch.",
        )  # fmt: skip
    _figures(run, recipe, epochs, batches)
    if run.status not in UNFINISHED:
        _ways_on(run, epochs)


def claimed_log(run: Run) -> tuple[float, ...]:
    """What the write-up logged for the run's step; nothing for a design of one's own, or a step no longer there."""
    try:
        claim = catalogue.by_slug(run.slug).claim if run.slug and run.dataset == "MNIST" else None
    except LabError:
        return ()
    return claim.test_log if claim else ()


def _status(run: Run, recipe: Recipe, epochs: list[EpochRecord], batches: list[BatchRow]) -> str:
    if run.status == "queued":
        ahead = store().queue_position(run.id)
        return "queued, next in line" if ahead == 0 else f"queued, {ahead} before it"
    if run.status == "running":
        if not batches:
            return f"starting on {run.device_name}"
        stopping = ", stopping" if run.stop_requested else ""
        return f"running on {run.device_name}{stopping}"
    if run.kind == "range_test":
        return run.status
    return f"{run.status} after {len(epochs)} of {recipe.epochs} epochs"


def _progress(run: Run, recipe: Recipe, batches: list[BatchRow]) -> None:
    total = recipe.epochs * iterations_per_epoch(run.dataset, recipe)
    done = batches[-1].iteration + 1 if batches else 0
    text = "waiting for the first batch" if run.status in UNFINISHED else ""
    if batches:
        latest = batches[-1]
        seconds = (total - done) * recipe.batch_size / max(1.0, latest.images_per_second)
        left = f" · {spell_seconds(seconds)} left" if run.status in UNFINISHED else ""
        text = (
            f"epoch {latest.epoch + 1} of {recipe.epochs} · iteration {done:,} of {total:,} · learning rate "
            f"{latest.learning_rate:.4g} · {latest.images_per_second:,.0f} images/s{left}"
        )
    st.progress(min(1.0, done / max(1, total)), text=text)


def spell_seconds(seconds: float) -> str:
    """A duration as 12 s, 3 min 20 s or 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _figures(run: Run, recipe: Recipe, epochs: list[EpochRecord], batches: list[BatchRow]) -> None:
    """The last epoch's figures in a row, as text beside the curves."""
    if not epochs:
        return
    last, best = epochs[-1], max(epochs, key=lambda record: record.test_accuracy)
    train, held_out, test, best_test = st.columns(4)
    train.metric("Train, running", f"{last.train_accuracy:.2%}", help="With dropout and augmentation on.")
    held_out.metric("Validation", "—" if last.validation_accuracy is None else f"{last.validation_accuracy:.2%}")
    test.metric("Test, last epoch", f"{last.test_accuracy:.2%}")
    best_test.metric(
        f"Best test, epoch {best.epoch + 1}", f"{best.test_accuracy:.2%}",
        help="Chosen on the test set: it flatters. The last epoch's is the honest figure.",
    )  # fmt: skip


class Suggested(TypedDict):
    """A suggestion of the range test, as the worker wrote it."""

    name: str
    learning_rate: float
    why: str
    at_edge: bool


def _suggested(run: Run) -> tuple[list[Suggested], str, bool]:
    """A range test's suggestions, why there are none, and whether the loss diverged; nothing while it runs."""
    if not run.result:
        return [], "", False
    result = json.loads(run.result)
    return result["suggestions"], result["reason"], result["diverged"]


def _range_test(run: Run, batches: list[BatchRow]) -> None:
    suggestions, reason, diverged = _suggested(run)
    if run.error:
        st.error(escaped(run.error))
    marks = {each["name"]: each["learning_rate"] for each in suggestions}
    live_plot(
        figures.range_test([row.learning_rate for row in batches], [row.loss for row in batches], marks),
        key=f"range-{run.id}", height=250, alt="Smoothed loss against learning rate.",
    )  # fmt: skip
    for each in suggestions:
        say, apply = st.columns([4, 1], vertical_alignment="center")
        edge = " It lies at the edge of the range: widen the range before you trust it." if each["at_edge"] else ""
        say.markdown(f"**{each['name']}: {each['learning_rate']:.3g}**, {each['why']}.{edge}")
        if apply.button(
            "Use it", key=f"use-{run.id}-{each['name']}", on_click=_apply, args=(run, each["learning_rate"])
        ):
            st.rerun()  # the whole page: the form takes the rate, the panel goes
    if reason:
        st.warning(f"No suggestion: {reason}")
    elif run.status == "finished":
        st.caption(
            "The loss diverged before the last iteration."
            if diverged
            else "The iterations ran out first; the loss had not diverged."
        )


def _apply(run: Run, rate: float) -> None:
    """Put the rate into the form of the run's step, and leave the run."""
    slug = run.slug or st.query_params.get("step", "")
    st.session_state[rate_key(f"recipe-{slug}")] = rate
    st.query_params.step = slug
    st.query_params.pop("run", None)


def _ways_on(run: Run, epochs: list[EpochRecord]) -> None:
    """What can be done with a run that has ended."""
    found = json.loads(run.result)["chosen"] if run.kind == "train" and run.result else None
    rate = f" · learning rate found before training: {found:.4g}" if found else ""
    st.caption(f"{recipe_words(recipe_from_json(run.recipe))}{rate} · {run.dataset} · run `{run.id}`")
    if run.kind == "train" and epochs:
        columns = st.columns(4, vertical_alignment="center")
        columns[0].page_link(
            "pages/use/mistakes.py", label="See its mistakes", icon=":material/arrow_forward:",
            query_params={"checkpoint": f"{run.id}/last"},
        )  # fmt: skip
        columns[1].download_button(
            "Figures as CSV", csv_of(epochs), f"{run.id}.csv", "text/csv", icon=":material/download:",
            on_click="ignore", width="stretch",
        )  # fmt: skip
        for column, which in zip(columns[2:], ("last", "best"), strict=True):
            stem = store().folder / run.id / which
            if stem.with_suffix(".safetensors").is_file():
                column.download_button(
                    f"Checkpoint, {which}", partial(zipped, stem), f"{run.id}-{which}.zip", "application/zip",
                    on_click="ignore", icon=":material/download:", width="stretch", help="The weights and their card.",
                )  # fmt: skip
    if run.status in ("stopped", "interrupted", "failed"):
        go_on, again, _ = st.columns([1, 1, 2])
        if epochs and go_on.button("Go on", icon=":material/play_arrow:", width="stretch"):
            jobs.resume(store(), run.id)
            st.rerun()
        if again.button("Start anew", icon=":material/replay:", width="stretch"):
            st.query_params.run = jobs.retry(store(), run.id).id
            st.rerun()


def zipped(stem: Path) -> bytes:
    """A checkpoint's pair in one file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in (stem.with_suffix(".safetensors"), stem.with_suffix(".json")):
            archive.write(path, path.name)
    return content.getvalue()


def csv_of(epochs: list[EpochRecord]) -> str:
    """The epochs as CSV with a header, accuracies as fractions."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(EpochRecord)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in epochs)
    return text.getvalue()
