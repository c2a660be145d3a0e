"""Units that never answer: after an activation, channels that are 0 at every place for every image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.diagnosis import DeadUnits
from core.spec import Architecture, ReLU
from core.trace import trace


@torch.no_grad()
def dead_units(network: nn.Sequential, architecture: Architecture, images: Tensor) -> tuple[DeadUnits, ...]:
    """How many channels of each ReLU are dead on the images (N, 1, 28, 28), normalised. The network: in evaluation."""
    found = []
    values = images
    for layer, module in zip(trace(architecture).layers, network, strict=True):
        values = module(values)
        if isinstance(layer.op, ReLU):
            answers = values.transpose(0, 1).flatten(1).amax(1)  # (channels,): the most that each ever said
            found.append(DeadUnits(layer.name, int((answers <= 0).sum()), len(answers), len(images)))
    return tuple(found)
