"""The Look inside page's widgets: whose inside, on which digit, after which epoch, and the views of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.architecture.seen_pixels import seen_pixels
from core.architecture.spec import (
    AvgPool,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Op,
    ReLU,
    describe,
)
from core.architecture.trace import Layer, Trace, classifier, spell
from core.checkpoints.card import Card
from core.data.drawn_digit import FAINTEST_PEAK, Grey, prepare
from core.data.mnist import Pixels
from core.errors import DataError, LabError
from core.words import plural
from lab.studies.shelf import Shelved
from lab.ui import checkpoints, images
from lab.ui.caches import split
from lab.ui.canvas import canvas
from lab.ui.explorer import Place, field_explorer, png_address, stage_of, units_of
from lab.ui.live_plot import live_plot
from lab.ui.predictions import activity_of, occluded, one_thread, opened, through_epochs
from lab.ui.unreadable import list_checkpoints
from lab.ui.words import escaped, show_error
from lab.use.inside import figures as inside_figures
from lab.use.inside.snapshots import Weights

if TYPE_CHECKING:  # torch takes two seconds to import
    from torch import nn

    from core.analysis.inside import PixelArithmetic

VIEWS = ("Feature maps", "One pixel", "Filters", "What counts", "Dead filters", "Over the epochs")
KINDS: dict[str, tuple[type[Op], ...]] = {
    "Convolution": (Conv,),
    "Batch norm": (BatchNorm,),
    "ReLU": (ReLU,),
    "Pool": (MaxPool, AvgPool, GlobalAvgPool),
    "Output": (Linear, LogSoftmax),
}
PAD, STROKE = 196, 14  # seven pixels of the canvas for each of the digit's 28
DIGIT = 140  # pixels of the digit in the narrow column
TILE_SHOWN = 66  # pixels of a map on the screen
MOST_KERNELS = 32  # of a layer, rows and columns of the sheet of filters
MOST_EPOCHS = 12  # side by side
SIDES = (3, 5, 7, 9)  # of the square that covers
OF_ONE_LAYER = ("One pixel", "Filters", "Over the epochs")


@dataclass(frozen=True)
class Subject:
    """The digit that is looked at."""

    digit: Pixels  # (28, 28)
    true: int | None  # None for a drawing
    words: str


# ----------------------------------------------------------------------------------------------------------- the inputs


def checkpoint_picker(shelf: Sequence[Shelved]) -> Shelved:
    """Choose a checkpoint, ?checkpoint=REFERENCE in the URL; the digit stays. One that is not there is said."""
    chosen = shelf[0]
    if wanted := st.query_params.get("checkpoint", ""):
        try:
            chosen = checkpoints.on_shelf(wanted, shelf)
        except LabError as error:
            show_error(error)
    there = {shelved.reference: shelved for shelved in shelf}
    st.session_state.inside_checkpoint = chosen.reference

    def choose() -> None:
        st.query_params.checkpoint = st.session_state.inside_checkpoint
        forget("epochs", "layer", "channel", "unit")

    st.selectbox(
        "Checkpoint", list(there), key="inside_checkpoint", on_change=choose,
        format_func=lambda reference: checkpoints.short(there[reference]) if reference in there else reference,
    )  # fmt: skip
    list_checkpoints()
    return chosen


def forget(*names: str) -> None:
    """Take these out of the URL."""
    for name in names:
        st.query_params.pop(name, None)


def epoch_picker(shelved: Shelved, kept: Sequence[Weights]) -> Weights:
    """The checkpoint itself, or where its run kept every epoch, the weights after ?epochs=N of them."""
    own = Weights(str(shelved.stem), shelved.card)
    if not kept:
        return own
    by_count = {each.card.epoch + 1: each for each in kept}
    wanted = st.query_params.get("epochs", "")
    chosen = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else 0
    if wanted and chosen not in by_count:
        show_error(DataError(f"epochs={wanted[:20]} in the address: the run kept {min(by_count)} to {max(by_count)}"))
    st.session_state.inside_epochs = chosen if chosen in by_count else max(by_count)

    def choose() -> None:
        st.query_params.epochs = str(st.session_state.inside_epochs)

    if len(by_count) > 1:
        st.select_slider("After so many epochs", list(by_count), key="inside_epochs", on_change=choose)
    return by_count.get(chosen, own)


def subject_picker(dataset: str) -> Subject | None:
    """A test digit by its number in the URL, or one's own drawing; None while there is no drawing."""
    source = st.segmented_control(
        "Digit", ["Test digit", "Drawing"], default="Test digit", required=True, key="from", bind="query-params",
        label_visibility="collapsed", width="stretch",
    )  # fmt: skip
    return _drawing() if source == "Drawing" else _test_digit(dataset)


