"""What is shown of a network's inside, against torch's own hooks, convolution, autograd and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from core.analysis.inside import (
    activity,
    feature_maps,
    filters_of,
    gradient_map,
    occlusion,
    pixel_arithmetic,
)
from core.architecture.spec import Architecture, Conv, Flatten, GlobalAvgPool, Linear, ReLU
from core.architecture.trace import trace
from core.checkpoints.checkpoint import load, normalisation_of
from core.data.embedded_digits import embedded_digits
from core.data.mnist import load_split
from core.errors import SpecError
from core.training.network import build
from core.training.resident import Normalisation, grey, normalised
from tests.random_architectures import architectures
from tests.tiny import TINY

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
DIGITS = embedded_digits()[0]
ODD = Architecture(
    "odd",
    (Conv(4, 5, stride=2, padding=3), ReLU(), Conv(6, 3, padding=2, dilation=2, groups=2, bias=False), ReLU(),
     GlobalAvgPool(), Linear(10)),
)  # fmt: skip


def given_to(digit: np.ndarray) -> torch.Tensor:
    return normalised(grey(torch.tensor(digit[None])), Normalisation())


def test_the_feature_maps_are_what_torchs_hooks_see() -> None:
    network = build(TINY, 3).eval()
    seen: list[np.ndarray] = []
    hooks = [
        module.register_forward_hook(lambda _, __, out: seen.append(out[0].detach().numpy())) for module in network
    ]
    network(given_to(DIGITS[5]))
    for hook in hooks:
        hook.remove()
    maps = feature_maps(network.train(), TINY, DIGITS[5], Normalisation())
    assert network.training
    np.testing.assert_array_equal(maps.image, given_to(DIGITS[5])[0].numpy())
    for found, expected in zip(maps.outputs.values(), seen, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(max_examples=30)
@given(architectures(), st.data())
def test_a_value_worked_out_is_the_networks_own_to_a_ten_thousandth(
    architecture: Architecture, data: st.DataObject
) -> None:
    network = build(architecture, 1).eval()
    digit = np.random.default_rng(2).integers(0, 256, architecture.input[1:], np.uint8)
    network[0].register_forward_pre_hook(lambda _, given: given[0].expand(-1, architecture.input[0], -1, -1))
    maps = feature_maps(network, architecture, digit, Normalisation())
    for layer in trace(architecture).every_layer:
        if isinstance(layer.op, Conv):
            place = [data.draw(st.integers(0, size - 1)) for size in layer.output]
            found = pixel_arithmetic(network, layer, maps, *place)
            assert found.value == pytest.approx(found.network_value, abs=1e-4)
            assert found.network_value == maps.outputs[layer.name][tuple(place)]


@pytest.mark.parametrize("unit", [(0, 0), (0, 7), (14, 14), (7, 8)])
def test_a_patch_at_the_border_is_what_unfold_cuts_out_of_the_padded_map(unit: tuple[int, int]) -> None:
    network = build(ODD, 4).eval()
    maps = feature_maps(network, ODD, DIGITS[0], Normalisation())
    found = pixel_arithmetic(network, trace(ODD).layers[0], maps, 2, *unit)
    patches = F.unfold(torch.tensor(maps.image[None]), 5, padding=3, stride=2)[0].T.view(15, 15, 1, 5, 5)
    np.testing.assert_allclose(found.patches, patches[unit].numpy())
    assert (found.patches[0][found.padded] == 0).all()
    assert found.padded.any() == (0 in unit or 14 in unit)


def test_a_grouped_channel_looks_at_its_own_groups_inputs() -> None:
    network = build(ODD, 4).eval()
    maps = feature_maps(network, ODD, DIGITS[0], Normalisation())
    assert pixel_arithmetic(network, trace(ODD).layers[2], maps, 1, 0, 0).inputs == (0, 1)
    found = pixel_arithmetic(network, trace(ODD).layers[2], maps, 5, 3, 3)
    assert found.inputs == (2, 3)
    assert found.bias == 0
    assert found.value == pytest.approx(found.network_value, abs=1e-5)


@pytest.mark.parametrize(
    ("index", "place", "words"),
    [(1, (0, 0, 0), "only a convolution"), (0, (4, 0, 0), "channel 4; they are 0 to 3"), (0, (0, 0, 15), "column 15")],
)
def test_a_value_that_is_not_there_is_one_sentence(index: int, place: tuple[int, int, int], words: str) -> None:
    network = build(ODD, 4).eval()
    with pytest.raises(SpecError, match=words):
        pixel_arithmetic(
            network, trace(ODD).layers[index], feature_maps(network, ODD, DIGITS[0], Normalisation()), *place
        )
    with pytest.raises(SpecError, match="only a convolution has filters"):
        filters_of(network, trace(ODD).layers[1])


def test_the_occlusion_map_is_what_covering_by_hand_gives() -> None:
    network = build(TINY, 3).eval()
    digit = DIGITS[11]
    found = occlusion(network, TINY, digit, Normalisation(), label=4, side=5)
    assert found.stride == 1
    with torch.no_grad():
        whole = network(given_to(digit)).softmax(1)[0, 4].double().item()
        for row, column in ((0, 0), (13, 9), (27, 20)):
            covered = digit.copy()
            covered[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = 0
            scores = network(given_to(covered))
            p = scores.softmax(1)[0, 4].double().item()
            assert found.probability[row, column] == pytest.approx(p, abs=1e-6)
            fall = np.log(whole / (1 - whole)) - np.log(p / (1 - p))
            assert found.fall[row, column] == pytest.approx(fall, abs=1e-5)
            assert found.read_as[row, column] == int(scores.argmax())
    assert found.before == pytest.approx(whole, abs=1e-6)


def test_covering_black_changes_nothing() -> None:
    digit = np.zeros((28, 28), np.uint8)
    digit[10:14, 10:14] = 255
    found = occlusion(build(TINY, 3), TINY, digit, Normalisation(), label=0, side=3)
    away = np.ones((28, 28), bool)
    away[9:15, 9:15] = False
    np.testing.assert_allclose(found.fall[away], 0, atol=1e-6)
    assert np.abs(found.fall[~away]).max() > 0


def test_a_large_network_is_asked_at_every_second_pixel() -> None:
    wide = Architecture("wide", (Conv(64, 3), Conv(20, 3), GlobalAvgPool(), Flatten(), Linear(10)))
    found = occlusion(build(wide, 1), wide, DIGITS[0], Normalisation(), label=0)
    assert found.stride == 2
    assert found.fall.shape == (28, 28)
    assert (found.fall[::2, ::2] == found.fall[1::2, 1::2]).all()


def test_the_gradient_map_is_the_difference_that_a_little_more_grey_makes() -> None:
    network = build(Architecture("smooth", (Conv(4, 3), Flatten(), Linear(10))), 2).eval()
    found = gradient_map(network, DIGITS[3], Normalisation(), label=6)
    exact = network.double()

    def odds(image: torch.Tensor) -> float:
        with torch.no_grad():
            p = exact((image - Normalisation().mean) / Normalisation().sd).softmax(1)[0, 6].item()
        return float(np.log(p / (1 - p)))

    image = torch.tensor(DIGITS[3][None, None].astype(np.float64) / 255)
    for row, column in ((0, 0), (14, 14), (20, 9)):
        step = torch.zeros_like(image)
        step[0, 0, row, column] = 1e-5
        assert found[row, column] == pytest.approx((odds(image + step) - odds(image - step)) / 2e-5, rel=1e-3, abs=1e-5)


def test_a_filter_that_is_silenced_is_found_dead_and_no_other() -> None:
    network = build(ODD, 4)
    first = network[0]
    assert isinstance(first, nn.Conv2d)
    nn.init.constant_(first.weight[2], 0)
    nn.init.constant_(first.bias[2:3], -1)
    found = activity(network, ODD, DIGITS[:50], Normalisation())
    assert found[0].dead == [2]
    assert found[0].images == 50
    maps = np.stack([feature_maps(network, ODD, digit, Normalisation()).outputs["relu1"] for digit in DIGITS[:50]])
    np.testing.assert_allclose(found[0].answers, (maps.max((2, 3)) > 0).mean(0))
    assert found[0].zeros == pytest.approx((maps <= 0).mean(), abs=1e-6)


def test_channels_that_a_large_negative_bias_silences_are_dead() -> None:
    architecture = Architecture("dead", (Conv(6, 3), ReLU(), Flatten(), Linear(10), ReLU()))
    network = build(architecture, 1)
    conv, linear = network[0], network[3]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(linear, nn.Linear)
    assert conv.bias is not None
    with torch.no_grad():
        conv.bias[[1, 4]] = -1_000
        linear.bias[:] = 1_000
    found = activity(network, architecture, DIGITS[:20], Normalisation())
    assert [(each.layer.name, each.dead, len(each.answers), each.images) for each in found] == [
        ("relu1", [1, 4], 6, 20),
        ("relu2", [], 10, 20),
    ]


def test_a_network_without_relu_has_nothing_that_could_be_dead() -> None:
    plain = Architecture("plain", (Conv(4, 3), Flatten(), Linear(10)))
    assert activity(build(plain, 1), plain, DIGITS[:5], Normalisation()) == []


def test_a_shipped_networks_answer_rests_on_the_ink(mnist_raw: Path) -> None:
    network, card = load(CHECKPOINTS / "a2-final-7758")
    digit = load_split("MNIST", "test").images[0]  # a seven
    found = occlusion(network, card.architecture, digit, normalisation_of(card), label=7)
    ink = digit > 128
    assert found.before > 0.99
    assert found.fall[ink].mean() > 5 * np.abs(found.fall[~ink]).mean()
