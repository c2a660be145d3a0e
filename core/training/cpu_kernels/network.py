"""A network whose forward and backward passes on a CPU are the kernels'."""

from __future__ import annotations

import logging
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from core.training.cpu_kernels.compiler import compiled
from core.training.cpu_kernels.program import Program
from core.training.cpu_kernels.stages import NoKernel, Shape, Stage, stages_of, weights_of
from core.training.dropout import Dropout

EVALUATED = 64  # images at once, for each thread: their maps stay in its cache

log = logging.getLogger(__name__)


class Accelerated:
    """Called with images (N, C, H, W), it gives what the network gives, in the mode that the network is in.

    Up to rounding the results are torch's. Dropout's masks are others: a generator in the kernel makes them from one
    number that the run's generator draws for the iteration. The same seed gives the same bits, for any number of
    threads.
    """

    def __init__(self, network: nn.Sequential, stages: tuple[Stage, ...], rest: tuple[nn.Module, ...]) -> None:
        self.network, self._stages, self._rest = network, stages, rest
        self._dropout = next((each for each in network if isinstance(each, Dropout) and each.p), None)
        self._programs: dict[bool, Program] = {}

    def __call__(self, images: Tensor) -> Tensor:
        if self.network.training:
            outputs = _Pass.apply(self._program(len(images)), self._seed(), images, *weights_of(self._stages))  # type: ignore[no-untyped-call]
        else:
            program = self._program(EVALUATED * torch.get_num_threads())
            outputs = torch.cat([program.forward(part) for part in images.split(program.images)])
        for module in self._rest:
            outputs = module(outputs)
        return cast(Tensor, outputs)

    def _seed(self) -> int:
        if self._dropout is None:
            return 0
        return int(torch.randint(2**32, (), generator=self._dropout.generator))

    def _program(self, images: int) -> Program:
        """That of the mode, with room for so many images."""
        mode = self.network.training
        program = self._programs.get(mode)
        if program is None or program.images < images:
            kernels = compiled()
            assert kernels is not None
            dtype = next(weights_of(self._stages)).dtype
            program = self._programs[mode] = Program(
                kernels, self._stages, images, torch.get_num_threads(), mode, dtype
            )
        return program


def accelerated(network: nn.Module, shape: Shape = (1, 28, 28)) -> Accelerated | None:
    """The network by kernels, for images of this shape; None where torch has to compute it."""
    weights = list(network.parameters())
    suits = isinstance(network, nn.Sequential) and all(
        each.device.type == "cpu" and each.dtype == torch.float32 for each in weights
    )
    if not suits or not weights or _is_watched(network) or compiled() is None:
        return None
    assert isinstance(network, nn.Sequential)
    try:
        return Accelerated(network, *stages_of(network, shape))
    except NoKernel as missing:
        log.debug("torch computes the network: there is no kernel for %s", missing)
        return None


def _is_watched(network: nn.Module) -> bool:
    """Whether a hook expects torch to call a module."""
    return any(each._forward_hooks or each._forward_pre_hooks or each._backward_hooks for each in network.modules())


class _Pass(torch.autograd.Function):
    """The program's passes as one operation."""

    @staticmethod
    def forward(ctx: Any, program: Program, seed: int, images: Tensor, *weights: Tensor) -> Tensor:
        ctx.program = program
        outputs = program.forward(images, seed)
        ctx.number = program.passes
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.number != ctx.program.passes:
            raise RuntimeError("the kernels keep one pass, and another one came between this and its backward pass")
        return None, None, None, *ctx.program.backward(gradient)