def _test_digit(dataset: str) -> Subject:
    digits = split(dataset, "test")
    index = number_in_url("image", len(digits), 0)
    st.session_state.inside_image = index

    def choose() -> None:
        st.query_params.image = str(st.session_state.inside_image)

    number, another = st.columns([3, 1], vertical_alignment="bottom")
    number.number_input(
        f"Of the {len(digits):,} test digits", 0, len(digits) - 1, step=1, key="inside_image", on_change=choose
    )
    another.button("", on_click=_another, args=(len(digits),), icon=":material/casino:", help="Another at random")
    true = int(digits.labels[index])
    return Subject(digits.images[index], true, f"{dataset} test digit {index:,}, a **{true}**")


def _another(size: int) -> None:
    st.query_params.image = str(np.random.default_rng().integers(size))


def _drawing() -> Subject | None:
    """What is drawn here, or else on the Draw page."""
    canvas("inside_pad", PAD, STROKE)
    for name, words in (("inside_pad_picture", "Your drawing"), ("pad_picture", "Your drawing from the page Draw")):
        picture: Grey | None = st.session_state.get(name)
        if picture is not None and int(picture.max()) >= FAINTEST_PEAK:
            return Subject(prepare(picture).digit, None, f"{words}, prepared as MNIST was")
    return None


def number_in_url(name: str, count: int, default: int) -> int:
    """?NAME=N from 0 to count - 1; what is none is said, and the default stands in."""
    wanted = st.query_params.get(name, "")
    if not wanted:
        return default
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 and int(wanted) < count:
        return int(wanted)
    show_error(DataError(f"{name}={wanted[:20]} in the address: there is none; they are 0 to {count - 1:,}"))
    return default


def show_subject(subject: Subject, probabilities: NDArray[np.float64]) -> None:
    """The digit, and what the network reads in it."""
    st.image(images.enlarged(subject.digit, 10), width=DIGIT, output_format="PNG", alt=subject.words.replace("*", ""))
    best = int(probabilities.argmax())
    verdict = "" if subject.true is None else ", right" if best == subject.true else ", **wrong**"
    st.markdown(f"{subject.words}. Read as **{best}** with {images.percent(float(probabilities[best]))}{verdict}.")


# --------------------------------------------------------------------------------------------------------- feature maps


def inside_of(chosen: Weights, digit: Pixels) -> tuple[nn.Sequential, list[NDArray[np.float32]], NDArray[np.float64]]:
    """The network, what it is given and each op's output, and its ten probabilities. Raises CheckpointError."""
    from core.analysis.inside import feature_maps
    from core.checkpoints.checkpoint import normalisation_of

    network, card = opened(chosen.stem, chosen.sha256)
    with one_thread():
        maps = feature_maps(network, digit, normalisation_of(card))
    scores = maps[-1].reshape(-1).astype(np.float64)
    odds = np.exp(scores - scores.max())
    return network, maps, odds / odds.sum()


def maps_view(walked: Trace, maps: Sequence[NDArray[np.float32]]) -> None:
    """A sheet of tiles for each op, in order."""
    there = [name for name, kinds in KINDS.items() if any(isinstance(layer.op, kinds) for layer in walked.layers)]
    kinds = st.pills(
        "After", there, selection_mode="multi", default=[name for name in there if name != "Batch norm"], key="after",
        label_visibility="collapsed",
    )  # fmt: skip
    wanted = tuple(kind for name in kinds for kind in KINDS[name])
    scale, words = st.columns([1, 5], vertical_alignment="center")
    scale.image(inside_figures.legend(), width="stretch", output_format="PNG", alt="Blue, black, orange.")
    words.caption(
        "Blue: below zero, black: zero, orange: above; each layer on its own scale, which goes as far as its largest "
        "value. Dropout and flatten change nothing here. Left to right: channels 0, 1, 2, ..."
    )
    for layer in walked.layers:
        if isinstance(layer.op, wanted):
            values = maps[layer.index + 1]
            told, shown = st.columns([1, 3.6], vertical_alignment="center")
            with told:
                _layer_words(layer, np.exp(values) if isinstance(layer.op, LogSoftmax) else values)
            with shown:
                _maps(layer, np.exp(values) if isinstance(layer.op, LogSoftmax) else values)


