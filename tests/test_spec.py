"""An architecture as JSON: there and back, and one clear sentence for whatever is no architecture."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.architecture.json_form import (
    architecture_from_dict,
    architecture_from_json,
    architecture_to_dict,
    architecture_to_json,
)
from core.architecture.spec import (
    Architecture,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    GlobalAvgPool,
    Linear,
    MaxPool,
    ReLU,
    op_words,
)
from core.architecture.trace import classifier
from core.errors import LabError, RecipeError, SpecError
from core.training.recipe import recipe_from_json
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data

THE_ISSUE = """{"name": "mine", "input": [1, 28, 28], "ops": [{"op": "Conv", "out_channels": 8, "kernel_size": 3},
    {"op": "BatchNorm"}, {"op": "ReLU"}, {"op": "MaxPool", "kernel_size": 2}, {"op": "GlobalAvgPool"},
    {"op": "Linear", "out_features": 10}]}"""

# Every field of every op beside its default in torch.
DEFAULTS = {
    "Conv": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True},
    "Dropout": {"p": 0.5},
    "MaxPool": {"padding": 0, "dilation": 1},
    "AvgPool": {"padding": 0},
    "Linear": {"bias": True},
}


# --------------------------------------------------------------------------------------------------- there and back


def test_the_json_of_the_issue_is_the_architecture_it_says() -> None:
    ops = (Conv(8, 3), BatchNorm(), ReLU(), MaxPool(2), GlobalAvgPool(), Linear(10))
    assert architecture_from_json(THE_ISSUE) == Architecture("mine", ops, (1, 28, 28))
    assert architecture_to_dict(Architecture("mine", ops)) == json.loads(THE_ISSUE)


@given(architectures())
def test_an_architecture_comes_back_from_its_json(architecture: Architecture) -> None:
    assert architecture_from_json(architecture_to_json(architecture)) == architecture
    assert architecture_from_dict(architecture_to_dict(architecture)) == architecture


@given(architectures())
def test_written_defaults_change_nothing_and_are_left_out_again(architecture: Architecture) -> None:
    lean = architecture_to_dict(architecture)
    full = json.loads(json.dumps(lean))
    for op in full["ops"]:
        for name, default in DEFAULTS.get(op["op"], {}).items():
            op.setdefault(name, default)
        if op["op"] in ("MaxPool", "AvgPool"):
            op.setdefault("stride", op["kernel_size"])
    assert architecture_from_dict(full) == architecture
    assert architecture_to_dict(architecture_from_dict(full)) == lean
    for op in lean["ops"]:
        for name, default in DEFAULTS.get(op["op"], {}).items():
            assert op.get(name) != default or name not in op


def test_equal_architectures_have_equal_json() -> None:
    assert architecture_to_json(Architecture("a", (MaxPool(2),))) == architecture_to_json(
        Architecture("a", (MaxPool(2, stride=2),))
    )


def test_a_pools_stride_is_its_kernel_unless_given() -> None:
    assert (MaxPool(3).stride, MaxPool(3, stride=1).stride, AvgPool(4).stride) == (3, 1, 4)


def test_an_op_is_described_without_its_defaults() -> None:
    assert op_words(Conv(8, 3)) == "Conv(8, kernel_size=3)"
    assert op_words(Conv(8, 3, padding=1, bias=False)) == "Conv(8, kernel_size=3, padding=1, bias=False)"
    assert (op_words(MaxPool(2)), op_words(Dropout(0.1)), op_words(ReLU())) == (
        "MaxPool(kernel_size=2)",
        "Dropout(0.1)",
        "ReLU",
    )


# ---------------------------------------------------------------------------------------------------------- bad input


def network(*ops: object, **others: object) -> str:
    return json.dumps({"name": "bad", "ops": list(ops)} | others)


CONV = {"op": "Conv", "out_channels": 8, "kernel_size": 3}
GAP, LINEAR = {"op": "GlobalAvgPool"}, {"op": "Linear", "out_features": 10}

BAD = {
    "an empty network": (network(), "empty"),
    "no ops": ("{}", "ops"),
    "a million channels": (network({**CONV, "out_channels": 1_000_000}), "op 0 Conv: out_channels: 1,000,000 .* 4,096"),
    "a number with 400 digits": (network({**CONV, "out_channels": 10**400}), "op 0 Conv: out_channels: .* 4,096"),
    "a number with 5,000 digits": (
        '{"ops": [{"op": "Conv", "out_channels": 1%s, "kernel_size": 3}]}' % ("0" * 5000),
        "digits",
    ),
    "a kernel of a pixel too many": (network({**CONV, "kernel_size": 513}), "kernel_size: 513 is outside 1 to 512"),
    "an image with 400 digits": (network(CONV, input=[1, 10**400, 28]), r"input\[1\]: .* 512"),
    "half a channel": (network({**CONV, "out_channels": 8.5}), "op 0 Conv: out_channels: .*whole number.*8.5"),
    "a channel count in words": (network({**CONV, "out_channels": "8"}), "whole number, got '8'"),
    "a yes for a number": (network({**CONV, "padding": True}), "padding: .*got true"),
    "a number for a yes": (network({**CONV, "bias": 1}), "bias: expected true or false, got 1"),
    "a kernel of nothing": (network({**CONV, "kernel_size": 0}), "kernel_size: 0 is outside 1 to 512"),
    "negative padding": (network({**CONV, "padding": -1}), "padding: -1 is outside 0 to 512"),
    "a dropout of everything": (network({"op": "Dropout", "p": 1}), "op 0 Dropout: p: 1 is outside 0 to 0.99"),
    "a dropout that is no number": ('{"ops": [{"op": "Dropout", "p": NaN}]}', "p: nan is outside"),
    "an unknown op": (network(CONV, {"op": "Attention"}), "op 1: unknown op 'Attention'; there are Conv, "),
    "an op without a name": (network({"kernel_size": 3}), "op 0: unknown op null"),
    "an op that is a word": (network("Conv"), "op 0: expected an object"),
    "an unknown field": (network({**CONV, "kernel": 3}), "op 0 Conv: unknown field 'kernel'"),
    "a missing field": (network({"op": "Conv", "out_channels": 8}), "op 0 Conv: kernel_size is missing"),
    "too many ops": (network(*[{"op": "ReLU"}] * 257), "257 ops, at most 256"),
    "ops that are an object": ('{"ops": {}}', "expected a list"),
    "an architecture that is a list": ("[]", "an architecture is an object"),
    "an unknown part": (network(CONV, optimizer="SGD"), "unknown field 'optimizer'"),
    "a name that is a number": (network(CONV, name=7), "name: .*got 7"),
    "an empty name": (network(CONV, name="  "), "name: "),
    "an endless name": (network(CONV, name="n" * 101), "name: "),
    "an image with two axes": (network(CONV, input=[28, 28]), r"input: .*\[28, 28\]"),
    "an image of no channels": (network(CONV, input=[0, 28, 28]), r"input\[0\]: 0 is outside 1 to 4,096"),
    "an image of words": (network(CONV, input=[1, "28", 28]), r"input\[1\]: .*'28'"),
    "no JSON": ("{", "not JSON"),
    "nothing": ("", "not JSON"),
    "brackets without end": ("[" * 100_000, "not JSON"),
    "an image that is not square": (network(CONV, GAP, LINEAR, input=[1, 28, 27]), "input: .* 28 x 27"),
    "a kernel larger than the map": (
        network({**CONV, "kernel_size": 29}, GAP, LINEAR),
        r"op 0 Conv\(8, kernel_size=29\): the window is 29 wide, the map is only 28 wide",
    ),
    "a dilated kernel larger than the padded map": (
        network({**CONV, "kernel_size": 5, "dilation": 8, "padding": 1}, GAP, LINEAR),
        r"op 0 .*window is 33 wide, .*28 wide \(30 with padding\)",
    ),
    "a pool larger than the map": (
        network(CONV, {"op": "MaxPool", "kernel_size": 27}, GAP, LINEAR),
        r"op 1 MaxPool\(kernel_size=27\): the window is 27 wide, the map is only 26 wide",
    ),
    "a pool padded by more than half its kernel": (
        network({"op": "MaxPool", "kernel_size": 3, "padding": 2}, GAP, LINEAR),
        "op 0 .*padding 2 .*half the kernel, 1",
    ),
    "groups that do not divide the input": (
        network(CONV, {**CONV, "groups": 3, "out_channels": 9}, GAP, LINEAR),
        "op 1 .*groups 3 does not divide the 8 input channels",
    ),
    "groups that do not divide the output": (
        network(CONV, {**CONV, "groups": 4, "out_channels": 10}, GAP, LINEAR),
        "op 1 .*groups 4 does not divide the 10 output channels",
    ),
    "nine outputs": (network(GAP, {"op": "Linear", "out_features": 9}), "op 1 Linear.*9 values, not in 10"),
    "a map at the end": (network(CONV), "op 0 .*8 x 26 x 26, not in 10 outputs"),
    "ten maps of one pixel at the end": (network({**CONV, "out_channels": 10}, GAP), "put Flatten at the end"),
    "a linear layer on a map": (network(CONV, LINEAR), r"op 1 Linear\(10\): .*8 x 26 x 26.*5,408 values"),
    "a convolution on a vector": (network({"op": "Flatten"}, CONV), "op 1 .*got 784 values"),
    "a log-softmax on a map": (network(CONV, {"op": "LogSoftmax"}), "op 1 LogSoftmax: .*8 x 26 x 26"),
    "too many parameters": (
        network(*[{**CONV, "out_channels": 4096}] * 2, GAP, LINEAR),
        r"151,0\d\d,\d\d\d parameters, at most 20,000,000 .*op 1 ",
    ),
    "feature maps that fill the memory": (
        network({"op": "Conv", "out_channels": 4096, "kernel_size": 1}, {"op": "ReLU"}, GAP, LINEAR),
        r"6,4\d\d,\d\d\d values, at most 4,000,000",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_network_is_one_sentence_with_the_place_and_the_numbers(case: str) -> None:
    text, says = BAD[case]
    with pytest.raises(SpecError, match=says) as raised:
        classifier(architecture_from_json(text))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
almost_an_op = st.fixed_dictionaries(
    {"op": st.sampled_from([*DEFAULTS, "ReLU", "GlobalAvgPool", "Flatten", "LogSoftmax"]) | anything},
    optional={
        name: st.integers(-1, 600) | anything
        for name in ("out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias", "p")
    },
)
almost_an_architecture = st.fixed_dictionaries(
    {"ops": st.lists(almost_an_op | anything, max_size=4) | anything},
    optional={"name": anything, "input": st.lists(st.integers(-1, 600), min_size=3, max_size=3) | anything},
)


@given(anything | almost_an_architecture)
def test_arbitrary_json_is_an_architecture_or_a_spec_error(data: object) -> None:
    try:
        architecture = architecture_from_dict(data)  # type: ignore[arg-type]
        classifier(architecture)
    except SpecError:
        return
    assert architecture_from_json(architecture_to_json(architecture)) == architecture


@given(st.text())
def test_arbitrary_text_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(SpecError):
        architecture_from_json(text)


@pytest.mark.parametrize("depth", [*range(900, 1000), 3000])
def test_json_as_deep_as_python_can_read_is_an_error_of_ours(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    with pytest.raises(LabError):
        architecture_from_json(f'{{"ops": [{deep}]}}')
    with pytest.raises(RecipeError):
        recipe_from_json(f'{{"seed": {deep}}}')
