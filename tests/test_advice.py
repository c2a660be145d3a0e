"""What is advised, on networks with one thing wrong, worked out by hand; and remedies that do what they say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.advice import Advice, Topic, advice
from core.bad_designs import BAD_DESIGNS, BadDesign
from core.catalogue import LADDER, Step
from core.challenge import MAX_PARAMETERS
from core.edit import insert, remove
from core.errors import SpecError
from core.fit import fit
from core.network import build
from core.spec import (
    Architecture,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    LogSoftmax,
    MaxPool,
    Op,
    ReLU,
)
from core.trace import classifier, trace
from tests.random_architectures import architectures

GOOD = [
    step
    for step in LADDER
    if step.slug not in ("c2-skeleton-7272",) and classifier(step.architecture).parameters <= MAX_PARAMETERS
]


def design(*ops: Op) -> Architecture:
    return Architecture("by hand", ops)


def about(topic: Topic, *ops: Op) -> Advice:
    return next(each for each in advice(design(*ops)) if each.topic == topic)


def topics(architecture: Architecture) -> list[Topic]:
    return [each.topic for each in advice(architecture)]


@pytest.mark.parametrize("step", GOOD, ids=lambda step: step.slug)
def test_a_good_network_within_the_budget_is_given_no_more_than_a_hint(step: Step) -> None:
    assert {each.topic for each in advice(step.architecture)} <= {"context"}
    assert {each.level for each in advice(step.architecture)} <= {"hint"}


@pytest.mark.parametrize("bad", BAD_DESIGNS, ids=lambda bad: bad.slug)
def test_what_is_wrong_with_a_bad_design_is_found_and_mended(bad: BadDesign) -> None:
    classifier(bad.architecture)  # it can be trained all the same
    found = {each.topic: each for each in advice(bad.architecture)}
    assert bad.topic in found
    mended: Architecture | None = bad.architecture
    for _ in range(5):  # some remedies are a step on the way
        assert mended is not None
        classifier(mended)
        if bad.topic not in topics(mended):
            return
        mended = next(each.remedy for each in advice(mended) if each.topic == bad.topic)
    pytest.fail("five remedies did not mend it")


@pytest.mark.parametrize(
    ("ops", "place", "words", "label"),
    [
        ((Conv(8, 3), Linear(10)), 1, "put Flatten (5,408 values) or GlobalAvgPool", "Put GlobalAvgPool before it"),
        ((Conv(10, 3), LogSoftmax()), 1, "put Flatten before it", "Put GlobalAvgPool and Flatten before it"),
        ((Flatten(), Conv(8, 3), Linear(10)), 1, "it stands after Flatten", "Take the Flatten at op 0 out"),
        ((Conv(8, 3, groups=2), ReLU()), 0, "groups 2 does not divide the 1 input", "Set groups to 1"),
        ((MaxPool(3, padding=2),), 0, "padding 2 is more than half the kernel, 1", "Set padding to 1"),
        ((AvgPool(4), Conv(8, 9)), 1, "the window is 9 wide, the map is only 7", "Set its kernel to 7 x 7"),
        ((AvgPool(4), Conv(8, 5, dilation=2)), 1, "the window is 9 wide", "Set padding to 4"),
        ((GlobalAvgPool(), MaxPool(2)), 1, "the map is only 1 wide", "Take it out"),
    ],
)
def test_the_first_op_that_does_not_fit_is_named_and_can_be_mended(
    ops: tuple[Op, ...], place: int, words: str, label: str
) -> None:
    said = advice(design(*ops))[0]
    assert (said.topic, said.level, said.ops) == ("fit", "error", (place,))
    assert words in said.words
    assert said.remedy_label == label
    assert said.remedy is not None
    after = fit(said.remedy)
    assert after.broken is None or len(said.remedy.ops) - after.broken < len(ops) - place


def test_an_empty_design_is_told_to_begin() -> None:
    (said,) = advice(design())
    assert (said.topic, said.ops, said.remedy) == ("fit", (), None)


@pytest.mark.parametrize(
    ("ops", "ending"),
    [
        ((Conv(8, 3), ReLU()), (GlobalAvgPool(), Flatten(), Linear(10))),
        ((Conv(10, 3), ReLU()), (GlobalAvgPool(), Flatten())),
        ((Conv(8, 28), ReLU()), (Flatten(), Linear(10))),
        ((Conv(8, 28), ReLU(), Flatten(), LogSoftmax()), (Linear(10), LogSoftmax())),
    ],
)
def test_what_is_missing_for_ten_outputs_is_added(ops: tuple[Op, ...], ending: tuple[Op, ...]) -> None:
    said = about("outputs", *ops)
    assert said.level == "error"
    assert said.remedy is not None
    assert said.remedy.ops[-len(ending) :] == ending
    classifier(said.remedy)


def test_a_last_layer_of_another_width_is_set_to_ten() -> None:
    said = about("outputs", Conv(8, 3), ReLU(), GlobalAvgPool(), Linear(12), LogSoftmax())
    assert said.remedy == design(Conv(8, 3), ReLU(), GlobalAvgPool(), Linear(10), LogSoftmax())


def test_a_bias_before_batch_norm_does_nothing_and_costs_its_channels() -> None:
    ops = (Conv(8, 3), BatchNorm(), ReLU(), Conv(10, 3), BatchNorm(), GlobalAvgPool(), Flatten())
    said = about("bias", *ops)
    assert said.ops == (0, 3)
    assert "18 parameters do nothing" in said.words
    assert said.remedy is not None
    assert trace(said.remedy).parameters == trace(design(*ops)).parameters - 18
    with_bias = build(design(*ops), seed=3).train()  # against torch: the batch's own mean takes the bias away
    images = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = with_bias(images)
        for index in (0, 3):
            with_bias[index].bias += 5.0
        assert torch.allclose(with_bias(images), before, atol=1e-4)


def test_two_convolutions_in_a_row_are_one_and_a_pool_or_relu_parts_them() -> None:
    said = about("activation", Conv(8, 3), BatchNorm(), Dropout(0.1), Conv(10, 3), ReLU(), GlobalAvgPool(), Flatten())
    assert said.ops == (0, 3)
    assert said.remedy is not None
    assert [type(op) for op in said.remedy.ops[:4]] == [Conv, BatchNorm, ReLU, Dropout]
    assert "activation" not in topics(said.remedy)
    parted = design(Conv(8, 3), MaxPool(2), Conv(8, 3), ReLU(), Conv(10, 3), GlobalAvgPool(), Flatten())
    assert "activation" not in topics(parted)
    assert "activation" in topics(design(Conv(8, 3), AvgPool(2), Conv(10, 3), GlobalAvgPool(), Flatten()))


def test_a_field_that_does_not_cover_the_image_is_said_in_pixels() -> None:
    # By hand: 25 after the convolution of 25 pixels; the pool of 3 drops the last of the 4 places: 25 + 2 = 27
    said = about("field", Conv(10, 25), ReLU(), AvgPool(3), Flatten())
    assert "sees 27 of the image's 28 pixels" in said.words


def test_an_average_of_small_views_is_found_and_a_pool_widens_them() -> None:
    ops: tuple[Op, ...] = ()
    for _ in range(6):
        ops += (Conv(8, 3, bias=False), ReLU())
    said = about("field", *ops, Conv(10, 1), GlobalAvgPool(), Flatten())
    assert "have each seen 13 x 13" in said.words
    assert said.remedy is not None
    assert MaxPool(2) in said.remedy.ops
    assert "field" not in topics(said.remedy)


def test_an_op_behind_the_whole_image_adds_no_context() -> None:
    # By hand: 5, 10 (jump 4 x 1), then 4 x 4 more each time: 5 -> pool 4: 8 -> 24 -> 40; the third finds 40
    ops = (Conv(8, 5), ReLU(), MaxPool(4), Conv(8, 5, padding=2), ReLU(), Conv(8, 5, padding=2), ReLU())
    said = about("context", *ops, Conv(8, 3, padding=1), ReLU(), Conv(10, 1), GlobalAvgPool(), Flatten())
    assert said.ops == (7,)
    assert "already sees 40 pixels of 28" in said.words
    assert said.remedy is not None
    assert len(said.remedy.ops) == 10
    assert "584" in said.words  # 8 x 8 x 3 x 3 + 8


def test_a_layer_with_most_parameters_is_named_with_its_share() -> None:
    said = about("concentration", Conv(8, 3), ReLU(), Conv(8, 3), ReLU(), Flatten(), Linear(10))
    assert said.ops == (5,)
    assert "holds 99% of all parameters: 10 x 4608 + 10 = 46,090" in said.words
    assert said.remedy is not None
    assert trace(said.remedy).parameters == 80 + 584 + 90


def test_a_network_over_the_budget_is_narrowed_to_it() -> None:
    for step in LADDER:
        over = classifier(step.architecture).parameters - MAX_PARAMETERS
        found = [each for each in advice(step.architecture) if each.topic == "budget"]
        assert bool(found) == (over > 0)
        if found:
            assert f"{over:,} more" in found[0].words
            assert found[0].remedy is not None
            assert classifier(found[0].remedy).parameters <= MAX_PARAMETERS


def test_a_high_dropout_in_a_small_network_is_lowered_everywhere() -> None:
    said = about("dropout", Conv(8, 3), ReLU(), Dropout(0.5), Conv(10, 3), Dropout(0.05), GlobalAvgPool(), Flatten())
    assert said.ops == (2,)
    assert said.remedy is not None
    assert [op.p for op in said.remedy.ops if isinstance(op, Dropout)] == [0.05, 0.05]


def test_a_pool_before_anything_was_seen_is_moved_back() -> None:
    ops = (MaxPool(2), Conv(8, 5), ReLU(), Conv(10, 5), GlobalAvgPool(), Flatten())
    said = about("early pool", *ops)
    assert "only 1 x 1 pixel:" in said.words
    assert said.remedy == design(Conv(8, 5), ReLU(), MaxPool(2), Conv(10, 5), GlobalAvgPool(), Flatten())


extra = st.sampled_from([Flatten(), Conv(12, 5), MaxPool(4), Linear(3), Dropout(0.5), LogSoftmax(), GlobalAvgPool()])


@settings(max_examples=150)
@given(architectures(), st.integers(0, 9), extra, st.booleans())
def test_advice_never_fails_and_its_remedies_leave_a_network_no_worse(
    architecture: Architecture, place: int, op: Op, cut: bool
) -> None:
    changed = insert(architecture, min(place, len(architecture.ops)), op)
    changed = remove(changed, len(changed.ops) - 1) if cut else changed
    found = advice(changed)
    assert any(each.level == "error" for each in found) == (not is_trainable(changed))
    for each in found:
        assert all(0 <= index < len(changed.ops) for index in each.ops)
        assert bool(each.remedy) == bool(each.remedy_label)
        if each.remedy is not None:
            assert each.remedy != changed
            assert is_trainable(each.remedy) or not is_trainable(changed)


def is_trainable(architecture: Architecture) -> bool:
    """By torch: whether a batch of two images gives ten numbers for each."""
    try:
        build(architecture)
        classifier(architecture)
    except SpecError:
        return False
    with torch.no_grad():
        output = build(architecture).eval()(torch.zeros(2, *architecture.input))
    assert output.shape == (2, 10)
    return True
