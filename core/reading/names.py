"""Names that code uses without defining them: Python's own, and torch's where the imports were not pasted."""

from __future__ import annotations

from core.reading import kornia
from core.reading.keras import SIGNATURES as KERAS
from core.reading.torch_functions import AS_MODULE
from core.reading.torch_signatures import ACTIVATIONS, CONTAINERS, OTHER_ACTIVATIONS, SIGNATURES
from core.reading.values import Dotted, Unknown, Value

_PYTHON = (
    "enumerate zip reversed list tuple sorted sum max min any all set range len int float str bool abs round dict "
    "divmod slice isinstance hasattr getattr setattr print super type map filter callable object staticmethod id "
    "classmethod property vars repr iter next issubclass input open"
)
PYTHON = set(_PYTHON.split())
KNOWN = {"nn": "torch.nn", "F": "torch.nn.functional", "torch": "torch", "np": "numpy", "math": "math"}
KNOWN |= {"einops": "einops", "rearrange": "einops.rearrange"}
KNOWN |= {name: f"einops.layers.torch.{name}" for name in ("Rearrange", "Reduce")}
KNOWN |= {name: f"kornia.filters.{name}" for name in (*kornia.LAYERS, *kornia.FUNCTIONS)}
FUNCTIONAL = {*AS_MODULE, "dropout", "dropout2d", "log_softmax", "softmax"}
MODULES = {*SIGNATURES, *CONTAINERS, *ACTIVATIONS, *OTHER_ACTIVATIONS, "Module", "Parameter"}
OTHERS = ("OrderedDict", "partial", "reduce", "deepcopy")


def outer_name(name: str, line: int) -> Value:
    """What a name means that the code itself does not define."""
    if name in PYTHON:
        return Dotted(f"builtins.{name}")
    if name in KNOWN:
        return Dotted(KNOWN[name])
    if name in MODULES:
        return Dotted(f"torch.nn.{name}")
    if name in FUNCTIONAL:
        return Dotted(f"torch.nn.functional.{name}")
    if name in KERAS or name in ("keras", "layers", "models", "tf"):
        return Dotted({"tf": "tensorflow"}.get(name, f"keras.{name}" if name != "keras" else name))
    if name in OTHERS:
        return Dotted(f"collections.{name}")
    return "__main__" if name == "__name__" else Unknown(f"`{name[:40]}` is not defined here", line)
