"""An architecture as torch modules: one module for each op, in the same order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

import torch
from torch import Tensor, nn

from core.architecture import spec
from core.architecture.trace import Layer, trace
from core.training.batch_norm import BatchNorm
from core.training.dropout import Dropout, Dropout2d
from core.training.modules import Concatenate, GhostBatchNorm, PerRound, Repeat, Residual, SqueezeExcite

_ONE_AT_A_TIME = threading.Lock()  # torch has one generator for all threads, and first weights come from it


class VectorLinear(nn.Linear):
    """A linear layer that takes a (N, C, 1, 1) map as a (N, C) vector."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(1))


def build(architecture: spec.Architecture, seed: int | None = None) -> nn.Sequential:
    """The network on the CPU, with torch's default initial weights; the same seed gives the same weights.

    `network[i]` is `architecture.ops[i]`. Raises SpecError for an architecture that does not fit.
    """
    walked = trace(architecture)
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        return _modules(walked.layers)


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


def _modules(layers: tuple[Layer, ...], rounds: tuple[int, ...] = ()) -> nn.Sequential:
    """The modules of ops that stand together. `rounds`: how often each repeat around them runs, the innermost first."""
    return nn.Sequential(*(_module(layer, rounds) for layer in layers))


def _module(layer: Layer, rounds: tuple[int, ...]) -> nn.Module:
    op, shape = layer.op, layer.input
    match op:
        case spec.Conv(out, k, stride, padding, dilation, groups, bias):
            return nn.Conv2d(shape[0], out, k, stride, padding, dilation, groups, bias)
        case spec.ReLU():
            return nn.ReLU()
        case spec.Dropout(p):
            return Dropout(p)
        case spec.Dropout2d(p):
            return Dropout2d(p)
        case spec.MaxPool(k, stride, padding, dilation):
            return nn.MaxPool2d(k, stride, padding, dilation)
        case spec.AvgPool(k, stride, padding):
            return nn.AvgPool2d(k, stride, padding)
        case spec.GlobalAvgPool():
            return nn.AdaptiveAvgPool2d(1)
        case spec.GlobalMaxPool():
            return nn.AdaptiveMaxPool2d(1)
        case spec.Flatten():
            return nn.Flatten()
        case spec.Linear(out, bias):
            return VectorLinear(shape[0], out, bias)
        case spec.LogSoftmax():
            return nn.LogSoftmax(dim=1)
        case spec.Softmax():
            return nn.Softmax(dim=1)
        case spec.SqueezeExcite(squeeze):
            return SqueezeExcite(shape[0], squeeze)
        case spec.Residual() | spec.Concatenate():
            join = Residual if isinstance(op, spec.Residual) else Concatenate
            body, shortcut = (_modules(branch, rounds) for branch in layer.branches)
            return join(body, shortcut)
        case spec.Repeat(_, times):
            return Repeat(_modules(layer.branches[0], (times, *rounds)), times)
        case _ if isinstance(op, spec.Norm):
            return _per_round(op, shape, rounds)
        case _:
            return _activation(op)


def _per_round(op: spec.Norm, shape: spec.Shape, rounds: tuple[int, ...]) -> nn.Module:
    """A norm, or one for each time that the repeats around it run it."""
    if not rounds:
        return _norm(op, shape)
    return PerRound(*(_per_round(op, shape, rounds[1:]) for _ in range(rounds[0])))


def _norm(op: spec.Norm, shape: spec.Shape) -> nn.Module:
    match op:
        case spec.BatchNorm(eps, momentum, affine):
            return BatchNorm(shape[0], eps, momentum, affine)
        case spec.GhostBatchNorm(splits, eps, momentum):
            return GhostBatchNorm(shape[0], splits, eps, momentum)
        case spec.GroupNorm(groups, eps, affine):
            return nn.GroupNorm(groups, shape[0], eps, affine)
        case spec.LayerNorm(eps, affine):
            return nn.LayerNorm(shape, eps, affine)
        case spec.InstanceNorm(eps, affine):
            return nn.InstanceNorm2d(shape[0], eps, affine=affine)


def _activation(op: spec.Op) -> nn.Module:
    """torch's module of the same name, with the same fields."""
    module: nn.Module = getattr(nn, type(op).__name__)(**{each.name: getattr(op, each.name) for each in fields(op)})
    return module