def _layer_words(layer: Layer, values: NDArray[np.float32]) -> None:
    st.markdown(
        f"**{layer.name}** :small[{escaped(describe(layer.op))}]  \n:small[{spell(layer.output)}, field "
        f"{layer.field.size}]  \n:small[:gray[{_signed(values.min())} to {_signed(values.max())}"
        f"{', as probabilities' if isinstance(layer.op, LogSoftmax) else ''}]]"
    )


def _signed(value: float) -> str:
    return f"{value + 0.0 if abs(value) >= 0.005 else 0.0:.2f}".replace("-", "−")


def _maps(layer: Layer, values: NDArray[np.float32]) -> None:
    tiles = values if values.ndim == 3 else values[:, None, None]
    shown = tiles[: inside_figures.MOST_TILES]
    per_row = inside_figures.in_rows(len(shown))
    most = inside_figures.strongest(values)
    st.image(
        inside_figures.sheet(shown, per_row, most), width=per_row * TILE_SHOWN, output_format="PNG",
        alt=f"The {len(shown)} maps of {layer.name}, {_signed(values.min())} to {_signed(values.max())}.",
    )  # fmt: skip
    if len(shown) < len(tiles):
        st.caption(f"The first {len(shown)} of {len(tiles):,} channels.")


# ------------------------------------------------------------------------------------------------------------ one pixel


def convolutions(walked: Trace) -> dict[str, Layer]:
    """The convolutions, by name."""
    return {layer.name: layer for layer in walked.layers if isinstance(layer.op, Conv)}


def layer_picker(walked: Trace) -> Layer | None:
    """Choose a convolution, ?layer=NAME in the URL; None for a network without one."""
    there = convolutions(walked)
    if not there:
        st.info("This network has no convolution.")
        return None
    wanted = st.query_params.get("layer", "")
    if wanted and wanted not in there:
        show_error(DataError(f"layer={wanted[:40]} in the address: there is no such convolution; {', '.join(there)}"))
    st.session_state.inside_layer = wanted if wanted in there else next(iter(there))

    def choose() -> None:
        st.query_params.layer = st.session_state.inside_layer
        forget("channel", "unit")

    st.selectbox("Convolution", list(there), key="inside_layer", on_change=choose)
    return there[st.session_state.inside_layer]


def unit_picker(layer: Layer, values: NDArray[np.float32]) -> tuple[int, int, int]:
    """Channel, row and column, ?channel=N&unit=ROW,COLUMN in the URL; by default where the layer answers most."""
    channel = number_in_url("channel", layer.output[0], int(values.max((1, 2)).argmax()))
    best = np.unravel_index(int(values[channel].argmax()), values[channel].shape)
    row, column = _unit_in_url(units_of(layer), (int(best[0]), int(best[1])))
    st.session_state.inside_channel, st.session_state.inside_row, st.session_state.inside_column = channel, row, column

    def choose(names: tuple[str, ...]) -> None:
        values = [str(st.session_state[f"inside_{name}"]) for name in names]
        st.query_params["unit" if len(names) > 1 else names[0]] = ",".join(values)

    st.number_input(
        "Output channel", 0, max(1, layer.output[0] - 1), step=1, key="inside_channel", on_change=choose,
        args=(("channel",),), disabled=layer.output[0] == 1,
    )  # fmt: skip
    last = units_of(layer) - 1
    for where, name in zip(st.columns(2), ("row", "column"), strict=True):
        where.number_input(
            name.capitalize(), 0, max(last, 1), step=1, key=f"inside_{name}", on_change=choose,
            args=(("row", "column"),), disabled=last == 0,
        )  # fmt: skip
    return channel, row, column


