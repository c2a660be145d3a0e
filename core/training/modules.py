"""The torch modules of ops that torch has no module for: those with a body, ghost batch norm, squeeze-and-excite."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """body(x) + shortcut(x); an empty shortcut is x itself."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, values: Tensor) -> Tensor:
        changed: Tensor = self.body(values) + self.shortcut(values)  # not in place: both may be needed once more
        return changed


class Concatenate(nn.Module):
    """The channels of shortcut(x), then those of body(x); an empty one is x itself."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, values: Tensor) -> Tensor:
        return torch.cat([self.shortcut(values), self.body(values)], 1)


class PerRound(nn.Module):
    """A norm in a body that is repeated: one for each time."""

    def __init__(self, *norms: nn.Module) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norms)
        self.round = 0
        self.counted = False  # whether a Repeat sets its round: in repeats within repeats, the innermost comes first

    def forward(self, values: Tensor) -> Tensor:
        normed: Tensor = self.norms[self.round](values)
        return normed


class Repeat(nn.Module):
    """The body `times` times, one after the other, with the same weights."""

    def __init__(self, body: nn.Sequential, times: int) -> None:
        super().__init__()
        self.body, self.times = body, times
        self.own_norms = tuple(self._uncounted(body))  # in a tuple, torch does not register them a second time
        for norm in self.own_norms:
            norm.counted = True

    def _uncounted(self, module: nn.Module) -> Iterator[PerRound]:
        for child in module.children():
            if isinstance(child, PerRound) and not child.counted:
                yield child
            else:
                yield from self._uncounted(child)

    def forward(self, values: Tensor) -> Tensor:
        for number in range(self.times):
            for norm in self.own_norms:
                norm.round = number
            values = self.body(values)
        return values

    def extra_repr(self) -> str:
        return f"times={self.times}"


class SqueezeExcite(nn.Module):
    """Each channel times a number from 0 to 1 computed from all channels' means; torchvision's names of the layers."""

    def __init__(self, channels: int, squeeze_channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        scale = F.relu(self.fc1(maps.mean((2, 3), keepdim=True)))
        scaled: Tensor = maps * self.fc2(scale).sigmoid()
        return scaled


class GhostBatchNorm(nn.Module):
    """Batch norm over each of `num_splits` equal parts of the batch; the last one may be shorter.

    The running mean and variance are means over the parts, so that evaluation is that of a batch norm.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, num_splits: int, eps: float, momentum: float) -> None:
        super().__init__()
        self.num_splits, self.eps, self.momentum = num_splits, eps, momentum
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(
                values, self.running_mean, self.running_var, self.weight, self.bias, False, self.momentum, self.eps
            )
        parts = values.chunk(min(self.num_splits, max(1, len(values) // 2)))
        means, variances, normed = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var), []
        for part in parts:
            mean, variance = torch.zeros_like(self.running_mean), torch.ones_like(self.running_var)
            normed.append(F.batch_norm(part, mean, variance, self.weight, self.bias, True, 1.0, self.eps))
            means, variances = means + mean / len(parts), variances + variance / len(parts)
        self.running_mean.lerp_(means, self.momentum)
        self.running_var.lerp_(variances, self.momentum)
        return torch.cat(normed)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, num_splits={self.num_splits}"
