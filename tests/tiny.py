"""A network and a data set so small that a training run takes a tenth of a second."""

from __future__ import annotations

import torch
from torch import Tensor

from core.architecture.spec import Architecture, BatchNorm, Conv, Dropout, Flatten, GlobalAvgPool, Linear, MaxPool, ReLU
from core.data.embedded_digits import embedded_digits
from core.training.loop import EpochEnd, train
from core.training.network import build
from core.training.recipe import Recipe
from core.training.resident import Examples, Normalisation, Resident

torch.set_num_threads(1)  # on a busy machine, the threads of so small a network wait for each other

TINY = Architecture(
    "tiny",
    (
        *(Conv(4, 3, stride=2), BatchNorm(), ReLU(), Dropout(0.1), MaxPool(2)),
        *(Conv(8, 3), ReLU(), GlobalAvgPool(), Linear(10)),
    ),
)
PLAIN = Architecture("plain", (Conv(4, 5, stride=3), ReLU(), Flatten(), Linear(10)))  # the same in both modes


def tiny_data(train: int = 150, validation: int = 0, test: int = 60) -> Resident:
    """Real digits, the first of the embedded ones."""
    images, labels = embedded_digits()
    parts = [
        Examples(torch.tensor(images[first : first + count]), torch.tensor(labels[first : first + count]).long())
        for first, count in ((0, train), (train, validation), (train + validation, test))
    ]
    return Resident("embedded digits", parts[0], parts[1] if validation else None, parts[2], Normalisation())


def trained(
    recipe: Recipe, data: Resident, architecture: Architecture = TINY
) -> tuple[dict[str, Tensor], list[EpochEnd]]:
    """The weights after a run of the recipe, and the ends of its epochs."""
    network = build(architecture, recipe.seed)
    ends = [event for event in train(network, data, recipe) if isinstance(event, EpochEnd)]
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}, ends


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
