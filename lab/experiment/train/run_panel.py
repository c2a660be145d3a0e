"""A run as it is now: status, live curves, target, stop, and, once it has ended, where to go from it."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from functools import partial

import streamlit as st

from core.architecture.link import to_code
from core.architecture.trace import classifier
from core.challenge import target_of
from core.errors import LabError
from core.ladder.model import Step
from core.spreadsheet import csv_text
from core.training.history import EPOCH_COLUMNS, EpochRecord, epoch_cells
from core.training.recipe import Recipe, recipe_to_json
from core.training.recipe_words import recipe_words
from core.words import plural, rate_words, rounded, target_words
from lab.experiment.train import run_controls
from lab.experiment.train.diagnosis import diagnosis
from lab.experiment.train.group_panel import group_panel, more_seeds, start_again
from lab.experiment.train.prediction import prediction_and_outcome, said_before
from lab.runs import full_disk, supervisor
from lab.runs.bounds import iterations_per_epoch
from lab.runs.rows import RESUMABLE, BatchRow, Run
from lab.runs.turn_words import lost_in_words, turn_in_words
from lab.server.pace import in_turn
from lab.studies import own_ladder
from lab.studies.reference import findings_of, how_measured
from lab.studies.shelf import Unreadable, in_folder
from lab.ui import curves, file_names
from lab.ui.caches import challenge, expectations, store, the_queue
from lab.ui.export_menu import export_menu, of_runs
from lab.ui.headline import headline
from lab.ui.images import worst_mistake
from lab.ui.links import link
from lab.ui.live_plot import live_plot
from lab.ui.owner import me
from lab.ui.range_result import link_to, range_result
from lab.ui.report.view import report_button, zipped
from lab.ui.unreadable import list_checkpoints
from lab.ui.words import errors_shown, escaped, told

TICK, FIRST_TICK, WAITING_TICK = 1.0, 0.25, 3.0  # seconds between two looks: see `_clock`
JUST_NOW = 5.0  # seconds within which a first point is waited for
ICONS = {
    "queued": ":material/hourglass_empty:",
    "running": ":material/play_arrow:",
    "finished": ":material/check_circle:",
    "stopped": ":material/stop_circle:",
    "failed": ":material/error:",
    "interrupted": ":material/power_off:",
}


def adopt_step(run_id: str) -> None:
    """Where a link names only a run, let the page's step be the run's, or its design where it is of no step."""
    if not run_id or "step" in st.query_params or "design" in st.query_params:
        return
    with suppress(LabError):
        run = store().job(run_id)[0]
        if run.slug:
            st.query_params.step = own_ladder.by_slug(run.slug).slug
        else:
            st.query_params.design = to_code(run.architecture)


def form_of(run_id: str, step: Step, brought: Recipe | None) -> tuple[Recipe, str]:
    """What the form begins with, and its key: what was brought, else the opened run's recipe, else the step's.

    The run's only where it is one of this step's.

    So a run that is opened can be changed in one thing and started again; the edits made before stay with the step. A
    range test's rate is applied to the form that it was started from, so that one is left as it is.
    """
    key = f"recipe-{step.slug}"
    if brought is not None:
        return brought, f"{key}-{hashlib.sha256(recipe_to_json(brought).encode()).hexdigest()[:12]}"
    if run_id:
        with suppress(LabError):
            run = store().job(run_id)[0]
            if run.slug == step.slug and run.kind == "train":
                return run.recipe, f"{key}-{run.id}"
    return step.recipe, key


def run_panel(run_id: str) -> None:
    """The panel of a run or a group; it updates itself while one runs or waits. An error is said in its place."""
    with errors_shown():
        clock = _clock(store().job(run_id))

        def panel() -> None:
            with errors_shown(), in_turn():
                now = store().job(run_id)
                if unfinished := [run for run in now if run.unfinished]:
                    supervisor.watch(store(), unfinished[0])
                if _clock(now) != clock:
                    st.rerun()  # only the full run can change the panel's clock
                if len(now) > 1:
                    group_panel(now)
                else:
                    _panel(now[0])

        with st.container(key="open-run"):  # by its key the style sheet lays it before the form on a phone
            st.fragment(panel, run_every=clock)()


def _clock(members: list[Run]) -> float | None:
    """Seconds between two looks: none at the end, more for one that waits behind others, fewer for its first point.

    The last for its owner alone: thirty who look four times a second keep a server from answering any of them.
    """
    unfinished = [run for run in members if run.unfinished]
    if not unfinished:
        return None
    run = members[0]
    if all(each.status == "queued" for each in unfinished) and not is_next(unfinished[0]):
        return WAITING_TICK
    at_once = (
        run.owner_key == me().key and time.time() - run.created < JUST_NOW and not store().batches(run.id, at_most=1)
    )
    return FIRST_TICK if at_once else TICK


def _panel(run: Run) -> None:
    recipe = run.recipe
    epochs = store().epochs(run.id)
    batches = store().batches(run.id, at_most=400)
    reached = epochs[-1].test_accuracy if epochs else None
    walked = classifier(run.architecture)
    target = target_of(recipe.target_accuracy, run.dataset, challenge())
    headline(walked, reached, f"target {target_words(target)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        icon = ICONS[run.status] if run.paused_since is None else ":material/pause_circle:"
        st.markdown(f"{icon} **{escaped(run.name)}** · {_status(run, recipe, epochs, batches)}", width="stretch")
        if run.unfinished:
            run_controls.buttons([run], run.id, batches)
        if run.kind == "train":
            if not run.unfinished and epochs:
                link("use/mistakes", "Its worst mistake", worst_mistake(f"{run.id}/last"), "error")
            export_menu(lambda: of_runs([run]), width="content")
    if run.kind == "range_test":
        range_result(run, batches)
        return
    _progress(run, recipe, batches)
    if lost := lost_in_words(run, len(epochs)):
        st.info(lost, icon=":material/healing:")
        st.caption(told(run.error))
    elif run.error:
        (st.error if run.status == "failed" else st.info)(told(run.error))
    if run.unfinished:
        said_before(run)
    if run.seed_group:
        link("experiment/train", "All seeds together", {"run": run.seed_group}, "stacked_line_chart")
    per_epoch = iterations_per_epoch(run.dataset, recipe)
    claimed = claimed_log(run)
    accuracy, loss = st.columns(2)
    with accuracy:
        live_plot(
            curves.accuracy_curves(epochs, recipe.epochs, target, claimed, 290, batches=batches, per_epoch=per_epoch),
            key=f"accuracy-{run.id}",
            alt="Accuracy by epoch on training, validation and test images.",
        )
    with loss:
        live_plot(
            run_controls.with_changes(
                curves.loss_curves(epochs, batches, recipe.epochs, per_epoch, 290), run, per_epoch
            ),
            key=f"loss-{run.id}",
            alt="Loss of each batch and each epoch.",
        )
    if run.dataset != "MNIST":
        st.caption(f"Trained on the {run.dataset}: these figures are not MNIST's.")
    _figures(run, recipe, epochs, batches)
    run_controls.changes_in_words(run, per_epoch)
    if not run.unfinished:
        findings = findings_of(run, epochs, batches, challenge())
        prediction_and_outcome(run, epochs, findings)
        _ways_on(run, epochs)
        diagnosis(run, findings)


def claimed_log(run: Run) -> tuple[float, ...]:
    """What the write-up logged for the run's step; nothing for another network than that, or a step no longer there."""
    slug = link_to(run).get("step") if run.dataset == "MNIST" else None
    claim = own_ladder.by_slug(slug).claim if slug else None
    return claim.test_log if claim else ()


