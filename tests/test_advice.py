"""What is advised, on networks with one thing wrong, worked out by hand; and laws of advice over random networks."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.advice.advice import Advice, advice, recommended
from core.advice.bad_designs import BAD_DESIGNS, BadDesign
from core.advice.faults.fault import Topic
from core.architecture.edit import insert, remove
from core.architecture.fit import fit
from core.architecture.seen_pixels import seen_pixels
from core.architecture.spec import (
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
from core.architecture.trace import classifier, trace
from core.challenge import CHALLENGE
from core.errors import SpecError
from core.ladder.blocks import conv_bn_relu, stack
from core.ladder.catalogue import LADDER, by_slug
from core.ladder.model import Step
from core.ladder.relatives import EXTRAS
from core.training.network import build
from tests.random_architectures import architectures, endings

pytestmark = pytest.mark.own_data

GOOD = [
    step
    for step in LADDER
    if step.slug not in ("c2-skeleton-7272",)
    and classifier(step.architecture).parameters <= CHALLENGE.parameters
    and not (step.goal and step.goal < CHALLENGE.accuracy)  # one that is meant to be smaller than the challenge asks
]


def design(*ops: Op) -> Architecture:
    return Architecture("by hand", ops)


def about(topic: Topic, *ops: Op) -> Advice:
    return next(each for each in advice(design(*ops)) if each.topic == topic)


def topics(architecture: Architecture) -> list[Topic]:
    return [each.topic for each in advice(architecture)]


@pytest.mark.parametrize("step", GOOD, ids=lambda step: step.slug)
def test_a_good_network_within_the_budget_is_given_no_more_than_a_hint(step: Step) -> None:
    assert {each.level for each in advice(step.architecture)} <= {"hint"}


# What is said of each network of the catalogue: the topic, and which ops it is about. Of all others nothing.
SAID: dict[str, list[tuple[Topic, tuple[int, ...]]]] = {
    "a1-skeleton-509946": [
        ("budget", ()), ("batch norm", (0, 2, 4, 7, 9, 11, 13, 15)), ("concentration", (15,)), ("wide start", (0,)),
    ],
    "a3-dilation-5340": [("negative scores", (27,)), ("dropped scores", (28,))],
    "b1-setup-10970": [("budget", ())],
    "b3-gap-8008": [("budget", ())],
    "c1-setup-6379786": [
        ("budget", ()), ("batch norm", (0, 2, 5, 7, 10, 12)), ("concentration", (12,)), ("wide start", (0,)),
    ],
    "c2-skeleton-7272": [("activation", (0, 1, 2, 4, 5, 6, 7, 9)), ("batch norm", (0, 1, 2, 4, 5, 6, 7))],
    "c6-steplr-7416": [("batch norm", (0, 6))],
    "d5-dilated-7784": [("context", (19,))],
    "d6-steadier-7784": [("context", (19,))],
    "d7-half-3730": [("left over", ())],
    "d8-third-2495": [("left over", ())],
    "d9-muon-2495": [("left over", ())],
    "d10-plain-end-2495": [("left over", ())],
    "d11-blurred-2495": [("left over", ())],
    "d12-moved-2495": [("left over", ())],
    "d13-wider-3969": [("left over", ())],
    "d14-whole-7784": [("context", (21,))],
    "d15-thousand-967": [("left over", ())],
    "d16-smooth-2495": [("left over", ())],
    "d17-smooth-3969": [("left over", ())],
    "x-evolution-step2-511386": [
        ("budget", ()), ("bias", (0, 4, 8, 13, 17, 21, 25, 29)), ("concentration", (29,)), ("wide start", (0,)),
    ],
    "x-evolution-step3-14010": [("budget", ()), ("bias", (0, 4, 8, 13, 17, 21, 25, 29))],
    "x-eva7-setup-75828": [("budget", ()), ("batch norm", (0, 2, 4, 7, 9, 11, 13))],
    "x-eva7-plain-6748": [("batch norm", (0, 2, 4, 7, 9, 11))],
    "x-eva7-wider-10120": [("budget", ())],
    "x-eva8-gap-9395": [("budget", ()), ("negative scores", (23,))],
    "x-eva8-gap-7027": [("negative scores", (23,))],
    "x-eva8-plain-10790": [("budget", ()), ("batch norm", (0, 2, 4, 7, 9, 11, 13))],
    "bad-no-activation": [("activation", (0, 2, 5, 7, 9, 11))],
    "bad-small-field": [("field", (16,))],
    "bad-early-pool": [("early pool", (0, 4))],
    "bad-large-head": [("concentration", (19,))],
    "bad-too-wide": [("budget", ()), ("wide start", (0,))],
    "bad-dropout": [("dropout", (3, 7, 11, 16, 20, 24, 28))],
    "bad-beyond": [("context", (20, 23, 26))],
    "bad-negative-scores": [("negative scores", (22,))],
    "bad-bottleneck": [("bottleneck", (9,))],
    "bad-stride": [("early pool", (0,))],
    "bad-no-batch-norm": [("batch norm", (0, 2, 4, 7, 9, 11))],
    "bad-dropped-scores": [("dropped scores", (22,))],
}  # fmt: skip


@pytest.mark.parametrize("known", [*LADDER, *EXTRAS, *BAD_DESIGNS], ids=lambda known: known.slug)
def test_of_every_network_of_the_lab_this_is_said_and_nothing_else(known: Step | BadDesign) -> None:
    assert [(each.topic, each.ops) for each in advice(known.architecture)] == SAID.get(known.slug, [])


def test_a_network_of_depthwise_layers_with_parameters_left_can_be_widened_into_the_budget() -> None:
    (left,) = advice(by_slug("d15-thousand-967").architecture)
    assert left.remedy is not None
    assert 0.95 * 8_000 < trace(left.remedy).parameters <= 8_000


@pytest.mark.parametrize("bad", BAD_DESIGNS, ids=lambda bad: bad.slug)
def test_a_bad_design_is_bad_in_one_way_and_its_name_does_not_say_which(bad: BadDesign) -> None:
    first, *others = advice(bad.architecture)
    assert first.topic == bad.topic
    if found := recommended(bad.architecture):  # no other remedy leaves less
        left = [len(advice(each.remedy)) for each in (first, *others) if each.remedy]
        errors = [sum(a.level == "error" for a in advice(each.remedy)) for each in (first, *others) if each.remedy]
        assert found.left == len(advice(found.advice.remedy)) in left
        assert sum(each.level == "error" for each in advice(found.advice.remedy)) == min(errors)
    assert {each.level for each in others} <= {"hint"}
    assert re.fullmatch(r"Bad design \d+", bad.architecture.name)


def test_what_is_told_of_a_bad_design_is_so() -> None:
    too_wide = next(bad for bad in BAD_DESIGNS if bad.slug == "bad-too-wide")
    a2 = next(step for step in LADDER if step.slug == "a2-final-7758").architecture
    widths = [op.out_channels for op in a2.ops if isinstance(op, Conv)]
    assert len(widths) > sum(isinstance(op, Conv) for op in too_wide.architecture.ops)
    assert (min(widths), max(widths)) == (10, 16)
    assert torch_parameters(too_wide.architecture) == 292_640
    assert "292,640 parameters are 37 times" in too_wide.wrong  # 36.58
    head = next(bad for bad in BAD_DESIGNS if bad.slug == "bad-large-head")
    assert "most of the 7,640" in head.wrong
    assert torch_parameters(head.architecture) == 7_640 < 2 * 10 * 16 * 5 * 5
    assert "7,448 parameters" in next(bad for bad in BAD_DESIGNS if bad.slug == "bad-dropout").wrong


def torch_parameters(architecture: Architecture) -> int:
    return sum(each.numel() for each in build(architecture).parameters())


def test_a3s_erratum_is_found_and_the_ops_that_it_names() -> None:
    a3 = next(step for step in LADDER if step.slug == "a3-dilation-5340")
    relu, dropout = advice(a3.architecture)
    assert relu.words.startswith("Op 27 ReLU works before the last average: no score is ever negative")
    assert dropout.words.startswith("Op 28 Dropout(0.03) sets 3% of ")
    assert a3.architecture.ops[27:30] == (ReLU(), Dropout(0.03), GlobalAvgPool())
    scores = build(a3.architecture, seed=2).eval()[:-1](torch.randn(8, 1, 28, 28))
    assert (scores >= 0).all()
    assert relu.remedy is not None
    assert (build(relu.remedy, seed=2).eval()[:-1](torch.randn(8, 1, 28, 28)) < 0).any()


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
        over = classifier(step.architecture).parameters - CHALLENGE.parameters
        found = [each for each in advice(step.architecture) if each.topic == "budget"]
        assert bool(found) == (over > 0)
        if found:
            assert f"{over:,} more" in found[0].words
            assert found[0].remedy is not None
            assert classifier(found[0].remedy).parameters <= CHALLENGE.parameters


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


# ------------------------------------------------------------------------------------------- one fault each, by hand

# A network with no fault, to put one into: three blocks, a pool, four more, an average and a linear layer.
BEFORE = stack(conv_bn_relu, 10, 10, 10)  # ops 0 to 8
AFTER = stack(conv_bn_relu, 12, 12, 12, 12)  # ops 10 to 21, behind the pool
END = (GlobalAvgPool(), Flatten(), Linear(10))  # ops 22 to 24
SOUND = (*BEFORE, MaxPool(2), *AFTER, *END)


def test_of_a_network_without_a_fault_nothing_is_said() -> None:
    assert advice(design(*SOUND)) == ()


def alone(*ops: Op) -> Advice:
    """The only thing that is said of them."""
    (said,) = advice(design(*ops))
    return said


@pytest.mark.parametrize(
    ("ops", "topic", "level", "places", "words", "label", "fixed"),
    [
        (
            (*SOUND, ReLU()), "negative scores", "warning", (25,), "Op 25 ReLU works on the 10 scores",
            "Take op 25 out", SOUND,
        ),
        (
            (*SOUND, LogSoftmax(), ReLU()), "negative scores", "warning", (26,), "never above 0: all scores become 0",
            "Take op 26 out", (*SOUND, LogSoftmax()),
        ),
        (
            (*SOUND[:-3], Conv(10, 1), ReLU(), GlobalAvgPool(), Flatten()), "negative scores", "hint", (23,),
            "Op 23 ReLU works before the last average", "Take op 23 out",
            (*SOUND[:-3], Conv(10, 1), GlobalAvgPool(), Flatten()),
        ),
        (
            (*SOUND, Dropout(0.2), LogSoftmax()), "dropped scores", "warning", (25,),
            "Op 25 Dropout(0.2) sets 20% of the 10 scores to zero", "Take op 25 out", (*SOUND, LogSoftmax()),
        ),
        (
            (*SOUND, LogSoftmax(), LogSoftmax()), "log-softmax", "hint", (26,), "Op 26 is LogSoftmax once more",
            "Take op 26 out", (*SOUND, LogSoftmax()),
        ),
        (
            (*SOUND[:-1], LogSoftmax(), Linear(10)), "log-softmax", "warning", (24,), "layers with weights follow",
            "Take op 24 out", SOUND,
        ),
        (
            (*BEFORE, ReLU(), *SOUND[9:]), "no effect", "hint", (9,), "op 9, as the values are at least 0 already",
            "Take op 9 out", SOUND,
        ),
        (
            (*SOUND[:10], ReLU(), *SOUND[10:]), "no effect", "hint", (10,), "the values are at least 0 already",
            "Take op 10 out", SOUND,
        ),
        (
            (*BEFORE, Dropout(0), MaxPool(1), *SOUND[9:23], GlobalAvgPool(), Flatten(), Flatten(), Linear(10)),
            "no effect", "hint", (9, 10, 25, 27),
            "op 9, as it drops nothing; op 10, as its window is a single place; op 25, as the map is 1 x 1 already; "
            "op 27, as it is given a vector already", "Take ops 9, 10, 25 and 27 out", SOUND,
        ),
        (
            (*BEFORE[:2], BatchNorm(), *SOUND[2:]), "repeated", "hint", (1, 2), "its 20 parameters add nothing",
            "Take op 2 out (−20 parameters)", SOUND,
        ),
        (
            (*BEFORE, Dropout(0.1), Dropout(0.1), *SOUND[9:]), "repeated", "hint", (9, 10),
            "they act as one of 0.19", "Make it one Dropout(0.19)", (*BEFORE, Dropout(0.19), *SOUND[9:]),
        ),
        (
            (*BEFORE[:1], Dropout(0.1), *SOUND[1:]), "order", "hint", (1, 2),
            "Op 1 Dropout(0.1) comes before op 2 BatchNorm", "Move it behind op 2",
            (*BEFORE[:2], Dropout(0.1), *SOUND[2:]),
        ),
        ((ReLU(), *SOUND), "image", "hint", (0,), "darker than the mean", "Take op 0 out", SOUND),
        ((Dropout(0.1), *SOUND), "image", "hint", (0,), "sets 10% of the image to zero", "Take op 0 out", SOUND),
        (
            (BatchNorm(), *SOUND), "image", "hint", (0,), "normalised already", "Take op 0 out (−2 parameters)", SOUND,
        ),
        (
            (*BEFORE, Dropout(0.3), *SOUND[9:]), "dropout", "warning", (9,), "Op 9 sets 30% of the values to zero.",
            "Set p to 0.05", (*BEFORE, Dropout(0.05), *SOUND[9:]),
        ),
        (
            (*BEFORE, *conv_bn_relu(1, 1), *SOUND[9:]), "bottleneck", "warning", (9,),
            "Op 9 Conv(1, kernel_size=1) passes on only 1 channel", "Set op 9 to 8 outputs (+840 parameters)",
            (*BEFORE, *conv_bn_relu(8, 1), *SOUND[9:]),
        ),
        (
            (*BEFORE, *conv_bn_relu(2, 1), *SOUND[9:]), "bottleneck", "hint", (9,), "passes on only 2 channels",
            "Set op 9 to 8 outputs (+720 parameters)", (*BEFORE, *conv_bn_relu(8, 1), *SOUND[9:]),
        ),
        (
            (*SOUND[:19], Conv(12, 3, padding=2, bias=False), *SOUND[20:]), "padding", "hint", (19,),
            "a border of zeros 2 wide. Its window of 3 needs 1", "Set padding to 1",
            (*SOUND[:19], Conv(12, 3, padding=1, bias=False), *SOUND[20:]),
        ),
        (
            (*SOUND[:23], Conv(4, 3, padding=1, bias=False), BatchNorm(), ReLU(), *END[1:]), "unmet weights", "hint",
            (23,), "Only 1 x 1 of the 3 x 3 weights of op 23",
            "Set its kernel to 1 x 1, padding to 0 (−384 parameters)",
            (*SOUND[:23], Conv(4, 1, bias=False), BatchNorm(), ReLU(), *END[1:]),
        ),
        (
            (*SOUND[:19], Conv(12, 2, bias=False), *SOUND[20:]), "even kernel", "hint", (19,), "of even width",
            "Set its kernel to 3 x 3 (+720 parameters)", SOUND,
        ),
        (
            (*SOUND[:6], Conv(6, 4, padding=1, bias=False), *SOUND[7:]), "even kernel", "hint", (6,), "of even width",
            "Set its kernel to 3 x 3 (−420 parameters)", (*SOUND[:6], Conv(6, 3, padding=1, bias=False), *SOUND[7:]),
        ),
        (
            (Conv(10, 1, bias=False), *SOUND[1:]), "single pixels", "hint", (0,), "the image times a number",
            "Set its kernel to 3 x 3 (+80 parameters)", SOUND,
        ),
        (
            (*SOUND[:6], Conv(4, 7, padding=3, bias=False), *SOUND[7:]), "large kernel", "hint", (6,),
            "has 49 weights for each pair of channels. 3 convolutions of 3 x 3 one after another see the same 7 x 7 "
            "places with 27", "Put 3 of 3 x 3 in its place (−1,296 parameters)",
            (*SOUND[:6], *(Conv(4, 3, padding=1, bias=False), BatchNorm(), ReLU()) * 3, *SOUND[9:]),
        ),
        (
            (*BEFORE[:7], *SOUND[8:]), "batch norm", "hint", (6,),
            "No batch norm after op 6; the other hidden convolutions have one.",
            "Put BatchNorm after it (+20 parameters)", SOUND,
        ),
    ],
)  # fmt: skip
def test_one_fault_in_a_sound_network_is_the_only_thing_said_of_it_and_its_remedy_takes_it_out(
    ops: tuple[Op, ...],
    topic: Topic,
    level: str,
    places: tuple[int, ...],
    words: str,
    label: str,
    fixed: tuple[Op, ...],
) -> None:
    said = alone(*ops)
    assert (said.topic, said.level, said.ops) == (topic, level, places)
    assert words in said.words
    assert said.remedy_label == label
    assert said.remedy == design(*fixed)


def test_what_is_left_of_the_budget_is_said_and_used() -> None:
    ops = (*stack(conv_bn_relu, 4, 4, 4), MaxPool(2), *stack(conv_bn_relu, 5, 5, 5, 5), *END)
    # By hand: 36 + 2 x 144 + 180 + 3 x 225 weights, 2 x (12 + 20) of batch norm, 60 of the last layer
    assert trace(design(*ops)).parameters == 1_303
    said = alone(*ops)
    assert (said.topic, said.level) == ("left over", "warning")
    assert said.words == "6,697 of the challenge's 8,000 parameters are left: widen the layers, or add one."
    assert said.remedy is not None
    used = torch_parameters(said.remedy)
    assert 7_500 < used <= CHALLENGE.parameters
    assert said.remedy_label == f"Widen all layers to 262% ({used:,} parameters)"
    assert advice(said.remedy) == ()


def test_a_shallow_network_is_told_to_add_blocks_before_it_is_widened() -> None:
    said = {each.topic: each for each in advice(design(Conv(8, 3), ReLU(), *END))}
    assert set(said) == {"field", "depth", "left over"}
    assert "Only ops 0 and 4 are convolutions or linear layers; the ladder's networks within the budget have 7" in (
        said["depth"].words
    )
    layers = [sum(isinstance(op, Conv | Linear) for op in step.architecture.ops) for step in GOOD]
    assert min(layers) == 7
    assert said["depth"].remedy == design(Conv(8, 3), ReLU(), *stack(conv_bn_relu, 8, 8), *END)
    assert all(each.remedy is None or "Widen" not in each.remedy_label for each in said.values())


def test_a_network_without_a_convolution_or_an_activation_is_never_called_sound() -> None:
    linear = advice(design(Flatten(), Linear(10)))  # 7,850 parameters, within the budget
    assert [each.topic for each in linear] == ["convolution", "depth"]
    perceptron = advice(design(Flatten(), Linear(9), ReLU(), *(Linear(10), ReLU()) * 3, Linear(10)))
    assert [each.topic for each in perceptron] == ["convolution", "concentration"]


def test_the_largest_layer_is_halved_only_where_there_is_too_much() -> None:
    head = (*stack(conv_bn_relu, 8, 8, 8), MaxPool(2), *stack(conv_bn_relu, 8, 8, 16), Flatten(), Linear(10))
    said = alone(*head)  # 4,010 of 7,650
    assert said.topic == "concentration"
    assert said.remedy_label == "Put GlobalAvgPool before its Flatten (−3,840 parameters)"
    assert "It has weights of its own for each of the 5 x 5 places." in said.words
    early = alone(*stack(conv_bn_relu, 8, 8, 8), MaxPool(2), *stack(conv_bn_relu, 8, 10), Flatten(), Linear(10))
    assert (early.topic, early.remedy) == ("concentration", None)  # units of 16 pixels are no digit to average
    wide = (*stack(conv_bn_relu, 4, 4, 20, 20), MaxPool(2), *conv_bn_relu(6), *stack(conv_bn_relu, 6, 6, 6), *END)
    assert trace(design(*wide)).layers[9].parameters > trace(design(*wide)).parameters / 2
    assert "concentration" not in topics(design(*wide))
    over = about("concentration", *stack(conv_bn_relu, 4, 4, 20, 40), MaxPool(2), *stack(conv_bn_relu, 6, 6, 6), *END)
    assert over.remedy_label.startswith("Halve it to 20 outputs (−4,")


@pytest.mark.parametrize(
    ("between", "vain"),
    [
        ((), True),
        ((MaxPool(2),), True),
        ((AvgPool(2),), True),
        ((MaxPool(3, 2, 1),), True),
        ((GlobalAvgPool(),), True),
        ((Conv(6, 3, bias=False),), True),
        ((MaxPool(2), Conv(6, 1, bias=False), AvgPool(2)), True),
        ((ReLU(),), False),
        ((AvgPool(2, 2, 1),), False),
        ((Conv(6, 3, padding=1, bias=False),), False),
    ],
)
def test_a_bias_that_comes_to_batch_norm_as_a_constant_does_nothing(between: tuple[Op, ...], vain: bool) -> None:
    ops = (Conv(4, 3), *between, BatchNorm(), *END)
    found = [each for each in advice(design(*ops)) if each.topic == "bias"]
    assert bool(found) == vain
    network = build(design(*ops), seed=3).train()  # against torch
    images = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = network(images)
        network[0].bias += torch.tensor([5.0, 2.0, -1.0, 3.0])
        assert torch.allclose(network(images), before, atol=1e-3) == vain
    if found:
        assert "4 parameters do nothing" in found[0].words
        assert found[0].remedy_label == "Set bias=False (−4 parameters)"


def test_through_a_dropout_a_bias_before_batch_norm_only_adds_noise() -> None:
    said = about("bias", Conv(8, 3), BatchNorm(), ReLU(), Conv(8, 3), Dropout(0.1), BatchNorm(), *END)
    assert said.ops == (0, 3)
    assert said.words.endswith(
        "8 parameters do nothing and 8 parameters of op 3 only add noise, through the dropout between."
    )
    assert said.remedy_label == "Set bias=False (−16 parameters)"


def test_a_first_stride_of_four_is_taken_out_and_the_map_shrinks_later() -> None:
    said = about("early pool", Conv(12, 3, stride=4, bias=False), *SOUND[1:9], *AFTER[:3], *END)
    assert said.ops == (0,)
    assert "shrinks the map from 28 to 7 when a unit has seen only 3 x 3 pixels" in said.words
    assert said.remedy is not None
    assert said.remedy.ops[0] == Conv(12, 3, bias=False)
    assert MaxPool(2) in said.remedy.ops
    assert "early pool" not in topics(said.remedy)


@pytest.mark.parametrize(("op", "read", "of"), [(MaxPool(2, 3), 2, 3), (Conv(12, 1, stride=2, bias=False), 1, 2)])
def test_a_stride_beyond_its_window_leaves_places_unread_as_the_gradient_shows(op: Op, read: int, of: int) -> None:
    said = about("skipped places", *BEFORE, op, *conv_bn_relu(12), *END)
    assert said.ops == (9,)
    assert f"reads {read} of every {of} rows and columns" in said.words
    size = 4 * of
    map_in = torch.arange(10.0 * size * size).reshape(1, 10, size, size).requires_grad_()
    module = build(Architecture("one", (op,), (10, size, size)), seed=0)[0]
    for shift in range(read):  # a max pool hands its gradient to one value only: turn the order round
        module(map_in * (-1) ** shift).sum().backward()
    assert map_in.grad is not None
    rows = map_in.grad.abs().sum((0, 1, 3)) > 0
    assert int(rows[:of].sum()) <= read
    assert said.remedy is not None
    assert "skipped places" not in topics(said.remedy)


def test_a_last_pool_that_does_not_cover_its_map_is_said_with_both_numbers() -> None:
    said = about("left-out edge", *SOUND[:-3], AvgPool(2), *END[1:])
    assert "Op 22 AvgPool(kernel_size=2) covers 2 x 2 of the map's 3 x 3 places" in said.words
    assert said.remedy == design(*SOUND)


def test_a_max_pool_that_nothing_looks_at_is_taken_out() -> None:
    ops = (*stack(conv_bn_relu, 12, 12), MaxPool(2), *stack(conv_bn_relu, 12, 12, 12, 12))
    said = alone(*ops, MaxPool(2), *END)
    assert (said.topic, said.ops, said.remedy) == ("late pool", (19,), design(*ops, *END))


def test_holes_of_dilation_are_counted_as_the_gradient_finds_them() -> None:
    dilated = tuple(replace(op, dilation=2) if isinstance(op, Conv) else op for op in stack(conv_bn_relu, *[10] * 5))
    ops = (*dilated, Conv(10, 1, bias=False), GlobalAvgPool(), Flatten())
    said = about("holes", *ops)
    assert said.words.startswith("A unit before op 16 spans 21 pixels along a side and reads 11 of them:")
    network = build(design(*ops[:16]), seed=1).eval()
    image = torch.randn(1, 1, 28, 28, requires_grad=True)
    network(image)[0, :, 4, 4].abs().sum().backward()
    assert image.grad is not None
    rows = (image.grad[0, 0].abs().sum(1) > 0).nonzero().flatten()
    assert (len(rows), int(rows[-1] - rows[0]) + 1) == (11, 21)
    mixed = (*conv_bn_relu(10), *ops[3:])  # the first layer's neighbours fill them
    assert "holes" not in topics(design(*mixed))


def test_the_labs_own_dilated_steps_have_no_holes_by_the_gradient_either() -> None:
    for step in LADDER:
        assert "holes" not in topics(step.architecture)


def test_weights_that_meet_only_padding_never_get_a_gradient_and_can_go() -> None:
    ops = (*SOUND[:23], Conv(4, 5, padding=2, bias=False), BatchNorm(), ReLU(), *END[1:])
    said = about("unmet weights", *ops)
    assert "Only 1 x 1 of the 5 x 5 weights of op 23" in said.words
    network = build(design(*ops), seed=1)
    network(torch.randn(4, 1, 28, 28)).square().sum().backward()
    gradient = network[23].weight.grad
    assert gradient is not None
    assert (gradient.abs().sum((0, 1)) > 0).nonzero().tolist() == [[2, 2]]
    assert said.remedy is not None
    assert said.remedy.ops[23] == Conv(4, 1, bias=False)


def test_a_convolution_whose_strides_step_over_its_map_is_found() -> None:
    said = about("padding", *SOUND[:23], Conv(4, 1, stride=2, padding=1), *END)
    assert said.level == "warning"
    assert "Op 23 Conv(4, kernel_size=1, stride=2, padding=1) sees nothing but padding" in said.words
    network = build(design(*SOUND[:23], Conv(4, 1, stride=2, padding=1)), seed=1).eval()
    one, other = network(torch.randn(2, 1, 28, 28))
    assert torch.equal(one, other)


def test_groups_that_never_meet_are_found_and_a_1x1_convolution_mixes_them() -> None:
    depthwise = (Conv(10, 3, groups=10, bias=False), BatchNorm(), ReLU())
    said = about("groups", *BEFORE[:3], *depthwise, *depthwise, *SOUND[9:])
    assert said.ops == (3, 6)
    assert "have 10 groups each" in said.words
    assert said.remedy is not None
    assert "groups" not in topics(said.remedy)


def test_a_separable_convolution_is_meant_and_a_squeeze_saves_weights() -> None:
    """Two linear layers in a row are two by intent where together they have fewer weights than one."""
    separable = (Conv(10, 3, groups=10, bias=False), Conv(12, 1, bias=False), BatchNorm(), ReLU())
    assert {"activation", "squeeze"}.isdisjoint(topics(design(*BEFORE, MaxPool(2), *separable, *AFTER[3:], *END)))
    said = about("squeeze", *BEFORE, Conv(4, 1, bias=False), *conv_bn_relu(12), MaxPool(2), *AFTER, *END)
    assert (said.level, said.ops) == ("hint", (9, 10))
    # 10 x 4 + 4 x 12 x 9, where one convolution from 10 to 12 has 10 x 12 x 9
    assert "with 472 weights where it alone would have 1,080" in said.words
    plain = about("activation", *BEFORE, Conv(12, 1, bias=False), *conv_bn_relu(12), MaxPool(2), *AFTER, *END)
    assert plain.level == "warning"  # 10 x 12 + 12 x 12 x 9 = 1,416 are more than 1,080


def test_a_design_for_other_images_is_told_so() -> None:
    said = advice(replace(design(*SOUND), input=(1, 32, 32)))
    assert said[0].topic == "input"
    assert "takes images of 1 x 32 x 32. MNIST has 1 x 28 x 28" in said[0].words
    assert said[0].remedy == design(*SOUND)


def test_a_network_far_over_the_budget_is_told_how_far() -> None:
    c1 = next(step for step in LADDER if step.slug == "c1-setup-6379786")
    said = advice(c1.architecture)[0]
    assert "6,379,786 parameters are 6,371,786 more" in said.words
    assert "That is 797 times as many" in said.words  # 797.47
    assert said.remedy is not None
    assert "bottleneck" not in topics(said.remedy)


# ------------------------------------------------------------------------------------------------------------ the laws


@st.composite
def designs(draw: st.DrawFn) -> Architecture:
    """A network on MNIST's images as a beginner might write it: any op anywhere, mostly too small or too large."""
    side = 28
    ops: list[Op] = []
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["conv", "conv", "conv", "pool", "norm", "relu", "relu", "dropout"]))
        if kind == "conv":
            op: Op = Conv(
                out_channels=draw(st.sampled_from([1, 2, 4, 8, 8, 10, 16, 16, 40])),
                kernel_size=draw(st.sampled_from([1, 2, 3, 3, 3, 3, 5, 7, 9])),
                stride=draw(st.sampled_from([1, 1, 1, 1, 2, 4])),
                padding=draw(st.sampled_from([0, 0, 1, 3])),
                dilation=draw(st.sampled_from([1, 1, 1, 2, 3])),
                bias=draw(st.booleans()),
            )
        elif kind == "pool":
            size = draw(st.integers(1, 4))
            op = draw(st.sampled_from([MaxPool(size), MaxPool(size), MaxPool(2, 3), AvgPool(size)]))
        else:
            dropout = Dropout(draw(st.sampled_from([0.0, 0.05, 0.2, 0.5])))
            op = {"norm": BatchNorm(), "relu": ReLU(), "dropout": dropout}[kind]
        if isinstance(op, Conv | MaxPool | AvgPool):
            room = side + 2 * op.padding - getattr(op, "dilation", 1) * (op.kernel_size - 1) - 1  # type: ignore[attr-defined]
            if room < 0:
                continue
            side = room // op.stride + 1
        ops.append(op)
    scores = st.lists(st.sampled_from([ReLU(), Dropout(0.3), LogSoftmax()]), max_size=2)
    return Architecture("at random", (*ops, *draw(st.sampled_from(endings(side))), *draw(scores)))