def _unit_in_url(units: int, default: tuple[int, int]) -> tuple[int, int]:
    wanted = st.query_params.get("unit", "")
    parts = wanted.split(",")
    if len(parts) == 2 and all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        row, column = map(int, parts)
        if max(row, column) < units:
            return row, column
    if wanted:
        show_error(DataError(f"unit={wanted[:20]} in the address: row and column are 0 to {units - 1}"))
    return default


def pixel_view(
    walked: Trace, digit: Pixels, maps: Sequence[NDArray[np.float32]], found: PixelArithmetic, card: Card
) -> None:
    """Where the value stands and what it sees, and how it comes about, number by number."""
    layer = found.layer
    stage = replace(
        stage_of(layer, seen_pixels(walked)[layer.index]),
        says=f"channel {found.channel}, value {_signed(found.network_value)}",
        image=png_address(inside_figures.coloured(maps[layer.index + 1][found.channel])),
    )

    def arrived(place: Place) -> None:
        st.query_params.channel = str(found.channel)
        st.query_params.unit = f"{place.row},{place.column}"

    field_explorer([stage], digit, Place(0, found.row, found.column), arrived, "inside-pixel")
    _arithmetic_view(found, card)


def _arithmetic_view(found: PixelArithmetic, card: Card) -> None:
    """Patch times kernel for one input channel, and the sum over all of them."""
    order = np.argsort(-np.abs(found.sums))
    grids, sums = st.columns([3, 1.25], gap="medium")
    with sums:
        which = int(order[0])
        if len(order) > 1:
            which = st.selectbox(
                "Input channel, the weightiest first", [int(each) for each in order],
                format_func=lambda each: f"{found.inputs[each]}, adds {_signed(float(found.sums[each]))}",
                key=f"inside-input-{found.layer.name}-{found.channel}",
            )  # fmt: skip
        rows = [(f"channel {each}", value) for each, value in zip(found.inputs, found.sums, strict=True)]
        rows += [("bias", found.bias), ("together", found.value)]
        frame = pd.DataFrame(rows, columns=["", "adds"])
        st.dataframe(
            frame, hide_index=True, height=min(38 + 35 * len(rows), 250),
            column_config={"adds": st.column_config.NumberColumn(format="%.5f")},
            alt="What each input channel and the bias add.",
        )  # fmt: skip
    with grids:
        live_plot(
            inside_figures.arithmetic(found, which), key="inside-arithmetic", height=250,
            alt=f"Patch times kernel of input channel {found.inputs[which]}; the products add up to "
            f"{found.sums[which]:.4f}.",
        )  # fmt: skip
        many = f"all {len(found.inputs)} input channels" if len(found.inputs) > 1 else "the one input channel"
        total = float(found.sums.sum())
        st.markdown(
            f"Patch × kernel, added up over {many}, plus bias: {total:.5f} + {found.bias:.5f} = **{found.value:.5f}**. "
            f"The network itself puts out **{found.network_value:.5f}**; they differ by "
            f"{abs(found.value - found.network_value):.7f}."
        )
        if found.padded.any():
            st.caption("pad: the window lies in the padding there, which counts as 0.")
        elif found.layer.index == 0:
            black, white = ((grey - card.normalisation_mean) / card.normalisation_sd for grey in (0, 1))
            st.caption(
                f"The patch is grey less the mean, divided by the deviation: black is {_signed(black)}, white "
                f"{_signed(white)}."
            )


# -------------------------------------------------------------------------------------------------------------- filters


def filters_view(layer: Layer, kernels: NDArray[np.float32]) -> None:
    """The kernels of a convolution: a row for each output channel, a column for each input channel."""
    out, into, size, _ = kernels.shape
    shown = kernels[:MOST_KERNELS, :MOST_KERNELS]
    st.markdown(
        f"**{layer.name}**: {out} x {plural(into, 'kernel')} of {size} x {size}, {_signed(kernels.min())} to "
        f"{_signed(kernels.max())}. A row is an output channel, a column an input channel; blue is below zero, orange "
        f"above."
    )
    if into == 1:
        per_row = inside_figures.in_rows(len(shown))
        picture, width = inside_figures.sheet(shown[:, 0], per_row), per_row * 76
    else:
        picture, width = inside_figures.filter_sheet(shown), min(760, shown.shape[1] * max(18, 14 * size))
    st.image(picture, width=width, output_format="PNG", alt=f"The kernels of {layer.name}.")
    if shown.shape != kernels.shape:
        st.caption(f"The first {shown.shape[0]} of {out:,} by {shown.shape[1]} of {into:,}.")
    strengths = np.abs(kernels).sum((1, 2, 3))
    st.caption(
        f"The strongest output channel, by the sum of its absolute weights: {int(strengths.argmax())} with "
        f"{strengths.max():.2f}; the weakest: {int(strengths.argmin())} with {strengths.min():.2f}."
    )


