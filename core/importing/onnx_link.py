"""The ops found so far in an ONNX graph, as a tree: each knows the one before it, so that paths that part can be found.

What flows along an edge of the graph is a `Flow`: the output of an op, in whatever order and shape the graph has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from core.architecture.sizes import output_of, window_of
from core.architecture.spec import Concatenate, Dropout, Flatten, Op, Residual, Shape
from core.errors import ImportingError, SpecError
from core.importing.onnx_curve import GRID
from core.outside import cut

Array = NDArray[np.float32]
Numbers = NDArray[np.float64]
Index = NDArray[np.int64]
Constant = NDArray[Any]  # Any: of the types of a graph, int64, float32 and bool among them
MAX_MAP = 20_000_000  # values of one map
MAX_KEPT = 1_000_000_000  # bytes of all tensors of a graph, with the places of what flows


@dataclass(frozen=True, eq=False)
class Link:
    """One op with its weights, behind the op before it; the first one stands for the image."""

    parent: Link | None
    op: Op | None
    shape: Shape  # of its output, in the lab's order
    weights: dict[str, Array] = field(default_factory=dict)  # by torch's names within the module
    inner: tuple[tuple[Link, ...], ...] = ()  # of its bodies
    place: str = "the input"  # the node's name and kind


@dataclass(frozen=True, eq=False)
class Flow:
    """A tensor of the graph for one image: which value of the link's output stands at each of its places."""

    link: Link
    index: Index  # in the graph's shape, batch first; each entry counts through link.shape
    curve: Numbers | None = None  # a function of each value that is not told yet, at the points of `GRID`
    pad: int = 0  # zeros around the map that are not told yet
    steps: tuple[Flow, Callable[[Numbers], Numbers]] | None = None  # what the curve's last function was applied to
    parts: tuple[Flow, Flow] | None = None  # the two functions whose sum the curve is

    def curved(
        self,
        curve: Numbers,
        function: Callable[[Numbers], Numbers] | None = None,
        parts: tuple[Flow, Flow] | None = None,
    ) -> Flow:
        """The flow with another curve, and how it came about: a function of the curve before, or a sum of two."""
        steps = (self, function) if function and self.curve is not None else None
        return replace(self, curve=curve, steps=steps, parts=parts)

    @property
    def plain(self) -> bool:
        """Whether the graph has the values in the lab's order."""
        return bool((self.index.ravel() == np.arange(self.index.size)).all())


class Values(dict[str, "Flow | Constant"]):
    """The tensors of a graph by name, which a small file can make large: together they are bounded."""

    kept = 0  # bytes

    def __setitem__(self, name: str, value: Flow | Constant) -> None:
        """Raises ImportingError beyond the bound."""
        self.kept += value.index.nbytes if isinstance(value, Flow) else value.nbytes
        if self.kept > MAX_KEPT:
            raise ImportingError(f"the tensors of its graph take more than {MAX_KEPT:,} bytes")
        super().__setitem__(name, value)


def place_of(node: NodeProto) -> str:
    """The node in a sentence: its name, or what it gives, and its kind."""
    name = cut(node.name or (node.output[0] if node.output else ""), 60)
    return f"node {name!r} ({cut(node.op_type, 40)})"


def curve_of(value: Flow | Constant | None) -> Numbers:
    """A function of each value, or a constant, at the points of the grid."""
    if isinstance(value, Flow):
        return GRID if value.curve is None else value.curve
    return np.full(GRID.shape, np.nan if value is None else float(value.ravel()[0]))


def refuse(place: str, why: str) -> NoReturn:
    """Raises ImportingError: what cannot be said, with the node."""
    raise ImportingError(f"{place}: {why}")


def first_flow(shape: Shape, index: Index) -> Flow:
    """The image."""
    return Flow(Link(None, None, shape), index)


def add(flow: Flow, op: Op, place: str, weights: dict[str, Array] | None = None) -> Flow:
    """One op more. Raises ImportingError, naming the node, where the op does not fit."""
    shape = flow.link.shape
    try:
        output = output_of(op, shape, window_of(op, shape, 1), "the op")
    except SpecError as error:
        refuse(place, str(error))
    if (size := prod(output)) > MAX_MAP:
        refuse(place, f"it gives {size:,} values an image, at most {MAX_MAP:,} are read")
    link = Link(flow.link, op, output, weights or {}, (), place)
    index = flow.index if output == shape else _natural(output)
    return Flow(link, index)