@st.composite
def changed(draw: st.DrawFn) -> Architecture:
    """A network of the ladder, or the sound one, after a few edits, each of which leaves one that can be trained."""
    architecture = draw(st.sampled_from([design(*SOUND), *(step.architecture for step in GOOD)]))
    extras = [ReLU(), BatchNorm(), Dropout(0.3), MaxPool(2), Conv(8, 3), Conv(10, 1), Conv(1, 3), Conv(24, 3)]
    for _ in range(draw(st.integers(0, 4))):
        ops = architecture.ops
        index, to = (draw(st.integers(0, len(ops) - 1)) for _ in range(2))
        rest = (*ops[:index], *ops[index + 1 :])
        added = (*ops[:index], draw(st.sampled_from(extras)), *ops[index:])
        edited = replace(architecture, ops=draw(st.sampled_from([rest, (*rest[:to], ops[index], *rest[to:]), added])))
        with contextlib.suppress(SpecError):
            classifier(edited)
            architecture = edited
    return architecture


any_design = st.one_of(designs(), changed(), architectures(flat=True))
NUMBER = r"[\d,]*\d"


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(any_design)
def test_a_remedy_can_be_trained_costs_what_it_says_and_is_within_the_budget_where_the_design_was(
    architecture: Architecture,
) -> None:
    before = torch_parameters(architecture)
    for each in advice(architecture):
        if each.remedy is None:
            continue
        assert is_trainable(each.remedy)
        after = torch_parameters(each.remedy)
        assert after <= max(CHALLENGE.parameters, before)
        said = re.search(rf"\(([+−])({NUMBER}) parameters?\)$", each.remedy_label)
        total = re.search(rf"\(({NUMBER}) parameters\)$", each.remedy_label)
        if said:
            assert after - before == number(said[2]) * (1 if said[1] == "+" else -1)
        elif total:
            assert after == number(total[1])
        elif each.topic not in ("field", "early pool", "fit", "outputs"):
            assert after == before
        if each.topic == "budget":
            assert before > CHALLENGE.parameters >= after
        if each.topic == "left over":
            assert before < after <= CHALLENGE.parameters


