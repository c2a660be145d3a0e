"""The way to compute a network that is fastest where its images are."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from core.training.cpu_kernels import Accelerated, accelerated
from core.training.network import lay_out

Computing = nn.Module | Accelerated
Path = Literal["kernels", "torch"]


def computing(network: nn.Module, device: torch.device, bf16: bool = False) -> Computing:
    """From images (N, 1, 28, 28) to the network's output: by the lab's kernels on a CPU, or else by torch.

    The network stays the same, with the same weights, and so do the results, up to rounding and dropout's masks.
    """
    fast = _by_kernels(network, device, bf16)
    if fast is None:
        lay_out(network, device)
    return fast or network


def path_of(network: nn.Module, device: torch.device, bf16: bool = False) -> Path:
    """Who computes the network there."""
    return "kernels" if _by_kernels(network, device, bf16) else "torch"


def _by_kernels(network: nn.Module, device: torch.device, bf16: bool) -> Accelerated | None:
    return accelerated(network) if device.type == "cpu" and not bf16 else None
