"""torch's modules: their arguments by name, and how many parameters they have."""

from __future__ import annotations

import ast
from math import prod

from core.reading.values import Module, NotUnderstood, Unknown, Value

NEEDED = object()  # an argument without a default


def signature(text: str) -> dict[str, Value]:
    """The arguments and their defaults, as one writes them: `num_features, eps=1e-5`."""
    arguments: dict[str, Value] = {}
    for each in text.split(", "):
        name, given, default = each.partition("=")
        arguments[name] = ast.literal_eval(default) if given else NEEDED
    return arguments


_WINDOW = "kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode='zeros'"
_UP = "kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1"
_STATISTICS = "num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True"
_LAZY = "eps=1e-5, momentum=0.1, affine=True, track_running_stats=True"
_ON_INSTANCE = "num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False"
_MAX = "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False"
_AVERAGE = "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None"

SIGNATURES: dict[str, dict[str, Value]] = {
    name: signature(text)
    for names, text in (
        ("Conv1d Conv2d Conv3d", f"in_channels, out_channels, {_WINDOW}"),
        ("LazyConv2d", f"out_channels, {_WINDOW}"),
        ("ConvTranspose2d", f"in_channels, out_channels, {_UP}"),
        ("Linear", "in_features, out_features, bias=True"),
        ("LazyLinear", "out_features, bias=True"),
        ("BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm", _STATISTICS),
        ("LazyBatchNorm1d LazyBatchNorm2d", _LAZY),
        ("InstanceNorm2d", _ON_INSTANCE),
        ("GhostBatchNorm", "num_features, num_splits=2, eps=1e-5, momentum=0.1, weight=True, bias=True"),
        ("GroupNorm", "num_groups, num_channels, eps=1e-5, affine=True"),
        ("LayerNorm", "normalized_shape, eps=1e-5, elementwise_affine=True, bias=True"),
        ("MaxPool2d", _MAX),
        ("AvgPool2d", _AVERAGE),
        ("AdaptiveAvgPool1d AdaptiveAvgPool2d", "output_size"),
        ("AdaptiveMaxPool1d AdaptiveMaxPool2d", "output_size, return_indices=False"),
        ("Dropout Dropout1d Dropout2d AlphaDropout FeatureAlphaDropout", "p=0.5, inplace=False"),
        ("LeakyReLU", "negative_slope=0.01, inplace=False"),
        ("PReLU", "num_parameters=1, init=0.25"),
        ("ELU", "alpha=1.0, inplace=False"),
        ("GELU", "approximate='none'"),
        ("Softplus", "beta=1.0, threshold=20.0"),
        ("ReLU ReLU6 SELU SiLU Mish Hardswish Hardsigmoid", "inplace=False"),
        ("Hardtanh", "min_val=-1.0, max_val=1.0, inplace=False"),
        ("Threshold", "threshold, value, inplace=False"),
        ("Softmax LogSoftmax", "dim=None"),
        ("Flatten", "start_dim=1, end_dim=-1"),
        ("Unflatten", "dim, unflattened_size"),
        ("ZeroPad2d", "padding"),
        ("Embedding", "num_embeddings, embedding_dim"),
        ("kornia.BlurPool2D", "kernel_size, stride=2"),
        ("kornia.MaxBlurPool2D", "kernel_size, stride=2, max_pool_size=2, ceil_mode=False"),
    )
    for name in names.split()
}
SIGNATURES |= {name: {} for name in ("Tanh", "Sigmoid", "Identity", "Softmax2d")}
_ACTIVATIONS = "ReLU LeakyReLU PReLU ReLU6 ELU SELU GELU SiLU Mish Hardswish Hardsigmoid Softplus Tanh Sigmoid"
ACTIVATIONS = _ACTIVATIONS.split()
_OTHER_ACTIVATIONS = "RReLU CELU Softsign LogSigmoid Tanhshrink Softshrink Hardshrink Threshold GLU Hardtanh"
OTHER_ACTIVATIONS = _OTHER_ACTIVATIONS.split()
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")


