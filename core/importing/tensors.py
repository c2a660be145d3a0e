"""The tensors in a file of weights, by name: torch's state_dict, alone or in a checkpoint; safetensors; npz."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
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
from core.importing.checkpoint import MAX_TENSORS, weights_in
from core.importing.kind import MAX_PICKLE, SAVE_DO, Kind
from core.importing.reparametrised import put_together
from core.importing.torch_file import load
from core.outside import cut
from core.record import short, too_much
from core.words import plural

MAX_VALUES = 40_000_000  # of all tensors: twice what the lab's largest network has
MAX_DIMENSIONS = 16  # of one; the lab's weights have four at most
MAX_NAME = 300  # characters of a tensor's name that are read
COUNTERS = ("num_batches_tracked", "total_ops", "total_params")  # of batch norms, and those that thop adds
WRAPPERS = ("module.", "_orig_mod.", "_forward_module.", "_fsdp_wrapped_module.")  # of DataParallel, torch.compile, ...
BESIDE = ("criterion", "loss", "loss_fn", "loss_func", "metric", "metrics", "accuracy", "acc", "confmat")
BESIDE_OF = (
    "train",
    "val",
    "valid",
    "test",
)  # train_acc, val_accuracy: Lightning keeps these with the network
PARTS = "weight|bias|running_mean|running_var|num_batches_tracked|kernel|gamma|beta|moving_mean|moving_variance"
ENDS = re.compile(rf"(.+)_({PARTS})")
WORDS: dict[Kind, str] = {
    "torch": "a state_dict of torch",
    "safetensors": "a safetensors file",
    "npz": "a file of NumPy arrays",
}


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
        found = weights_in(load(content, called, notes), called, notes)
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
    named = _plain(put_together(_unwrapped(found, notes), called, notes), called, notes)
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
                    found[name.removesuffix(":0")] = torch.from_numpy(np.ascontiguousarray(arrays[name]))
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
    named = {_dotted(name): value for name, value in found.items() if name != "n_averaged"}
    if {name.partition(".")[0] for name in named} == {"params", "batch_stats"}:  # flax's two collections
        named = {name.partition(".")[2]: value for name, value in named.items()}
    while named and (wrapper := next((each for each in WRAPPERS if all(name.startswith(each) for name in named)), "")):
        named = {name.removeprefix(wrapper): value for name, value in named.items()}
        notes.append(f"{short(wrapper)} was taken off the names.")
    return named


def _dotted(name: str) -> str:
    """A weight's name with torch's dots: of conv1/weight and of conv1_weight."""
    name = name.replace("/", ".")
    ends = ENDS.fullmatch(name) if "." not in name else None
    return f"{ends[1]}.{ends[2]}" if ends else name


def _is_beside(name: str) -> bool:
    """Whether it belongs to a loss or a metric that the class keeps, not to the network."""
    first = name.lower().split(".")[0]
    return first in BESIDE or (first.partition("_")[0] in BESIDE_OF and first.partition("_")[2] in BESIDE)


def _plain(found: Mapping[str, Tensor], called: str, notes: list[str]) -> dict[str, Tensor]:
    """The tensors as float32, checked; counters are left out."""
    if len(found) > MAX_TENSORS:
        raise ImportingError(f"{called} holds {len(found):,} tensors, at most {MAX_TENSORS:,} are read")
    if (values := sum(value.numel() for value in found.values())) > MAX_VALUES:
        raise ImportingError(f"{called} holds {values:,} values, at most {MAX_VALUES:,} are read")
    named, converted = dict[str, Tensor](), set[str]()
    beside = [name for name in found if _is_beside(name)]
    if beside and len(beside) < len(found):
        notes.append(f"{', '.join(short(name) for name in beside[:3])} is of a loss or metric: left out.")
    for given, value in found.items():
        name = cut(given, MAX_NAME)
        if name.endswith(COUNTERS) or given in beside:
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
