"""What the shipped checkpoints answer to MNIST's test digits, in a file beside each: a large network takes a minute.

`python -m lab answers` writes them. They belong to the weights by their SHA-256.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LEAST = -20.0  # of log p: below e^-20 nothing is told apart


def file_of(stem: Path) -> Path:
    """Where the answers of a pair stand."""
    return stem.with_name(f"{stem.name}.npz")


def write_answers(stem: Path, sha256: str, probabilities: NDArray[np.float32]) -> None:
    """Keep probabilities (N, 10) as their logarithms in float16: within 0.5% of each, and so near 0 and near 1."""
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(probabilities), LEAST).astype(np.float16)
    np.savez_compressed(file_of(stem), log_probabilities=logs, weights_sha256=np.array(sha256))


def read_answers(stem: Path, sha256: str) -> NDArray[np.float32] | None:
    """Probabilities (N, 10) of the weights with that hash; None where they are not here, damaged, or of others."""
    try:
        with np.load(file_of(stem), allow_pickle=False) as file:
            if not sha256 or str(file["weights_sha256"]) != sha256:
                return None
            values = np.exp(file["log_probabilities"].astype(np.float32))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    shares: NDArray[np.float32] = (values / values.sum(1, keepdims=True)).astype(np.float32)
    return shares


def measure_answers() -> list[str]:
    """Write the answers of shipped checkpoints that are not here; returns their references. Raises LabError."""
    import torch

    from core.checkpoints.checkpoint import load, normalisation_of
    from core.data.mnist import load_split
    from core.training.evaluation import predict
    from core.training.resident import examples
    from lab.studies.shelf import shipped

    digits = examples(load_split("MNIST", "test"), torch.device("cpu"))
    written = []
    for shelved in shipped():
        card = shelved.card
        if card.dataset == "MNIST" and read_answers(shelved.stem, card.weights_sha256) is None:
            network, card = load(shelved.stem)
            found = predict(network, digits, normalisation_of(card)).probabilities
            write_answers(shelved.stem, card.weights_sha256, found)
            written.append(shelved.reference)
    return written