def module_of(kind: str, arguments: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Module:
    """A module of torch with its arguments by name. Raises NotUnderstood for arguments it does not have."""
    known = SIGNATURES.get(kind)
    if kind == "Identity" or known is None:
        return Module(kind, line)
    name_of = kind if "." in kind else f"nn.{kind}"
    if len(arguments) > len(known):
        raise NotUnderstood(f"{name_of} takes at most {len(known)} arguments, {len(arguments)} are given")
    given = dict(zip(known, arguments, strict=False)) | {
        name: value for name, value in keywords.items() if name not in ("device", "dtype", "momentum_decay")
    }
    if surplus := [name for name in given if name not in known]:
        raise NotUnderstood(f"{name_of} has no argument {surplus[0]}", f"it has {', '.join(known)}")
    filled = known | given
    if missing := [name for name, value in filled.items() if value is NEEDED]:
        raise NotUnderstood(f"{name_of} needs {missing[0]}", f"write {missing[0]}=...")
    for name, value in filled.items():
        if isinstance(value, Unknown):
            raise NotUnderstood(f"{name} of {name_of} is not known: {value.why}", "write the number itself")
    return Module(kind, line, filled)


def parameters_of(module: Module) -> int | None:
    """The trained values of one module itself; None where the lab cannot count them."""
    get = module.fields.get
    try:
        match module.kind:
            case "Conv1d" | "Conv2d" | "Conv3d" | "LazyConv2d" | "ConvTranspose2d":
                axes = int(module.kind[-2])
                kernel = get("kernel_size")
                window = prod(kernel) if isinstance(kernel, tuple | list) else whole(kernel, "kernel_size") ** axes
                ins, outs = whole(get("in_channels"), "in_channels"), whole(get("out_channels"), "out_channels")
                return ins * outs * window // whole(get("groups"), "groups") + (outs if get("bias") else 0)
            case "Linear" | "LazyLinear":
                ins, outs = whole(get("in_features"), "in_features"), whole(get("out_features"), "out_features")
                return ins * outs + (outs if get("bias") else 0)
            case "GroupNorm":
                return 2 * whole(get("num_channels"), "num_channels") if get("affine") else 0
            case "LayerNorm":
                shape = get("normalized_shape")
                size = prod(shape) if isinstance(shape, tuple | list) else whole(shape, "normalized_shape")
                return (2 if get("bias") else 1) * size if get("elementwise_affine") else 0
            case "GhostBatchNorm":
                return 2 * whole(get("num_features"), "num_features")
            case "PReLU":
                return whole(get("num_parameters"), "num_parameters")
            case "Embedding":
                return whole(get("num_embeddings"), "") * whole(get("embedding_dim"), "")
            case kind if "num_features" in module.fields:
                return 2 * whole(get("num_features"), kind) if get("affine") else 0
            case kind if (
                kind.startswith("einops.") or kind in SIGNATURES or kind in OTHER_ACTIVATIONS or kind in CONTAINERS
            ):
                return None if kind.startswith("Lazy") else 0
            case kind:
                free = kind.endswith(("Loss", "Pool2d", "Pad2d", "Unpool2d"))
                free = free or kind.startswith(("Upsampl", "Pixel"))
                return 0 if free or kind in ("Module", "object", "LocalResponseNorm", "Dropout3d") else None
    except (NotUnderstood, TypeError, ZeroDivisionError):
        return None


def integer(value: Value, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotUnderstood(f"{name} must be a whole number, got {shown(value)}", "write the number itself")
    return value


def whole(value: Value, name: str) -> int:
    if (found := integer(value, name)) < 0:
        raise NotUnderstood(f"{name} is {found}")
    return found


def square(value: Value, name: str) -> int:
    """One number, or a pair of equal ones. Raises NotUnderstood for a window that is not square."""
    if isinstance(value, tuple | list):
        if len(value) == 1 or (len(value) == 2 and value[0] == value[1]):
            return whole(value[0], name)
        numbers = [each for each in value if isinstance(each, int)]
        instead = f"write {name}={max(numbers)}" if numbers else f"write {name} as one number"
        raise NotUnderstood(f"{name} {value}: the lab's windows are square, one number for both axes", instead)
    return whole(value, name)


def number(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotUnderstood(f"a number is needed, got {shown(value)}", "write the number itself")
    return float(value)


def shown(value: Value) -> str:
    return value.why if isinstance(value, Unknown) else str(value)[:40] if isinstance(value, str | float) else "another"
