"""An architecture as torch modules: one module for each op, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from core.architecture import spec
from core.architecture.trace import trace
from core.training.batch_norm import BatchNorm
from core.training.dropout import Dropout


class VectorLinear(nn.Linear):
    """A linear layer that takes a (N, C, 1, 1) map as a (N, C) vector."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(1))


def build(architecture: spec.Architecture, seed: int | None = None) -> nn.Sequential:
    """The network on the CPU, with torch's default initial weights; the same seed gives the same weights.

    `network[i]` is `architecture.ops[i]`. Raises SpecError for an architecture that does not fit.
    """
    walked = trace(architecture)
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        return nn.Sequential(*(_module(layer.op, layer.input) for layer in walked.layers))


def lay_out(network: nn.Module, device: torch.device) -> None:
    """Store the weights in the order in memory that is fastest on the device; the maps then have the same order.

    On a CPU that is channels last: see `core.training.batch_norm`. The results stay the same.
    """
    if device.type == "cpu":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; afterwards the network is in the mode that it was in."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def _module(op: spec.Op, shape: spec.Shape) -> nn.Module:
    match op:
        case spec.Conv(out, k, stride, padding, dilation, groups, bias):
            return nn.Conv2d(shape[0], out, k, stride, padding, dilation, groups, bias)
        case spec.BatchNorm():
            return BatchNorm(shape[0])
        case spec.ReLU():
            return nn.ReLU()
        case spec.Dropout(p):
            return Dropout(p)
        case spec.MaxPool(k, stride, padding, dilation):
            return nn.MaxPool2d(k, stride, padding, dilation)
        case spec.AvgPool(k, stride, padding):
            return nn.AvgPool2d(k, stride, padding)
        case spec.GlobalAvgPool():
            return nn.AdaptiveAvgPool2d(1)
        case spec.Flatten():
            return nn.Flatten()
        case spec.Linear(out, bias):
            return VectorLinear(shape[0], out, bias)
        case spec.LogSoftmax():
            return nn.LogSoftmax(dim=1)
