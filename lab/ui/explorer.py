"""A digit beside a map of units: choose a unit and see its square, or let the square grow op by op.

It all happens in the browser, from each op's size, jump and start, so that nothing waits for the server and
nothing jumps; the server gets the place where the user stops. The slider is the browser's own, and the units react
to the arrow keys, so it works without a pointer. `lab.ui.live_plot` is the other component of this kind.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st
from PIL import Image

from core.architecture.receptive_field import ReceptiveField, extent
from core.architecture.seen_pixels import Reached
from core.architecture.trace import Layer
from core.data.mnist import Pixels
from lab.ui.component import component


@dataclass(frozen=True)
class Stage:
    """What the explorer knows about one op: where its units' fields lie, and what it says about the op."""

    name: str
    says: str  # how the field is computed, with the op's numbers
    size: int
    jump: int
    start: float
    units: int  # along one side of the map
    seen: tuple[tuple[int, int, int], ...]  # of each unit, the first and last pixel that reach it, and how many do
    image: str = ""  # data:image/png of the map itself, to be shown in place of a grid over the digit


@dataclass(frozen=True)
class Place:
    """A unit of a stage."""

    stage: int
    row: int
    column: int


_component = component(__file__)


def field_explorer(
    stages: Sequence[Stage], image: Pixels, place: Place, arrived: Callable[[Place], None], key: str
) -> None:
    """Show it at that place; `arrived` is called when the user has stopped at another one.

    `image`: (H, H), the digit. A place that comes from the server, from the URL or another widget, moves the explorer.
    """

    def told() -> None:
        if (arrival := read_place(st.session_state[key].get("place"), stages)) is not None:
            arrived(arrival)

    _component(
        key=key,
        data={
            "stages": [asdict(stage) for stage in stages],
            "image": png_address(image),
            "side": image.shape[0],
            "margin": margin(stages, image.shape[0]),
            "place": [place.stage, place.row, place.column],
        },
        on_place_change=told,
    )


def read_place(text: object, stages: Sequence[Stage]) -> Place | None:
    """The place in the browser's message, `stage,row,column`; None for a message that is no place here."""
    parts = text.split(",") if isinstance(text, str) else []
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        return None
    stage, row, column = map(int, parts)
    if stage >= len(stages) or max(row, column) >= stages[stage].units:
        return None
    return Place(stage, row, column)


def margin(stages: Sequence[Stage], side: int) -> float:
    """Pixels around the image that the widest of all fields needs, so that nothing moves as the square grows."""
    over = [1.0]
    for stage in stages:
        field = ReceptiveField(stage.size, stage.jump, stage.start)
        over += [-extent(field, 0)[0] + 1, extent(field, stage.units - 1)[1] - (side - 1) + 1]
    return min(max(over), 1.5 * side)


def png_address(pixels: Pixels) -> str:
    """Grey levels (H, W), or colours (H, W, 3), as a data: address."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def stage_of(layer: Layer, reached: Reached) -> Stage:
    """What the explorer shows of a layer."""
    window, before, after = layer.window, layer.before, layer.field
    dilated = f" · {window.dilation}" if window.dilation > 1 else ""
    says = f"field {before.size} + ({window.kernel_size} − 1){dilated} · {before.jump} = {after.size}"
    if window.stride > 1:
        says += f", jump {before.jump} · {window.stride} = {after.jump}"
    if layer.branches:
        says += f"; {window.kernel_size} wide together, its ops on all paths"
    if layer.uses_whole_map:
        says += "; and the mean of the whole map"
    counts, firsts = reached.sum(1).tolist(), reached.argmax(1).tolist()
    lasts = (reached.shape[1] - 1 - reached[:, ::-1].argmax(1)).tolist()
    pixels = zip(firsts, lasts, counts, strict=True)
    seen = tuple((first, last, count) if count else (0, -1, 0) for first, last, count in pixels)
    return Stage(layer.name, says, after.size, after.jump, after.start, units_of(layer), seen)


def unit_inputs(place: tuple[int, int], units: int, choose: Callable[[int, int], None]) -> None:
    """Two fields for the row and the column of a unit; `choose` is called with both when one of them changes."""

    def changed() -> None:
        choose(st.session_state.unit_row, st.session_state.unit_column)

    for where, name, value in zip(st.columns(2), ("row", "column"), place, strict=True):
        st.session_state[f"unit_{name}"] = value
        where.number_input(
            name.capitalize(),
            0,
            max(units - 1, 1),
            step=1,
            key=f"unit_{name}",
            on_change=changed,
            disabled=units == 1,
            help=f"0 to {units - 1}.",
        )


def units_of(layer: Layer) -> int:
    """Units along one side of the layer's map; 1 for a vector."""
    return layer.output[-1] if len(layer.output) == 3 else 1