# ---------------------------------------------------------------------------------------------------------- what counts


def counts_view(network: nn.Sequential, chosen: Weights, subject: Subject, probabilities: NDArray[np.float64]) -> None:
    """Occlusion and gradient: which parts of the digit the answer rests on."""
    from core.analysis.inside import gradient_map
    from core.checkpoints.checkpoint import normalisation_of

    which, square = st.columns([3, 2])
    best = int(probabilities.argmax())
    with which:
        label = st.segmented_control(
            "Evidence for the digit", list(range(10)), default=best, required=True,
            key=f"inside-label-{best}-{subject.words}-{chosen.sha256[:8]}",
        )  # fmt: skip
    side = square.select_slider("Side of the square that covers, pixels", SIDES, 5, key="inside-side")
    found = occluded(chosen.stem, chosen.sha256, subject.digit.tobytes(), label, side)
    with one_thread():
        gradient = gradient_map(network, subject.digit, normalisation_of(chosen.card), label)
    cover, slope = st.columns(2, gap="medium")
    row, column = np.unravel_index(int(found.fall.argmax()), found.fall.shape)
    with cover:
        st.markdown("**Covered by a black square**")
        live_plot(
            inside_figures.occluded(found, subject.digit), key="inside-occlusion", height=330,
            alt=f"How the evidence for {label} falls when a square is covered; most at row {row}, column {column}.",
        )  # fmt: skip
        st.markdown(
            f"With the square about row {row}, column {column}, the probability of a {label} goes from "
            f"{images.percent(found.before)} to {images.percent(float(found.probability[row, column]))}, and it "
            f"reads a **{found.read_as[row, column]}**. "
            f"{int((found.read_as != best).sum())} of {found.fall.size} squares change the answer."
        )
        step = f" Of so large a network, every {found.stride} pixels." if found.stride > 1 else ""
        st.caption(f"Orange: covering this takes evidence away (log-odds fall); blue: it adds some.{step}")
    top, left = np.unravel_index(int(np.abs(gradient).argmax()), gradient.shape)
    with slope:
        st.markdown("**A little brighter**")
        live_plot(
            inside_figures.gradients(gradient, subject.digit), key="inside-gradient", height=330,
            alt=f"The gradient of the evidence for {label}; strongest at row {top}, column {left}.",
        )  # fmt: skip
        st.markdown(
            f"The pixel at row {top}, column {left} counts most: white in place of black would change the log-odds by "
            f"about {_signed(gradient[top, left])}, if it went on as it begins."
        )
        st.caption("Orange: more ink here speaks for the digit; blue: against it. The line is the digit's outline.")


# --------------------------------------------------------------------------------------------------------- dead filters


def dead_view(chosen: Weights, dataset: str) -> None:
    """Which channels of each ReLU never answer, and how rarely the others do."""
    found = activity_of(chosen.stem, chosen.sha256, dataset)
    if not found:
        st.info(
            "This network has no ReLU: none of its units can be dead, and stacked convolutions stay one linear map."
        )
        return
    dead = sum(len(each.dead) for each in found)
    channels, images = sum(len(each.answers) for each in found), found[0].images
    st.markdown(
        f"**{dead} of {plural(channels, 'filter')} {'is' if dead == 1 else 'are'} dead**: 0 after the ReLU at every "
        f"place of all of the first {images:,} test digits of {dataset} (n {images:,}). A dead filter costs parameters "
        f"and says nothing; as its gradient is 0 too, it will not come back by itself."
    )
    live_plot(
        inside_figures.answering(found), key="inside-dead", height=320,
        alt="For each ReLU, the share of the digits that each of its channels answers. The table has the figures.",
    )  # fmt: skip
    rows = [
        {
            "after": each.layer.name,
            "channels": len(each.answers),
            "dead": ", ".join(map(str, each.dead)) or "none",
            "answer under 1% of the digits": int((each.answers < 0.01).sum()),
            "the rarest answers": f"{each.answers.min():.1%}",
            "values that are 0": f"{each.zeros:.0%}",
        }
        for each in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height=38 + 35 * len(rows), alt="Dead filters of each ReLU.")


