"""The receptive field: how much of the input one unit sees, and the formula for the next op.

Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019,
doi:10.23915/distill.00021.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """The window of an op along one axis. An op that works on single values has the default window."""

    kernel_size: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Input units between the first and the last one under the window: dilation * (kernel_size - 1)."""
        return self.dilation * (self.kernel_size - 1)


@dataclass(frozen=True)
class ReceptiveField:
    """The field of a map's units along one axis, in input pixels; pixel centres are whole numbers."""

    size: int = 1  # input pixels one unit sees
    jump: int = 1  # input pixels between neighbouring units: the effective stride
    start: float = 0.0  # centre of the first unit's field


def through(field: ReceptiveField, window: Window) -> ReceptiveField:
    """The field after one more op."""
    return ReceptiveField(
        size=field.size + window.reach * field.jump,
        jump=field.jump * window.stride,
        start=field.start + (window.reach / 2 - window.padding) * field.jump,
    )


def extent(field: ReceptiveField, unit: int) -> tuple[float, float]:
    """The first and the last input pixel that unit number `unit` sees; outside 0..n-1 they are in the padding."""
    centre = field.start + unit * field.jump
    return centre - (field.size - 1) / 2, centre + (field.size - 1) / 2


def pixels_inside(field: ReceptiveField, unit: int, image: int) -> int:
    """How many pixels of a unit's field are inside an image that is `image` pixels wide."""
    first, last = extent(field, unit)
    return max(0, int(min(last, image - 1)) - int(max(first, 0)) + 1)
