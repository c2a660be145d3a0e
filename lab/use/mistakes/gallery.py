"""The Mistakes page's widgets: which checkpoint and which mistakes, the gallery, and one image looked at closely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.analysis.mistakes import MistakeOrder, Predictions
from core.data.disputed import SOURCE, SOURCE_WORDS, Disputed, disputed
from core.data.mnist import EMBEDDED, Pixels, Split, SplitName, is_present
from core.errors import CheckpointError, DataError
from core.spreadsheet import csv_text
from lab.studies.shelf import Shelved, own, shipped, why_unreadable
from lab.ui import figures
from lab.ui.live_plot import live_plot
from lab.ui.unreadable import list_checkpoints
from lab.ui.words import show_error
from lab.use.mistakes.figures import confusion

PER_PAGE = 24
ANY = "any"
GALLERY = "gallery"  # in the URL, where it need not stand
VIEWS = {"Gallery": GALLERY, "Confusion matrix": "matrix", "Disagree": "disagree", "Calibration": "calibration"}
MARK = ":material/balance:"  # of an image whose label people dispute
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
class InView:
    """The split that a page shows, and where it comes from."""

    digits: Split
    dataset: str
    name: SplitName

    def doubt(self, index: int) -> Disputed | None:
        """What is known of an image whose label people dispute."""
        return disputed(self.dataset, self.name, index)


@dataclass(frozen=True)
class Cell:
    """Which mistakes are shown: those of one true digit, of one answer, of one cell of the matrix, or all."""

    true: int | None = None
    predicted: int | None = None

    @property
    def words(self) -> str:
        true = "any digit" if self.true is None else f"a {self.true}"
        return f"{true} read as {'another' if self.predicted is None else f'a {self.predicted}'}"


def dataset_for(shelved: Shelved) -> str:
    """The data set a checkpoint is evaluated on: its own, or for MNIST, where that is absent, the embedded digits."""
    wanted = shelved.card.dataset
    if is_present(wanted):
        return wanted
    if wanted == "MNIST":
        return EMBEDDED
    raise DataError(f"{shelved.reference} was trained on {wanted}, which is not here; nothing else can stand in for it")


def on_hand() -> tuple[Shelved, ...]:
    """Every checkpoint that can be opened, shipped ones first; of two with one reference the first, as `find` does."""
    first: dict[str, Shelved] = {}
    for shelved in (*shipped(), *own()):
        first.setdefault(shelved.reference, shelved)
    return tuple(first.values())


def stop_without_checkpoint(then: str) -> NoReturn:
    """Say that there is nothing to ask yet, and end the page. `then`: what a trained network would bring here."""
    st.info(f"There is no checkpoint yet: train a network, and {then}.", icon=":material/info:")
    list_checkpoints()
    st.page_link("pages/experiment/train.py", label="Train a network", icon=":material/arrow_forward:")
    st.stop()


def short(shelved: Shelved) -> str:
    """A checkpoint in a narrow menu: name and test accuracy, and for one's own what tells it from another run's."""
    card = shelved.card
    return f"{card.name} · {card.record.test_accuracy:.2%}" + ("" if shelved.shipped else f" · {shelved.reference}")


def on_shelf(reference: str, shelf: Sequence[Shelved]) -> Shelved:
    """The checkpoint of that reference. Raises CheckpointError naming what there is, or why it cannot be opened."""
    for shelved in shelf:
        if shelved.reference == reference:
            return shelved
    if reason := why_unreadable(reference):
        raise CheckpointError(f"the checkpoint {reference!r} cannot be opened: {reason}")
    there = ", ".join(shelved.reference for shelved in shelf[:8])
    raise CheckpointError(f"there is no checkpoint {reference!r}; there are {there}")


def compared_with(shelved: Shelved, shelf: Sequence[Shelved]) -> list[str]:
    """The references of a checkpoint and of another one beside it, for the drawing pad."""
    others = [each.reference for each in shelf if each.reference != shelved.reference]
    return [shelved.reference, *others[:1]]


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


def enlarged(digit: Pixels, zoom: int = 8) -> Pixels:
    """A digit (28, 28) with each pixel `zoom` wide: shown at half that size it is sharp on every screen."""
    return np.kron(digit, np.ones((zoom, zoom), np.uint8))


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


def images(view: InView, indices: NDArray[np.int64], words: Callable[[int], str], key: str) -> None:
    """Images, paged; `words` stand under each and open it, and those with a disputed label carry their mark."""
    pages = max(1, -(-len(indices) // PER_PAGE))
    shown_page = st.pagination(pages, key=key) if pages > 1 else 1
    shown = indices[PER_PAGE * (shown_page - 1) : PER_PAGE * shown_page]
    grid = st.grid(6, min_column_width=112, gap=("small", "xsmall"), key="gallery")  # 6 or 3: both divide a page
    for index in map(int, shown):
        doubt = view.doubt(index)
        with grid.container(gap="xxsmall", horizontal_alignment="center"):
            alt = f"Image {index}: {words(index)}.{' Its label is disputed.' if doubt else ''}"
            st.image(enlarged(view.digits.images[index]), width=112, output_format="PNG", alt=alt)
            st.button(
                f":small[{words(index)}{f' {MARK}' if doubt else ''}]", key=f"open-{index}", type="tertiary",
                on_click=look_at, args=(index,),
                help=f"The label is disputed: {doubt.words}." if doubt else f"Image {index}: its ten probabilities.",
            )  # fmt: skip


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


def percent(share: float) -> str:
    """52%; with two digits where the whole number would say all or nothing, and never quite either."""
    if 0.01 <= share <= 0.99:
        return f"{share:.0%}"
    return f"{share:.2%}" if 0.0001 <= share <= 0.9999 else "under 0.01%" if share < 0.5 else "over 99.99%"


def look_at(index: int) -> None:
    """Put an image into the URL: the next run opens it."""
    st.query_params.image = str(index)


def image_in_url(size: int) -> int | None:
    """The image that ?image=INDEX asks for. Raises DataError for one that is not in the split."""
    wanted = st.query_params.get("image", "")
    if not wanted:
        return None
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 9 and int(wanted) < size):
        raise DataError(f"there is no image {wanted[:20]!r}; the split's images are 0 to {size - 1:,}")
    return int(wanted)


def _close() -> None:
    st.query_params.pop("image", None)


@st.dialog("One image, ten probabilities", width="medium", on_dismiss=_close)
def close_look(
    view: InView, predictions: Predictions, indices: NDArray[np.int64], compared: Sequence[str] | None
) -> None:
    """One image enlarged beside its ten probabilities, with a step to its neighbours in the gallery.

    `compared` are the checkpoints that may be asked about it; none for an image that is not of the test split.
    """
    index = image_in_url(len(view.digits))
    if index is None:
        return
    true, predicted = int(view.digits.labels[index]), int(predictions.predicted[index])
    values = predictions.probabilities[index]
    drawn, bars = st.columns([1, 2], gap="medium")
    drawn.image(
        enlarged(view.digits.images[index], 16), width=224, output_format="PNG", alt=f"Image {index}, a {true}."
    )
    drawn.caption(f"Image {index} of the split")
    bars.markdown(
        f"A **{true}**, read as **{predicted}** with {percent(float(values[predicted]))}"
        + (f"; the {true} got {percent(float(values[true]))}." if predicted != true else ", which is right.")
    )
    with bars:
        live_plot(
            figures.probabilities(values, true), key="close-look", height=260,
            alt=", ".join(f"{digit}: {value:.1%}" for digit, value in enumerate(values)),
        )  # fmt: skip
        st.caption("Green: the true digit." + (" Red: what the network answered." if predicted != true else ""))
    if doubt := view.doubt(index):
        st.warning(f"The label is disputed: {doubt.words} ([{SOURCE_WORDS}]({SOURCE})).", icon=MARK)
    place = int(np.flatnonzero(indices == index)[0]) if index in indices else -1
    before, after, onward = st.columns([1, 1, 2])
    for column, label, to, shortcut in ((before, "Previous", place - 1, "Left"), (after, "Next", place + 1, "Right")):
        there = place >= 0 and 0 <= to < len(indices)
        column.button(
            label, on_click=look_at, args=(int(indices[to]) if there else index,), disabled=not there,
            shortcut=shortcut, width="stretch",
        )  # fmt: skip
    if compared:
        onward.page_link(
            "pages/use/draw.py", label="Ask other networks about it", icon=":material/arrow_forward:",
            query_params={"checkpoint": compared, "source": "Test digit", "digit": str(index)},
        )  # fmt: skip
        onward.page_link(
            "pages/use/inside.py", label="Look inside", icon=":material/biotech:",
            query_params={"checkpoint": compared[0], "image": str(index), "show": "What counts"},
        )  # fmt: skip


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
