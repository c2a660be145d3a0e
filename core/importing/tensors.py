"""The tensors in a file of weights, by name: torch's state_dict, alone or in a training checkpoint; safetensors; npz.

torch.load runs with weights_only, which builds tensors, numbers, texts and lists, and refuses every other object.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from tokenize import TokenError

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from core.errors import ImportingError
from core.importing.kind import MAX_PICKLE, SAVE_DO, Kind
from core.outside import cut
from core.record import short, too_much
from core.words import plural

MAX_VALUES = 40_000_000  # of all tensors: twice what the lab's largest network has
MAX_TENSORS = 5_000
MAX_DIMENSIONS = 16  # of one; the lab's weights have four at most
MAX_NAME = 300  # characters of a tensor's name that are read
# Where training scripts put the weights in a checkpoint, the likeliest first.
USUAL = (
    "model_state_dict",
    "state_dict",
    "model",
    "net",
    "network",
    "weights",
    "params",
    "model_state",
    "net_state_dict",
    "best_model_state_dict",
    "best_state",
    "module",
    "ema",
    "ema_state_dict",
    "model_ema",
    "ema_model",
)
OTHERS = ("optim", "sched", "scaler", "history", "callbacks", "loops", "hyper")  # in the names of what is no network
COUNTERS = ("num_batches_tracked", "total_ops", "total_params")  # of batch norms, and those that thop adds
WRAPPERS = ("module.", "_orig_mod.", "_forward_module.", "_fsdp_wrapped_module.")  # of DataParallel, torch.compile, ...
WORDS: dict[Kind, str] = {
    "torch": "a state_dict of torch",
    "safetensors": "a safetensors file",
    "npz": "a file of NumPy arrays",
}

_SCALAR: Callable[..., object] = vars(np._core.multiarray)["scalar"]  # type: ignore[attr-defined]  # what pickles name numpy._core.multiarray.scalar
# A loss that was taken with .item() of numpy stands in many checkpoints; these build numbers and nothing else.
torch.serialization.add_safe_globals(
    [
        np.dtype,
        _SCALAR,
        (_SCALAR, "numpy.core.multiarray.scalar"),
        *{type(np.dtype(each)) for each in ("f2", "f4", "f8", "i4", "i8", "u1", "?")},
    ]
)


@dataclass(frozen=True)
class Tensors:
    """The weights in a file, float32."""

    kind: str  # in words
    named: dict[str, Tensor]  # in the file's order
    ordered: bool  # whether the file's order is that of the modules; safetensors sorts by name
    notes: tuple[str, ...] = ()  # what was unwrapped, left out or converted


def read_tensors(content: bytes, kind: Kind, name: str) -> Tensors:
    """The tensors of a file of that kind. Raises ImportingError, naming the file and what is wrong with it."""
    called, notes = short(PurePath(name).name), list[str]()
    if kind == "torch":
        found = _state_dict(_loaded(content, called), called, notes)
    elif kind == "safetensors":
        try:
            _check_header(content)
            found = load_safetensors(content)
        except (SafetensorError, ValueError, KeyError, RuntimeError, RecursionError) as error:
            raise ImportingError(f"{called} is a damaged safetensors file: {_one_line(error)}") from None
    else:
        found = _arrays(content, called)
    if not found:
        raise ImportingError(f"{called} holds no tensor; {SAVE_DO}")
    named = _plain(_unwrapped(found, notes), called, notes)
    return Tensors(WORDS[kind], named, kind != "safetensors", tuple(notes))


def _check_header(content: bytes) -> None:
    """Bounds what a safetensors file claims, over which its reader would take long. Raises ValueError."""
    length = int.from_bytes(content[:8], "little")
    if length > MAX_PICKLE:
        raise ValueError(f"its header has {length:,} bytes, at most {MAX_PICKLE:,} are read")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as failure:
        raise ValueError(too_much(failure)) from None
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise ValueError(f"its header names {len(header):,} tensors, at most {MAX_TENSORS:,} are read")
    shapes = [each.get("shape") for each in header.values() if isinstance(each, dict)]
    if (most := max((len(shape) for shape in shapes if isinstance(shape, list)), default=0)) > MAX_DIMENSIONS:
        raise ValueError(f"a tensor has {most:,} dimensions, at most {MAX_DIMENSIONS} are read")


def _one_line(error: object) -> str:
    return cut(str(error), 200)


def _loaded(content: bytes, called: str) -> object:
    try:
        return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise errors of many kinds; what is refused has one of its own
        refused = type(error).__name__ == "UnpicklingError"
        told = _one_line(error) or type(error).__name__
        message = _refusal(str(error), called) if refused else f"{called} is a damaged torch file: {told}"
        raise ImportingError(message) from None


def _refusal(message: str, called: str) -> str:
    """What torch says about an object that is no tensor, in one sentence."""
    message = message.rpartition("error:")[2]
    found = re.search(r"(?:GLOBAL|Type|type|class) [`']?([\w.]+)", message)
    thing = found[1].strip(".") if found else ""
    if not thing:
        return f"{called} is a damaged torch file: {_one_line(message.partition('Check')[0])}"
    if thing.startswith(("torch.nn.", "__main__.", "torchvision.")) or re.search("Net|Model|CNN", thing):
        return (
            f"{called} is a whole pickled network ({short(thing)}), and reading it would run the code that it names; "
            + SAVE_DO
        )
    return f"{called} holds an object of {short(thing)} besides the weights, which the lab does not open; {SAVE_DO}"


def _state_dict(found: object, called: str, notes: list[str]) -> dict[str, Tensor]:
    """The weights among what a torch file holds."""
    if isinstance(found, Tensor):
        raise ImportingError(f"{called} holds one tensor of shape {list(found.shape)}, no network; {SAVE_DO}")
    if isinstance(found, list | tuple) and found and all(isinstance(each, Tensor) for each in found):
        return {str(number): each for number, each in enumerate(found)}
    if not isinstance(found, Mapping):
        raise ImportingError(f"{called} holds a {type(found).__name__}, no weights; {SAVE_DO}")
    if direct := _tensors_in(found):
        return direct
    inner = {str(key): tensors for key, value in found.items() if (tensors := _deep(value))}
    likely = [key for key in USUAL if key in inner]
    likely += [key for key in inner if key not in likely and not any(each in key.lower() for each in OTHERS)]
    if not likely:
        keys = ", ".join(short(key) for key in list(found)[:6]) or "nothing"
        raise ImportingError(f"{called} is a checkpoint without a network's weights: it holds {keys}; {SAVE_DO}")
    notes.append(f"The weights stand under {short(likely[0])} in a training checkpoint.")
    if len(likely) > 1:
        notes.append(f"There are others under {', '.join(short(key) for key in likely[1:4])}; these were not used.")
    return inner[likely[0]]


def _tensors_in(found: object) -> dict[str, Tensor]:
    if not isinstance(found, Mapping) or len(found) > MAX_TENSORS:
        return {}
    return {str(key): value for key, value in found.items() if isinstance(value, Tensor)}


def _deep(found: object) -> dict[str, Tensor]:
    """The tensors of an object in a checkpoint, or of the first usual key in it."""
    if direct := _tensors_in(found):
        return direct
    inside = (_tensors_in(found[key]) for key in USUAL if key in found) if isinstance(found, Mapping) else iter(())
    return next((tensors for tensors in inside if tensors), {})


def _arrays(content: bytes, called: str) -> dict[str, Tensor]:
    """The arrays of an .npz; a header that claims more than its file holds is refused before it is believed."""
    found = dict[str, Tensor]()
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if (count := len(archive.infolist())) > MAX_TENSORS:
                raise ImportingError(f"{called} has {count:,} arrays, at most {MAX_TENSORS:,} are read")
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    version = np.lib.format.read_magic(file)
                    read = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = read(file)
                    if dtype.hasobject:
                        raise ImportingError(f"{called}: {short(entry.filename)} holds Python objects, not numbers")
                    if int(np.prod(shape, dtype=float)) * dtype.itemsize > entry.file_size:
                        raise ImportingError(f"{called} is a damaged file: {short(entry.filename)} was cut short")
            with np.load(BytesIO(content), allow_pickle=False) as arrays:
                for name in arrays.files:
                    found[name.removesuffix(":0").replace("/", ".")] = torch.from_numpy(
                        np.ascontiguousarray(arrays[name])
                    )
    except ImportingError:
        raise
    except (
        ValueError,
        TypeError,
        MemoryError,
        EOFError,
        OSError,
        KeyError,
        RuntimeError,
        SyntaxError,
        TokenError,
        zipfile.BadZipFile,
    ) as error:
        raise ImportingError(f"{called} is a damaged file of arrays: {_one_line(error)}") from None
    return found


def _unwrapped(found: Mapping[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    """The names without what DataParallel, torch.compile or an average of the weights put before them."""
    named = {name: value for name, value in found.items() if name != "n_averaged"}
    while named and (wrapper := next((each for each in WRAPPERS if all(name.startswith(each) for name in named)), "")):
        named = {name.removeprefix(wrapper): value for name, value in named.items()}
        notes.append(f"{short(wrapper)} was taken off the names.")
    return named


def _plain(found: Mapping[str, Tensor], called: str, notes: list[str]) -> dict[str, Tensor]:
    """The tensors as float32, checked; counters are left out."""
    if len(found) > MAX_TENSORS:
        raise ImportingError(f"{called} holds {len(found):,} tensors, at most {MAX_TENSORS:,} are read")
    if (values := sum(value.numel() for value in found.values())) > MAX_VALUES:
        raise ImportingError(f"{called} holds {values:,} values, at most {MAX_VALUES:,} are read")
    named, converted = dict[str, Tensor](), set[str]()
    for given, value in found.items():
        name = cut(given, MAX_NAME)
        if name.endswith(COUNTERS):
            continue
        if value.layout != torch.strided or value.is_quantized or value.is_meta:
            raise ImportingError(f"{called}: {short(name)} is sparse, quantised or empty; {SAVE_DO}")
        if not value.is_floating_point():
            if value.numel() > 1:
                kind = str(value.dtype).removeprefix("torch.")
                raise ImportingError(f"{called}: {short(name)} holds {kind}, the lab reads floating-point weights")
            continue
        if value.dtype != torch.float32:
            converted.add(str(value.dtype).removeprefix("torch."))
        if name in named:
            raise ImportingError(f"{called}: two tensors are called {short(name)}")
        named[name] = value.detach().float().contiguous()
        if wrong := int((~named[name].isfinite()).sum()):
            raise ImportingError(f"{called}: {plural(wrong, 'value')} of {short(name)} are infinite or not a number")
    if converted:
        notes.append(f"{', '.join(sorted(converted))} was converted to float32.")
    if not named:
        raise ImportingError(f"{called} holds no weights; {SAVE_DO}")
    return named
