"""A network's modules as the stages of the kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor, nn

from core.training.batch_norm import BatchNorm
from core.training.dropout import Dropout, Dropout2d

CONVOLUTION, POINTWISE, GROUP_NORM, MAX_POOL, AVERAGE_POOL = range(5)
NONE, RELU, LEAKY, RELU6, HARDSWISH, HARDSIGMOID, SIGMOID, TANH, SILU, ELU, GELU, GELU_BY_TANH = range(12)
ACTIVATIONS: dict[type[nn.Module], int] = {
    nn.ReLU: RELU, nn.LeakyReLU: LEAKY, nn.ReLU6: RELU6, nn.Hardswish: HARDSWISH, nn.Hardsigmoid: HARDSIGMOID,
    nn.Sigmoid: SIGMOID, nn.Tanh: TANH, nn.SiLU: SILU, nn.ELU: ELU,
}  # fmt: skip
VALUES, CHANNELS = 1, 2  # what a dropout drops
Layer = nn.Conv2d | nn.Linear | nn.GroupNorm | nn.LayerNorm | nn.InstanceNorm2d
MOST_TAPS = 256  # of a kernel
MOST_WEIGHTS = 2**19  # of a layer: the kernels keep a gradient for each lane, and torch is as fast with many channels
Shape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Stage:
    """One pass over the maps. A pointwise one is batch norm, activation and dropout, each if it is there."""

    kind: int
    input: Shape
    output: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    layer: Layer | None = None
    norm: BatchNorm | None = None
    activation: int = NONE
    slope: float = 0.0
    drop: float = 0.0
    drops: int = VALUES
    eps: float = 0.0  # of a group norm

    @property
    def owner(self) -> Layer | BatchNorm | None:
        """The module whose weight and bias it uses."""
        return self.layer or self.norm

    @property
    def parameters(self) -> tuple[Tensor | None, Tensor | None]:
        """Weight and bias."""
        return (None, None) if self.owner is None else (self.owner.weight, self.owner.bias)

    @property
    def weights(self) -> int:
        """How many, without the biases."""
        return 0 if self.parameters[0] is None else self.parameters[0].numel()


class NoKernel(Exception):
    """A module that no kernel computes."""


def stages_of(network: nn.Sequential, shape: Shape) -> tuple[tuple[Stage, ...], tuple[nn.Module, ...]]:
    """The stages for one image of this shape, and the modules at the end that torch computes, on (N, classes).

    Raises NoKernel, naming the module.
    """
    modules = list(network)
    rest: list[nn.Module] = []
    while modules and isinstance(modules[-1], nn.LogSoftmax | nn.Softmax | nn.Flatten):
        rest.insert(0, modules.pop())
    stages: list[Stage] = []
    for module in modules:
        stage = _stage(module, shape)
        if stage is not None and stage.weights > MOST_WEIGHTS:
            raise NoKernel(f"{stage.weights:,} weights in one layer")
        if stage is None:  # flatten: the same values in the same order
            shape = (shape[0] * shape[1] * shape[2], 1, 1)
            continue
        joined = _joined(stages[-1], stage) if stages else None
        stages[len(stages) - (joined is not None) :] = [joined or stage]
        shape = stage.output
    if not stages or (shape[1:] != (1, 1) and not any(isinstance(each, nn.Flatten) for each in rest)):
        raise NoKernel("an output that is no vector")
    return tuple(stages), tuple(each for each in rest if not isinstance(each, nn.Flatten))


def _stage(module: nn.Module, shape: Shape) -> Stage | None:
    channels, height, width = shape
    pointwise = Stage(POINTWISE, shape, shape)
    match module:
        case nn.Flatten():
            return None
        case nn.Conv2d() if module.padding_mode == "zeros" and not isinstance(module.padding, str):
            sizes = [_side(each) for each in (module.kernel_size, module.stride, module.padding, module.dilation)]
            return _window(CONVOLUTION, shape, sizes, module)
        case nn.Linear() if shape[1:] == (1, 1):
            return Stage(CONVOLUTION, shape, (module.out_features, 1, 1), layer=module)
        case BatchNorm():
            return replace(pointwise, norm=module)
        case nn.GroupNorm(num_groups=groups, eps=eps):
            return Stage(GROUP_NORM, shape, shape, groups=groups, layer=module, eps=eps)
        case nn.LayerNorm(normalized_shape=whole, eps=eps) if tuple(whole) == shape:
            return Stage(GROUP_NORM, shape, shape, layer=module, eps=eps)
        case nn.InstanceNorm2d(track_running_stats=False, eps=eps):
            return Stage(GROUP_NORM, shape, shape, groups=channels, layer=module, eps=eps)
        case nn.LeakyReLU(negative_slope=slope) | nn.ELU(alpha=slope):
            return replace(pointwise, activation=ACTIVATIONS[type(module)], slope=slope)
        case nn.GELU():
            return replace(pointwise, activation=GELU if module.approximate == "none" else GELU_BY_TANH)
        case _ if type(module) in ACTIVATIONS:
            return replace(pointwise, activation=ACTIVATIONS[type(module)])
        case Dropout():
            return replace(pointwise, drop=module.p, drops=CHANNELS if isinstance(module, Dropout2d) else VALUES)
        case nn.MaxPool2d() if not module.ceil_mode:
            sizes = [_side(each) for each in (module.kernel_size, module.stride, module.padding, module.dilation)]
            return _window(MAX_POOL, shape, sizes)
        case nn.AvgPool2d() if not module.ceil_mode and module.count_include_pad and not module.divisor_override:
            sizes = [_side(each) for each in (module.kernel_size, module.stride, module.padding, 1)]
            return _window(AVERAGE_POOL, shape, sizes)
        case nn.AdaptiveAvgPool2d():
            return Stage(AVERAGE_POOL, shape, (channels, 1, 1), (height, width))
        case nn.AdaptiveMaxPool2d():
            return Stage(MAX_POOL, shape, (channels, 1, 1), (height, width))
    raise NoKernel(type(module).__name__)


def _window(kind: int, shape: Shape, sizes: list[int], layer: nn.Conv2d | None = None) -> Stage:
    """`sizes`: of the kernel, the stride, the padding and the dilation."""
    kernel, stride, padding, dilation = sizes
    if kernel * kernel > MOST_TAPS and kind == CONVOLUTION:
        raise NoKernel(f"a kernel of {kernel} x {kernel}")
    height, width = ((side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for side in shape[1:])
    channels, groups = (layer.out_channels, layer.groups) if layer is not None else (shape[0], 1)
    output = channels, height, width
    return Stage(kind, shape, output, (kernel, kernel), stride, padding, dilation, groups, layer)


def _side(size: int | tuple[int, ...]) -> int:
    if isinstance(size, int):
        return size
    if len(set(size)) > 1:
        raise NoKernel(f"a window of {size}")
    return size[0]


def _joined(before: Stage, stage: Stage) -> Stage | None:
    """Two pointwise stages as one, where they are in its order; a ReLU and a dropout may change places."""
    if before.kind != POINTWISE or stage.kind != POINTWISE or stage.norm is not None:
        return None
    if not stage.drop and stage.activation == NONE:  # a dropout of nothing
        return before
    if stage.drop and not before.drop:
        return replace(before, drop=stage.drop, drops=stage.drops)
    if stage.activation and not before.activation and (not before.drop or stage.activation in (RELU, LEAKY)):
        return replace(before, activation=stage.activation, slope=stage.slope)
    return None


def weights_of(stages: tuple[Stage, ...]) -> Iterator[Tensor]:
    """All weights and biases, in the stages' order."""
    for stage in stages:
        yield from (each for each in stage.parameters if each is not None)
