"""torch's functions and the methods of its tensors, on the steps of forward."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from core.architecture import activations, spec
from core.reading import instead
from core.reading.graph import NO_NUMBERS, Graph, shape_words
from core.reading.torch_modules import apply_module, drop, pad, soften
from core.reading.torch_signatures import module_of
from core.reading.values import BATCH, Dotted, NotUnderstood, Shape, Tensor, Unknown, Value

TRAINING = Dotted("self.training")  # true while training, false at test: both are read as the lab's dropout does it
Arguments = dict[str, Value]

_MAX_POOL = "kernel_size stride padding dilation ceil_mode return_indices"
_AVERAGE_POOL = "kernel_size stride padding ceil_mode count_include_pad divisor_override"
AS_MODULE: dict[str, tuple[str, str]] = {  # a function: the module that does the same, and its arguments in order
    "leaky_relu": ("LeakyReLU", "negative_slope"),
    "elu": ("ELU", "alpha"),
    "gelu": ("GELU", "approximate"),
    "softplus": ("Softplus", "beta threshold"),
    "hardtanh": ("Hardtanh", "min_val max_val"),
    "threshold": ("Threshold", "threshold value"),
    "max_pool2d": ("MaxPool2d", _MAX_POOL),
    "avg_pool2d": ("AvgPool2d", _AVERAGE_POOL),
    "adaptive_avg_pool2d": ("AdaptiveAvgPool2d", "output_size"),
    "adaptive_max_pool2d": ("AdaptiveMaxPool2d", "output_size return_indices"),
    "adaptive_avg_pool1d": ("AdaptiveAvgPool1d", "output_size"),
    "adaptive_max_pool1d": ("AdaptiveMaxPool1d", "output_size return_indices"),
}
_PLAIN = "ReLU ReLU6 SELU SiLU Mish Hardswish Hardsigmoid Tanh Sigmoid"
AS_MODULE |= {name.lower(): (name, "") for name in _PLAIN.split()}
_SAME = (
    "Variable contiguous clone detach to float cuda cpu double half type requires_grad_ type_as data bfloat16 "
    "requires_grad retain_grad"
)
SAME = set(_SAME.split())
DROPS = {"dropout": "Dropout", "dropout1d": "Dropout1d", "dropout2d": "Dropout2d"}


def call_on_tensor(graph: Graph, name: str, arguments: tuple[Value, ...], keywords: Arguments) -> Value:
    """A function of torch or of torch.nn.functional, or a tensor's method with the tensor as its first argument.

    `name`: the last part, such as `max_pool2d`. Raises NotUnderstood for one that the lab does not have.
    """
    keywords = dict(keywords)
    for first in ("input", "x", "tensor", "self", "tensors"):
        if not arguments and first in keywords:
            arguments = (keywords.pop(first),)
    if name in ("cat", "concat", "concatenate"):
        return _cat(graph, arguments, keywords)
    values, rest = arguments[0], arguments[1:]
    if not isinstance(values, Tensor):
        values, rest = _swapped(name, arguments)
    plain = name.removesuffix("_")
    if plain in AS_MODULE:
        kind, names = AS_MODULE[plain]
        given = dict(zip(names.split(), rest, strict=False)) | keywords
        given = {key: value for key, value in given.items() if key != "inplace"}
        return apply_module(graph, module_of(kind, (), given, graph.line), values)
    if plain in DROPS:
        return _drop(graph, values, plain, rest, keywords)
    if plain in ("softmax", "log_softmax"):
        dim = rest[0] if rest else keywords.get("dim", keywords.get("axis"))
        return soften(graph, values, dim, "Softmax" if plain == "softmax" else "LogSoftmax")
    if name in SAME:
        return values
    if plain in METHODS:
        return METHODS[plain](graph, values, rest, keywords)
    raise NotUnderstood(
        f"the lab does not know what {name} does to a map", instead.FUNCTIONS.get(name, instead.LEAVE_OUT)
    )


def _swapped(name: str, arguments: tuple[Value, ...]) -> tuple[Tensor, tuple[Value, ...]]:
    """For torch.add(1, x) and the like: the tensor first."""
    for number, each in enumerate(arguments):
        if isinstance(each, Tensor):
            return each, (*arguments[:number], *arguments[number + 1 :])
    raise NotUnderstood(f"{name} of something that is not one map", instead.FUNCTIONS.get(name, instead.LEAVE_OUT))


def _cat(graph: Graph, arguments: tuple[Value, ...], keywords: Arguments) -> Tensor:
    parts = arguments[0] if arguments else None
    axis = arguments[1] if len(arguments) > 1 else keywords.get("dim", keywords.get("axis", 0))
    if not isinstance(parts, list | tuple) or not isinstance(axis, int):
        raise NotUnderstood("torch.cat of something that is not a list of maps", "write torch.cat([a, b], 1)")
    tensors = [each for each in parts if isinstance(each, Tensor)]
    if len(tensors) < len(parts):
        raise NotUnderstood("torch.cat of something that is not a map", "write torch.cat([a, b], 1)")
    return graph.concatenate(tensors, axis)


def _drop(graph: Graph, values: Tensor, name: str, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    given = dict(zip(("p", "training", "inplace"), rest, strict=False)) | keywords
    training = given.get("training", given.get("train", True))
    if training is False:
        return values
    if training is True:
        graph.note("without training=self.training torch drops at test too; the lab drops while training only")
    return drop(graph, values, given.get("p", 0.5), DROPS[name])


def _view(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    given = keywords.get("shape", rest[0] if len(rest) == 1 and isinstance(rest[0], list | tuple) else rest)
    sizes = list(given) if isinstance(given, list | tuple) else []
    if not sizes or any(isinstance(each, bool) or not isinstance(each, int) for each in sizes):
        raise NotUnderstood("a shape that is not known", "write torch.flatten(x, 1)")
    return graph.reshape(values, _filled(values.shape, [int(each) for each in sizes]))


def _filled(shape: Shape | None, sizes: list[int]) -> Shape:
    """The new shape without -1. Raises NotUnderstood where the values do not fit, or images would mix."""
    others = prod(each for each in sizes if each != -1)
    if sizes.count(-1) > 1 or others <= 0:
        raise NotUnderstood(f"a shape of {sizes}", "write torch.flatten(x, 1)")
    if shape is None:
        if -1 in sizes[1:]:
            raise NotUnderstood("a shape that depends on one that is not known")
        return (BATCH, *sizes[1:])
    whole = prod(shape)
    if sizes[0] == -1:
        if others * BATCH != whole:
            raise NotUnderstood(
                f"view(-1, {', '.join(map(str, sizes[1:]))}) takes {others:,} values of each image, "
                f"{prod(shape[1:]):,} are there: {shape_words(shape)}",
                f"write {prod(shape[1:])}, or torch.flatten(x, 1)",
            )
        return (BATCH, *sizes[1:])
    if whole % others:
        raise NotUnderstood(f"{shape_words(shape)} does not fit into {shape_words(tuple(sizes))}", "correct the size")
    return tuple(whole // others if each == -1 else each for each in sizes)


def _flatten(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    given = dict(zip(("start_dim", "end_dim"), rest, strict=False)) | keywords
    start, end = given.get("start_dim", 0), given.get("end_dim", -1)
    if not isinstance(start, int) or not isinstance(end, int):
        raise NotUnderstood("flatten from an axis that is not known", "write torch.flatten(x, 1)")
    return graph.flatten(values, start, end)


def _axes(given: Value) -> tuple[int, ...]:
    axes = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not axes or not all(isinstance(each, int) for each in axes):
        raise NotUnderstood("over which axes is not known", "write x.mean([2, 3])")
    return tuple(each for each in axes if isinstance(each, int))


def _mean(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    given = dict(zip(("dim", "keepdim"), rest, strict=False)) | keywords
    axes = given.get("dim", given.get("axis"))
    return graph.pool_all(values, _axes(axes), bool(given.get("keepdim", given.get("keepdims", False))))


def _sum(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    """A sum over the pixels, which is a mean once it is divided by how many they are."""
    pooled = _mean(graph, values, rest, keywords)
    pixels = prod(values.shape[2:]) if values.shape and len(values.shape) == 4 else 0
    return graph.step("sum", (pooled,), pooled.shape, amount=pixels)


def _permute(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    """Another order of the axes, where it only moves axes of size 1: then the numbers stay in their order."""
    shape, given = values.shape, keywords.get("dims", rest[0] if len(rest) == 1 else rest)
    order = [axis % len(shape) for axis in _axes(given)] if shape else []
    moved = [axis for axis in order if shape and shape[axis] != 1]
    if shape is None or sorted(order) != list(range(len(shape))) or moved != sorted(moved):
        raise NotUnderstood("axes change places", instead.FUNCTIONS["permute"])
    return graph.reshape(values, tuple(shape[axis] for axis in order))


def _transpose(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    """Two axes change places, which does nothing to axes of size 1."""
    shape, given = values.shape, dict(zip(("dim0", "dim1"), rest, strict=False)) | keywords
    one, other = (given.get(name) for name in ("dim0", "dim1"))
    if shape is None or not isinstance(one, int) or not isinstance(other, int):
        raise NotUnderstood("axes change places", instead.FUNCTIONS["permute"])
    order = list(range(len(shape)))
    order[one], order[other] = order[other], order[one]
    return _permute(graph, values, (order,), {})


def _largest(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Value:
    given = dict(zip(("dim", "keepdim"), rest, strict=False)) | keywords
    axes = given.get("dim", given.get("axis"))
    return graph.pool_all(values, _axes(axes), bool(given.get("keepdim", False)), largest=True)


def _largest_and_where(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Value:
    return (_largest(graph, values, rest, keywords), Unknown("where the largest value is", graph.line))


def _squeeze(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    shape, given = values.shape, rest[0] if rest else keywords.get("dim")
    if shape is None:
        return graph.step("reshape", (values,), None)
    axes = set(range(1, len(shape))) if given is None else {each % len(shape) for each in _axes(given)}
    return graph.reshape(
        values, tuple(size for axis, size in enumerate(shape) if not (axis in axes and size == 1 and axis))
    )


def _unsqueeze(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    shape = values.shape
    (axis,) = _axes(rest[0] if rest else keywords.get("dim"))
    if shape is None:
        return graph.step("reshape", (values,), None)
    axis %= len(shape) + 1
    return graph.reshape(values, (*shape[:axis], 1, *shape[axis:]))


def _unflatten(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    return apply_module(graph, module_of("Unflatten", rest, keywords, graph.line), values)


def _pad(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    given = dict(zip(("pad", "mode", "value"), rest, strict=False)) | keywords
    if given.get("mode", "constant") != "constant" or given.get("value", 0) not in (0, None):
        raise NotUnderstood("the lab pads with zeros", "leave mode and value out")
    return pad(graph, values, given.get("pad"))


def _add(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    other = rest[0] if rest else keywords.get("other")
    if keywords.get("alpha", 1) != 1 or not isinstance(other, Tensor):
        return scaled(graph, values, "a number is added")
    return graph.add(values, other)


def _multiply(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    other = rest[0] if rest else keywords.get("other")
    return graph.multiply(values, other) if isinstance(other, Tensor) else scaled(graph, values, "a factor")


def scaled(graph: Graph, values: Tensor, what: str) -> Tensor:
    """A map with a number added or multiplied: at the input it is normalisation, which the lab does itself."""
    if values.node.kind == "input":
        graph.note("the image is scaled in forward; it is left out: the lab normalises images itself")
        return values
    raise NotUnderstood(f"{what}: {NO_NUMBERS}", "leave the number out", False)


def hard_sigmoid(graph: Graph, values: Tensor) -> Tensor | None:
    """A sixth of relu6(x + 3), which is the hard sigmoid of x, or of a map times that; None of anything else."""
    node = values.node
    factors = node.inputs if node.kind == "mul" else (node,)
    for cut, other in zip(factors, factors[::-1], strict=True):
        if isinstance(cut.op, activations.ReLU6) and cut.inputs[0].kind == "shifted":
            gate = graph.step("op", (Tensor(cut.inputs[0].inputs[0]),), cut.shape, activations.Hardsigmoid())
            gate.node.module = cut.module
            return graph.multiply(Tensor(other), gate) if node.kind == "mul" else gate
    return None


def _clamp(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    """Values below a bound become the bound, and so above: with 0 it is ReLU, with 0 and 6 ReLU6."""
    given = dict(zip(("min", "max"), rest, strict=False)) | keywords
    least, most = given.get("min", given.get("other")), given.get("max")
    if least == 0 and most is None:
        return graph.apply(spec.ReLU(), values)
    if least == 0 and most == 6:
        return graph.apply(activations.ReLU6(), values)
    raise NotUnderstood(
        "values are cut off at a bound; the lab cuts at 0 (ReLU), or at 0 and 6 (ReLU6)", "write F.relu(x)", False
    )


def _zeros(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Value:
    return 0  # to be added to a map, or compared with it: a number does the same


def _expand(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    if values.shape is not None and values.shape[2:] not in ((), (1, 1)):
        raise NotUnderstood("expand of a map that is larger than one pixel")
    return values  # (N, C, 1, 1) for each pixel: only to be multiplied


def _logarithm(graph: Graph, values: Tensor, rest: tuple[Value, ...], keywords: Arguments) -> Tensor:
    node = values.node
    if node.op == spec.Softmax() and node.inputs:
        return graph.apply(spec.LogSoftmax(), Tensor(node.inputs[0]))
    raise NotUnderstood("a logarithm", "write F.log_softmax(x, 1)", False)


METHODS: dict[str, Callable[[Graph, Tensor, tuple[Value, ...], Arguments], Value]] = {
    "view": _view,
    "reshape": _view,
    "flatten": _flatten,
    "unflatten": _unflatten,
    "mean": _mean,
    "sum": _sum,
    "amax": _largest,
    "max": _largest_and_where,
    "permute": _permute,
    "transpose": _transpose,
    "swapaxes": _transpose,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "pad": _pad,
    "add": _add,
    "mul": _multiply,
    "multiply": _multiply,
    "clamp": _clamp,
    "clip": _clamp,
    "clamp_min": _clamp,
    "maximum": _clamp,
    "zeros_like": _zeros,
    "expand": _expand,
    "expand_as": _expand,
    "log": _logarithm,
}


def part_of(graph: Graph, values: Tensor, index: Value) -> Tensor:
    """x[:, :, 0, 0] of a (N, C, 1, 1) map; nothing else is cut out of a map."""
    parts = index if isinstance(index, tuple) else (index,)
    shape = values.shape
    if parts.count(Ellipsis) == 1 and shape is not None:  # all the axes that are not named
        at, missing = parts.index(Ellipsis), len(shape) - len(parts) + 1
        parts = (*parts[:at], *(slice(None),) * missing, *parts[at + 1 :])
    if shape is not None and len(parts) <= len(shape):
        sizes = [*shape[len(parts) :]]
        for part, size in reversed(list(zip(parts, shape, strict=False))):
            if part == slice(None):
                sizes.insert(0, size)
            elif isinstance(part, bool) or part not in (0, -1) or size != 1:
                break
        else:
            return graph.reshape(values, tuple(sizes))
    raise NotUnderstood("a part of a map is cut out", "leave it out: the lab's ops take whole maps")