# ------------------------------------------------------------------------------------------------------ over the epochs


def epochs_view(shelved: Shelved, kept: Sequence[Weights], subject: Subject, layer: Layer) -> None:
    """One layer's maps or filters after each epoch of the run, side by side, with what the network then read."""
    if len(kept) < 2:
        whose = "A shipped checkpoint has its last weights only." if shelved.shipped else "This run kept only its last."
        st.info(
            f"{whose} Train a network with *Keep the weights of every epoch* switched on, and its epochs stand here.",
            icon=":material/movie:",
        )
        return
    places = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MOST_EPOCHS)).round().astype(int))
    shown = [kept[place] for place in places]
    pairs = tuple((each.stem, each.sha256) for each in shown)
    maps, kernels, probabilities = through_epochs(pairs, subject.digit.tobytes(), layer.index)
    what = st.segmented_control(
        "What", ["Maps", "Filters"], default="Maps", required=True, key="inside-film", label_visibility="collapsed"
    )
    film = maps if what == "Maps" else kernels  # (epochs, channels, height, width)
    st.image(
        inside_figures.sheet(film.transpose(1, 0, 2, 3).reshape(-1, *film.shape[2:]), len(shown), tile=96),
        width=len(shown) * TILE_SHOWN, output_format="PNG",
        alt=f"{what} of {layer.name} after {', '.join(str(each.card.epoch + 1) for each in shown)} epochs.",
    )  # fmt: skip
    counts = ", ".join(str(each.card.epoch + 1) for each in shown)
    first = ", of the first input channel" if what == "Filters" else ""
    st.caption(
        f"{what} of **{layer.name}**{first}: a row is an output channel, the columns stand for {counts} epochs; one "
        "scale for all."
    )
    true = subject.true
    rows = [
        {
            "after": plural(each.card.epoch + 1, "epoch"),
            "test accuracy": f"{each.card.record.test_accuracy:.2%}",
            "reads": str(int(p.argmax())),
            "with": images.percent(float(p.max())),
            **({} if true is None else {f"the {true} gets": images.percent(float(p[true]))}),
        }
        for each, p in zip(shown, probabilities, strict=True)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height=38 + 35 * len(rows), alt="What it read after each epoch.")


def network_of(chosen: Weights) -> Trace:
    """The trace of the weights' network. Raises SpecError."""
    return classifier(chosen.card.architecture)


def worked_out(
    network: nn.Sequential,
    walked: Trace,
    maps: Sequence[NDArray[np.float32]],
    layer: Layer,
    unit: tuple[int, int, int],
) -> PixelArithmetic:
    """The arithmetic of one value: channel, row and column. Raises SpecError."""
    from core.analysis.inside import pixel_arithmetic

    return pixel_arithmetic(network, walked.architecture, list(maps), layer.index, *unit)


def kernels_of(network: nn.Sequential, layer: Layer) -> NDArray[np.float32]:
    """The layer's kernels, (out, in / groups, k, k). Raises SpecError."""
    from core.analysis.inside import filters_of

    return filters_of(network, layer.index)


def ways_on(shelved: Shelved) -> None:
    """To the digits it gets wrong, and to the field of its units."""
    wrong, field = st.columns(2)
    wrong.page_link(
        "pages/use/mistakes.py", label="Find a digit that it gets wrong", icon=":material/arrow_forward:",
        query_params={"checkpoint": shelved.reference},
    )  # fmt: skip
    if shelved.card.slug:
        field.page_link(
            "pages/learn/field.py", label="Its receptive field", icon=":material/center_focus_strong:",
            query_params={"step": shelved.card.slug},
        )  # fmt: skip
