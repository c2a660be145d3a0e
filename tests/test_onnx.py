"""The exported file, run by ONNX's own runtime, against the network that the lab builds."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings

from core.advice.bad_designs import BAD_DESIGNS
from core.architecture.spec import Architecture, AvgPool, BatchNorm, Conv, Dropout, GlobalAvgPool, Linear, MaxPool, ReLU
from core.architecture.trace import trace
from core.checkpoints.onnx_export import OPSET, to_onnx
from core.ladder.catalogue import LADDER, by_slug
from core.training.network import build
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data


def assert_same_outputs(architecture: Architecture, images: int = 3) -> None:
    network = build(architecture, seed=1)
    generator = torch.Generator().manual_seed(2)
    network.train()
    network(
        torch.rand(8, *architecture.input, generator=generator)
    )  # so that batch norm's running figures are not 0, 1
    batch = torch.rand(images, *architecture.input, generator=generator)
    with torch.no_grad():
        ours = network.eval()(batch).numpy()
    session = onnxruntime.InferenceSession(to_onnx(network, architecture), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"image": batch.numpy()})
    assert theirs.shape == ours.shape
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(architectures())
def test_the_file_gives_the_outputs_of_the_network(architecture: Architecture) -> None:
    assert_same_outputs(architecture)


# All but C1: 25 MB of weights, and no op that the others lack.
NETWORKS = [each for each in (*LADDER, *BAD_DESIGNS) if trace(each.architecture).parameters < 1_000_000]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.slug)
def test_the_file_of_every_network_of_the_lab_gives_its_outputs(network: object) -> None:
    architecture: Architecture = network.architecture  # type: ignore[attr-defined]
    assert_same_outputs(architecture, images=1)


def test_a_map_of_one_value_may_go_into_a_linear_layer() -> None:
    assert_same_outputs(Architecture("linear", (Conv(4, 3), ReLU(), GlobalAvgPool(), Linear(7), ReLU(), Linear(10))))


def test_padding_counts_as_zeros_in_an_average_and_never_in_a_maximum() -> None:
    assert_same_outputs(Architecture("pools", (AvgPool(3, 2, 1), MaxPool(3, 2, 1, dilation=2), Conv(2, 3))))


def test_the_file_says_its_opset_and_nothing_of_this_machine() -> None:
    architecture = by_slug("a2-final-7758").architecture
    content = to_onnx(build(architecture, seed=1), architecture)
    model = onnx.load_from_string(content)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    for place in (b"/home", b"/work", b"/tmp", b"/usr", b"site-packages"):
        assert place not in content


def test_each_op_is_one_node_under_its_name_with_its_shape() -> None:
    architecture = Architecture("names", (Conv(4, 3), BatchNorm(), ReLU(), Dropout(0.1), MaxPool(2), Conv(10, 13)))
    model = onnx.load_from_string(to_onnx(build(architecture, seed=1), architecture))
    assert [node.name for node in model.graph.node] == [layer.name for layer in trace(architecture).layers]
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["Conv", "BatchNormalization", "Relu", "Dropout", "MaxPool", "Conv"]
    shapes = {
        each.name: [size.dim_value or size.dim_param for size in each.type.tensor_type.shape.dim]
        for each in (*model.graph.input, *model.graph.value_info, *model.graph.output)
    }
    assert shapes["image"] == ["N", 1, 28, 28]
    assert shapes["maxpool1"] == ["N", 4, 13, 13]
    assert shapes["output"] == ["N", 10, 1, 1]
