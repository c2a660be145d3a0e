"""The Mistakes page's widgets: which checkpoint and which mistakes, the gallery, and one image looked at closely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.analysis.mistakes import MistakeOrder
from core.data.disputed import SOURCE, SOURCE_WORDS
from core.errors import CheckpointError, DataError
from core.spreadsheet import csv_text
from core.training.predictions import Predictions
from lab.studies.shelf import Shelved
from lab.ui.checkpoints import on_shelf, short
from lab.ui.images import MARK, InView, images, percent
from lab.ui.unreadable import list_checkpoints
from lab.ui.words import show_error
from lab.use.mistakes.figures import confusion

ANY = "any"
GALLERY = "gallery"  # in the URL, where it need not stand
VIEWS = {"Gallery": GALLERY, "Confusion matrix": "matrix", "Disagree": "disagree", "Calibration": "calibration"}
ORDERS: dict[MistakeOrder, str] = {
    "least confident": "The network hesitated: the probability of its own answer, smallest first.",
    "most confident": "The network was sure, and wrong: the probability of its own answer, largest first.",
    "smallest margin": "It could hardly tell two digits apart: the likeliest less the next likeliest, smallest first.",
    "highest entropy": "It was in doubt between several digits: the entropy −Σ p log₂ p in bits, 1 between two equal "
    "ones, at most 3.32; largest first.",
    "true class least likely": "How little it believed in the truth: the probability p of the true digit, smallest "
    "first. The same order as the largest loss, shown as p.",
    "largest loss": "What hurts most in training: the cross-entropy loss, −log p of the true digit, largest first. The "
    "same order as true class least likely, shown as the loss.",
}


@dataclass(frozen=True)
class Cell:
    """Which mistakes are shown: those of one true digit, of one answer, of one cell of the matrix, or all."""

    true: int | None = None
    predicted: int | None = None

    @property
    def words(self) -> str:
        true = "any digit" if self.true is None else f"a {self.true}"
        return f"{true} read as {'another' if self.predicted is None else f'a {self.predicted}'}"


def checkpoint_picker(shelf: Sequence[Shelved]) -> Shelved:
    """Choose a checkpoint; the choice is ?checkpoint=REFERENCE in the URL. One that is not there is said, once."""
    chosen = shelf[0]
    if wanted := st.query_params.get("checkpoint", ""):
        try:
            chosen = on_shelf(wanted, shelf)
        except CheckpointError as error:
            show_error(error)
    by_reference = {shelved.reference: shelved for shelved in shelf}
    st.session_state.checkpoint_picker = chosen.reference

    def choose() -> None:
        st.query_params.checkpoint = st.session_state.checkpoint_picker
        clear_cell()

    st.selectbox(
        "Checkpoint", list(by_reference), key="checkpoint_picker", on_change=choose,
        format_func=lambda reference: short(by_reference[reference]) if reference in by_reference else reference,
    )  # fmt: skip
    list_checkpoints()
    return chosen


def cell_picker() -> Cell:
    """Choose a true digit and an answer, as a click in the confusion matrix does; both are kept in the URL."""

    def choose(name: str) -> None:
        _keep(name, st.session_state[f"{name}_picker"])

    values = {"true": _digit_in_url("true"), "predicted": _digit_in_url("predicted")}
    columns = st.columns(2)
    for column, name, label in zip(columns, values, ("True digit", "Read as"), strict=True):
        st.session_state[f"{name}_picker"] = ANY if values[name] is None else str(values[name])
        column.selectbox(label, [ANY, *map(str, range(10))], key=f"{name}_picker", on_change=choose, args=(name,))
    return Cell(values["true"], values["predicted"])


def view_in_url() -> str:
    """Which of the views ?show= asks for; the gallery where it asks for none that there is."""
    wanted = st.query_params.get("show", "")
    return next((view for view, name in VIEWS.items() if name == wanted), "Gallery")


def view_picker() -> None:
    """Choose between the gallery and the views beside it; kept in the URL."""
    st.session_state.view_picker = view_in_url()

    def choose() -> None:
        st.query_params.pop("image", None)
        chosen = VIEWS[st.session_state.view_picker]
        _keep("show", ANY if chosen == GALLERY else chosen)

    st.segmented_control(
        "Show", list(VIEWS), required=True, key="view_picker", on_change=choose, label_visibility="collapsed"
    )


def other_picker(shelf: Sequence[Shelved], shelved: Shelved) -> Shelved | None:
    """Choose a second checkpoint of the same data set, ?other=REFERENCE in the URL; None where there is none.

    One that is not there, or that is the first, is said, and the first of the others stands in.
    """
    same = (each for each in shelf if each.card.dataset == shelved.card.dataset)
    others = {each.reference: each for each in same if each.reference != shelved.reference}
    if not others:
        return None
    chosen = next(iter(others.values()))
    if wanted := st.query_params.get("other", ""):
        try:
            chosen = on_shelf(wanted, list(others.values()))
        except CheckpointError as error:
            show_error(error)
    st.session_state.other_picker = chosen.reference

    def choose() -> None:
        st.query_params.other = st.session_state.other_picker
        st.query_params.pop("image", None)

    st.selectbox(
        "Second checkpoint", list(others), key="other_picker", on_change=choose,
        format_func=lambda reference: short(others[reference]) if reference in others else reference,
    )  # fmt: skip
    return chosen


def _digit_in_url(name: str) -> int | None:
    value = st.query_params.get(name, "")
    if value and value not in map(str, range(10)):
        show_error(DataError(f"?{name}={value[:20]} in the address is no digit from 0 to 9"))
        return None
    return int(value) if value else None


def _keep(name: str, value: str) -> None:
    if value == ANY:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value


def clear_cell() -> None:
    """All mistakes again."""
    for name in ("true", "predicted", "image"):
        st.query_params.pop(name, None)


def within(predictions: Predictions, indices: NDArray[np.int64], cell: Cell) -> NDArray[np.int64]:
    """Of these images, those that the cell holds, in the same order."""
    kept = np.ones(len(indices), bool)
    if cell.true is not None:
        kept &= predictions.labels[indices] == cell.true
    if cell.predicted is not None:
        kept &= predictions.predicted[indices] == cell.predicted
    return indices[kept]


def as_csv(view: InView, predictions: Predictions, indices: NDArray[np.int64]) -> str:
    """A row for each mistake, in the order given; `disputed` is 1 for an image whose label people dispute."""
    names = ("index", "true", "predicted", "confidence", "margin", "entropy", "disputed")
    predicted = predictions.predicted
    figures_of = (predictions.confidence, predictions.margin, predictions.entropy)
    rows: list[tuple[int | float, ...]] = []
    for index in indices.tolist():
        told = [round(float(each[index]), 6) for each in figures_of]
        mark = int(view.doubt(index) is not None)
        rows.append((index, int(predictions.labels[index]), int(predicted[index]), *told, mark))
    return csv_text(names, rows)


def counted(view: InView, trained_on: str, predictions: Predictions, wrong: NDArray[np.int64]) -> None:
    """How many are wrong, of what, and how many of those have a label that people dispute."""
    instead = f", which stands in for {trained_on}" if view.dataset != trained_on else ""
    st.markdown(
        f"#### {len(wrong):,} of {len(view.digits):,} wrong, {predictions.accuracy:.2%} right\n"
        f"{view.dataset}, {view.name} split{instead}, evaluated without augmentation. "
        f"{disputes_told(view, predictions, wrong)}"
    )


def gallery(
    view: InView, predictions: Predictions, chosen: NDArray[np.int64], cell: Cell, order: MistakeOrder, reference: str
) -> None:
    """The chosen mistakes, each with what it is, what it was read as, and the figure it is ordered by."""
    labels, predicted = predictions.labels, predictions.predicted
    if cell != Cell():
        st.markdown(f"{len(chosen):,} of them: {cell.words}")
    elif not len(chosen):
        st.success("Not one mistake on this split.", icon=":material/check_circle:")
        return
    figure_of = figures_by(predictions, order)

    def words(index: int) -> str:
        return f"{labels[index]} read as {predicted[index]} · {figure_of(index)}"

    images(view, chosen, words, f"page-{reference}-{view.name}-{order}-{cell}")


def disputes_told(view: InView, predictions: Predictions, wrong: NDArray[np.int64]) -> str:
    """Of the mistakes, those whose label people dispute, and the accuracy without such images; "" for other splits."""
    doubtful = [index for index in range(len(view.digits)) if view.doubt(index)]
    if not doubtful:
        return ""
    among = len(set(doubtful) & set(wrong.tolist()))
    others = np.delete(predictions.predicted == predictions.labels, doubtful)
    return (
        f"{MARK} {among} of them {'is' if among == 1 else 'are'} among the {len(doubtful)} images whose label people "
        f"dispute ([{SOURCE_WORDS}]({SOURCE})); of the other {len(others):,} it reads {others.mean():.2%}."
    )


def figures_by(predictions: Predictions, order: MistakeOrder) -> Callable[[int], str]:
    """What the order goes by, told for one image."""
    true = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    if order == "true class least likely":
        return lambda index: f"p {percent(float(true[index]))}"
    if order == "largest loss":
        return lambda index: f"{-np.log(max(float(true[index]), 1e-38)):.2f}"  # float32 ends there
    if order == "smallest margin":
        margin = predictions.margin
        return lambda index: f"by {percent(float(margin[index]))}"
    if order == "highest entropy":
        entropy = predictions.entropy
        return lambda index: f"{entropy[index]:.2f} bits"
    confidence = predictions.confidence
    return lambda index: percent(float(confidence[index]))


def ways_on(shelved: Shelved, compared: list[str], order: MistakeOrder, cell: Cell) -> None:
    """From the mistakes to the class game about them, and to the drawing pad."""
    game = {"checkpoint": shelved.reference, "order": order, "true": cell.true, "predicted": cell.predicted}
    st.page_link(
        "pages/use/read.py", label="What do you read? Let the class vote on these", icon=":material/how_to_vote:",
        query_params={name: str(value) for name, value in game.items() if value is not None},
    )  # fmt: skip
    st.page_link(
        "pages/use/draw.py", label="Draw digits of your own for this network", icon=":material/arrow_forward:",
        query_params={"checkpoint": compared},
    )  # fmt: skip


def matrix(counts: NDArray[np.int64]) -> None:
    """The confusion matrix; a click on a cell shows its mistakes in the gallery."""

    def choose() -> None:
        points = st.session_state.confusion.selection.points
        if points:
            true, predicted = points[0]["customdata"][:2]
            # One step of the browser's history. Only these: what a widget is bound to may not be set from here.
            st.query_params.update({"show": GALLERY, "true": str(true), "predicted": str(predicted)})

    ink = "#E8ECF0" if st.context.theme.type == "dark" else "#1B1F24"  # as in config.toml
    st.plotly_chart(
        confusion(counts, ink), key="confusion", on_select=choose, selection_mode="points",
        config={"displayModeBar": False}, alt="Counts by true digit (row) and answer (column); the table has them too.",
    )  # fmt: skip
    st.caption("Rows are true digits, columns answers; the grey diagonal was read rightly. Click a cell to see it.")
