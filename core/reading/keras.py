"""Keras's layers as ops of the lab: its names and defaults, with channels first as in torch."""

from __future__ import annotations

from math import prod

from core.architecture import activations, spec
from core.architecture.spec import Op
from core.reading.graph import Graph
from core.reading.torch_modules import convolve, drop, pad, soften
from core.reading.torch_signatures import NEEDED, integer, number, signature, whole
from core.reading.values import BATCH, Dotted, Module, NotUnderstood, Tensor, Unknown, Value

PREFIX = "keras."  # of the kind of a module that is a layer of Keras
_CONV = "kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, groups=1, activation=None"
_DEEP = "kernel_size, strides=1, padding='valid', depth_multiplier=1, data_format=None, dilation_rate=1"
_POOL = "pool_size=2, strides=None, padding='valid', data_format=None"
_GLOBAL = "GlobalAveragePooling2D GlobalAvgPool2D GlobalMaxPooling2D GlobalMaxPool2D"
SIGNATURES: dict[str, dict[str, Value]] = {
    name: signature(text)
    for names, text in (
        ("Conv2D Convolution2D", f"filters, {_CONV}, use_bias=True"),
        ("SeparableConv2D SeparableConvolution2D", f"filters, {_DEEP}, activation=None, use_bias=True"),
        ("DepthwiseConv2D", f"{_DEEP}, activation=None, use_bias=True"),
        ("Dense", "units, activation=None, use_bias=True"),
        ("MaxPooling2D MaxPool2D AveragePooling2D AvgPool2D", _POOL),
        (
            "GlobalAveragePooling2D GlobalAvgPool2D GlobalMaxPooling2D GlobalMaxPool2D",
            "data_format=None, keepdims=False",
        ),
        ("Dropout SpatialDropout2D", "rate"),
        ("BatchNormalization", "axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True"),
        ("GroupNormalization", "groups=32, axis=-1, epsilon=1e-3"),
        ("LayerNormalization", "axis=-1, epsilon=1e-3"),
        ("Activation", "activation"),
        ("ReLU", "max_value=None, negative_slope=0.0, threshold=0.0"),
        ("LeakyReLU", "negative_slope=0.3, alpha=None"),
        ("ELU", "alpha=1.0"),
        ("PReLU", "alpha_initializer=None, alpha_regularizer=None, alpha_constraint=None, shared_axes=None"),
        ("ZeroPadding2D", "padding=1"),
        ("Reshape", "target_shape"),
        ("Concatenate", "axis=-1"),
    )
    for name in names.split()
}
LEFT_OUT = ("Rescaling", "Normalization", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomFlip", "Resizing")
FUNCTIONS: dict[str, Op] = {
    "relu": spec.ReLU(),
    "sigmoid": activations.Sigmoid(),
    "tanh": activations.Tanh(),
    "elu": activations.ELU(),
    "selu": activations.SELU(),
    "gelu": activations.GELU(),
    "swish": activations.SiLU(),
    "silu": activations.SiLU(),
    "softplus": activations.Softplus(),
    "mish": activations.Mish(),
    "relu6": activations.ReLU6(),
    "leaky_relu": activations.LeakyReLU(0.2),
    "hard_swish": activations.Hardswish(),
}


def is_keras(name: str) -> bool:
    """Whether a full name is of Keras: keras.layers.Conv2D, tensorflow.keras.Input."""
    return name.startswith(("keras.", "tensorflow.", "tf."))


def layer_of(kind: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Module:
    """A layer of Keras with its arguments by name; those about initial weights and names do not matter."""
    known = SIGNATURES.get(kind, {})
    fields = known | dict(zip(known, given, strict=False))
    fields |= {name: value for name, value in keywords.items() if name in known or name.endswith("shape")}
    if missing := [name for name, value in fields.items() if value is NEEDED]:
        raise NotUnderstood(f"{kind} needs {missing[0]}", f"write {missing[0]}=...")
    for name, value in fields.items():
        if isinstance(value, Unknown):
            raise NotUnderstood(f"{name} of {kind} is not known: {value.why}", "write the number itself")
    return Module(f"{PREFIX}{kind}", line, fields)


def size_of(shape: Value) -> tuple[int, int, int] | None:
    """Keras's (height, width, channels) as (channels, height, width), with or without the batch."""
    sizes = [each for each in shape if isinstance(each, int)] if isinstance(shape, list | tuple) else []
    if len(sizes) == 1 and sizes[0] == 784:
        return (1, 28, 28)
    if len(sizes) == 2:
        return (1, sizes[0], sizes[1])
    return (sizes[2], sizes[0], sizes[1]) if len(sizes) == 3 else None


def apply_layer(graph: Graph, module: Module, given: Value) -> Tensor:
    """What comes out of a layer of Keras. Raises NotUnderstood for one that the lab does not have."""
    kind, get = module.kind.removeprefix(PREFIX), module.fields.get
    if kind in ("Add", "Concatenate"):
        parts = [each for each in given if isinstance(each, Tensor)] if isinstance(given, list | tuple) else []
        if len(parts) < 2:
            raise NotUnderstood(f"{kind} of something that is not a list of maps")
        if kind == "Concatenate":
            return graph.concatenate(parts, 1)
        total = parts[0]
        for each in parts[1:]:
            total = graph.add(total, each)
        return total
    if not isinstance(given, Tensor):
        raise NotUnderstood(f"{kind} of something that is not a map")
    return _activated(graph, _applied(graph, kind, module, given), get("activation"))


def _applied(graph: Graph, kind: str, module: Module, values: Tensor) -> Tensor:
    get, shape = module.fields.get, values.shape
    match kind:
        case "Conv2D" | "Convolution2D":
            return _conv(graph, module, values, whole(get("filters"), "filters"), whole(get("groups"), "groups"))
        case "DepthwiseConv2D" | "SeparableConv2D" | "SeparableConvolution2D":
            channels = shape[1] if shape else 1
            deep = channels * whole(get("depth_multiplier"), "depth_multiplier")
            alone = kind == "DepthwiseConv2D"
            values = _conv(graph, module, values, deep, channels, bias=alone and bool(get("use_bias")))
            wide = whole(get("filters"), "filters") if not alone else 0
            return values if alone else graph.apply(spec.Conv(wide, 1, bias=bool(get("use_bias"))), values)
        case "Dense":
            if shape and len(shape) == 4 and shape[2:] == (1, 1):
                values = graph.reshape(values, shape[:2])
            elif shape and len(shape) == 4:
                raise NotUnderstood("Dense on a map works on each pixel", "write Conv2D(units, 1), or Flatten first")
            return graph.apply(spec.Linear(whole(get("units"), "units"), bool(get("use_bias"))), values)
        case "MaxPooling2D" | "MaxPool2D" | "AveragePooling2D" | "AvgPool2D":
            return _pool(graph, kind, module, values)
        case "GlobalAveragePooling2D" | "GlobalAvgPool2D" | "GlobalMaxPooling2D" | "GlobalMaxPool2D":
            return graph.pool_all(values, (2, 3), bool(get("keepdims")), largest="Max" in kind)
        case "Flatten":
            graph.note("Keras flattens in the order height, width, channels; the lab in torch's: channels first")
            return graph.flatten(values)
        case "Dropout" | "SpatialDropout2D":
            return drop(graph, values, get("rate"), "Dropout" if kind == "Dropout" else "Dropout2d")
        case "BatchNormalization":
            if not (get("center") and get("scale")):
                raise NotUnderstood("the lab's batch norm scales and shifts", "leave center and scale out", False)
            return graph.apply(spec.BatchNorm(number(get("epsilon")), round(1 - number(get("momentum")), 6)), values)
        case "GroupNormalization":
            return graph.apply(spec.GroupNorm(whole(get("groups"), "groups"), number(get("epsilon"))), values)
        case "LayerNormalization" if shape is not None and len(shape) == 2:
            return graph.apply(spec.LayerNorm(number(get("epsilon"))), values)
        case "ReLU":
            return graph.apply(activations.ReLU6() if get("max_value") == 6 else spec.ReLU(), values)
        case "LeakyReLU":
            slope = get("alpha") if get("alpha") is not None else get("negative_slope")
            return graph.apply(activations.LeakyReLU(number(slope)), values)
        case "ELU":
            return graph.apply(activations.ELU(number(get("alpha"))), values)
        case "PReLU" if shape is not None and get("shared_axes"):
            return graph.apply(activations.PReLU(shape[1]), values)
        case "Softmax":
            return soften(graph, values, 1, "Softmax")
        case "ZeroPadding2D":
            return pad(graph, values, integer(_one(get("padding")), "padding"))
        case "Reshape":
            size = size_of(get("target_shape"))
            if size is None or (shape and prod(size) != prod(shape[1:])):
                raise NotUnderstood("Reshape to a shape that is no map", "leave it out")
            return graph.reshape(values, (BATCH, *size))
        case "Activation" | "InputLayer" | "ActivityRegularization":
            return values
        case _ if kind in LEFT_OUT:
            graph.note(f"{kind} prepares the images; it is left out: the lab does that itself")
            return values
    raise NotUnderstood(f"the lab has no {kind}", "leave it out")


def _activated(graph: Graph, values: Tensor, name: Value) -> Tensor:
    if isinstance(name, Dotted):
        name = name.last
    if isinstance(name, Module) and name.kind.startswith(PREFIX):
        return apply_layer(graph, name, values)
    if name in (None, "linear"):
        return values
    if name in ("softmax", "log_softmax"):
        return soften(graph, values, 1, "Softmax" if name == "softmax" else "LogSoftmax")
    if not isinstance(name, str) or name not in FUNCTIONS:
        raise NotUnderstood(f"the activation {str(name)[:40]}", f"the lab has {', '.join(FUNCTIONS)}", False)
    return graph.apply(FUNCTIONS[name], values)


def _one(value: Value) -> Value:
    """One number, or a pair of equal ones."""
    if isinstance(value, list | tuple) and value:
        if any(each != value[0] for each in value):
            raise NotUnderstood(f"{value}: the lab's windows are square", "write one number")
        return _one(value[0])
    return value


def _padding(graph: Graph, values: Tensor, given: Value, window: int, stride: int) -> int:
    """Keras's "same" as a number on each side. It pads the end by one more where the sum is odd."""
    if given == "valid":
        return 0
    shape = values.shape
    if given != "same" or shape is None or not stride:
        raise NotUnderstood(f"padding {given!r}", "write padding='same' or 'valid'")
    size = shape[-1]
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    if total % 2:
        graph.note("Keras pads one pixel more at the right and the bottom; the lab pads all sides alike")
    return (total + 1) // 2


def _conv(graph: Graph, module: Module, values: Tensor, channels: int, groups: int, bias: bool | None = None) -> Tensor:
    get = module.fields.get
    kernel, stride = whole(_one(get("kernel_size")), "kernel_size"), whole(_one(get("strides")), "strides")
    dilation = whole(_one(get("dilation_rate")), "dilation_rate")
    padding = _padding(graph, values, get("padding"), dilation * (kernel - 1) + 1, stride)
    has_bias = bool(get("use_bias")) if bias is None else bias
    return convolve(graph, values, spec.Conv(channels, kernel, stride, padding, dilation, groups, has_bias))


def _pool(graph: Graph, kind: str, module: Module, values: Tensor) -> Tensor:
    get = module.fields.get
    size = whole(_one(get("pool_size")), "pool_size")
    stride = size if get("strides") is None else whole(_one(get("strides")), "strides")
    padding = _padding(graph, values, get("padding"), size, stride)
    if kind.startswith("Max"):
        return graph.apply(spec.MaxPool(size, stride, padding), values)
    if padding:
        raise NotUnderstood("Keras leaves padding out of the mean; the lab counts it as zeros", "write padding='valid'")
    if values.shape is not None and values.shape[2:] == (size, size):
        return graph.apply(spec.GlobalAvgPool(), values)
    return graph.apply(spec.AvgPool(size, stride), values)