ONE = Conv(1, 1, bias=False)
STRANDED = Architecture(  # with the first padding gone, the second is all that its convolution sees
    "stranded",
    (
        MaxPool(2), MaxPool(3), replace(ONE, padding=3), MaxPool(4), replace(ONE, stride=2, padding=1),
        replace(ONE, stride=2), GlobalAvgPool(), Linear(10),
    ),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(any_design)
@example(STRANDED)
def test_a_remedy_leaves_less_of_its_fault_and_brings_no_graver_one(architecture: Architecture) -> None:
    said = advice(architecture)
    levels = gravest(said)
    for each in said:
        if each.remedy is None:
            continue
        then = advice(each.remedy)
        pixels = re.search(r"\((\d+) → (\d+) pixels\)$", each.remedy_label)
        still = [other for other in then if other.topic == each.topic]
        if pixels and each.topic == "field":
            assert int(pixels[1]) < int(pixels[2])
        elif each.topic in ("concentration", "left over", "depth"):
            assert [other.words for other in still] != [other.words for other in said if other.topic == each.topic]
        else:
            assert ops_of(still) < ops_of([other for other in said if other.topic == each.topic])
        if each.topic not in ("concentration", "early pool"):  # a saving may cost a view, and a later pool too
            worse = {topic for topic, level in gravest(then).items() if level < levels.get(topic, 3)}
            assert worse <= {"left over", "batch norm", "context", "concentration"}


def gravest(said: Sequence[Advice]) -> dict[Topic, int]:
    """0 for an error, 1 for a warning, 2 for a hint."""
    order = ("error", "warning", "hint")
    return {
        topic: min(order.index(each.level) for each in said if each.topic == topic)
        for topic in {each.topic for each in said}
    }


def ops_of(said: Sequence[Advice]) -> int:
    return sum(len(each.ops) or 1 for each in said)


POOLED_TO_A_POINT = Architecture(  # and padded to a map again
    "pooled to a point",
    (
        *(MaxPool(4), MaxPool(4), Conv(1, 1), Conv(8, 3, padding=3), Conv(8, 9, padding=3)),
        *(Conv(8, 1), GlobalAvgPool(), Linear(10)),
    ),
)
LESS = ("Narrow", "Halve", "Average", "Put GlobalAvgPool before its Flatten", "ops out", "Set it to")
MORE = ("Widen", "Add")


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(any_design)
@example(POOLED_TO_A_POINT)
def test_no_two_pieces_of_advice_say_opposite_things(architecture: Architecture) -> None:
    said = advice(architecture)
    found = {each.topic for each in said}
    labels = [each.remedy_label for each in said]
    for one, other in (
        ("left over", "budget"), ("left over", "concentration"), ("left over", "context"), ("left over", "wide start"),
        ("field", "context"), ("field", "holes"), ("field", "late pool"), ("depth", "context"),
    ):  # fmt: skip
        assert not {one, other} <= found
    if "left over" in found:  # no button takes weights away that do something
        assert not any(label.startswith(LESS[:-2]) for label in labels)
    if any(each.topic == "budget" for each in said):
        assert not any(label.startswith("Widen") for label in labels)
    assert not any("halve" in each.words.casefold() or each.remedy_label.startswith("Halve") for each in said) or (
        trace(architecture).parameters > CHALLENGE.parameters
    )
    dropouts = [each.ops for each in said if each.topic in ("dropout", "dropped scores", "repeated", "image")]
    assert (
        len({index for ops in dropouts for index in ops}) == sum(map(len, dropouts))
        or "image" in found
        or ("repeated" in found)
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(any_design)
def test_whoever_follows_the_advice_comes_to_an_end(architecture: Architecture) -> None:
    seen = {architecture}
    while remedy := next((each.remedy for each in advice(architecture) if each.remedy), None):
        assert remedy not in seen, "the advice goes round in a circle"
        assert len(seen) < 60
        architecture = remedy
        seen.add(remedy)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(any_design)
def test_nothing_is_said_only_of_what_could_meet_the_challenge(architecture: Architecture) -> None:
    if advice(architecture):
        return
    assert architecture.input == (1, 28, 28)
    assert 4_000 <= torch_parameters(architecture) <= CHALLENGE.parameters
    assert is_trainable(architecture)
    weighted = [index for index, op in enumerate(architecture.ops) if isinstance(op, Conv | Linear)]
    assert len(weighted) >= 4
    for one, two in pairwise(weighted):  # a convolution for each channel and a 1 x 1 one are as one
        bent = any(isinstance(op, ReLU | MaxPool) for op in architecture.ops[one:two])
        assert bent or any(getattr(architecture.ops[index], "groups", 1) > 1 for index in (one, two))
    assert not any(isinstance(op, ReLU | Dropout) for op in architecture.ops[weighted[-1] :])
    seen = list(seen_pixels(trace(architecture)).values())
    assert seen[-1].all()
    wide = [pixels.shape[0] for pixels in seen]  # units along a side, after each op
    last = next(index for index, units in enumerate(wide) if units == 1)
    if isinstance(architecture.ops[last], AvgPool | GlobalAvgPool) and last:
        assert seen[last - 1].any(0).all() or trace(architecture).layers[last].before.size >= 20
        assert trace(architecture).layers[last].before.size >= 20


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(any_design)
def test_the_numbers_of_a_sentence_are_the_networks(architecture: Architecture) -> None:
    network = build(architecture)
    total = torch_parameters(architecture)
    for each in advice(architecture):
        for index, name in re.findall(r"\b[Oo]p (\d+) ([A-Z]\w+)", each.words):
            assert type(architecture.ops[int(index)]).__name__ == name
        listed_ops = {int(index) for index in re.findall(r"\b[Oo]p (\d+)", each.words)}
        assert listed_ops <= set(range(len(architecture.ops)))
        own = [sum(p.numel() for p in network[index].parameters()) for index in each.ops]
        if each.topic == "budget":
            assert each.words.startswith(f"{total:,} parameters are {total - CHALLENGE.parameters:,} more")
        elif each.topic == "left over":
            assert each.words.startswith(f"{CHALLENGE.parameters - total:,} of the challenge's 8,000 ")
        elif each.topic == "concentration":
            share, holds = re.search(rf"holds (\d+)% .* = ({NUMBER})\.", each.words).groups()  # type: ignore[union-attr]
            assert number(holds) == own[0] == max(sum(p.numel() for p in part.parameters()) for part in network)
            assert abs(own[0] / total - int(share) / 100) <= 0.01
        elif each.topic == "bias":
            biases = sum(architecture.ops[index].out_channels for index in each.ops)  # type: ignore[union-attr]
            assert sum(number(found) for found in re.findall(rf"({NUMBER}) parameters?", each.words)) == biases
        elif each.topic == "context":
            told = re.search(rf"for ({NUMBER}) parameters", each.words)
            assert (number(told[1]) if told else 0) == sum(own)
        elif each.topic == "dropout":
            most = max(architecture.ops[index].p for index in each.ops)  # type: ignore[union-attr]
            assert f"{100 * most:.3g}%" in each.words
        elif each.topic == "early pool":
            first = architecture.ops[each.ops[0]]
            before = build(replace(architecture, ops=architecture.ops[: each.ops[0]])) if each.ops[0] else None
            image = torch.zeros(1, *architecture.input)
            given_map = before.eval()(image) if before else image
            made = build(replace(architecture, ops=architecture.ops[: each.ops[0] + 1])).eval()(image)
            assert f"from {given_map.shape[-1]} to {made.shape[-1]} when" in each.words
            assert isinstance(first, Conv | MaxPool | AvgPool)


@pytest.mark.parametrize(
    "ops",
    [
        (Conv(8, 3, padding=1, bias=False), BatchNorm(), ReLU()) * 80 + END,
        (Conv(2, 3, padding=1), Dropout(0.5)) * 120 + END,
        (Conv(1, 511, padding=255, dilation=1),) * 30 + END,
        (Conv(4, 2, padding=1), ReLU(), MaxPool(2, 1)) * 60 + END,
        (Conv(40, 3, padding=1, dilation=1), BatchNorm(), BatchNorm(), Dropout(0.9), ReLU(), ReLU()) * 30 + END,
        (Conv(4, 3, padding=2, dilation=2), ReLU()) * 120 + END,
        (Conv(1, 3, 512, 512, 512), MaxPool(1)) * 3 + (Conv(2, 3, padding=200),) + END,
        (Flatten(), *(Linear(8), Dropout(0.4), ReLU()) * 80, Linear(10), *(LogSoftmax(), Dropout(0.4)) * 5),
    ],
    ids=["blocks", "dropout", "large kernels", "even", "twice", "dilated", "strides", "vectors"],
)
def test_advice_on_the_longest_design_is_there_at_once(ops: tuple[Op, ...]) -> None:
    began = time.process_time()
    assert advice(Architecture("long", ops))
    assert time.process_time() - began < 1


extra = st.sampled_from([Flatten(), Conv(12, 5), MaxPool(4), Linear(3), Dropout(0.5), LogSoftmax(), GlobalAvgPool()])


@pytest.mark.slow
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
