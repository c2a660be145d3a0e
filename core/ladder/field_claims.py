"""A write-up's receptive-field table compared with the right one, and where its error starts. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.architecture.spec import GlobalAvgPool, Linear
from core.architecture.trace import Layer, Trace
from core.ladder.model import FieldClaim


@dataclass(frozen=True)
class ClaimedRow:
    """A layer's row of the table: what the write-up says if it is wrong, and why."""

    layer: Layer
    claim: FieldClaim | None  # None if it says nothing, or nothing wrong
    why: str  # how the wrong numbers come about, and the right ones; may be empty
    jump_used: int | None = None  # the jump that the write-up used, if it is wrong


def moves_field(layer: Layer) -> bool:
    """Whether the layer has a row in such a table: it has a window, or is a convolution."""
    return layer.macs > 0 or layer.window.kernel_size > 1 or isinstance(layer.op, GlobalAvgPool | Linear)


def claimed_rows(walked: Trace, claims: Sequence[FieldClaim]) -> list[ClaimedRow]:
    """A row for each layer that can change the field, in order."""
    by_layer = {claim.layer: claim for claim in claims}
    rows: list[ClaimedRow] = []
    said: int | None = None  # the last claimed size; before the first one the right sizes count
    for layer in filter(moves_field, walked.layers):
        claim = by_layer.get(layer.name)
        if claim is None:
            grown = layer.field.size - layer.before.size
            left_out = (
                f"Says nothing about it; it adds {_growth(layer)} = {grown}." if said is not None and grown else ""
            )
            rows.append(ClaimedRow(layer, None, left_out))
            continue
        parts, jump_used = [], None
        if claim.size is not None:
            words, jump_used = _size_words(layer, claim.size, layer.before.size if said is None else said)
            parts.append(words)
            said = claim.size
        if claim.stride is not None or claim.jump is not None:
            words, used = _jump_words(layer, claim)
            parts.append(words)
            jump_used = used if jump_used is None else jump_used
        if claim.width is not None:
            parts.append(f"Map {claim.width} wide; right is {width_arithmetic(layer)}.")
        if claim.kernel_size is not None:
            parts.append(f"Kernel {claim.kernel_size}; the map it averages is {layer.window.kernel_size} wide.")
        rows.append(ClaimedRow(layer, claim, " ".join(parts), jump_used))
    return rows


def not_carried(rows: Sequence[ClaimedRow]) -> str:
    """Which number the table forgot, in one sentence; "" if its jumps are right."""
    lost = next((row for row in rows if row.jump_used is not None), None)
    if lost is None:
        return ""
    name = lost.layer.name
    if lost.claim is not None and lost.claim.stride is not None:
        return (
            f"The number that is lost is the **stride of {name}**: it is {lost.layer.window.stride}, the table "
            f"has {lost.claim.stride}, and so the jump after it is {lost.layer.field.jump}, not {lost.jump_used}."
        )
    strided = [row.layer.name for row in rows if row.layer.index < lost.layer.index and row.layer.window.stride > 1]
    return (
        f"The number that is lost is the **jump**: after {strided[-1] if strided else 'the input'} it is "
        f"{lost.layer.before.jump}, and {name} uses {lost.jump_used}."
    )


def _growth(layer: Layer) -> str:
    window = layer.window
    dilated = f" · {window.dilation}" if window.dilation > 1 else ""
    return f"({window.kernel_size} − 1){dilated} · {layer.before.jump}"


def _size_words(layer: Layer, size: int, previous: int) -> tuple[str, int | None]:
    """How the claimed size comes about from the size claimed before it, and the jump that was used."""
    reach, kernel, jump = layer.window.reach, layer.window.kernel_size, layer.before.jump
    added, right = size - previous, layer.field.size - layer.before.size
    if added == right:
        return f"Adds {added}, which is right; the size before it is wrong.", None
    if reach and added % reach == 0 and 0 < added // reach < jump:
        return f"Adds {added}, with a jump of {added // reach}; right is {_growth(layer)} = {right}.", added // reach
    if size == previous * kernel:
        return f"Multiplies: {previous} · {kernel}. It adds {_growth(layer)} = {right}.", None
    return f"Adds {added}; right is {_growth(layer)} = {right}.", None


def _jump_words(layer: Layer, claim: FieldClaim) -> tuple[str, int | None]:
    window, jump = layer.window, layer.before.jump
    if claim.stride is not None:
        return (
            f"Stride {claim.stride}; it is {window.stride}, so the jump is {jump} · {window.stride} = "
            f"{layer.field.jump}.",
            claim.jump,
        )
    return f"Jump {claim.jump}; right is {jump} · {window.stride} = {layer.field.jump}.", claim.jump


def width_arithmetic(layer: Layer) -> str:
    """How the map's width comes about, with the layer's numbers: `(12 + 2·1 − 2·(3 − 1) − 1) / 1 + 1 = 10`."""
    window, out = layer.window, layer.output[-1] if len(layer.output) == 3 else 1
    given = layer.input[-1] if len(layer.input) == 3 else window.kernel_size
    inside = f"{given} + 2·{window.padding} − {window.dilation}·({window.kernel_size} − 1) − 1"
    whole = (given + 2 * window.padding - window.reach - 1) % window.stride == 0
    return f"({inside}) / {window.stride} + 1 = {out}" if whole else f"⌊({inside}) / {window.stride}⌋ + 1 = {out}"
