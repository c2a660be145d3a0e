"""An exponential moving average of a network's weights, updated on the device without waiting for it."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn


class Average:
    """Guards a copy of a network that follows it: each update moves it by 1 - decay of the way; the first, all of it.

    The numbers are those of torch's AveragedModel with buffers, which reads its count of updates back from the device
    at each of them. Whole numbers, such as batch norm's count of batches, are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = deepcopy(network)
        self.decay = decay
        self.started = False
        self._pairs = list(zip(_tensors(self.network), _tensors(network), strict=True))
        self._averaged, self._current = (
            [pair[n] for pair in self._pairs if pair[n].is_floating_point()] for n in (0, 1)
        )

    def update(self) -> None:
        """Follow the network's weights as they now are."""
        if self.started:
            torch._foreach_lerp_(self._averaged, self._current, 1 - self.decay)
        for averaged, current in self._pairs:
            if not self.started or not averaged.is_floating_point():
                averaged.copy_(current)
        self.started = True

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from the averaged network's `state_dict`."""
        self.network.load_state_dict(state)
        self.started = True


def _tensors(network: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*network.parameters(), *network.buffers())]
