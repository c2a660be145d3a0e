"""torch's modules: the op of the lab that each one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields as fields_of
from math import prod

from core.architecture import activations, spec
from core.architecture.spec import Op
from core.reading import kornia
from core.reading.einops import apply_pattern
from core.reading.graph import Graph, shape_words
from core.reading.instead import MODULES, WHAT_THERE_IS
from core.reading.torch_signatures import ACTIVATIONS, OTHER_ACTIVATIONS, integer, number, square, whole
from core.reading.values import BATCH, Module, NotUnderstood, Tensor, Value


def apply_module(graph: Graph, module: Module, values: Tensor) -> Tensor:
    """What comes out of a module of torch. Raises NotUnderstood for one that the lab does not have."""
    kind, get, shape = module.kind, module.fields.get, values.shape
    if kind in _APPLY:
        return _APPLY[kind](graph, module, values)
    if kind.startswith("einops."):
        sizes = get("sizes")
        named = sizes if isinstance(sizes, dict) else {}
        return apply_pattern(graph, str(get("name")), values, get("pattern"), get("how"), named)
    if kind.startswith("kornia."):
        return kornia.apply(graph, module, values)
    if kind in ACTIVATIONS:
        return graph.apply(_activation(module), values)
    if kind in ("Dropout", "Dropout1d", "Dropout2d"):
        return drop(graph, values, get("p"), kind)
    if kind in ("Softmax", "LogSoftmax", "Softmax2d"):
        return soften(graph, values, get("dim") if kind != "Softmax2d" else 1, kind)
    if kind == "Hardtanh" and (get("min_val"), get("max_val")) == (0, 6):
        return graph.apply(activations.ReLU6(), values)
    if kind == "Threshold" and (get("threshold"), get("value")) == (0, 0):
        return graph.apply(spec.ReLU(), values)
    if kind in OTHER_ACTIVATIONS or kind in ("AlphaDropout", "FeatureAlphaDropout"):
        instead = "write nn.Dropout" if "Dropout" in kind else "write nn.ReLU or another of the lab's activations"
        raise NotUnderstood(f"the lab has no nn.{kind}", instead, reshapes=False)
    if kind == "Identity":
        return values
    where = f", which gets {shape_words(shape)}" if shape else ""
    raise NotUnderstood(f"the lab has no nn.{kind}{where}", MODULES.get(kind, f"leave it out; {WHAT_THERE_IS}"))


def _conv(graph: Graph, module: Module, values: Tensor) -> Tensor:
    get, shape = module.fields.get, values.shape
    if module.kind == "LazyConv2d" and shape is not None:
        module.fields["in_channels"] = shape[1]
    _expect(graph, shape, get("in_channels"), "channels")
    if get("padding_mode") != "zeros":
        raise NotUnderstood(f"padding_mode {get('padding_mode')!r}: the lab pads with zeros", "leave it out", False)
    kernel, dilation = square(get("kernel_size"), "kernel_size"), square(get("dilation"), "dilation")
    stride, padding = square(get("stride"), "stride"), get("padding")
    reach = dilation * (kernel - 1)
    if padding == "valid":
        padding = 0
    if padding == "same":
        if stride != 1 or reach % 2:
            raise NotUnderstood("padding='same' with these numbers pads one side more", "give the padding as a number")
        padding = reach // 2
    return convolve(
        graph,
        values,
        spec.Conv(
            whole(get("out_channels"), "out_channels"),
            kernel,
            stride,
            square(padding, "padding"),
            dilation,
            whole(get("groups"), "groups"),
            bool(get("bias")),
        ),
    )


def convolve(graph: Graph, values: Tensor, op: spec.Conv) -> Tensor:
    """A convolution; a pad of zeros just before it becomes its padding."""
    if values.node.kind == "pad":
        op = spec.Conv(**{**vars(op), "padding": op.padding + values.node.amount})
        values = Tensor(values.node.inputs[0])
    return graph.apply(op, values)


def _linear(graph: Graph, module: Module, values: Tensor) -> Tensor:
    get, shape = module.fields.get, values.shape
    if module.kind == "LazyLinear" and shape is not None:
        module.fields["in_features"] = shape[-1]
    outs = whole(get("out_features"), "out_features")
    if shape is not None and values.node.kind == "input" and prod(shape[1:]) == get("in_features"):
        graph.note("the images come to this class flattened; here a Flatten does that first")
        values = graph.reshape(values, (shape[0], prod(shape[1:])))
        shape = values.shape
    if shape is not None and len(shape) > 2 and prod(shape[1:-1]) == 1:
        return graph.reshape(_linear(graph, module, graph.reshape(values, (shape[0], shape[-1]))), (*shape[:-1], outs))
    if shape is not None and len(shape) != 2:
        flat = prod(shape[1:])
        raise NotUnderstood(
            f"nn.Linear gets {shape_words(shape)} and works on its last axis only",
            f"write torch.flatten(x, 1) before it, which gives {flat:,} values",
        )
    _expect(graph, shape, get("in_features"), "values")
    if shape is None:
        return graph.step("op", (values,), (BATCH, outs), spec.Linear(outs, bool(get("bias"))))
    return graph.apply(spec.Linear(outs, bool(get("bias"))), values)


def _norm(graph: Graph, module: Module, values: Tensor) -> Tensor:
    get, shape, kind = module.fields.get, values.shape, module.kind
    if kind.startswith("Lazy") and shape is not None:
        module.fields["num_features"] = shape[1]
    _expect(graph, shape, get("num_channels", get("num_features")), "channels")
    axes = {"1d": 2, "2d": 4, "3d": 5}.get(kind[-2:], 0)
    if shape is not None and axes and len(shape) != axes:
        raise NotUnderstood(
            f"nn.{kind} gets {shape_words(shape)}", f"write nn.BatchNorm{'1d' if len(shape) == 2 else '2d'}", False
        )
    eps, momentum = get("eps"), get("momentum")
    if momentum is None and "momentum" in module.fields:
        graph.note("momentum=None means the plain mean over all batches; it is read as torch's default, 0.1")
        momentum = 0.1
    if kind == "GroupNorm":
        groups = whole(get("num_groups"), "num_groups")
        return graph.apply(spec.GroupNorm(groups, number(eps), bool(get("affine"))), values)
    if kind == "GhostBatchNorm":
        splits = whole(get("num_splits"), "num_splits")
        return graph.apply(spec.GhostBatchNorm(splits, number(eps), number(momentum)), values)
    running = get("track_running_stats")
    if kind == "InstanceNorm2d":
        if running:
            graph.note("track_running_stats=True: the lab's instance norm uses each image's own mean, also at test")
        return graph.apply(spec.InstanceNorm(number(eps), bool(get("affine"))), values)
    if not running:
        graph.note("track_running_stats=False: the lab's batch norm uses running statistics at test")
    return graph.apply(spec.BatchNorm(number(eps), number(momentum), bool(get("affine"))), values)


def _layer_norm(graph: Graph, module: Module, values: Tensor) -> Tensor:
    get, shape = module.fields.get, values.shape
    over = get("normalized_shape")
    over = tuple(over) if isinstance(over, tuple | list) else (over,)
    if shape is not None and over != shape[1:]:
        raise NotUnderstood(
            f"nn.LayerNorm({list(over)}) gets {shape_words(shape)}; the lab's is over all axes but the batch",
            f"write nn.LayerNorm({list(shape[1:])}) or nn.GroupNorm(1, {shape[1]})",
            False,
        )
    if get("elementwise_affine") and not get("bias"):
        raise NotUnderstood("bias=False: the lab's layer norm scales and shifts", "leave bias=False out", False)
    return graph.apply(spec.LayerNorm(number(get("eps")), bool(get("elementwise_affine"))), values)


def _pool(graph: Graph, module: Module, values: Tensor) -> Tensor:
    get, shape, is_max = module.fields.get, values.shape, module.kind == "MaxPool2d"
    kernel, padding = square(get("kernel_size"), "kernel_size"), square(get("padding"), "padding")
    given = get("stride")
    stride = kernel if given is None or given == [] else square(given, "stride")
    dilation = square(get("dilation", 1), "dilation")
    if get("return_indices"):
        raise NotUnderstood("return_indices=True gives two results; the lab's pool gives one", "leave it out")
    if values.node.kind == "pad" and not is_max:
        padding, values = padding + values.node.amount, Tensor(values.node.inputs[0])
        shape = values.shape
    if get("ceil_mode") and shape is not None and stride:
        left = (shape[-1] + 2 * padding - dilation * (kernel - 1) - 1) % stride
        if left:
            raise NotUnderstood(
                f"ceil_mode=True adds a window that leaves the map of {shape[-1]} pixels",
                "leave ceil_mode out, or pad the map",
            )
    if is_max:
        return graph.apply(spec.MaxPool(kernel, stride, padding, dilation), values)
    if (padding and not get("count_include_pad")) or get("divisor_override"):
        raise NotUnderstood("the lab's average pool counts padding as zeros", "leave the option out", False)
    if shape is not None and len(shape) == 4 and shape[2:] == (kernel, kernel) and not padding:
        return graph.apply(spec.GlobalAvgPool(), values)
    return graph.apply(spec.AvgPool(kernel, stride, padding), values)


def _adaptive_pool(graph: Graph, module: Module, values: Tensor) -> Tensor:
    shape, is_max = values.shape, "Max" in module.kind
    wanted = module.fields.get("output_size")
    pair = tuple(wanted) if isinstance(wanted, tuple | list) else (wanted, wanted)
    if pair == (1, 1):
        return graph.apply(spec.GlobalMaxPool() if is_max else spec.GlobalAvgPool(), values)
    if shape is None:
        raise NotUnderstood(f"nn.{module.kind}({wanted}) of a map whose size is not known")
    pair = tuple(size if each is None else each for each, size in zip(pair, shape[-2:], strict=False))
    if pair == shape[-2:]:
        return values
    size = square(pair, "output_size")
    if len(shape) != 4 or size < 1 or shape[2] % size:
        raise NotUnderstood(
            f"{shape_words(shape)} does not divide into {size} x {size} equal windows",
            f"write nn.{module.kind}(1), or nn.{module.kind.removeprefix('Adaptive')}(kernel_size)",
        )
    window = shape[2] // size
    return graph.apply(spec.MaxPool(window) if is_max else spec.AvgPool(window), values)


def _adaptive_pool_1d(graph: Graph, module: Module, values: Tensor) -> Tensor:
    """Over the pixels of a map whose rows stand one after the other."""
    if module.fields.get("output_size") not in (1, [1], (1,)):
        raise NotUnderstood(f"nn.{module.kind} of another size than 1", "write nn.AdaptiveAvgPool2d(1)")
    return graph.pool_all(values, (2,), True, largest="Max" in module.kind)


def _flatten(graph: Graph, module: Module, values: Tensor) -> Tensor:
    start, end = (integer(module.fields.get(name), name) for name in ("start_dim", "end_dim"))
    return graph.flatten(values, start, end, own=graph.module is not None)


def _unflatten(graph: Graph, module: Module, values: Tensor) -> Tensor:
    shape, sizes = values.shape, module.fields.get("unflattened_size")
    axis = integer(module.fields.get("dim"), "dim")
    if shape is None or not isinstance(sizes, tuple | list):
        raise NotUnderstood("nn.Unflatten of a shape that is not known")
    axis %= len(shape)
    return graph.reshape(
        values, (*shape[:axis], *(whole(each, "size") for each in sizes), *shape[axis + 1 :]), own=True
    )


def _zero_pad(graph: Graph, module: Module, values: Tensor) -> Tensor:
    return pad(graph, values, module.fields.get("padding"))


def pad(graph: Graph, values: Tensor, amount: Value) -> Tensor:
    """Zeros around the map, the same on all sides."""
    sides = set(amount) if isinstance(amount, tuple | list) and len(amount) == 4 else {amount}
    if len(sides) != 1:
        numbers = [each for each in amount if isinstance(each, int)] if isinstance(amount, tuple | list) else []
        alike = f"write {(max(numbers),) * 4}" if numbers else "pad all sides alike"
        raise NotUnderstood(f"padding {amount} differs between the sides; the lab pads all four alike", alike)
    (each,) = sides
    each = whole(each, "padding") if each else 0
    shape = values.shape
    if not each:
        return values
    padded = (*shape[:-2], shape[-2] + 2 * each, shape[-1] + 2 * each) if shape else None
    return graph.step("pad", (values,), padded, amount=each)


def drop(graph: Graph, values: Tensor, p: Value, kind: str) -> Tensor:
    chance = number(p)
    if chance >= 1:
        raise NotUnderstood(f"a dropout of {chance:g} silences its layer", "write a p below 1", False)
    if kind == "Dropout" or (values.shape is not None and len(values.shape) == 2):
        return graph.apply(spec.Dropout(chance), values)
    return graph.apply(spec.Dropout2d(chance), values)


def soften(graph: Graph, values: Tensor, dim: Value, kind: str) -> Tensor:
    """Softmax or LogSoftmax over the classes."""
    axes = len(values.shape) if values.shape else 2
    if dim is not None and (not isinstance(dim, int) or dim % axes != 1):
        raise NotUnderstood(f"{kind} over axis {dim}, which is not the classes", "write dim=1", False)
    return graph.apply(spec.LogSoftmax() if kind == "LogSoftmax" else spec.Softmax(), values)


def _activation(module: Module) -> Op:
    kind, given = spec.OPS[module.kind], dict(module.fields)
    if module.kind == "Softplus" and (given.get("beta"), given.get("threshold")) != (1, 20):
        raise NotUnderstood("the lab's Softplus has beta 1 and threshold 20", "leave them out", False)
    known = {each.name for each in fields_of(kind)}
    numbers = {name: _as_float(name, value) for name, value in given.items() if name in known}
    return kind(**numbers)  # type: ignore[arg-type]


def _as_float(name: str, value: Value) -> Value:
    return float(value) if isinstance(value, int) and name != "num_parameters" else value


def _expect(graph: Graph, shape: tuple[int, ...] | None, stated: Value, noun: str) -> None:
    """Complain where a layer takes another number of channels than come in; it is kept all the same."""
    if shape is not None and len(shape) > 1 and isinstance(stated, int) and shape[1] != stated:
        graph.complain(
            f"it takes {stated:,} {noun}, {shape[1]:,} come in: {shape_words(shape)}",
            f"write {shape[1]} for {stated}, or change the layer before",
        )


_APPLY: dict[str, Callable[[Graph, Module, Tensor], Tensor]] = {
    "Conv2d": _conv,
    "LazyConv2d": _conv,
    "Linear": _linear,
    "LazyLinear": _linear,
    "BatchNorm1d": _norm,
    "BatchNorm2d": _norm,
    "LazyBatchNorm1d": _norm,
    "LazyBatchNorm2d": _norm,
    "SyncBatchNorm": _norm,
    "InstanceNorm2d": _norm,
    "GhostBatchNorm": _norm,
    "GroupNorm": _norm,
    "LayerNorm": _layer_norm,
    "MaxPool2d": _pool,
    "AvgPool2d": _pool,
    "AdaptiveAvgPool2d": _adaptive_pool,
    "AdaptiveMaxPool2d": _adaptive_pool,
    "AdaptiveAvgPool1d": _adaptive_pool_1d,
    "AdaptiveMaxPool1d": _adaptive_pool_1d,
    "Flatten": _flatten,
    "Unflatten": _unflatten,
    "ZeroPad2d": _zero_pad,
}
