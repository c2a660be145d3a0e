"""The seeds of one network and recipe as one run: their band live, what each is at, and what can be done with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.analysis.spread import spread
from core.architecture.trace import classifier
from core.challenge import target_of
from core.training.history import EpochRecord
from core.training.recipe_words import recipe_words
from core.words import plural, target_words
from lab.experiment.train import run_controls
from lab.experiment.train.prediction import said_before
from lab.runs import actions
from lab.runs.expectation import iterations_of
from lab.runs.person import may_change
from lab.runs.rows import RESUMABLE, Run, Status
from lab.runs.seed_list import next_seeds, seeds_in_words
from lab.runs.turn_words import turn_in_words
from lab.ui.caches import challenge, expectations, store
from lab.ui.colours import TEST, TRAIN
from lab.ui.comparison_figure import QUANTITIES, Look, curves, line
from lab.ui.export_menu import export_menu, of_runs
from lab.ui.headline import headline
from lab.ui.links import link
from lab.ui.live_plot import live_plot
from lab.ui.owner import me
from lab.ui.words import errors_shown, escaped, told

MORE = 2  # seeds that one click adds
ORDER: tuple[Status, ...] = ("running", "queued", "finished", "stopped", "interrupted", "failed")
ICONS = {"running": ":material/play_arrow:", "queued": ":material/hourglass_empty:"}


def group_panel(members: Sequence[Run]) -> None:
    """The runs of a group, by seed: headline, controls, the band of their curves, a row for each."""
    first = members[0]
    histories = {run.id: store().epochs(run.id) for run in members}
    finished = [histories[run.id][-1].test_accuracy for run in members if run.status == "finished"]
    test, target = spread(finished), target_of(first.recipe.target_accuracy, first.dataset, challenge())
    headline(classifier(first.architecture), test.mean, f"target {target_words(target)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        icon = next((ICONS[run.status] for run in members if run.unfinished), ":material/check_circle:")
        st.markdown(f"{icon} **{escaped(first.name)}** · {status_words(members)}", width="stretch")
        if unfinished := [run for run in members if run.unfinished]:
            run_controls.buttons(unfinished, first.job)
        export_menu(lambda: of_runs(members), width="content")
    _progress(members)
    for error in dict.fromkeys(run.error for run in members if run.error):
        st.info(told(error))
    if unfinished:
        said_before(first)
    if first.dataset != "MNIST":
        st.caption(f"Trained on the {first.dataset}: these figures are not MNIST's.")
    _curves(members, histories, target)
    if test.mean is not None and test.sd is not None:
        st.markdown(
            f"Test accuracy after the last epoch: **{test.mean:.2%} ± {test.sd:.2%}** "
            f"(mean and standard deviation, n {test.n})."
        )
    elif finished:
        st.markdown(f"Test accuracy after the last epoch: **{finished[0]:.2%}** (n 1: no deviation yet).")
    _table(members, histories)
    recipe, seeds = recipe_words(first.recipe).removesuffix(f" · seed {first.seed}"), [run.seed for run in members]
    st.caption(f"{recipe} · seeds {seeds_in_words(seeds)} · {first.dataset}")
    if not unfinished:
        compare, *columns = st.columns(3, vertical_alignment="center")
        link("experiment/compare", "Compare with another", {"runs": first.job}, at=compare)
        start_again(members, first.job, columns)
    more_seeds(members)


def status_words(members: Sequence[Run]) -> str:
    """How many of the seeds are at what."""
    count = Counter(run.status for run in members)
    parts = [f"{count[status]} {status}" for status in ORDER if count[status]]
    words = f"{plural(len(members), 'seed')}: {', '.join(parts)}"
    if count["queued"] == len(members):
        words += f"; {turn_in_words(expectations().get(members[0].id))}"
    if any(run.paused_since is not None for run in members):
        words += ", paused"
    return words


def _progress(members: Sequence[Run]) -> None:
    done = sum(store().iterations_done([run.id for run in members]).values())
    total = sum(map(iterations_of, members))
    st.progress(min(1.0, done / max(1, total)), text=f"iteration {done:,} of {total:,}, all seeds together")


def _curves(members: Sequence[Run], histories: dict[str, list[EpochRecord]], target: float) -> None:
    """Test accuracy and training loss: the mean over the seeds, with the band from the least to the greatest."""
    planned, name = members[0].epochs, members[0].name
    for column, quantity, colour in zip(st.columns(2), ("test accuracy", "train loss"), (TEST, TRAIN), strict=True):
        drawn = line("", name, Look(colour, "solid"), list(histories.values()), QUANTITIES[quantity])
        with column:
            live_plot(
                curves([drawn], QUANTITIES[quantity], 0.0, planned, height=290, target=target),
                key=f"{quantity}-{members[0].job}",
                alt=f"{quantity} by epoch: the mean of the seeds, and the band from the least to the greatest.",
            )
    st.caption("The line is the mean over the seeds, the band goes from the least to the greatest.")


def _table(members: Sequence[Run], histories: dict[str, list[EpochRecord]]) -> None:
    rows = []
    for run in members:
        records = histories[run.id]
        rows.append(
            {
                "seed": f"[{run.seed}](?run={run.id})",
                "status": "paused" if run.paused_since is not None else run.status,
                "epochs": f"{len(records)} of {run.epochs}",
                "test, last epoch": f"{records[-1].test_accuracy:.2%}" if records else "—",
                "best": f"{max(record.test_accuracy for record in records):.2%}" if records else "—",
                "train, running": f"{records[-1].train_accuracy:.2%}" if records else "—",
            }
        )
    st.table(pd.DataFrame(rows), border="horizontal", hide_index=True, alt="The seeds, each with its figures.")


def start_again(members: Sequence[Run], job: str, columns: Sequence[DeltaGenerator], begun: bool = True) -> None:
    """The buttons that let what was not finished go on, which its owner may do, and that start the same anew."""
    go_on, again, *_ = columns
    stopped = begun and any(run.status in RESUMABLE for run in members) and may_change(me(), members[0])
    if stopped and go_on.button("Go on", icon=":material/play_arrow:", width="stretch", key=f"go-on-{job}"):
        with errors_shown():
            actions.resume(store(), job, me())
            st.rerun()
    if again.button("Start anew", icon=":material/replay:", width="stretch", key=f"again-{job}"):
        _try(lambda: actions.retry(store(), job, me()))


def more_seeds(members: Sequence[Run]) -> None:
    """The button that trains the same network and recipe with further seeds, which join those that are there."""
    first = members[0]
    if first.kind != "train" or not may_change(me(), first):
        return
    seeds = next_seeds([run.seed for run in members], MORE)
    if st.button(
        f"{MORE} more seeds",
        icon=":material/add:",
        key=f"more-{first.job}",
        help=f"Trains the same network and recipe with the seeds {seeds_in_words(seeds)} too. With more seeds, smaller "
        "differences can be told from luck.",
    ):
        _try(lambda: actions.extend(store(), first.job, seeds, me()))


def _try(act: Callable[[], list[Run]]) -> None:
    """Do it and open what comes of it; an error is said in its place."""
    with errors_shown():
        st.query_params.run = act()[0].job
        st.rerun()
