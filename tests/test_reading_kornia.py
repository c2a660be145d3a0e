"""kornia's blurred pools, read as chains of the lab's pools: they compute what kornia's documentation defines."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from core.architecture.spec import Architecture, AvgPool, MaxPool
from core.reading.code import read_code
from core.training.network import build

CODE = """
import kornia.filters as K
from kornia.filters import BlurPool2D, MaxBlurPool2D

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.pool = {layer}

    def forward(self, x):
        return {forward}
"""


def pools(layer: str, forward: str = "self.pool(self.conv(x))") -> tuple[MaxPool | AvgPool, ...]:
    (network,) = read_code(CODE.format(layer=layer, forward=forward)).networks
    assert network.problems == ()
    return tuple(each.op for each in network.ops if isinstance(each.op, MaxPool | AvgPool))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", range(2, 10))
@pytest.mark.parametrize("largest", [1, 2, 3])
def test_a_blurred_pool_computes_what_its_definition_says(largest: int, window: int, stride: int) -> None:
    read = pools(f"MaxBlurPool2D({window}, stride={stride}, max_pool_size={largest})")
    images = torch.rand(4, 1, 28, 28)
    row = torch.ones(1)
    for _ in range(window - 1):
        row = functional.conv1d(row.view(1, 1, -1), torch.ones(1, 1, 2) / 2, padding=1).view(-1)
    kernel = torch.outer(row, row).view(1, 1, window, window)
    expected = functional.conv2d(
        functional.max_pool2d(images, largest, stride=1), kernel, stride=stride, padding=(window - 1) // 2
    )
    torch.testing.assert_close(build(Architecture("pools", read), seed=1)(images), expected)


@pytest.mark.parametrize(
    ("layer", "forward"),
    [
        ("BlurPool2D((3, 3), 2)", "self.pool(self.conv(x))"),
        ("None", "K.blur_pool2d(self.conv(x), 3)"),
        ("MaxBlurPool2D(3, max_pool_size=1, ceil_mode=True)", "self.pool(self.conv(x))"),
        ("None", "K.blur_pool2d(input=self.conv(x), kernel_size=3, stride=2)"),
    ],
)
def test_the_layer_and_the_function_are_read_alike(layer: str, forward: str) -> None:
    assert pools(layer, forward) == (AvgPool(2, 1, 1), AvgPool(2))


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ("BlurPool2D(1)", "a blur over 1: the lab reads windows of 2 to 9"),
        ("BlurPool2D(3, 0)", "a stride of 0"),
        ("BlurPool2D(3, strides=1)", "kornia.BlurPool2D has no argument strides"),
        ("BlurPool2D(3, 1, 7)", "kornia.BlurPool2D takes at most 2 arguments, 3 are given"),
        ("BlurPool2D()", "kornia.BlurPool2D needs kernel_size"),
        ("MaxBlurPool2D(3, max_pool_size=0)", "a max pool over 0"),
        ("MaxBlurPool2D(3, max_pool_size=unknown)", "max_pool_size of kornia.MaxBlurPool2D is not known"),
        ("BlurPool2D((3, 5))", "kernel_size (3, 5): the lab's windows are square, one number for both axes"),
    ],
)
def test_what_no_chain_of_pools_computes_is_said(layer: str, says: str) -> None:
    (network,) = read_code(CODE.format(layer=layer, forward="self.pool(self.conv(x))")).networks
    assert [says in each.message for each in network.problems] == [True]
