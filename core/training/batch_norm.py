"""Batch normalisation that is fast on a CPU for maps with few channels, stored channels last.

With channels last, oneDNN's convolutions of ten channels take a third to a half of the time, because no map is
rearranged. But torch's own batch norm then works on ten values at a time, which costs more than that saves. Here the
unit of work is a row of a map, width times channels; the sums of the columns are then added for each channel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d with the same results up to rounding; only training on a CPU computes them in another way.

    It takes vectors (N, C) too, as nn.BatchNorm1d does. It does not count batches, which takes a GPU as long as the
    norm itself and is used for nothing; see `count_batches`.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (2, 4):
            raise ValueError(f"expected maps (N, C, H, W) or vectors (N, C), got {input.ndim} axes")

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.device.type == "cpu" and input.dtype == torch.bfloat16:
            input = input.float()  # under autocast: the sums need more than 8 bits
        assert self.running_mean is not None
        assert self.running_var is not None
        if not (self.training and self.affine and _suits(input)):
            self._check_input_dim(input)
            assert self.momentum is not None
            moments = self.running_mean, self.running_var
            return F.batch_norm(input, *moments, self.weight, self.bias, self.training, self.momentum, self.eps)
        output: Tensor = _Normalise.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias, self.running_mean, self.running_var, self.momentum, self.eps
        )
        return output


def count_batches(network: nn.Module, number: int) -> None:
    """Note in every batch norm that it has seen so many batches, as torch's own would have counted them."""
    for module in network.modules():
        if isinstance(module, BatchNorm) and module.num_batches_tracked is not None:
            module.num_batches_tracked.fill_(number)


def _suits(maps: Tensor) -> bool:
    return (
        maps.device.type == "cpu"
        and maps.ndim == 4
        and maps.dtype == torch.float32  # float64 is meant to be exact
        and maps.is_contiguous(memory_format=torch.channels_last)
        and maps.numel() > maps.shape[1]  # one value has no variance: torch's own batch norm raises the error
    )


class _Normalise(torch.autograd.Function):
    """Ioffe & Szegedy 2015, arXiv:1502.03167: forward as in its algorithm 1, backward as in section 3."""

    @staticmethod
    def forward(
        ctx: Any,  # torch gives it no type that lets tensors be kept
        maps: Tensor,  # (N, C, H, W), channels last
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        momentum: float,
        eps: float,
    ) -> Tensor:
        columns = _rows(maps)
        mean, variance = torch.batch_norm_update_stats(columns, None, None, 0.0)  # of each column, two passes
        mean, variance = mean.view(-1, len(weight)), variance.view(-1, len(weight))
        variance = variance.mean(0) + mean.var(0, correction=0)  # within the columns, and between them
        mean = mean.mean(0)
        count = columns.numel() // len(weight)
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
        deviation = (variance + eps).rsqrt()
        scale = weight * deviation
        scales, shifts = _for_columns(maps, scale, bias - mean * scale)
        ctx.save_for_backward(maps, weight, mean, deviation)
        output = torch.empty_like(maps)  # and its rows as a view: the other way round, no op could change it in place
        torch.addcmul(shifts, columns, scales, out=_rows(output))
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight, mean, deviation = ctx.saved_tensors
        columns, gradient = _rows(maps), _rows(gradients[0].contiguous(memory_format=torch.channels_last))
        count = columns.numel() // len(weight)
        bias_gradient = gradient.sum(0).view(-1, len(weight)).sum(0)
        result = torch.empty_like(maps)
        products = torch.mul(gradient, columns, out=_rows(result))  # filled twice: memory in the cache is quicker
        covariance = products.sum(0).view(-1, len(weight)).sum(0)
        weight_gradient = (covariance - mean * bias_gradient) * deviation
        scale = weight * deviation
        slope = scale * deviation * weight_gradient / count  # how far a value's gradient depends on the value itself
        scales, slopes, shifts = _for_columns(maps, scale, -slope, slope * mean - scale * bias_gradient / count)
        torch.addcmul(shifts, columns, slopes, out=products).addcmul_(gradient, scales)
        return result, weight_gradient, bias_gradient, None, None, None, None


def _rows(maps: Tensor) -> Tensor:
    """Maps (N, C, H, W), channels last, as rows (N x H, W x C), which is how they lie in memory."""
    images, channels, height, width = maps.shape
    return maps.permute(0, 2, 3, 1).reshape(images * height, width * channels)


def _for_columns(maps: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
    """Values for each channel, (C,), repeated for every column of a row, (W x C,)."""
    return torch.stack(values).repeat(1, maps.shape[3]).unbind(0)
