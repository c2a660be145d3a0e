"""The effective field against what can be worked out by hand, a finite difference, and the claim of Luo et al."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from torch import nn

from core.analysis.effective_field import EffectiveField, covered, effective_field, share_within
from core.architecture.receptive_field import ReceptiveField, extent
from core.architecture.seen_pixels import seen_pixels
from core.architecture.spec import Architecture, Conv, Flatten, LogSoftmax, MaxPool, Op, Repeat, Residual, Softmax
from core.architecture.trace import classifier, trace
from core.checkpoints.checkpoint import load, normalisation_of
from core.data.embedded_digits import embedded_digits
from core.data.mnist import load_split
from core.ladder import catalogue
from core.ladder.field_claims import claimed_rows, moves_field, not_carried, width_arithmetic
from core.ladder.model import Step
from core.training.network import build
from core.training.resident import Normalisation
from tests.random_architectures import architectures
from tests.test_trace import gradient
from tests.test_trace import of_ones as of_weights_one
from tests.tiny import TINY

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
NOISE = np.random.default_rng(1).integers(0, 256, (4, 28, 28), dtype=np.uint8)


def of_ones(*ops: Op) -> EffectiveField:
    """The effective field at the end of convolutions whose weights are all one."""
    architecture = Architecture("ones", ops)
    network = build(architecture)
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return effective_field(network, architecture, len(ops) - 1, NOISE, Normalisation())


@pytest.mark.parametrize("kernel_size", [2, 3, 5, 6])
def test_one_even_convolution_has_a_quarter_of_its_effect_in_the_middle_half(kernel_size: int) -> None:
    found = of_ones(Conv(2, kernel_size))
    assert found.inside_half == pytest.approx(0.25)
    assert found.even_share == pytest.approx(0.25)
    assert found.deviation == pytest.approx(np.sqrt((kernel_size**2 - 1) / 12))  # of a discrete uniform


def test_a_stack_of_even_convolutions_has_the_binomial_profile_that_tends_to_a_gaussian() -> None:
    depth = 12
    found = of_ones(*[Conv(1, 2)] * depth)
    first, last = (int(each) for each in extent(found.field, found.unit))
    np.testing.assert_allclose(found.profile[first : last + 1], binom.pmf(range(depth + 1), depth, 0.5), atol=1e-6)
    assert found.profile.sum() == pytest.approx(1)
    assert np.abs(found.gaussian - found.profile).max() < 0.006  # of a peak of 0.226
    assert found.deviation == pytest.approx(np.sqrt(depth) / 2)
    assert found.inside_half > 0.8


def test_a_field_larger_than_the_image_is_compared_with_what_of_it_lies_on_the_image() -> None:
    found = EffectiveField(np.full((4, 4), 1 / 16), ReceptiveField(8, 1, 1.5), 0, 1, 1)
    assert found.inside_half == pytest.approx(1.0)  # half of 8 is all of the image
    assert found.even_share == pytest.approx(1.0)


def test_pixels_on_the_squares_border_count_by_their_part() -> None:
    np.testing.assert_allclose(covered(5, 2.0, 2.0), [0, 0.5, 1, 0.5, 0])
    assert share_within(np.full((3, 3), 1 / 9), 1.0, 1.5) == pytest.approx(2.25 / 9)


def test_the_effect_is_that_of_a_small_change_of_the_pixel() -> None:
    """Without kinks, so that the difference is the derivative: convolutions alone, in float64."""
    architecture = Architecture("linear", (Conv(3, 3), Conv(2, 3, stride=2, padding=1)))
    network = build(architecture, 5)
    found = effective_field(network, architecture, 1, NOISE[:1], Normalisation())
    exact = network.double()
    image = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    by_hand = np.zeros((28, 28))
    with torch.no_grad():
        at = exact(image)[0, :, found.unit, found.unit]
        for row in range(28):
            for column in range(28):
                changed = image.clone()
                changed[0, 0, row, column] = 1
                by_hand[row, column] = (exact(changed)[0, :, found.unit, found.unit] - at).abs().sum().item()
    np.testing.assert_allclose(found.effect, by_hand / by_hand.sum(), atol=1e-6)


def test_the_effect_lies_within_the_theoretical_field_of_every_layer() -> None:
    images = embedded_digits()[0][:8]
    for layer in filter(moves_field, trace(TINY).layers):
        found = effective_field(build(TINY, 3), TINY, layer.index, images, Normalisation())
        first, last = (int(each) for each in extent(found.field, found.unit))
        outside = found.effect.copy()
        outside[max(first, 0) : last + 1, max(first, 0) : last + 1] = 0
        assert not outside.any()
        assert found.effect.sum() == pytest.approx(1)


def test_the_network_is_left_in_the_mode_it_was_in() -> None:
    network = build(TINY, 3).train()
    effective_field(network, TINY, 0, NOISE, Normalisation())
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_unit_that_nothing_moves_has_no_effect_anywhere() -> None:
    network = build(TINY, 3)
    nn.init.zeros_(network[0].weight)
    found = effective_field(network, TINY, 0, NOISE, Normalisation())
    assert not found.effect.any()
    assert found.inside_half == found.deviation == 0


@pytest.mark.parametrize("slug", ["a2-final-7758", "a3-dilation-5340"])
def test_a_trained_networks_effect_is_far_more_in_the_middle_than_an_even_one(mnist_raw: Path, slug: str) -> None:
    network, card = load(CHECKPOINTS / slug)
    layer = next(each for each in trace(card.architecture).layers if each.name == "conv6")
    images = load_split("MNIST", "test").images[:20]
    found = effective_field(network, card.architecture, layer.index, images, normalisation_of(card))
    assert found.even_share == pytest.approx(0.25)
    assert 0.4 < found.inside_half < 0.7
    assert 4 * found.deviation < layer.field.size


# ------------------------------------------------------------------------------------- which pixels reach a unit at all


@settings(max_examples=40)
@given(architectures(), st.data())
def test_the_pixels_seen_are_exactly_those_where_the_gradient_is(
    architecture: Architecture, data: st.DataObject
) -> None:
    network = of_weights_one(architecture)
    seen = seen_pixels(trace(architecture))
    for layer in trace(architecture).layers:
        reached = seen[layer.name]
        if isinstance(layer.op, Flatten | LogSoftmax | Softmax):
            continue  # a vector's units are counted as one; equal logits have no gradient
        unit = data.draw(st.integers(0, len(reached) - 1))
        rows = gradient(network, architecture, layer.index, unit).abs().sum(1)
        assert rows.nonzero().flatten().tolist() == np.flatnonzero(reached[unit]).tolist()


def test_a_dilated_convolution_sees_every_other_pixel_and_padding_none() -> None:
    architecture = Architecture("dilated", (Conv(1, 3, padding=1, dilation=2),), (1, 7, 7))
    reached = list(seen_pixels(trace(architecture)).values())[-1]
    assert [np.flatnonzero(row).tolist() for row in reached] == [[1, 3], [0, 2, 4], [1, 3, 5], [2, 4, 6], [3, 5]]


def test_a_pixel_is_seen_if_any_path_leads_to_it() -> None:
    """By hand: the body reaches 2 to both sides and steps over the pixel between, the shortcut is the pixel itself."""
    residual = Residual((Conv(1, 3, padding=2, dilation=2),))
    reached = seen_pixels(trace(Architecture("skip", (residual,), (1, 7, 7))))["residual1"]
    assert [np.flatnonzero(row).tolist() for row in reached] == [
        *([0, 2], [1, 3], [0, 2, 4], [1, 3, 5], [2, 4, 6], [3, 5], [4, 6])
    ]
    only_body = Residual((Conv(1, 3, padding=2, dilation=2),), (MaxPool(1), Conv(1, 3, padding=1)))
    reached = seen_pixels(trace(Architecture("two", (only_body,), (1, 7, 7))))["residual1"]
    assert np.flatnonzero(reached[3]).tolist() == [1, 2, 3, 4, 5]
    reached = seen_pixels(trace(Architecture("again", (Repeat((Conv(1, 3),), 3),), (1, 7, 7))))["repeat1"]
    assert reached.all()
    assert reached.shape == (1, 7)


def test_the_effect_after_a_skip_connection_is_that_of_the_body_and_of_the_pixel_itself() -> None:
    """By hand: a body of nine ones and the skip's one at the middle, which so counts twice: 2 of 10 there, 8 around."""
    found = of_ones(Residual((Conv(1, 3, padding=1),)))
    middle = found.unit
    assert found.field.size == 3
    assert found.effect[middle, middle] == pytest.approx(0.2)
    assert found.effect[middle - 1 : middle + 2, middle - 1 : middle + 2].sum() == pytest.approx(1)


