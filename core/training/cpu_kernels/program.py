"""The stages of a network with their buffers, run by threads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import POINTER, Structure, c_int, c_long, c_uint, c_void_p
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.training.cpu_kernels.stages import CONVOLUTION, GROUP_NORM, Shape, Stage

ALIGNED = 64  # bytes
VECTORS, LEAST = 4, 32  # of a share: vectors of images, as many as a block of a convolution has; images


def _structures(real: type) -> tuple[type[Structure], type[Structure], type[Structure]]:
    """Stage, Share and Program of common.h, field by field."""

    class CStage(Structure):
        _fields_ = (
            *((name, c_int) for name in (
                "kind", "channels", "height", "width", "out_channels", "out_height", "out_width", "kernel_height",
                "kernel_width", "stride", "padding", "dilation", "groups", "norm", "activation", "drops", "each",
            )),
            ("threshold", c_uint),
            *((name, real) for name in ("slope", "kept", "eps", "momentum")),
            *((name, c_void_p) for name in (
                "weight", "bias", "weight_gradient", "bias_gradient", "running_mean", "running_variance", "moments",
            )),
        )  # fmt: skip

    class CShare(Structure):
        _fields_ = (
            ("images", c_int), ("first", c_int), ("last", c_int), ("input", c_void_p),
            ("outputs", POINTER(c_void_p)), ("gradients", c_void_p * 2), ("scratch", c_void_p), ("sums", c_void_p),
        )  # fmt: skip

    class CProgram(Structure):
        _fields_ = (
            ("stages", c_int), ("shares", c_int), ("threads", c_int), ("training", c_int),
            ("seed", c_uint if real is ctypes.c_float else ctypes.c_ulonglong),
            ("stage", POINTER(CStage)), ("share", POINTER(CShare)), ("sums_of", POINTER(c_long)),
            ("yield", c_void_p), ("arrived", c_int), ("round", c_int),
        )  # fmt: skip

    return CStage, CShare, CProgram


SINGLE, DOUBLE = _structures(ctypes.c_float), _structures(ctypes.c_double)


class Program:
    """Runs the stages for at most `images` images at once.

    Buffers are made once. After a training pass they hold what the backward pass needs, until the next forward pass.
    """

    def __init__(
        self, kernels: ctypes.CDLL, stages: tuple[Stage, ...], images: int, threads: int, training: bool,
        dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        self.kernels, self.stages, self.dtype = kernels, stages, dtype
        self.lanes: int = kernels.lanes()
        self.images, self.passes = images, 0
        stage_type, share_type, program_type = SINGLE if dtype == torch.float32 else DOUBLE
        self._stages = (stage_type * len(stages))(*(_described(stage_type, stage) for stage in stages))
        self._vectors = max(VECTORS, LEAST // self.lanes)  # of a share
        self._threads = threads
        self._shares = (share_type * -(-images // (self._vectors * self.lanes)))()
        self._kept: list[object] = []  # memory that only C knows of
        self._keep_moments()
        weights = max(stage.weights for stage in stages)
        self._scratch = [self._memory(self.lanes * max(weights, self._vectors)) for _ in range(threads)]
        sums = [_sums(stage) for stage in stages]
        starts = (c_long * len(stages))(*np.cumsum([0, *sums[:-1]]).tolist())
        for share in self._shares:
            self._furnish(share, sum(sums), training)
        self._program = program_type(
            stages=len(stages), training=training, stage=self._stages, share=self._shares,
            sums_of=starts, **{"yield": _yield_address()},
        )  # fmt: skip
        self._pool = ThreadPoolExecutor(threads - 1, "kernels") if threads > 1 else None

    def forward(self, images: Tensor, seed: int = 0) -> Tensor:
        """(N, C, H, W) to (N, features). `seed`, of 32 bits, for dropout."""
        count = len(images)
        images = images.detach().to(self.dtype).contiguous()
        logits = torch.empty(count, int(np.prod(self.stages[-1].output)), dtype=self.dtype)
        self._share_out(count)
        self._program.seed = seed
        self.passes += 1
        weights = self._point_at_weights()
        self._run(self.kernels.forward, c_void_p(images.data_ptr()), c_void_p(logits.data_ptr()))
        del weights
        return logits

    def backward(self, gradient: Tensor) -> list[Tensor]:
        """The gradients of all weights, in the order of `weights_of`, from that of the logits (N, features)."""
        gradient = gradient.to(self.dtype).contiguous()
        weights = self._point_at_weights()
        gradients = []
        for stage, described in zip(self.stages, self._stages, strict=True):
            for name, each in zip(("weight_gradient", "bias_gradient"), stage.parameters, strict=True):
                made = None if each is None else torch.empty(each.shape, dtype=self.dtype)
                setattr(described, name, None if made is None else made.data_ptr())
                gradients += [] if made is None else [made]
        self._run(self.kernels.backward, c_void_p(gradient.data_ptr()))
        del weights
        return gradients

    def _share_out(self, count: int) -> None:
        """Whole shares, but for the last one; the same for any number of threads."""
        vectors = -(-count // self.lanes)
        self._program.shares = shares = -(-vectors // self._vectors)
        self._program.threads = min(self._threads, shares)
        for number, share in enumerate(self._shares[:shares]):
            share.scratch = self._scratch[number % self._program.threads]
            begin, end = number * self._vectors, min((number + 1) * self._vectors, vectors)
            share.images, share.first = end - begin, begin * self.lanes
            share.last = min(self.lanes, count - (end - 1) * self.lanes)

    def _run(self, function: Callable[..., None], *arguments: c_void_p) -> None:
        program = ctypes.byref(self._program)
        others = [
            self._pool.submit(function, program, thread, *arguments)
            for thread in range(1, self._program.threads)
            if self._pool is not None
        ]
        function(program, 0, *arguments)
        for other in others:
            other.result()

    def _point_at_weights(self) -> list[Tensor]:
        """Tell C where torch has the weights now. The result must live while C uses it."""
        used = []
        for stage, described in zip(self.stages, self._stages, strict=True):
            for name, each in zip(("weight", "bias"), stage.parameters, strict=True):
                if each is not None:
                    used.append(each.detach().to(self.dtype).contiguous())
                    setattr(described, name, used[-1].data_ptr())
            if stage.norm is not None:
                assert stage.norm.running_mean is not None
                assert stage.norm.running_var is not None
                described.running_mean = stage.norm.running_mean.data_ptr()
                described.running_variance = stage.norm.running_var.data_ptr()
        return used

    def _keep_moments(self) -> None:
        for stage, described in zip(self.stages, self._stages, strict=True):
            if stage.norm is not None:
                described.moments = self._memory(2 * stage.input[0])

    def _furnish(self, share: Any, sums: int, training: bool) -> None:
        n = self.lanes * self._vectors
        shapes = [self.stages[0].input, *(stage.output for stage in self.stages)]
        largest = max(_size(shape) for shape in shapes)
        share.input = self._memory(n * _size(shapes[0]))
        if training:
            outputs = [self._memory(n * _size(shape)) for shape in shapes[1:]]
            share.gradients = (c_void_p * 2)(self._memory(n * largest), self._memory(n * largest))
        else:  # two, in turns
            both = self._memory(n * largest), self._memory(n * largest)
            outputs = [both[number % 2] for number in range(len(self.stages))]
        share.outputs = (c_void_p * len(outputs))(*outputs)
        share.sums = self._memory(max(1, sums))

    def _memory(self, count: int) -> int:
        """The address of zeros, aligned for the widest vectors."""
        size = np.dtype(np.float64 if self.dtype == torch.float64 else np.float32).itemsize
        block = np.zeros(count * size + 2 * ALIGNED, np.uint8)
        self._kept.append(block)
        return int(block.ctypes.data + -block.ctypes.data % ALIGNED)


def _described(kind: type[Structure], stage: Stage) -> Structure:
    (channels, height, width), (out_channels, out_height, out_width) = stage.input, stage.output
    norm = stage.norm
    return kind(
        kind=stage.kind, channels=channels, height=height, width=width,
        out_channels=out_channels, out_height=out_height, out_width=out_width,
        kernel_height=stage.kernel[0], kernel_width=stage.kernel[1],
        stride=stage.stride, padding=stage.padding, dilation=stage.dilation, groups=stage.groups,
        norm=norm is not None, activation=stage.activation, slope=stage.slope,
        drops=stage.drops if stage.drop else 0, threshold=round(stage.drop * 2**32), kept=1 / (1 - stage.drop),
        each=isinstance(stage.layer, nn.LayerNorm),
        eps=norm.eps if norm is not None else stage.eps, momentum=norm.momentum if norm is not None else 0,
    )  # fmt: skip


def _sums(stage: Stage) -> int:
    """How many figures a thread tells the others of a stage."""
    if stage.kind == CONVOLUTION:
        return stage.weights + stage.output[0]
    if stage.kind == GROUP_NORM:
        return 2 * (_size(stage.input) if isinstance(stage.layer, nn.LayerNorm) else stage.input[0])
    return 3 * stage.input[0] if stage.norm is not None else 0


def _size(shape: Shape) -> int:
    return shape[0] * shape[1] * shape[2]


def _yield_address() -> int:
    """The system's function by which a thread that waits lets others run."""
    if hasattr(ctypes, "windll"):
        function: Any = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    address = ctypes.cast(function, c_void_p).value
    assert address is not None
    return address
