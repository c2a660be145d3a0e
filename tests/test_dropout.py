"""Dropout by random bytes and darts: the distribution is Bernoulli's, whatever p, and the scale keeps the mean."""

from __future__ import annotations

import math

import pytest
import torch

from core.training.dropout import Dropout, mask

pytestmark = pytest.mark.own_data

SIZE = 4_000_003  # not a multiple of eight


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("p", [0.007, 0.01, 0.03, 0.05, 0.1, 0.25, 0.5, 13 / 256, 0.9, 0.99])
def test_a_value_is_dropped_with_probability_p_to_four_standard_errors(p: float) -> None:
    dropped = (mask(SIZE, p, seeded()) == 0).double().mean().item()
    assert abs(dropped - p) < 4 * math.sqrt(p * (1 - p) / SIZE)


def test_a_byte_alone_would_be_seen_by_that_test() -> None:
    p, whole = 0.05, 12 / 256
    assert abs(whole - p) > 4 * math.sqrt(p * (1 - p) / SIZE)


@pytest.mark.parametrize("p", [0.05, 0.3])  # by darts alone, and mostly by bytes
@pytest.mark.parametrize("distance", [1, 7, 8, 9, 64])
def test_neighbouring_values_are_dropped_independently(distance: int, p: float) -> None:
    dropped = mask(SIZE, p, seeded(2)) == 0
    both = (dropped[distance:] & dropped[:-distance]).double().mean().item()
    assert abs(both - p * p) < 5 * math.sqrt(p * p * (1 - p * p) / SIZE)


def test_the_mean_of_what_comes_out_is_that_of_what_goes_in() -> None:
    layer = Dropout(0.3).train()
    layer.generator = seeded(3)
    out = layer(torch.ones(1_000_000))
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert out.mean().item() == pytest.approx(1, abs=4 * math.sqrt(0.3 / 0.7 / 1_000_000))


def test_the_gradient_passes_where_the_value_passed() -> None:
    layer = Dropout(0.4).train()
    layer.generator = seeded(4)
    values = torch.randn(50, 10, 7, 7, requires_grad=True)
    out = layer(values)
    out.sum().backward()
    assert values.grad is not None
    assert torch.allclose(values.grad, torch.where(out == 0, 0.0, 1 / 0.6))


def test_evaluation_changes_nothing() -> None:
    values = torch.randn(3, 4)
    assert Dropout(0.9).eval()(values) is values


def test_the_same_seed_gives_the_same_mask() -> None:
    size = 128 * 10 * 26 * 26
    assert torch.equal(mask(size, 0.05, seeded(5)), mask(size, 0.05, seeded(5)))
    assert not torch.equal(mask(size, 0.05, seeded(5)), mask(size, 0.05, seeded(6)))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_values_stay_in_their_order_in_memory(order: torch.memory_format) -> None:
    layer = Dropout(0.5).train()
    out = layer(torch.ones(4, 3, 5, 5).contiguous(memory_format=order))
    assert out.is_contiguous(memory_format=order)


def test_a_vector_is_dropped_out_too() -> None:
    out = Dropout(0.5).train()(torch.ones(1000, 10))
    assert out.unique().tolist() == [0, 2]
