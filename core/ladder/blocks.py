"""Blocks: groups of ops that the networks repeat, as tuples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from core.architecture.spec import AvgPool, BatchNorm, Conv, Dropout, Flatten, LogSoftmax, MaxPool, Op, ReLU

Block = Callable[..., tuple[Op, ...]]  # called with the channels, and with the kernel size where it is not 3

END: tuple[Op, ...] = (Flatten(), LogSoftmax())


def conv_alone(channels: int, kernel_size: int = 3) -> tuple[Op, ...]:
    """A convolution with no activation after it."""
    return (Conv(channels, kernel_size, bias=False),)


def conv_relu(channels: int, kernel_size: int = 3, *, padding: int = 0, bias: bool = False) -> tuple[Op, ...]:
    """Convolution and ReLU, without batch norm or dropout."""
    return (Conv(channels, kernel_size, padding=padding, bias=bias), ReLU())


def conv_bn_relu(channels: int, kernel_size: int = 3) -> tuple[Op, ...]:
    """The order of Ioffe & Szegedy 2015, arXiv:1502.03167: batch norm before the ReLU."""
    return (Conv(channels, kernel_size, bias=False), BatchNorm(), ReLU())


def conv_bn_relu_dilated(channels: int) -> tuple[Op, ...]:
    """A 3 x 3 window spread over 5 x 5; with a padding of 1 the map loses two rows and columns."""
    return (Conv(channels, 3, padding=1, dilation=2, bias=False), BatchNorm(), ReLU())


def separable(channels: int) -> tuple[Op, ...]:
    """Dilated windows, each on one channel, then a 1 x 1 convolution over all of them. Sifre 2014; Howard et al. 2017,
    arXiv:1704.04861."""
    window = Conv(channels, 3, padding=1, dilation=2, groups=channels, bias=False)
    return (window, *conv_bn_relu(channels, 1))


def conv_bn_dropout_relu(channels: int, kernel_size: int = 3, *, dropout: float) -> tuple[Op, ...]:
    """Dropout before the ReLU, which gives the same values as dropout after it: zero stays zero."""
    return (Conv(channels, kernel_size, bias=False), BatchNorm(), Dropout(dropout), ReLU())


def conv_bn_relu_dropout(
    channels: int, kernel_size: int = 3, *, dropout: float, padding: int = 0, dilation: int = 1, bias: bool = False
) -> tuple[Op, ...]:
    """The most common order, with dropout last."""
    conv = Conv(channels, kernel_size, padding=padding, dilation=dilation, bias=bias)
    return (conv, BatchNorm(), ReLU(), Dropout(dropout))


def conv_relu_bn_dropout(channels: int, kernel_size: int = 3, *, dropout: float) -> tuple[Op, ...]:
    """Batch norm after the ReLU: the input of the next convolution has mean 0, and is not only positive."""
    return (Conv(channels, kernel_size, bias=False), ReLU(), BatchNorm(), Dropout(dropout))


def stack(block: Block, *widths: int) -> tuple[Op, ...]:
    """One block after another, a width for each."""
    return tuple(op for channels in widths for op in block(channels))


def average_at_the_end(third: int, fifth: int, dropout: float) -> tuple[Op, ...]:
    """The network of the later course: the ten channels of the average pool are the classes."""
    dropped = partial(conv_bn_relu_dropout, dropout=dropout)
    ends = (*conv_bn_relu(fifth), *dropped(10), *conv_bn_relu(10), AvgPool(5), *END)
    return (*stack(conv_bn_relu, 15, 10), *dropped(third), MaxPool(2), *conv_bn_relu(20, 1), *ends)
