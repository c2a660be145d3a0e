"""What can be done to a running run: pause it, train one epoch, change its rate, stop it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.record import outside, range_of
from core.training.recipe import Recipe
from core.words import rate_words, rounded, significant
from lab.runs import actions
from lab.runs.person import may_change
from lab.runs.rows import BatchRow, Pause, Run
from lab.ui.caches import store
from lab.ui.colours import CLAIM
from lab.ui.figures import Plain
from lab.ui.number_field import number_field
from lab.ui.owner import me
from lab.ui.words import errors_shown, escaped

FACTORS = {"÷ 10": 0.1, "÷ 2": 0.5, "× 2": 2.0, "× 10": 10.0}
HOLD = "Held, it keeps its place for half an hour, for a minute where others wait; it can go on after that."
ALL = "All seeds that are not finished."
RATES = range_of(Recipe, "learning_rate")  # that can be typed


def buttons(unfinished: Sequence[Run], job: str, batches: list[BatchRow] | None = None) -> None:
    """The row of controls of a run, or of the seeds of a group: the owner's and the teacher's.

    A range test can only be stopped. Of a single run, with its `batches`, an epoch and the rate can be chosen too.
    """
    run = unfinished[0]
    if not may_change(me(), run):
        st.caption(f"Run by {escaped(run.owner) or 'somebody else'}")
        return

    def pause(how: Pause) -> None:
        with errors_shown():  # someone may have deleted it meanwhile
            actions.set_pause(store(), job, how, me())

    def stop() -> None:
        with errors_shown():
            actions.stop(store(), job, me())

    if run.kind == "train":
        held = all(each.pause == "now" for each in unfinished)
        st.button(
            "Go on" if held else "Pause", icon=":material/play_arrow:" if held else ":material/pause:",
            key=f"pause-{job}", on_click=pause, args=("" if held else "now",),
            help=ALL if batches is None else HOLD,
        )  # fmt: skip
    if run.kind == "train" and batches is not None:
        st.button(
            "One epoch", icon=":material/skip_next:", key=f"step-{job}", on_click=pause, args=("epoch",),
            disabled=run.pause == "epoch", help="Train to the end of this epoch, then hold.",
        )  # fmt: skip
        _rate(run, batches)
    stopping = all(each.stop_requested for each in unfinished)
    st.button("Stop", icon=":material/stop:", disabled=stopping, key=f"stop-{job}", on_click=stop)


def _rate(run: Run, batches: list[BatchRow]) -> None:
    now = rate_asked_for(run, batches)
    with st.popover("Rate", icon=":material/speed:", key=f"rate-{run.id}", disabled=not now):
        if not now:  # no batch yet, or the last one, at which a schedule has come down to zero
            return
        st.caption(
            f"The learning rate is {rate_words(now)}. A change holds from the next iteration on, whatever the schedule."
        )
        with st.container(horizontal=True):
            for name, factor in FACTORS.items():
                st.button(name, key=f"rate-{run.id}-{factor}", on_click=_scale, args=(run.id, factor))
        with st.form(f"rate-form-{run.id}", border=False):
            typed = min(max(now, RATES.least), RATES.most)  # several factors may have led beyond
            first = st.session_state.setdefault(f"rate-first-{run.id}", typed)  # a new default would be a new field
            wanted = number_field("Or set it to", RATES, first, step=None, format="%.4g", key=f"rate-to-{run.id}")
            if st.form_submit_button("Set") and not outside(wanted, RATES):
                _scale(run.id, wanted / now)


def rate_asked_for(run: Run, batches: list[BatchRow]) -> float | None:
    """The last batch's rate, times the factor that is asked for now: the worker may not have applied it yet."""
    if not batches:
        return None
    last = batches[-1]
    changes = [change.factor for change in run.rate_changes if change.iteration <= last.iteration]
    return last.learning_rate * run.rate_factor / (changes[-1] if changes else 1.0)


def _scale(run_id: str, factor: float) -> None:
    with errors_shown():
        actions.scale_rate(store(), run_id, factor, me())


def with_changes(figure: Plain, run: Run, per_epoch: int) -> Plain:
    """The figure over epochs, with a line wherever the rate was changed by hand."""
    lines = [
        {
            "type": "line", "yref": "y domain", "y0": 0, "y1": 1, "x0": change.iteration / per_epoch,
            "x1": change.iteration / per_epoch, "line": {"color": CLAIM, "dash": "dot", "width": 1.5},
        }
        for change in run.rate_changes
    ]  # fmt: skip
    layout = figure["layout"]
    return {**figure, "layout": {**layout, "shapes": [*layout.get("shapes", ()), *lines]}}


def changes_in_words(run: Run, per_epoch: int) -> None:
    """Where the rate was changed by hand, if anywhere."""
    if run.rate_changes:
        parts = [
            f"× {significant(each.factor, 3)} from epoch {rounded(each.iteration / per_epoch, 2)} on"
            for each in run.rate_changes
        ]
        st.caption(f"Learning rate changed by hand, against the schedule's own: {'; '.join(parts)} (dotted lines).")
