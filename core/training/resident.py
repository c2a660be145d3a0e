"""The whole data set on the device, as bytes: a batch is a slice of a permutation, without a DataLoader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.data.mnist import MNIST_MEAN, MNIST_SD, Dataset, Split
from core.errors import DeviceError
from core.training.recipe import SPLIT_SEED, Recipe


@dataclass(frozen=True)
class Examples:
    """Images and labels on one device."""

    images: Tensor  # (N, 28, 28) uint8
    labels: Tensor  # (N,) int64

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Normalisation:
    """Grey levels 0 to 1 become (grey - mean) / sd."""

    mean: float = MNIST_MEAN
    sd: float = MNIST_SD


@dataclass(frozen=True)
class Resident:
    """All data of a run: training, validation and test images, and how to normalise them."""

    name: str
    train: Examples
    validation: Examples | None
    test: Examples
    normalisation: Normalisation

    @property
    def device(self) -> torch.device:
        return self.train.images.device


def available_devices() -> list[str]:
    """The kinds of device that torch finds on this machine, the fastest first."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, present in there.items() if present]


def choose_device(wanted: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `mps`; auto takes the fastest. Raises DeviceError."""
    there = available_devices()
    torch.backends.cudnn.deterministic = True  # else cuDNN may choose kernels that add in another order in each run
    if wanted == "auto":
        return torch.device(there[0])
    if wanted not in ("cpu", "cuda", "mps"):
        raise DeviceError(f"there is no device {wanted!r}; choose auto, cpu, cuda or mps")
    if wanted not in there:
        raise DeviceError(
            f"the device {wanted} was asked for, but torch {torch.__version__} finds only {', '.join(there)} here"
        )
    return torch.device(wanted)


def resident(dataset: Dataset, recipe: Recipe, device: torch.device) -> Resident:
    """The data set on the device, split and normalised as the recipe says."""
    train, validation = dataset.train, None
    if recipe.validation_size:
        held_out = _held_out(train.labels, recipe.held_out(len(train)), recipe.split_seed)
        train, validation = _select(train, ~held_out), _select(train, held_out)
    return Resident(
        name=dataset.name,
        train=examples(train, device),
        validation=examples(validation, device) if validation else None,
        test=examples(dataset.test, device),
        normalisation=_normalisation(recipe, train),
    )


def _normalisation(recipe: Recipe, train: Split) -> Normalisation:
    match recipe.normalisation:
        case "mnist":
            return Normalisation()
        case "training_split":
            return _measured(train)
        case "half":
            return Normalisation(0.5, 0.5)
        case "own":
            return Normalisation(recipe.normalisation_mean, recipe.normalisation_sd)


def _held_out(labels: np.ndarray, size: int, split_seed: int) -> np.ndarray:
    """A mask with `size` images, in proportion from each class; the same for every run with that seed."""
    random = np.random.default_rng(SPLIT_SEED + split_seed)
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    chosen = by_class[(np.arange(size) * len(labels)) // size]  # evenly spaced through the classes
    mask = np.zeros(len(labels), bool)
    mask[chosen] = True
    return mask


def _select(split: Split, mask: np.ndarray) -> Split:
    return Split(split.images[mask], split.labels[mask])


def _measured(split: Split) -> Normalisation:
    """The exact mean and deviation, from how often each byte occurs: all pixels as float64 would need 380 MB."""
    counts = np.zeros(256, np.int64)
    for start in range(0, len(split), 1000):
        counts += np.bincount(split.images[start : start + 1000].ravel(), minlength=256)
    greys = np.arange(256) / 255
    mean = np.average(greys, weights=counts)
    return Normalisation(float(mean), float(np.sqrt(np.average((greys - mean) ** 2, weights=counts))))


def examples(split: Split, device: torch.device) -> Examples:
    """A split on the device: images (N, 28, 28) uint8 and labels (N,) int64."""
    return Examples(
        images=torch.tensor(split.images).to(device),
        labels=torch.tensor(split.labels, dtype=torch.int64).to(device),
    )


def grey(images: Tensor) -> Tensor:
    """Bytes (N, 28, 28) to grey levels from 0 to 1, (N, 1, 28, 28)."""
    return images.unsqueeze(1).float().div_(255)


def normalised(images: Tensor, normalisation: Normalisation) -> Tensor:
    """Grey levels (N, 1, 28, 28), normalised: the input of a network."""
    return images.sub(normalisation.mean).div_(normalisation.sd)