def _status(run: Run, recipe: Recipe, epochs: list[EpochRecord], batches: list[BatchRow]) -> str:
    if run.status == "queued":
        own_before = next((each.own_before for each in the_queue().waiting if each.run.id == run.id), 0)
        return f"queued, {turn_in_words(expectations().get(run.id), own_before)}"
    if run.status == "running":
        if why := full_disk.why_not_written(store().folder):
            return f"running on {run.device_name}. {why}"
        if run.paused_since is not None:
            return f"paused on {run.device_name}"
        if not batches:
            return f"starting on {run.device_name}"
        if run.kind == "range_test":
            planned = run.range_test.iterations
            return f"running on {run.device_name}, batch {batches[-1].iteration + 1} of {planned}"
        stopping = ", stopping" if run.stop_requested else ", to the end of this epoch" if run.pause == "epoch" else ""
        return f"running on {run.device_name}{stopping}"
    if run.kind == "range_test":
        return run.status
    early = ", stopped early" if run.status == "finished" and len(epochs) < recipe.epochs else ""
    return f"{run.status} after {len(epochs)} of {plural(recipe.epochs, 'epoch')}{early}"


def is_next(run: Run) -> bool:
    """Whether no other run will start before this one."""
    turn = expectations().get(run.id)
    return turn is None or turn.turn.position == 0


