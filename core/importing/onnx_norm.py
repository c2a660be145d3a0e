"""Norms of an ONNX graph, and the factors and shifts that exporters write behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from core.architecture import spec
from core.architecture.spec import Op
from core.importing.onnx_link import Array, Flow, Link, Numbers, add, as_map, as_vector, refuse

EPS = 1e-5


def scaled_norm(kind: str, flow: Flow, values: Sequence[Array], attributes: Mapping[str, object], place: str) -> Flow:
    """A norm's node; `values`: its weight, bias, and of a batch norm the running figures."""
    eps = float(f"{float(str(attributes.get('epsilon', EPS))):.6g}")
    if kind == "BatchNormalization":
        return _batch_norm(flow, values, eps, place)
    shape = flow.link.shape
    if not flow.plain:
        refuse(place, "the channels of what it takes are not first; the lab cannot say it")
    whole = Flow(flow.link, np.arange(int(np.prod(shape)), dtype=np.int64).reshape(1, *shape))
    if kind == "LayerNormalization":
        axis = int(str(attributes.get("axis", -1))) % flow.index.ndim
        if axis != 1:
            refuse(place, f"it takes the mean from axis {axis} on; the lab's LayerNorm takes all values of an image")
        weights = {name: value.reshape(shape) for name, value in zip(("weight", "bias"), values, strict=False)}
        weights.setdefault("bias", np.zeros(shape, np.float32))
        return replace(add(whole, spec.LayerNorm(eps), place, weights), index=flow.index)
    groups = flow.index.shape[1] if kind == "InstanceNormalization" else int(str(attributes.get("num_groups", 1)))
    bare = all(bool((value == start).all()) for value, start in zip(values, (1, 0), strict=False))
    if kind == "GroupNormalization" and len(values[0]) == groups != shape[0]:
        values = [np.repeat(value, shape[0] // groups) for value in values]
    instance = kind == "InstanceNormalization" and groups == shape[0] and flow.index.ndim == 4
    op: Op = spec.InstanceNorm(eps, not bare) if instance else spec.GroupNorm(groups, eps, not bare)
    if not bare and len(values[0]) != shape[0]:
        refuse(place, f"it has {len(values[0])} factors for {shape[0]} channels; the lab has one for each channel")
    weights = {} if bare else dict(zip(("weight", "bias"), values, strict=False))
    return replace(add(whole, op, place, weights), index=flow.index)


def _batch_norm(flow: Flow, values: Sequence[Array], eps: float, place: str) -> Flow:
    if len(values) != 4:
        refuse(place, f"it has {len(values)} of the 4 vectors of a batch norm")
    if flow.index.ndim == 2:
        flow, order = as_vector(flow, place)
        values = [_ordered(value, order) for value in values]
        index = order.reshape(1, -1)
    else:
        flow = as_map(flow, place)
        index = flow.index
    if len(values[0]) != flow.link.shape[0]:
        refuse(place, f"it has {len(values[0])} channels, and {flow.link.shape[0]} come in")
    weights = dict(zip(("weight", "bias", "running_mean", "running_var"), values, strict=True))
    op = spec.BatchNorm(eps=eps)  # one without factors is written with 1 and 0, and cannot be told apart
    return replace(add(flow, op, place, weights), index=index)


def _ordered(values: Array, order: np.ndarray) -> Array:
    ours = np.empty_like(values)
    ours[order] = values
    return ours


def affine(flow: Flow, factor: Numbers, shift: Numbers, place: str) -> Flow:
    """What flows, times a factor and plus a shift for each value, in the lab's order.

    Behind a layer without bias a shift is its bias; behind a norm the two are the norm's own; anywhere else they are
    a batch norm that has nothing left to normalise.
    """
    link, shape = flow.link, flow.link.shape
    by_channel = _by_channel(factor, shape), _by_channel(shift, shape)
    no_factor, no_shift = bool((factor == 1).all()), bool((shift == 0).all())
    op = link.op
    if isinstance(op, spec.Conv | spec.Linear) and not op.bias and no_factor and by_channel[1] is not None:
        return _instead(flow, replace(op, bias=True), {**link.weights, "bias": by_channel[1]})
    norm = isinstance(op, spec.BatchNorm | spec.GroupNorm | spec.InstanceNorm)
    if isinstance(op, spec.GroupNorm) and not op.affine and no_shift and by_channel[0] is None and op.num_groups == 1:
        whole = factor.reshape(shape).astype(np.float32)
        return _instead(flow, spec.LayerNorm(op.eps), {"weight": whole, "bias": np.zeros(shape, np.float32)})
    if isinstance(op, spec.LayerNorm) and no_factor and not link.weights["bias"].any():
        return _instead(flow, op, {**link.weights, "bias": shift.reshape(shape).astype(np.float32)})
    if norm and not link.weights.get("weight", np.zeros(0)).size and no_shift and by_channel[0] is not None:
        own = {"weight": by_channel[0], "bias": np.zeros(shape[0], np.float32)}
        return _instead(flow, replace(op, affine=True), {**link.weights, **own})  # type: ignore[type-var]
    if norm and no_factor and by_channel[1] is not None and not link.weights.get("bias", np.ones(1)).any():
        return _instead(flow, link.op, {**link.weights, "bias": by_channel[1]})
    if by_channel[0] is None or by_channel[1] is None:
        refuse(place, "its constant differs from place to place of a map; the lab has constants for each channel")
    weights = {
        "weight": by_channel[0],
        "bias": by_channel[1],
        "running_mean": np.zeros(shape[0], np.float32),
        "running_var": np.full(shape[0], 1 - EPS, np.float32),
    }
    return replace(add(flow, spec.BatchNorm(), place, weights), index=flow.index, pad=flow.pad)


def _instead(flow: Flow, op: Op | None, weights: dict[str, Array]) -> Flow:
    """The same op with other weights; where the graph uses the op as it was, that stays as it was."""
    link = flow.link
    return replace(flow, link=Link(link.parent, op, link.shape, weights, (), link.place))


def _by_channel(values: Numbers, shape: spec.Shape) -> Array | None:
    """One value for each channel; None where they differ within one."""
    rows = values.reshape(shape[0], -1)
    return rows[:, 0].astype(np.float32) if bool((rows == rows[:, :1]).all()) else None
