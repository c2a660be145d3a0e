"""Ops with a body, other norms and activations, against torch's network, its gradient, and onnxruntime."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from core.advice.advice import advice
from core.analysis.inside import feature_maps
from core.architecture import activations, spec
from core.architecture.json_form import architecture_from_dict, architecture_from_json, architecture_to_json
from core.architecture.link import from_code, to_code
from core.architecture.pytorch_code import pytorch_code
from core.architecture.receptive_field import extent
from core.architecture.seen_pixels import seen_pixels
from core.architecture.spec import (
    Architecture,
    BatchNorm,
    Concatenate,
    Conv,
    Dropout2d,
    Flatten,
    GhostBatchNorm,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Linear,
    MaxPool,
    Op,
    ReLU,
    Repeat,
    Residual,
    Softmax,
    SqueezeExcite,
)
from core.architecture.trace import trace
from core.checkpoints.onnx_export import to_onnx
from core.errors import SpecError
from core.training.modules import GhostBatchNorm as GhostModule
from core.training.network import build
from core.training.resident import Normalisation

pytestmark = pytest.mark.own_data

ACTIVATIONS: list[Op] = [
    kind() for kind in vars(activations).values() if isinstance(kind, type) and kind.__module__ == activations.__name__
]
NORMS: list[Op] = [
    BatchNorm(1e-3, 0.01, affine=False),
    GhostBatchNorm(3),
    GroupNorm(4),
    GroupNorm(1, affine=False),
    LayerNorm(),
    LayerNorm(elementwise_affine=False),
]
PAIR = (Conv(8, 3, padding=1), BatchNorm(), ReLU())
BODIES: dict[str, tuple[Op, ...]] = {
    "residual": (Conv(8, 3), Residual(PAIR), Conv(4, 3)),
    "projected": (Conv(8, 3), Residual((Conv(6, 3, 2, 1),), (Conv(6, 1, 2), BatchNorm())), Conv(4, 2)),
    "dense": (Conv(8, 3), Concatenate(PAIR), Concatenate((), (Conv(3, 3, padding=1),)), Conv(4, 3)),
    "excited": (Conv(8, 3), SqueezeExcite(3), MaxPool(2), Conv(4, 3)),
    "repeated": (Conv(8, 3), Repeat(PAIR, 3), Conv(4, 3)),
    "shrinking": (Conv(8, 3), Repeat((Conv(8, 3), ReLU()), 3), Conv(4, 3)),
    "nested": (
        Conv(8, 3),
        Repeat((Residual((*PAIR, Repeat((Conv(8, 1), GroupNorm(2), Dropout2d(0.1)), 2))), BatchNorm()), 3),
        Conv(4, 2),
    ),
    "ends": (Conv(8, 3), GlobalMaxPool(), Flatten(), Linear(10), Softmax()),
}
for each in ACTIVATIONS:
    BODIES[type(each).__name__] = (Conv(8, 3), each, Flatten(), Linear(8), each)
for each in NORMS:
    BODIES[spec.op_words(each)] = (Conv(8, 3), each, Flatten(), Linear(8), each)
BODIES["InstanceNorm"] = (Conv(8, 3), InstanceNorm(), Conv(4, 3), InstanceNorm(affine=True))


def network_of(ops: tuple[Op, ...]) -> tuple[Architecture, nn.Sequential]:
    """A network that has trained on a batch, so that its running means are its own."""
    architecture = Architecture("bodies", ops, (1, 12, 12))
    network = build(architecture, 1)
    with torch.no_grad():
        network.train()(images())
    return architecture, network.eval()


def images() -> Tensor:
    return torch.randn(6, 1, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("ops", BODIES.values(), ids=BODIES)
def test_counts_shapes_and_forms_are_those_of_the_network_that_torch_builds(ops: tuple[Op, ...]) -> None:
    architecture, network = network_of(ops)
    walked = trace(architecture)
    assert architecture_from_json(architecture_to_json(architecture)) == architecture
    assert from_code(to_code(architecture)) == architecture
    assert walked.parameters == sum(values.numel() for values in network.parameters())
    assert walked.buffers == sum(v.numel() for name, v in network.named_buffers() if "num_batches" not in name)
    given, expected = images(), network(images())
    assert expected.shape[1:] == walked.output
    session = onnxruntime.InferenceSession(to_onnx(network, architecture), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"image": given.numpy()})[0], expected.detach().numpy(), atol=1e-4)
    names: dict[str, nn.Sequential] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(pytorch_code(architecture), names)
    exported = names["network"].eval()
    exported.load_state_dict(network.state_dict())
    torch.testing.assert_close(exported(given), expected)


def detached_mean(_module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """The output with the gradient of a fixed scale: a norm's and a gate's mean over the map is left out."""
    (values,) = given
    return values + (output - values).detach()


@pytest.mark.parametrize("name", ["residual", "projected", "dense", "repeated", "shrinking", "nested", "excited"])
def test_the_field_over_all_paths_is_where_the_gradient_is(name: str) -> None:
    architecture, network = network_of(BODIES[name])
    for module in network.modules():
        if isinstance(module, nn.GroupNorm | nn.ReLU) or type(module).__name__ == "SqueezeExcite":
            module.register_forward_hook(detached_mean)
        if isinstance(module, nn.Conv2d):  # all of one sign, so that no two paths cancel
            nn.init.constant_(module.weight, 0.1)
    layer = trace(architecture).layers[-1]
    unit = layer.output[1] // 2
    given = images()[:1].requires_grad_()
    network(given)[0, :, unit, unit].sum().backward()
    assert given.grad is not None
    reached = given.grad[0, 0].abs().amax(0).nonzero().flatten()
    first, last = extent(layer.field, unit)
    assert (int(reached[0]), int(reached[-1])) == (max(0, first), min(11, last))


def test_a_squeeze_and_excite_depends_on_the_whole_map_and_says_so() -> None:
    architecture, network = network_of(BODIES["excited"])
    layer = trace(architecture).layers[1]
    assert layer.uses_whole_map
    assert layer.field.size == 3
    given = images()[:1].requires_grad_()
    network[:2](given)[0, 0, 0, 0].backward()
    assert given.grad is not None
    assert (given.grad[0, 0] != 0).all()


def test_a_repeated_body_shares_its_weights_and_has_its_own_norm_each_time() -> None:
    _, network = network_of(BODIES["repeated"])
    names = [name for name, _ in network.named_parameters() if name.startswith("1.")]
    assert sum("body.0" in name for name in names) == 2
    assert sum("norms" in name for name in names) == 2 * 3
    body = network[1].get_submodule("body")
    conv, norms, _ = body.children()
    values = network[0](images())
    for number in range(3):
        values = norms.get_submodule("norms")[number](conv(values)).relu()
    torch.testing.assert_close(network[1](network[0](images())), values)


def test_ghost_batch_norm_is_a_batch_norm_of_each_part_and_their_mean_afterwards() -> None:
    module = GhostModule(8, 3, 1e-5, 0.1)
    values = torch.randn(9, 8, 4, 4, generator=torch.Generator().manual_seed(3))
    whole = [nn.BatchNorm2d(8, momentum=0.1) for _ in range(3)]
    expected = torch.cat([norm(part) for norm, part in zip(whole, values.chunk(3), strict=True)])
    torch.testing.assert_close(module(values), expected)
    torch.testing.assert_close(module.running_var, sum(norm.running_var for norm in whole) / 3)
    assert not torch.allclose(module.eval()(values), expected)


def test_inside_a_body_each_layer_shows_what_it_was_given_each_time() -> None:
    architecture = Architecture("inside", (Conv(8, 3), Repeat(PAIR, 2), Flatten(), Linear(10)))
    network = build(architecture, 1)
    digit = np.random.default_rng(1).integers(0, 256, (28, 28), np.uint8)
    maps = feature_maps(network, architecture, digit, Normalisation())
    seen = seen_pixels(trace(architecture))
    assert {name: len(reached) for name, reached in seen.items() if "conv" in name} == dict.fromkeys(
        ("conv1", "conv2", "conv2.2"), 26
    )
    assert list(np.flatnonzero(seen["conv2.2"][13])) == list(range(11, 18))  # a field of 7 round pixel 14
    np.testing.assert_array_equal(maps.inputs["conv2"], maps.outputs["conv1"])
    np.testing.assert_array_equal(maps.inputs["conv2.2"], maps.outputs["relu1"])
    np.testing.assert_array_equal(maps.outputs["repeat1"], maps.outputs["relu1.2"])


@pytest.mark.parametrize(
    ("ops", "words"),
    [
        ((Conv(8, 3), Residual((Conv(6, 3, padding=1),))), "body gives 6 x 26 x 26, the input 8 x 26 x 26"),
        ((Conv(8, 3), Residual((Conv(8, 3),))), "body gives 8 x 24 x 24, the input 8 x 26 x 26"),
        ((Conv(8, 3), Concatenate((Conv(3, 3),))), "body gives 3 x 24 x 24, the input 8 x 26 x 26"),
        ((Repeat((Conv(3, 3),), 2),), "takes 1 x 28 x 28 and gives 3 x 26 x 26"),
        ((Residual(()),), "op 0 Residual(0 ops): it needs at least one op"),
        ((Conv(8, 3), Residual((Conv(8, 3, padding=1), MaxPool(40)))), "op 1 Residual(2 ops): body: op 1 MaxPool"),
        ((Conv(6, 3), GroupNorm(4)), "num_groups 4 does not divide the 6 channels"),
        ((Conv(6, 3), activations.PReLU(4)), "num_parameters 4 is neither 1 nor the 6 channels"),
        ((Conv(6, 28), InstanceNorm()), "6 x 1 x 1"),
        ((Repeat((Repeat((Repeat((ReLU(),), 64),), 64),), 64),), "runs 266,305 ops, at most 2,048"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place_and_both_shapes(ops: tuple[Op, ...], words: str) -> None:
    with pytest.raises(SpecError) as raised:
        trace(Architecture("wrong", ops))
    assert words in str(raised.value)
    assert advice(Architecture("wrong", ops))[0].topic == "fit"


@pytest.mark.parametrize(
    ("op", "same"),
    [
        ({"op": "Conv2d", "in_channels": 1, "out_channels": 8, "kernel_size": 3}, Conv(8, 3)),
        ({"op": "Conv", "out_channels": 8, "kernel_size": [3, 3], "padding": [1, 1]}, Conv(8, 3, padding=1)),
        ({"op": "Conv", "out_channels": 8, "kernel_size": 5, "padding": "same"}, Conv(8, 5, padding=2)),
        ({"op": "Conv", "out_channels": 8, "kernel_size": 3, "dilation": 2, "padding": "same"}, Conv(8, 3, 1, 2, 2)),
        ({"op": "Conv", "out_channels": 8.0, "kernel_size": 3, "padding": "valid"}, Conv(8, 3)),
        ({"op": "nn.MaxPool2d", "kernel_size": 2, "stride": None}, MaxPool(2)),
        ({"op": "ReLU", "inplace": True}, ReLU()),
    ],
)
def test_torchs_own_spellings_are_read(op: dict[str, object], same: Op) -> None:
    assert architecture_from_dict({"ops": [op]}).ops == (same,)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("ops", "words"),
    [
        ([{"op": "Conv", "out_channels": 8, "kernel_size": [3, 1]}], "kernel_size [3, 1]"),
        ([{"op": "Conv", "out_channels": 8, "kernel_size": 2, "padding": "same"}], "0 on one side and 1 on the other"),
        ([{"op": "Conv", "out_channels": 8, "kernel_size": 3, "padding": "same", "stride": 2}], "needs stride 1"),
        ([{"op": "Conv2d", "in_channels": 3, "out_channels": 8, "kernel_size": 3}], "says 3 inputs, 1 come"),
        ([{"op": "MaxPool", "kernel_size": 2, "ceil_mode": True}], "ceil_mode must be false here, got true"),
        (
            [{"op": "Residual", "body": [{"op": "Conv", "out_channels": 0, "kernel_size": 3}]}],
            "op 0 Residual: body: op 0",
        ),
    ],
)
def test_a_spelling_that_means_something_else_is_refused_with_its_place(ops: list[object], words: str) -> None:
    with pytest.raises(SpecError) as raised:
        architecture_from_dict({"ops": ops})  # type: ignore[dict-item]
    assert words in str(raised.value)
