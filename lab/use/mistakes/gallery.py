"""The Mistakes page's widgets: which checkpoint and which mistakes, the gallery, and one image looked at closely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.analysis.mistakes import MistakeOrder
from core.data.disputed import SOURCE, SOURCE_WORDS
from core.spreadsheet import csv_text
from core.training.predictions import Predictions
from core.words import rounded
from lab.studies.shelf import Shelved
from lab.ui import checkpoints, url
from lab.ui.colours import ink
from lab.ui.formats import percent
from lab.ui.images import MARK, Indices, InView, Look, images
from lab.ui.links import link
from lab.ui.live_plot import still_plot
from lab.use.mistakes.figures import confusion

ANY = "any"
GALLERY = "gallery"  # in the URL, where it need not stand
VIEWS = {"Gallery": GALLERY, "Confusion matrix": "matrix", "Disagree": "disagree", "Calibration": "calibration"}
ORDERS: dict[MistakeOrder, str] = {
    "least confident": "The network hesitated: the probability of its own answer, smallest first.",
    "most confident": "The network was sure, and wrong: the probability of its own answer, largest first.",
    "smallest margin": "It could hardly tell two digits apart: the highest probability minus the second, smallest "
    "first.",
    "highest entropy": "It was in doubt between several digits: the entropy −Σ p log₂ p in bits, 1 between two equal "
    "ones, at most 3.32; largest first.",
    "true class least likely": "How little it believed in the true digit: its probability p, smallest "
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


CELL = ("true", "predicted", "image")  # in the URL


def cell_picker() -> Cell:
    """Choose a true digit and an answer, as a click in the confusion matrix does; both are in the URL."""
    digits = [ANY, *map(str, range(10))]
    chosen = {name: url.one_of(name, digits, ANY) for name in ("true", "predicted")}
    for column, name, label in zip(st.columns(2), chosen, ("True digit", "Read as"), strict=True):
        column.selectbox(label, digits, **url.bound(name, chosen[name], default=ANY))
    return Cell(*(None if digit == ANY else int(digit) for digit in chosen.values()))


def view_in_url() -> str:
    """The view that ?show= asks for; the gallery where it asks for none."""
    return url.one_of("show", VIEWS, "Gallery", text=VIEWS.__getitem__, quiet=True)


def view_picker() -> None:
    """Choose between the gallery and the views beside it, ?show= in the URL."""
    choice = url.bound("show", view_in_url(), write=VIEWS.__getitem__, default="Gallery", clears=("image",))
    st.segmented_control("Show", list(VIEWS), required=True, label_visibility="collapsed", **choice)


def other_picker(shelf: Sequence[Shelved], shelved: Shelved) -> Shelved | None:
    """Choose a second checkpoint of the same data set, ?other=REFERENCE in the URL; None where there is none."""
    same = [each for each in shelf if each.card.dataset == shelved.card.dataset]
    others = [each for each in same if each.reference != shelved.reference]
    return checkpoints.picker(others, "Second checkpoint", "other", clears=("image",)) if others else None


def clear_cell() -> None:
    """Show all mistakes again."""
    url.drop(*CELL)


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
    instead = f", used in place of {trained_on}" if view.dataset != trained_on else ""
    st.markdown(
        f"## {len(wrong):,} of {len(view.digits):,} wrong, {predictions.accuracy:.2%} right\n"
        f"{view.dataset}, {view.name} split{instead}, evaluated without augmentation. "
        f"{disputes_told(view, predictions, wrong)}"
    )


def gallery(
    view: InView, predictions: Predictions, chosen: Indices, cell: Cell, order: MistakeOrder, reference: str, look: Look
) -> None:
    """The chosen mistakes, each with what it is, what it was read as, and the figure it is ordered by."""
    labels, predicted = predictions.labels, predictions.predicted
    if cell != Cell():
        st.markdown(f"{len(chosen):,} of them: {cell.words}")
    elif not len(chosen):
        st.success("There is no mistake on this split.", icon=":material/check_circle:")
    figure_of = figures_by(predictions, order)

    def words(index: int) -> str:
        return f"{labels[index]} read as {predicted[index]} · {figure_of(index)}"

    images(view, chosen, words, f"page-{reference}-{view.name}-{order}-{cell}", look)


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
        return lambda index: f"{rounded(-np.log(max(float(true[index]), 1e-38)), 2)}"  # float32 ends there
    if order == "smallest margin":
        margin = predictions.margin
        return lambda index: f"by {percent(float(margin[index]))}"
    if order == "highest entropy":
        entropy = predictions.entropy
        return lambda index: f"{rounded(entropy[index], 2)} bits"
    confidence = predictions.confidence
    return lambda index: percent(float(confidence[index]))


def ways_on(shelved: Shelved, compared: list[str], order: MistakeOrder, cell: Cell) -> None:
    """From the mistakes to the class game about them, and to the drawing pad."""
    game = {"checkpoint": shelved.reference, "order": order, "true": cell.true, "predicted": cell.predicted}
    asked = {name: str(value) for name, value in game.items() if value is not None}
    link("use/read", "What do you read? Let the class vote on these", asked, icon="how_to_vote")
    link("use/draw", "Draw your own digits for this network", {"checkpoint": compared})


def matrix(counts: NDArray[np.int64]) -> None:
    """The confusion matrix; a click on a cell shows its mistakes in the gallery."""

    def choose() -> None:
        points = st.session_state.confusion.selection.points
        if points:
            true, predicted = points[0]["customdata"][:2]
            # One step of the browser's history. Only these: what Streamlit binds to a widget may not be set from here.
            st.query_params.update({"show": GALLERY, "true": str(true), "predicted": str(predicted)})

    alt = "Counts by true digit (row) and answer (column); the table has them too."
    still_plot(confusion(counts, ink()), "confusion", alt, on_select=choose, selection_mode="points")
    st.caption("Rows are true digits, columns answers; the grey diagonal is correct. Click a cell to see its images.")
