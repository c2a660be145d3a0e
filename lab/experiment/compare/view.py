"""The Compare page's widgets: which runs, their curves over each other, and the table of their figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import pandas as pd
import streamlit as st

from core.analysis.evidence import in_points
from core.architecture.trace import classifier
from core.ladder import catalogue
from core.ladder.comparisons import CLEAN_COMPARISONS
from core.words import plural
from lab.runs.bounds import iterations_per_epoch
from lab.studies.entries import MOST, Entry, find, keys_in, menu, of_studies
from lab.studies.results import studies
from lab.ui import comparison_figure as compare_figures
from lab.ui import url
from lab.ui.caches import challenge, store
from lab.ui.checkpoints import USUAL
from lab.ui.comparison_figure import EACH_BATCH, QUANTITIES, Line, Shown, lettered
from lab.ui.formats import millions
from lab.ui.headline import headline
from lab.ui.links import link
from lab.ui.live_plot import live_plot
from lab.ui.tables import text_column, without_empty
from lab.ui.unreadable import list_runs, list_studies
from lab.ui.words import errors_shown, escaped

SECONDS = 2.0  # between two looks, while one of the runs is under way
BATCHES = 300  # points of a run's line


def run_picker() -> list[Shown]:
    """Choose runs; the choice is ?runs=A,B,C in the URL. What cannot be found is reported, and left out.

    Without a choice, two shipped ones: a page that opens empty shows nobody what it is for.
    """
    keys, options = list[str](), dict[str, str]()
    with errors_shown():
        keys = keys_in(url.given("runs")) if url.given("runs") else usual_pair(of_studies(), challenge().parameters)
        options = menu(store())
    shown = found(keys)
    chosen = [each.entry.key for each in shown]
    options = {each.entry.key: each.entry.name for each in shown} | options  # some are of a group, or old
    st.multiselect(
        "Runs", list(options), max_selections=MOST, select_all=False, wrap=True,
        format_func=lambda key: options.get(key, key), placeholder="A name, nickname or tag",
        help=f"Runs of this lab and shipped ones, up to {MOST}; several seeds of one recipe count as one.",
        **url.bound("runs", chosen, write=",".join, clears=("first", "second", "image", "show")),
    )  # fmt: skip
    list_studies()
    list_runs()
    return shown


def usual_pair(entries: Sequence[Entry], parameters: int) -> list[str]:
    """C6 and, of its data set, the most accurate of the others with at most so many parameters; [] without the two."""
    usual = next((each for each in entries if each.key == USUAL), None)
    small = [
        each
        for each in entries
        if usual and each != usual and each.dataset == usual.dataset and each.parameters <= parameters and each.accuracy
    ]
    best = max(small, key=lambda each: each.accuracy or 0.0, default=None)
    return [usual.key, best.key] if usual and best else []


def found(keys: Sequence[str]) -> list[Shown]:
    """The entries of those keys with their letters and looks; an error is shown in place of an entry."""
    entries: list[Entry] = []
    for key in keys:
        with errors_shown():
            entries.append(find(store(), key))
    return lettered(entries)


def pair_picker(shown: Sequence[Shown]) -> tuple[Shown, Shown]:
    """Of more than two runs, the two that are compared: ?first=A&second=B in the URL."""
    by_letter = {each.letter: each for each in shown}
    letters = list(by_letter)
    first, second = (url.one_of(name, letters, letters[place]) for place, name in enumerate(("first", "second")))
    if first == second:
        second = next(letter for letter in letters if letter != first)
    if len(shown) > 2:
        for name, label, letter in (("first", "First", first), ("second", "Second, compared with it", second)):
            st.selectbox(
                label,
                letters,
                format_func=lambda each: by_letter[each].mark if each in by_letter else each,
                **url.bound(name, letter, clears=("image",)),
            )
    return by_letter[first], by_letter[second]


def invitation(shown: Sequence[Shown]) -> None:
    """Where nothing is chosen: what to do, and comparisons that are worth a look; ends a page with nothing to show."""
    if shown and url.given("runs"):
        return
    do = "Choose two runs or more on the left; or tick them in the table of runs under Train and press Compare."
    if shown:
        one, best = (each.entry for each in shown)
        do = (
            f"No run is chosen, so these are two shipped networks: {escaped(one.name)}, and {escaped(best.name)}, "
            f"which of those with at most {challenge().parameters:,} parameters has the highest mean accuracy "
            f"({_mean_said(best.accuracy)}, n {len(best.ended)}). {do}"
        )
    st.info(do, icon=":material/compare_arrows:")
    with st.expander("Worth a look", icon=":material/visibility:", expanded=not shown):
        _offers()
    if not shown:
        link("experiment/train", "Train a network", icon="model_training")
        st.stop()


def _offers() -> None:
    ready = studies()
    offers = [
        (each.question, [each.before, each.after])
        for each in CLEAN_COMPARISONS
        if each.before in ready and each.after in ready
    ]
    ladder = [step.slug for step in catalogue.LADDER if step.slug in ready]
    offers += [(f"The ladder's first {MOST} measured steps", ladder[:MOST])] if len(ladder) > 2 else []
    with errors_shown():
        latest = [members[0].job for members in store().entries(20) if members[0].kind == "train"][:2]
        offers += [("The last two runs of this lab", latest)] if len(latest) == 2 else []
    for number, (words, keys) in enumerate(offers):
        st.button(
            escaped(words), key=f"offer-{number}", on_click=url.put, args=("runs", ",".join(keys)),
            icon=":material/arrow_forward:",
        )  # fmt: skip


def figures_row(first: Shown, second: Shown | None) -> None:
    """The headline: of one run its figures, of two the second's with the first's below."""
    if second is None:
        headline(classifier(first.entry.architecture), first.entry.accuracy, _runs_said(first.entry))
        return
    one, other = (classifier(each.entry.architecture) for each in (first, second))
    before, after = (each.entry.accuracy for each in (first, second))
    a = first.letter
    columns = st.columns([9, 8.5, 7.5, 12])
    rows = (
        ("Parameters", f"{other.parameters:,}", f"{a}: {one.parameters:,}"),
        ("Receptive field", f"{other.field.size} of {other.architecture.input[1]}", f"{a}: {one.field.size}"),
        ("MACs", millions(other.macs), f"{a}: {millions(one.macs)}"),
        ("Test accuracy", _mean_said(after), f"{a}: {_mean_said(before)}{_beside(first.entry, second.entry)}"),
    )
    for column, (label, value, beside) in zip(columns, rows, strict=True):
        column.metric(f"{label}, {second.letter}", value, beside, delta_color="off", delta_arrow="off", border=True)


def _mean_said(accuracy: float | None) -> str:
    return "—" if accuracy is None else f"{accuracy:.2%}"


def _beside(one: Entry, other: Entry) -> str:
    """How far apart their accuracies are, where the same images were read."""
    if one.accuracy is None or other.accuracy is None:
        return ""
    if one.dataset != other.dataset:
        return f", {one.dataset}"
    return f", {in_points(other.accuracy - one.accuracy)} points"


def _runs_said(entry: Entry) -> str:
    if entry.imported:
        return "imported, evaluated here"
    count = len(entry.ended)
    return "so far" if not count else "1 run, last epoch" if count == 1 else f"mean of {count} seeds, last epoch"


# ------------------------------------------------------------------------------------------------------------- curves


def curve_knobs() -> tuple[str, float]:
    """Which figure is drawn, and how much of the past is in each point of the smooth line."""
    name = st.selectbox("Curve", list(QUANTITIES), key="curve", bind="query-params")
    weight = st.slider(
        "Smoothing", 0.0, 0.98, 0.0, 0.02, key="smoothing", bind="query-params",
        help="A moving average; this much of each point comes from those before it. The raw line stays, pale.",
    )  # fmt: skip
    return name, weight


def curves(now: Sequence[Shown], name: str, weight: float) -> None:
    """The curves and the table of these runs; they refresh while one of the runs is training."""
    keys = [each.entry.key for each in now]
    clock = SECONDS if any(each.entry.unfinished for each in now) else None

    def panel() -> None:
        shown = found(keys)
        if clock and not any(each.entry.unfinished for each in shown):
            st.rerun()  # only a full run of the page can stop the refreshes
        with errors_shown():
            if shown:  # else all were deleted meanwhile, which has been reported
                _curves(shown, name, weight)

    st.fragment(panel, run_every=clock)()


def _curves(shown: Sequence[Shown], name: str, weight: float) -> None:
    quantity = QUANTITIES[name]
    lines = [_line(each, name) for each in shown]
    planned = max(each.entry.recipe.epochs for each in shown)
    empty = [each for each, line in zip(shown, lines, strict=True) if all(value is None for value in line.mean)]
    live_plot(
        compare_figures.curves(
            [line for line in lines if line.x], quantity, weight, planned, target=challenge().accuracy
        ),
        key="compare-curves",
        alt=f"{name.capitalize()} of {plural(len(shown), 'run')} by epoch; the table below has the last figures.",
    )
    if empty:
        why = "shipped ones keep no batches" if name == EACH_BATCH else "none was held out, or there is no epoch yet"
        why = "how imported weights were trained is not known" if all(each.entry.imported for each in empty) else why
        st.caption(f"No {name} of {', '.join(each.letter for each in empty)}: {why}.")
    many = any(len(each.entry.runs) > 1 for each in shown)
    st.caption(
        ("Line: mean of the seeds; band: from the least to the best of them. " if many else "")
        + ("Pale: the raw line. " if weight else "")
        + "A letter stands for the same run in every view of this page."
    )
    figures_table(shown)


def _line(each: Shown, name: str) -> Line:
    entry = each.entry
    if name != EACH_BATCH:
        histories = [run.history for run in entry.runs]
        return compare_figures.line(each.letter, entry.name, each.look, histories, QUANTITIES[name])
    per_epoch = iterations_per_epoch(entry.dataset, entry.recipe)
    by_run = [{row.iteration: row.loss for row in store().batches(run.id, at_most=BATCHES)} for run in entry.members]
    by_run = [rows for rows in by_run if rows]
    iterations = sorted(set[int]().union(*by_run))
    return Line(
        each.letter, entry.name, each.look, tuple((iteration + 1) / per_epoch for iteration in iterations),
        tuple(tuple(compare_figures.finite(rows.get(iteration)) for iteration in iterations) for rows in by_run),
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- table


def figures_table(shown: Sequence[Shown]) -> None:
    """A row for each entry: what the curves come to, with what it cost."""
    frame = without_empty(pd.DataFrame([_row(each) for each in shown]), ("nickname", "tags", "±"))
    if frame["data"].eq("MNIST").all():
        frame = frame.drop(columns="data")
    colours = {f"{each.look.stroke} {each.letter}": each.look.colour for each in shown}
    number = st.column_config.NumberColumn
    texts = [name for name in ("run", "nickname", "epochs", "data", "status", "tags") if name in frame]
    st.dataframe(
        frame.style.map(lambda mark: f"color: {colours[mark]}; font-weight: bold", subset=["line"]),
        hide_index=True,
        height=38 + 35 * len(frame),
        placeholder="",
        column_config={
            "line": st.column_config.TextColumn(width=52),
            **{name: text_column([name, *frame[name]]) for name in texts},
            "parameters": number(format="localized", width=74),
            "MACs, M": number(format="%.2f", width=58),
            "field": number(width=40),
            "n": number(width=28, help="Runs, each with its own seed."),
            "last, %": number(format="%.2f", width=52, help="Test accuracy after the last epoch; of seeds, the mean."),
            "±": number(format="%.2f", width=44, help="Standard deviation over the seeds, percentage points."),
            "held, %": number(format="%.2f", width=54, help=f"The lowest of the {challenge().last_epochs}' means."),
            "best, %": number(format="%.2f", width=54, help="The best epoch's, chosen on the test set: it flatters."),
            "s/epoch": number(format="%.1f", width=54, help="Seconds for an epoch, training and evaluation."),
        },
        alt="Every run's figures: parameters, multiply-adds, field, epochs, last, held and best test accuracy.",
    )


def _row(each: Shown) -> dict[str, object]:
    entry, walked, figures = each.entry, classifier(each.entry.architecture), each.entry.summary
    seconds = [record.seconds for run in entry.runs for record in run.history]
    longest = max((len(run.history) for run in entry.runs), default=0)
    return {
        "line": f"{each.look.stroke} {each.letter}",
        "run": entry.name,
        "nickname": entry.owner,
        "parameters": walked.parameters,
        "last, %": None if entry.accuracy is None else 100 * entry.accuracy,
        "±": 100 * figures.sd if figures and figures.sd is not None else None,
        "n": figures.n if figures else int(entry.imported is not None),
        "held, %": 100 * figures.held if figures else None,
        "best, %": 100 * figures.best_mean if figures else None,
        "epochs": "not known" if entry.imported else f"{longest} of {entry.recipe.epochs}",
        "field": walked.field.size,
        "MACs, M": walked.macs / 1e6,
        "s/epoch": fmean(seconds) if seconds else None,
        "data": entry.dataset,
        "status": status_of(entry),
        "tags": ", ".join(entry.tags),
    }


def status_of(entry: Entry) -> str:
    """In words: shipped, a run's status, or how many of a group have finished."""
    if entry.shipped or entry.imported:
        return "shipped" if entry.shipped else "imported"
    if len(entry.members) == 1:
        return entry.members[0].status
    return f"{sum(run.status == 'finished' for run in entry.members)} of {len(entry.members)} finished"
