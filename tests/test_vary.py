"""The knobs of a step: what they change in a network, and what they leave."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.architecture.activations import PReLU
from core.architecture.fit import fit
from core.architecture.spec import (
    Architecture,
    BatchNorm,
    Conv,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Linear,
    ReLU,
    Repeat,
    Residual,
    SqueezeExcite,
    every_op,
)
from core.architecture.trace import classifier, trace
from core.architecture.vary import changes, dropout_of, has, vary
from core.ladder.catalogue import STEPS, by_slug
from core.ladder.model import Step
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data

PLAIN = Architecture("plain", (Conv(8, 3), ReLU(), Conv(16, 3), ReLU(), GlobalAvgPool(), Flatten(), Linear(10)))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.slug)
def test_a_step_left_alone_is_the_same_object(step: Step) -> None:
    assert vary(step.architecture) is step.architecture
    assert vary(step.architecture, dropout=dropout_of(step.architecture)) == step.architecture
    assert vary(step.architecture, batch_norm=has(step.architecture, BatchNorm)) == step.architecture


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.slug)
@pytest.mark.parametrize("width", [0.1, 0.5, 1.5, 2.0])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.05])
def test_every_setting_of_the_knobs_gives_ten_outputs_and_the_same_field(
    step: Step, width: float, batch_norm: bool, dropout: float
) -> None:
    if classifier(step.architecture).parameters > 5_000_000:
        width = min(width, 1.7)  # four times 6.4 million are more than the 20 million allowed
    varied = vary(step.architecture, width, dropout, batch_norm)
    assert classifier(varied).field == classifier(step.architecture).field
    assert has(varied, BatchNorm) == batch_norm
    assert dropout_of(varied) == dropout
    assert has(varied, Dropout) == (dropout > 0)


def test_width_multiplies_all_channels_but_the_ten_outputs() -> None:
    doubled = vary(PLAIN, width=2)
    assert doubled.ops == (Conv(16, 3), ReLU(), Conv(32, 3), ReLU(), GlobalAvgPool(), Flatten(), Linear(10))
    assert trace(doubled).parameters == 16 * 9 + 16 + 32 * 16 * 9 + 32 + 32 * 10 + 10


def test_a_narrow_network_keeps_a_channel() -> None:
    assert [op.out_channels for op in vary(PLAIN, width=0.01).ops if isinstance(op, Conv)] == [1, 1]


def test_where_there_is_none_dropout_comes_after_each_activation() -> None:
    assert vary(PLAIN, dropout=0.1).ops[:6] == (Conv(8, 3), ReLU(), Dropout(0.1), Conv(16, 3), ReLU(), Dropout(0.1))


def test_without_activations_dropout_comes_after_batch_norm_or_each_convolution_but_the_last() -> None:
    linear = Architecture("linear", (Conv(8, 3), Conv(10, 3), GlobalAvgPool(), Flatten()))
    assert vary(linear, dropout=0.1).ops == (Conv(8, 3), Dropout(0.1), *linear.ops[1:])
    assert vary(linear, dropout=0.1, batch_norm=True).ops[:3] == (Conv(8, 3), BatchNorm(), Dropout(0.1))


def test_where_there_is_none_batch_norm_comes_after_each_convolution_but_the_last() -> None:
    assert vary(PLAIN, batch_norm=True).ops[:4] == (Conv(8, 3), BatchNorm(), ReLU(), Conv(16, 3))


def test_removing_what_was_put_in_gives_the_network_back() -> None:
    assert vary(vary(PLAIN, dropout=0.1, batch_norm=True), dropout=0, batch_norm=False) == PLAIN


@pytest.mark.parametrize("width", [0.3, 0.5, 0.9, 1.1, 1.25, 1.5, 2.0, 3.0])
def test_a_depthwise_convolution_keeps_a_group_for_each_channel(width: float) -> None:
    block = (Conv(12, 1), GroupNorm(3), Conv(12, 3, padding=1, groups=12), Conv(8, 1))
    ends = (Conv(8, 3, groups=8), Conv(10, 1), GlobalAvgPool(), Flatten())
    varied = vary(Architecture("depthwise", (Conv(8, 3), Residual(block), *ends)), width=width)
    classifier(varied)
    first, *inner, last, _ = [op for op in every_op(varied.ops) if isinstance(op, Conv)]
    assert first.out_channels == inner[-1].out_channels == last.out_channels == last.groups
    assert inner[0].out_channels == inner[1].out_channels == inner[1].groups == 3 * max(1, round(12 * width / 3))


def test_groups_on_both_sides_of_a_skip_connection_keep_a_network_whole() -> None:
    block = (Conv(12, 1), Conv(12, 3, padding=1, groups=12), Conv(8, 1))
    ends = (Conv(8, 3, groups=8), Conv(20, 3, groups=4), Conv(10, 1), GlobalAvgPool(), Flatten())
    for width in (0.5, 0.9, 1.1, 1.25, 1.5, 2.0):
        varied = vary(Architecture("skip", (Conv(8, 3), Residual(block), *ends)), width=width)
        classifier(varied)
        _, _, inner, _, last, grouped, _ = [op for op in every_op(varied.ops) if isinstance(op, Conv)]
        assert inner.groups == inner.out_channels
        assert last.groups == last.out_channels
        assert grouped.groups == 4


def test_a_depthwise_convolution_after_a_skip_connection_keeps_a_group_for_each_channel() -> None:
    block = (Conv(6, 1), Conv(8, 3, padding=1))
    ends = (Conv(8, 3, groups=8), Conv(10, 1), GlobalAvgPool(), Flatten())
    varied = vary(Architecture("skip", (Conv(8, 3), Residual(block), *ends)), width=1.4)
    assert [(op.out_channels, op.groups) for op in every_op(varied.ops) if isinstance(op, Conv)] == [
        (11, 1),
        (8, 1),
        (11, 1),
        (11, 11),
        (10, 1),
    ]


@pytest.mark.slow
@settings(max_examples=60)
@given(architectures(), st.sampled_from((0.1, 0.5, 0.7, 1.3, 2.0)))
def test_any_network_that_fits_does_so_at_any_width(architecture: Architecture, width: float) -> None:
    before, after = fit(architecture), fit(vary(architecture, width=width))
    assert before.error or after.trace is not None, after.error
    assert before.error or after.trace.output == before.trace.output  # type: ignore[union-attr]


def test_the_channels_of_a_depthwise_network_need_not_double() -> None:
    step = by_slug("d15-thousand-967")
    widths = [vary(step.architecture, width=channels / 11).ops[0] for channels in range(5, 30)]
    assert [op.out_channels for op in widths if isinstance(op, Conv)] == list(range(5, 30))


def test_the_changes_are_told_in_words() -> None:
    told = changes(PLAIN, vary(PLAIN, width=2, dropout=0.1, batch_norm=True))
    assert told == ["16 channels in the first layer, not 8", "dropout 0.1, not 0", "with batch norm"]
    assert changes(PLAIN, PLAIN) == []


def test_the_ops_in_bodies_vary_as_the_others_and_the_network_still_fits() -> None:
    body = (Conv(8, 3, padding=1, groups=8), GroupNorm(4), PReLU(8), Dropout2d(0.5), Conv(8, 1), SqueezeExcite(2))
    ends = (GlobalAvgPool(), Flatten(), Linear(10))
    design = Architecture("skip", (Conv(8, 3), Residual(body), Repeat((Conv(8, 3, padding=1), ReLU()), 2), *ends))
    for width in (0.5, 1.25, 1.5, 2.0, 3.0):
        for batch_norm in (True, False):
            for dropout in (0.0, 0.2):
                varied = vary(design, width, dropout, batch_norm)
                classifier(varied)
                assert has(varied, BatchNorm) == batch_norm
                assert dropout_of(varied) == dropout
    doubled = vary(design, 2.0).ops[1]
    assert isinstance(doubled, Residual)
    assert doubled.body[2:] == (PReLU(16), Dropout2d(0.5), Conv(16, 1), SqueezeExcite(4))


def test_an_op_with_nothing_but_dropout_in_its_body_goes_with_it() -> None:
    design = Architecture("drop", (Conv(8, 3), Residual((Dropout(0.1),)), Residual((ReLU(), Dropout(0.1)))))
    assert vary(design, dropout=0).ops == (Conv(8, 3), Residual((ReLU(),)))
