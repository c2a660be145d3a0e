"""torch's own spellings of an op in JSON: class names, fields that the lab works out itself, pairs of equal numbers.

People paste what they have: `{"op": "Conv2d", "in_channels": 1, "kernel_size": [3, 3], "padding": "same"}`.
"""

from __future__ import annotations

from core.errors import SpecError
from core.record import Json, short

NAMES = {
    "Conv2d": "Conv",
    "BatchNorm1d": "BatchNorm",
    "BatchNorm2d": "BatchNorm",
    "InstanceNorm2d": "InstanceNorm",
    "MaxPool2d": "MaxPool",
    "AvgPool2d": "AvgPool",
    "AdaptiveAvgPool2d": "GlobalAvgPool",
    "Swish": "SiLU",
    "AdaptiveMaxPool2d": "GlobalMaxPool",
    "SqueezeExcitation": "SqueezeExcite",
    "GlobalAveragePool": "GlobalAvgPool",
    "HardSwish": "Hardswish",
    "HardSigmoid": "Hardsigmoid",
    "Relu": "ReLU",
    "Logsoftmax": "LogSoftmax",
}
INPUTS = ("in_channels", "in_features", "num_features", "num_channels", "input_channels")  # what flows in; checked
PAIRS = ("kernel_size", "stride", "padding", "dilation", "output_size")
# Fields of torch whose value must be this one here: the others do something the lab does not.
FIXED: dict[str, tuple[Json, ...]] = {
    "inplace": (True, False),
    "padding_mode": ("zeros",),
    "ceil_mode": (False,),
    "return_indices": (False,),
    "count_include_pad": (True,),
    "divisor_override": (None,),
    "track_running_stats": (True,),
    "dim": (1, -1, None),
    "start_dim": (1,),
    "end_dim": (-1, 3),
    "device": (None,),
    "dtype": (None,),
    "output_size": (1, None),
    "normalized_shape": (),
    "beta": (1,),
    "threshold": (20,),
}


def in_our_words(op: Json, place: str) -> Json:
    """The op with the lab's names; None for torch's Identity, which does nothing. Raises SpecError, naming the field.

    What is not an op at all comes back as it is: its reader says so.
    """
    if not isinstance(op, dict) or not isinstance(name := op.get("op"), str):
        return op
    name = name.removeprefix("nn.").removeprefix("torch.nn.")
    if name == "Identity":
        return None
    ours: dict[str, Json] = {"op": NAMES.get(name, name)}
    place = f"{place} {name}"
    for field, value in op.items():
        if field == "op" or field in INPUTS:
            continue
        if isinstance(value, float) and value.is_integer() and field not in ("p", "eps", "momentum", "init", "alpha"):
            value = int(value)
        if field in PAIRS and isinstance(value, list):
            value = _one_of_pair(field, value, place)
        if field in FIXED and not (field == "track_running_stats" and name.startswith("Instance")):
            if FIXED[field] and value not in FIXED[field]:
                wanted = " or ".join(str(each).lower() for each in FIXED[field])
                raise SpecError(f"{place}: {field} must be {wanted} here, got {short(value)}")
            continue
        ours[field] = value
    if "padding" in ours:
        ours["padding"] = _padding(ours, place)
    if ours.get("stride", 0) is None:
        del ours["stride"]
    return ours


def stated_input(op: Json) -> int | None:
    """The number of input channels or features that the JSON of an op states; None if it does not."""
    stated = [op[field] for field in INPUTS if field in op] if isinstance(op, dict) else []
    return stated[0] if stated and isinstance(stated[0], int) and not isinstance(stated[0], bool) else None


def _one_of_pair(field: str, pair: list[Json], place: str) -> Json:
    if len(pair) == 2 and pair[0] == pair[1]:
        return pair[0]
    raise SpecError(f"{place}: {field} {short(pair)}: the lab's windows are square, both numbers must be the same")


def _padding(op: dict[str, Json], place: str) -> Json:
    """The padding as a number: torch's "same" keeps the size of the map, "valid" is 0."""
    padding, kernel, dilation = op["padding"], op.get("kernel_size"), op.get("dilation", 1)
    if padding == "valid":
        return 0
    if padding != "same" or not isinstance(kernel, int) or not isinstance(dilation, int):
        return padding
    if op.get("stride", 1) != 1:
        raise SpecError(f"{place}: padding 'same' needs stride 1, as in torch; the stride is {op.get('stride')}")
    reach = dilation * (kernel - 1)
    if reach % 2:
        raise SpecError(
            f"{place}: padding 'same' with a window {reach + 1} wide would be {reach // 2} on one side and "
            f"{reach // 2 + 1} on the other; the lab pads both sides alike: give a number, or an odd kernel_size"
        )
    return reach // 2