# ------------------------------------------------------------------------------------------- the tables that were wrong


def claims_of(slug: str) -> tuple[str, dict[str, str]]:
    step = catalogue.by_slug(slug)
    rows = claimed_rows(classifier(step.architecture), step.field_claims)
    return not_carried(rows), {row.layer.name: row.why for row in rows}


def test_a2_and_a3_lost_the_pools_jump_and_c2_the_average_pools_stride() -> None:
    for slug in ("a2-final-7758", "a3-dilation-5340"):
        lost, why = claims_of(slug)
        assert "**jump**: after maxpool1 it is 2, and conv5 uses 1" in lost
        assert "with a jump of 1" in why["conv5"]
    lost, why = claims_of("c2-skeleton-7272")
    assert "**stride of avgpool1**: it is 4, the table has 1" in lost
    assert "2 · 4 = 8" in why["avgpool1"]


def test_what_is_said_of_a_wrong_row_comes_to_the_right_growth() -> None:
    for step in catalogue.LADDER:
        for row in claimed_rows(classifier(step.architecture), step.field_claims):
            words = row.why.split(" Map ")[0].split(" Kernel ")[0]
            if "right is (" in words and row.claim and row.claim.size:
                formula, total = words.split("right is ")[1].split(".")[0].split(" = ")
                assert eval(formula.replace("−", "-").replace("·", "*")) == int(total)
                assert int(total) == row.layer.field.size - row.layer.before.size


@pytest.mark.parametrize("step", catalogue.LADDER, ids=lambda step: step.slug)
def test_the_arithmetic_of_a_width_comes_to_the_maps_width(step: Step) -> None:
    for layer in filter(moves_field, trace(step.architecture).layers):
        formula, width = width_arithmetic(layer).split(" = ")
        plain = formula.replace("−", "-").replace("·", "*").replace("⌊", "int(").replace("⌋", ")")
        assert eval(plain) == int(width) == (layer.output[-1] if len(layer.output) == 3 else 1)
