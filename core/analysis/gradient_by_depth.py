"""How much of the gradient reaches the first layer of a deep network, with and without skip connections.

He, Zhang, Ren & Sun 2016, arXiv:1512.03385: deep plain networks were harder to train than shallow ones.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional as F

from core.architecture.spec import Architecture, Conv, GlobalAvgPool, Linear, MaxPool, Op, ReLU, Residual
from core.data.embedded_digits import embedded_digits
from core.training.network import build
from core.training.resident import Normalisation, grey, normalised

CHANNELS = 8
DIGITS = 16  # of the embedded ones; the gradient is that of their mean loss
SEEDS = (1, 2, 3)


def stacked(depth: int, skips: bool) -> Architecture:
    """A 3 x 3 convolution, a pool, and `depth` more convolutions, each with ReLU, with a skip over each or without."""
    block: tuple[Op, ...] = (Conv(CHANNELS, 3, padding=1), ReLU())
    rest = ((Residual(block),) if skips else block) * depth
    name = f"{depth} layers {'with' if skips else 'without'} skips"
    return Architecture(name, (Conv(CHANNELS, 3, padding=1), ReLU(), MaxPool(2), *rest, GlobalAvgPool(), Linear(10)))


@lru_cache(maxsize=256)
def first_gradients(depth: int, skips: bool) -> tuple[float, ...]:
    """For each of SEEDS, before training: the length of the gradient of the loss by the first layer's weights."""
    images, labels = (torch.tensor(each[:DIGITS]) for each in embedded_digits())
    values = normalised(grey(images), Normalisation())
    found = []
    for seed in SEEDS:
        network = build(stacked(depth, skips), seed)
        first = network[0]
        assert isinstance(first, nn.Conv2d)
        loss = F.cross_entropy(network(values), labels.long())
        (gradient,) = torch.autograd.grad(loss, first.weight)
        found.append(gradient.norm().item())
    return tuple(found)
