"""A checkpoint is a pair of files, NAME.safetensors and NAME.json: the weights, and the card that describes them.

The files are replaced one after the other, so for a moment, and after a crash in that moment, new weights have an old
card. So the weights contain their card, sealed with a hash of both; `load` uses it if the pair disagrees.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from core.checkpoints.card import Card, card_from_dict, card_to_dict, read_card, write_card
from core.errors import CheckpointError
from core.files import reason, replace_bytes
from core.outside import cut
from core.training.network import build
from core.training.resident import Normalisation

CARD_KEY = "card"  # in the metadata of the safetensors file: the seal, a space, and the card as JSON


def save(folder: Path, name: str, weights: dict[str, Tensor], card: Card) -> Card:
    """Write both files; returns the card with the hash of the weights.

    Raises CheckpointError if that fails, and before writing anything for a card that could not be read again.
    """
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()}
    text = json.dumps(card_to_dict(replace(card, weights_sha256="")))
    card_from_dict(json.loads(text), f"the checkpoint {name} cannot be saved")
    content = save_tensors(tensors, {CARD_KEY: f"{_seal(tensors, text)} {text}"})
    stamped = replace(card, weights_sha256=hashlib.sha256(content).hexdigest())
    path = folder / f"{name}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, content)
        write_card(stamped, folder / f"{name}.json")
    except OSError as error:
        raise CheckpointError(f"{path}: {len(content):,} bytes could not be written: {reason(error)}") from error
    return stamped


def load(path: Path) -> tuple[nn.Sequential, Card]:
    """The network, on the CPU and in evaluation mode, and its card. `path`: of either file, or without an ending.

    If the card does not belong to the weights, the card inside them is used. Raises CheckpointError for a file that is
    missing, incomplete or changed, and for weights that belong to another card and contain none.
    """
    stem = path.with_suffix("") if path.suffix in (".json", ".safetensors") else path
    weights_path, card_path = stem.with_name(f"{stem.name}.safetensors"), stem.with_name(f"{stem.name}.json")
    card = read_card(card_path)
    try:
        content = weights_path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{weights_path}: the weights cannot be read: {reason(error)}") from None
    if (found := hashlib.sha256(content).hexdigest()) != card.weights_sha256:
        carried = _carried_card(content, str(weights_path))
        if carried is None:
            raise CheckpointError(
                f"{weights_path}: its SHA-256 is {found[:12]}..., its card says {card.weights_sha256[:12]}...; "
                f"the file ({len(content):,} bytes) was cut short or belongs to another card"
            )
        card = replace(carried, weights_sha256=found)
    network = build(card.architecture)
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in load_tensors(content).items()})
    except (SafetensorError, RuntimeError) as error:
        why = cut(str(error), 200)
        raise CheckpointError(f"{weights_path}: the weights do not fit the card's architecture: {why}") from None
    return network.eval(), card


def _carried_card(content: bytes, place: str) -> Card | None:
    """The card inside a file of weights; None if there is none, or if it or the weights are damaged."""
    try:
        tensors = load_tensors(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        seal, _, text = header["__metadata__"][CARD_KEY].partition(" ")
        return card_from_dict(json.loads(text), place) if seal == _seal(tensors, text) else None
    except (SafetensorError, CheckpointError, ValueError, KeyError):
        return None


def _seal(tensors: dict[str, Tensor], card: str) -> str:
    return hashlib.sha256(card.encode() + save_tensors(tensors)).hexdigest()


def normalisation_of(card: Card) -> Normalisation:
    """The normalisation of the images for the checkpoint's network."""
    return Normalisation(card.normalisation_mean, card.normalisation_sd)


def device_name(device: torch.device) -> str:
    """The name of the device on a card."""
    return f"cuda: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type
