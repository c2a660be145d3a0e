"""The weights among what a training checkpoint holds, wherever the script put them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from core.errors import ImportingError
from core.importing.kind import SAVE_DO
from core.importing.torch_file import network_in, whole_network
from core.record import short

MAX_TENSORS = 5_000
MAX_DEPTH = 4  # of dicts within dicts
# Where training scripts put the weights in a checkpoint, the likeliest first.
_USUAL = (
    "model_state_dict state_dict model net network weights params model_state model_weights net_state net_state_dict "
    "best_model_state_dict best_model_state best_model best_state best module student "
    "ema ema_state_dict model_ema ema_model"
)
USUAL = _USUAL.split()
OTHERS = ("opt", "sched", "scaler", "history", "callbacks", "loops", "hyper", "rng", "loss", "metric")  # in the names
BUFFERS = ("buffers", "batch_stats")  # of what is no network; and where others keep the figures of batch norms
Named = dict[str, Tensor]


def weights_in(found: object, called: str, notes: list[str]) -> Named:
    """The weights by name. Raises ImportingError where there are none: what there is, and what to do."""
    if isinstance(found, Tensor):
        raise ImportingError(f"{called} holds one tensor of shape {list(found.shape)}, no network; {SAVE_DO}")
    if isinstance(found, list | tuple) and found and all(isinstance(each, Tensor) for each in found):
        return {str(number): each for number, each in enumerate(found)}
    if isinstance(found, list | tuple) and any(isinstance(each, Mapping) for each in found):
        found = dict(enumerate(found))
    if not isinstance(found, Mapping):
        raise ImportingError(_nothing(found, called, f"holds a {type(found).__name__}, no weights"))
    inner = {key: tensors for key, value in found.items() if (tensors := _deep(value, MAX_DEPTH))}
    direct = _tensors_in(found)
    if direct and not any(key in inner for key in USUAL):  # a generator's state may stand beside the weights
        return direct
    likely: list[object] = [key for key in USUAL if key in inner]
    likely += [key for key in inner if key not in likely and not any(each in str(key).lower() for each in OTHERS)]
    if not likely:
        keys = ", ".join(short(str(key)) for key in list(found)[:6]) or "nothing"
        raise ImportingError(_nothing(found, called, f"is a checkpoint without a network's weights: it holds {keys}"))
    chosen, taken = _chosen(inner, likely)
    names = ", ".join(short(str(key)) for key in taken)
    notes.append(f"The weights stand under {names} in a training checkpoint.")
    if left := [key for key in likely if key not in taken]:
        told = ", ".join(short(str(key)) for key in left[:4])
        notes.append(f"There are others under {told}; these were not used.")
    return chosen


def _chosen(inner: Mapping[object, Named], likely: Sequence[object]) -> tuple[Named, list[object]]:
    """The weights that are used, and their keys: the likeliest, the last of a list, or parts that belong together."""
    first = likely[0]
    if buffers := [key for key in likely if key in BUFFERS]:
        first = next((key for key in likely if key not in BUFFERS), first)
        return {**inner[first], **inner[buffers[0]]}, [first, buffers[0]]
    if first in USUAL or len(likely) == 1:
        return inner[first], [first]
    alike = all(inner[key].keys() == inner[first].keys() for key in likely)
    if all(isinstance(key, int) for key in likely):  # of a list, or one for each epoch
        last = likely[-1] if alike else first
        return inner[last], [last]
    if alike:
        return inner[first], [first]
    joined = {f"{key}.{name}": value for key in likely for name, value in inner[key].items()}
    return joined, list(likely)  # parts of one network: {"features": ..., "classifier": ...}


def _nothing(found: object, called: str, what: str) -> str:
    network = network_in(found)
    return whole_network(called, network) if network else f"{called} {what}; {SAVE_DO}"


def _tensors_in(found: object) -> Named:
    if not isinstance(found, Mapping) or len(found) > MAX_TENSORS:
        return {}
    return {str(key): value for key, value in found.items() if isinstance(value, Tensor)}


def _deep(found: object, depth: int) -> Named:
    """The tensors of an object in a checkpoint, or of the first key in it that holds a network's."""
    direct = _tensors_in(found)
    if direct or not isinstance(found, Mapping) or not depth or len(found) > MAX_TENSORS:
        return direct
    keys = [key for key in USUAL if key in found]
    keys += [key for key in found if key not in keys and not any(each in str(key).lower() for each in OTHERS)]
    inside = (_deep(found[key], depth - 1) for key in keys)
    return next((tensors for tensors in inside if tensors), {})
