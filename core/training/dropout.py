"""Dropout with masks from a given generator, so that a run depends only on its seed.

On a CPU torch's own dropout draws a number for every value with one thread, which takes a third of an iteration of the
small networks. Here numpy draws bytes, or only the indices of the few values that are dropped. On a GPU one draw serves
all dropouts of the network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

FEW = 1 / 16  # a probability below which darts are faster than bytes


class Dropout(nn.Module):
    """Zeroes a value with probability p while training, scales the rest by 1 / (1 - p). Srivastava et al. 2014."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None  # torch's own, until `draw_from` sets the run's
        self.drawn: Iterator[Tensor] | None = None  # by `Masks`, for all dropouts of the network in an iteration

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return values
        if self.drawn is not None:
            kept = next(self.drawn)
        elif values.device.type == "cpu":
            if values.ndim != 4 or not values.is_contiguous(memory_format=torch.channels_last):
                values = values.contiguous()
            kept = mask(values.numel(), self.p, self.generator).as_strided(values.shape, values.stride())
        else:
            shape = torch.empty_like(values, dtype=torch.float32)
            kept = shape.bernoulli_(1 - self.p, generator=self.generator).mul_(1 / (1 - self.p))
        return (values * kept).to(values.dtype)  # the scale in float32: bfloat16 would round it

    def mask_shape(self, values: Tensor) -> torch.Size:
        """Of the numbers that it draws for one image of these values, (B, ...)."""
        return values.shape[1:]

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout2d(Dropout):
    """Zeroes a whole channel of an image with probability p while training, scales the rest by 1 / (1 - p)."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return values
        return values * super().forward(values.new_ones(*values.shape[:2], 1, 1))

    def mask_shape(self, values: Tensor) -> torch.Size:
        return torch.Size((values.shape[1], 1, 1))


class Masks:
    """The masks of all dropouts of a network, of an iteration, by one draw: on a GPU each would be kernels of its own.

    `together`: whether; on a CPU each dropout draws its own, see `mask`.
    """

    def __init__(self, network: nn.Module, generator: torch.Generator, together: bool) -> None:
        self._network, self._generator, self._together = network, generator, together
        self._dropouts = [module for module in network.modules() if isinstance(module, Dropout)]
        self._runs: list[tuple[float, torch.Size]] | None = None  # p and shape for an image, in the order of the calls
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}  # by batch size: the chance to be kept and the scale, flat

    def draw(self, images: Tensor) -> None:
        """Draw for a batch of images (B, 1, H, W): call it before each iteration."""
        if not (self._together and self._dropouts):
            return
        if self._runs is None:
            self._runs = self._look(images[:1])
        size = len(images)
        if size not in self._kept:
            counts = [size * shape.numel() for _, shape in self._runs]
            shares = torch.tensor([1 - p for p, _ in self._runs], device=images.device)
            kept = shares.repeat_interleave(torch.tensor(counts, device=images.device), output_size=sum(counts))
            self._kept[size] = kept, 1 / kept
        kept, scale = self._kept[size]
        flat = torch.bernoulli(kept, generator=self._generator).mul_(scale)
        parts = flat.split([size * shape.numel() for _, shape in self._runs])
        drawn = iter([part.view(size, *shape) for part, (_, shape) in zip(parts, self._runs, strict=True)])
        for dropout in self._dropouts:
            dropout.drawn = drawn

    @torch.no_grad()
    def _look(self, image: Tensor) -> list[tuple[float, torch.Size]]:
        """Which dropouts draw for an image, and how many numbers; a body that is repeated draws each time."""
        runs: list[tuple[float, torch.Size]] = []

        def see(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            assert isinstance(module, Dropout)
            if module.p > 0:
                runs.append((module.p, module.mask_shape(given[0])))

        handles = [dropout.register_forward_pre_hook(see) for dropout in self._dropouts]
        training = self._network.training
        try:
            self._network.eval()(image)
        finally:
            self._network.train(training)
            for handle in handles:
                handle.remove()
        return runs


def mask(size: int, p: float, generator: torch.Generator | None) -> Tensor:
    """`size` values on the CPU, independently zero with probability exactly p, else 1 / (1 - p).

    A random byte below 256 p, rounded down, drops its value. Darts add the rest of p: a Poisson number of darts at
    random values hits each value independently of the others. If p is small, darts alone are enough.
    """
    seed = torch.randint(2**63 - 1, (), generator=generator).item()
    random = np.random.Generator(np.random.SFC64(int(seed)))
    edge = math.floor(256 * p) if p >= FEW else 0
    if edge:
        words = random.integers(2**64, size=(size + 7) // 8, dtype=np.uint64)
        kept = torch.from_numpy((words.view(np.uint8)[:size] >= edge).astype(np.float32)).mul_(1 / (1 - p))
    else:
        kept = torch.full((size,), 1 / (1 - p))
    darts = random.poisson(size * -math.log((1 - p) / (1 - edge / 256)))  # a value is missed by exp(-darts / size)
    kept.numpy()[random.integers(size, size=darts)] = 0
    return kept


def draw_from(network: nn.Module, generator: torch.Generator) -> Masks:
    """Let every dropout of the network draw its masks from this generator; `Masks.draw` begins an iteration."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator, module.drawn = generator, None
    return Masks(network, generator, together=generator.device.type != "cpu")