def _progress(run: Run, recipe: Recipe, batches: list[BatchRow]) -> None:
    total = recipe.epochs * iterations_per_epoch(run.dataset, recipe)
    done = batches[-1].iteration + 1 if batches else 0
    text = "waiting for the first batch" if run.unfinished else ""
    if batches:
        latest = batches[-1]
        seconds = (total - done) * recipe.batch_size / max(1.0, latest.images_per_second)
        left = f" · {spell_seconds(seconds)} left" if run.unfinished and run.paused_since is None else ""
        text = (
            f"epoch {latest.epoch + 1} of {recipe.epochs} · iteration {done:,} of {total:,} · learning rate "
            f"{rate_words(latest.learning_rate)} · {rounded(latest.images_per_second, 0)} images/s{left}"
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
        f"Best test, epoch {best.epoch + 1}",
        f"{best.test_accuracy:.2%}",
        help="Chosen on the test set: it flatters. The last epoch's is the honest figure.",
    )
    st.caption(how_measured(last))


def _ways_on(run: Run, epochs: list[EpochRecord]) -> None:
    """What can be done with a run that has ended."""
    found = run.learning_rate_found
    rate = f" · learning rate found before training: {rate_words(found)}" if found else ""
    st.caption(f"{recipe_words(run.recipe)}{rate} · {run.dataset} · run `{run.id}`")
    if run.kind == "train" and epochs:
        columns = st.columns(3, vertical_alignment="center")
        columns[0].download_button(
            "Figures as CSV", csv_of(epochs), file_names.of_run(run, "figures", ".csv"), "text/csv",
            icon=":material/download:", on_click="ignore", width="stretch",
        )  # fmt: skip
        for column, which in zip(columns[1:], ("last", "best"), strict=True):
            stem = store().folder / run.id / which
            if stem.with_suffix(".safetensors").is_file():
                column.download_button(
                    f"Checkpoint, {which}", partial(zipped, stem), file_names.of_run(run, which, ".zip"),
                    "application/zip", on_click="ignore", icon=":material/download:", width="stretch",
                    help="The weights and their card.",
                )  # fmt: skip
        report_button(run)
        more_seeds([run])
    list_checkpoints([each for each in in_folder(store().folder / run.id) if isinstance(each, Unreadable)])
    if run.status in RESUMABLE:
        start_again([run], run.id, st.columns([1, 1, 2]), begun=bool(epochs))


def csv_of(epochs: list[EpochRecord]) -> str:
    """The epochs as CSV with a header, counted from 1, accuracies as fractions."""
    return csv_text(EPOCH_COLUMNS, map(epoch_cells, epochs))