def _natural(shape: Shape) -> Index:
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(1, *shape)


def as_map(flow: Flow, place: str) -> Flow:
    """The flow as a map (1, C, H, W) in the lab's order. Raises ImportingError where it is none."""
    link = flow.link
    if len(link.shape) == 1 and isinstance(link.op, Flatten) and link.parent:
        link = link.parent  # flattened and folded back
    if flow.index.shape == (1, *link.shape) and len(link.shape) == 3 and flow.plain:
        return Flow(link, flow.index, None, flow.pad)
    shape = " x ".join(map(str, flow.index.shape[1:]))
    refuse(place, f"it takes {shape} values in an order that is not channels, height, width; the lab cannot say it")


def as_vector(flow: Flow, place: str) -> tuple[Flow, Index]:
    """The flow as a vector, and which value stands at each place of the graph's."""
    if flow.index.size != max(flow.index.shape):
        shape = " x ".join(map(str, flow.index.shape[1:]))
        refuse(place, f"it takes one vector an image, and gets {shape} values")
    order = flow.index.ravel()
    if len(flow.link.shape) == 3:
        flow = add(Flow(flow.link, flow.index), Flatten(), place)
    return flow, order


def joined(first: Flow, second: Flow, place: str, index: Index, concatenated: bool) -> Flow:
    """Two paths that have parted, joined: added, or one after the other along the channels."""
    fork = _fork(first.link, second.link)
    one, other = _path(fork, first.link), _path(fork, second.link)
    if concatenated:
        body, shortcut = other, one
    else:
        body, shortcut = (one, other) if len(one) >= len(other) else (other, one)
    if not body:  # x beside x itself: a body is needed, and this one does nothing
        body = (Link(fork, Dropout(0.0), fork.shape, place=place),)
    kind = Concatenate if concatenated else Residual
    op = kind(tuple(_op(each) for each in body), tuple(_op(each) for each in shortcut))
    a, b = first.link.shape, second.link.shape
    shape = (a[0] + b[0], *a[1:]) if concatenated else a
    if a[1:] != b[1:] or (not concatenated and a != b):
        refuse(place, f"it joins {' x '.join(map(str, a))} and {' x '.join(map(str, b))}, which the lab cannot")
    return Flow(Link(fork, op, shape, {}, (body, shortcut), place), index)


def _op(link: Link) -> Op:
    assert link.op is not None
    return link.op


def is_before(first: Link, second: Link) -> bool:
    """Whether the first link is on the second one's way from the image, or is it."""
    return first in _ancestors(second)


def path_between(first: Link, second: Link) -> tuple[Link, ...]:
    """The links behind the first one, up to the second."""
    return _path(first, second)


def _ancestors(link: Link) -> list[Link]:
    found, here = list[Link](), link
    while True:
        found.append(here)
        if here.parent is None:
            return found
        here = here.parent


def _fork(first: Link, second: Link) -> Link:
    """The last op that both come from."""
    before = set(map(id, _ancestors(first)))
    return next(each for each in _ancestors(second) if id(each) in before)


def _path(fork: Link, end: Link) -> tuple[Link, ...]:
    found = list[Link]()
    while end is not fork:
        found.append(end)
        assert end.parent is not None
        end = end.parent
    return tuple(reversed(found))


def ops_of(end: Link) -> tuple[Link, ...]:
    """All links from the image to this one, without the image's."""
    return tuple(reversed(_ancestors(end)[:-1]))


def weights_of(links: tuple[Link, ...], path: str = "") -> dict[str, Array]:
    """The state_dict of the network that `core.training.network.build` makes of these ops."""
    found = dict[str, Array]()
    for number, link in enumerate(links):
        here = f"{path}{number}."
        found |= {f"{here}{name}": values for name, values in link.weights.items()}
        for name, inner in zip(("body", "shortcut"), link.inner, strict=False):
            found |= weights_of(inner, f"{here}{name}.")
    return found
