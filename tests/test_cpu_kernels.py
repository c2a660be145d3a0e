"""The CPU's kernels against torch: outputs, gradients, moments and whole runs, on random networks."""

from __future__ import annotations

import copy
import math
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from core.architecture.spec import Architecture
from core.ladder import catalogue
from core.training.batch_norm import BatchNorm
from core.training.computing import computing, path_of
from core.training.cpu_kernels import Accelerated, accelerated, compiler
from core.training.cpu_kernels.network import _Pass
from core.training.cpu_kernels.program import Program
from core.training.cpu_kernels.stages import NoKernel, stages_of, weights_of
from core.training.dropout import Dropout, Dropout2d, draw_from
from core.training.evaluation import evaluate
from core.training.loop import EpochEnd, train
from core.training.network import build
from core.training.recipe import Recipe
from tests.tiny import TINY, same, tiny_data, trained

pytestmark = pytest.mark.own_data

SHAPE = (3, 9, 8)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread_afterwards() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def close(ours: Tensor, theirs: Tensor, within: float = 1e-5) -> bool:
    return bool((ours - theirs).norm() <= within * theirs.norm().clamp(min=1))


def gradients(compute: Callable[[Tensor], Tensor], network: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The output, and the gradients of a loss that gives every output another slope."""
    network.zero_grad()
    outputs = compute(images)
    torch.manual_seed(1)
    (outputs * torch.randn(outputs.shape).to(outputs.dtype) / outputs.numel() ** 0.5).sum().backward()
    return outputs.detach(), [weight.grad for weight in network.parameters() if weight.grad is not None]


def agrees(network: nn.Sequential, images: Tensor) -> None:
    """In training, in the moments that it leaves behind, and in evaluation; torch computes in float64."""
    truth = copy.deepcopy(network).double()
    compute = accelerated(network, tuple(images.shape[1:]))  # type: ignore[arg-type]
    assert compute is not None
    ours, theirs = gradients(compute, network, images), gradients(truth, truth, images.double())
    assert close(ours[0].double(), theirs[0])
    assert len(ours[1]) == len(theirs[1]) == len(list(network.parameters()))
    for mine, right in zip(ours[1], theirs[1], strict=True):
        assert close(mine.double(), right)
    for mine, right in zip(network.buffers(), truth.buffers(), strict=True):
        assert close(mine.double(), right.double())
    network.eval(), truth.eval()
    assert close(compute(images).double(), truth(images.double()))


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Sequential, int]:
    """Two in a row, so that the second one's gradient by its input is seen in the first; and a number of images."""
    kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    stride, padding = draw(st.integers(1, 3)), draw(st.integers(dilation * (kernel - 1) // 2, dilation * (kernel - 1)))
    groups, bias = draw(st.sampled_from([1, 1, 2])), draw(st.booleans())
    middle, out = groups * draw(st.integers(1, 7)), groups * draw(st.integers(1, 7))
    torch.manual_seed(draw(st.integers(0, 99)))
    layers = nn.Conv2d(3, middle, 3, padding=1), nn.Conv2d(middle, out, kernel, stride, padding, dilation, groups, bias)
    return nn.Sequential(*layers, nn.Flatten()), draw(st.sampled_from([1, 5, 16, 33, 70]))


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_a_convolution_of_any_geometry_is_torchs(drawn: tuple[nn.Sequential, int]) -> None:
    network, count = drawn
    agrees(network, torch.randn(count, *SHAPE))


POINTWISE = (
    lambda: [BatchNorm(6), nn.ReLU()],
    lambda: [BatchNorm(6, affine=False), nn.LeakyReLU(0.2)],
    lambda: [nn.ReLU(), BatchNorm(6, momentum=0.3, eps=0.01)],
    lambda: [nn.Hardswish(), BatchNorm(6)],
    lambda: [nn.ReLU6(), nn.LeakyReLU(0.1)],
    lambda: [BatchNorm(6)],
    lambda: [nn.SiLU(), nn.GroupNorm(3, 6)],
    lambda: [BatchNorm(6), nn.GELU(), nn.GELU("tanh")],
    lambda: [nn.GroupNorm(2, 6, affine=False), nn.ELU(0.7), nn.Tanh()],
    lambda: [nn.LayerNorm([6, 7, 6]), nn.Sigmoid()],
    lambda: [nn.InstanceNorm2d(6, affine=True), nn.Hardsigmoid(), nn.InstanceNorm2d(6)],
)
POOLS = (
    lambda: [nn.MaxPool2d(2)],
    lambda: [nn.MaxPool2d(3, 2, 1)],
    lambda: [nn.MaxPool2d(2, 1, dilation=2), nn.AvgPool2d(2)],
    lambda: [nn.AvgPool2d(3, 2, 1)],
    lambda: [nn.AdaptiveAvgPool2d(1)],
    lambda: [nn.AdaptiveMaxPool2d(1)],
)


@pytest.mark.parametrize("pool", range(len(POOLS)))
@pytest.mark.parametrize("pointwise", range(len(POINTWISE)))
def test_norms_activations_pools_and_linear_layers_are_torchs(pointwise: int, pool: int) -> None:
    torch.manual_seed(pointwise)
    body = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), *POINTWISE[pointwise](), *POOLS[pool](), nn.Flatten())
    features = body.eval()(torch.zeros(2, *SHAPE)).shape[1]
    network = nn.Sequential(*body, nn.Linear(features, 5), nn.LogSoftmax(1)).train()
    torch.set_num_threads(2)
    agrees(network, torch.randn(83, *SHAPE))


SMOOTH = nn.Hardsigmoid(), nn.Sigmoid(), nn.Tanh(), nn.SiLU(), nn.ELU(), nn.GELU(), nn.GELU("tanh")


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(), nn.ReLU6(), nn.Hardswish(), *SMOOTH], ids=str)
@pytest.mark.parametrize("double", [False, True])
def test_an_activation_is_torchs_over_its_whole_range(activation: nn.Module, double: bool) -> None:
    dtype, within = (torch.float64, 1e-13) if double else (torch.float32, 4e-7)
    if isinstance(activation, nn.GELU) and activation.approximate == "none":
        within = 2e-6  # its series has the digits of float32
    kernels, (stages, _) = compiler.compiled(double), stages_of(nn.Sequential(activation), (1, 1, 1))
    assert kernels is not None
    x = torch.cat([torch.linspace(-12, 12, 1_001), torch.linspace(-90, 90, 181)]).to(dtype).view(-1, 1, 1, 1)
    expected = x.clone().requires_grad_()
    activation(expected).sum().backward()
    program = Program(kernels, stages, len(x), 1, True, dtype)
    found = program.forward(x).view_as(x)
    assert ((found - activation(x)).abs() <= within * activation(x).abs().clamp(min=1)).all()
    slopes = nn.Sequential(nn.Conv2d(1, 1, 1), activation).to(
        dtype
    )  # seen in the gradient of a bias, one image at a time
    nn.init.ones_(slopes[0].weight), nn.init.zeros_(slopes[0].bias)  # type: ignore[arg-type]
    one = Program(kernels, stages_of(slopes, (1, 1, 1))[0], 1, 1, True, dtype)
    assert expected.grad is not None
    for value, slope in list(zip(x, expected.grad, strict=True))[::97]:
        one.forward(value[None])
        assert one.backward(torch.ones(1, 1, dtype=dtype))[1].item() == pytest.approx(
            slope.item(), abs=max(3 * within, 1e-8)
        )


def test_the_first_of_equal_values_has_the_gradient_of_a_max_pool() -> None:
    torch.manual_seed(1)
    agrees(
        nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)),
        (torch.randn(20, 1, 4, 4) > 1).float(),
    )


def test_every_kernels_gradient_is_its_difference_quotient_in_float64() -> None:
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), BatchNorm(2), nn.LeakyReLU(0.3), Dropout(0.3), nn.MaxPool2d(2),
        nn.GroupNorm(2, 2), nn.SiLU(), Dropout2d(0.3), nn.LayerNorm([2, 3, 3]), nn.ELU(0.5),
        nn.Conv2d(2, 2, 2, groups=2, dilation=2), nn.Hardswish(), nn.AvgPool2d(1), nn.Flatten(), nn.Linear(2, 3),
        nn.Tanh(),
    ).double()  # fmt: skip
    stages, _ = stages_of(network, (1, 6, 6))
    kernels = compiler.compiled(double=True)
    assert kernels is not None
    images = torch.randn(9, 1, 6, 6, dtype=torch.float64)

    def outputs(*weights: Tensor) -> Tensor:
        program = Program(kernels, stages, 9, 2, True, torch.float64)  # one keeps the maps of one pass only
        return cast(Tensor, _Pass.apply(program, 5, images, *weights))  # type: ignore[no-untyped-call]

    assert torch.autograd.gradcheck(outputs, list(weights_of(stages)))


# ------------------------------------------------------------------------------------------------------------ dropout


def dropped(p: float, seed: int, count: int = 200) -> Tensor:
    network = nn.Sequential(Dropout(p), nn.Conv2d(1, 1, 1, bias=False), nn.Flatten())
    nn.init.ones_(network[1].weight)  # type: ignore[arg-type]
    draw_from(network, torch.Generator().manual_seed(seed))
    compute = accelerated(network, (1, 20, 20))
    assert compute is not None
    return compute(torch.ones(count, 1, 20, 20)).detach()


@pytest.mark.parametrize("p", [0.03, 0.5])
def test_dropout_drops_each_value_with_its_probability_and_independently(p: float) -> None:
    values = dropped(p, 1)
    kept = (values > 0).double()
    assert torch.allclose(values[values > 0], torch.tensor(1 / (1 - p)))
    deviation = (p * (1 - p) / kept.numel()) ** 0.5
    assert abs(kept.mean() - (1 - p)) < 4 * deviation
    away = kept - (1 - p)
    for pairs in (
        away[1:] * away[:-1],
        away[:, 1:] * away[:, :-1],
        away[:, 20:] * away[:, :-20],
    ):  # images, places, rows
        assert abs(pairs.mean()) < 5 * p * (1 - p) / pairs.numel() ** 0.5
    assert kept.mean(1).std() < 1.3 * (p * (1 - p) / 400) ** 0.5  # no image and no place is treated otherwise
    assert kept.mean(0).std() < 1.3 * (p * (1 - p) / 200) ** 0.5


def test_the_runs_generator_decides_the_masks_and_each_iteration_has_others() -> None:
    assert torch.equal(dropped(0.2, 1), dropped(0.2, 1))
    assert not torch.equal(dropped(0.2, 1), dropped(0.2, 2))
    network = build(TINY, 1).train()
    draw_from(network, torch.Generator().manual_seed(1))
    compute = accelerated(network)
    assert compute is not None
    images = torch.randn(20, 1, 28, 28)
    assert not torch.equal(compute(images), compute(images))


def test_a_dropout_of_channels_drops_whole_ones() -> None:
    network = nn.Sequential(nn.Conv2d(1, 50, 1), Dropout2d(0.3), nn.Flatten())
    nn.init.zeros_(network[0].weight), nn.init.ones_(network[0].bias)  # type: ignore[arg-type]
    compute = accelerated(network, (1, 4, 4))
    assert compute is not None
    maps = compute(torch.zeros(200, 1, 4, 4)).detach().view(200, 50, 16)
    assert torch.equal(maps.amin(2), maps.amax(2))
    assert (maps == 0).double().mean() == pytest.approx(0.3, abs=4 * (0.21 / 10_000) ** 0.5)


# --------------------------------------------------------------------------------------------------------------- runs


def test_the_same_bits_for_any_number_of_threads() -> None:
    runs = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        network = build(TINY, 1)
        (end,) = [
            each
            for each in train(network, tiny_data(190), Recipe(epochs=1, batch_size=135, seed=4))
            if isinstance(each, EpochEnd)
        ]
        runs.append((network.state_dict(), replace(end.record, seconds=0)))
    assert all(same(weights, runs[0][0]) and record == runs[0][1] for weights, record in runs[1:])


def test_a_run_by_the_kernels_is_torchs_up_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    without_dropout = Architecture("tiny", tuple(op for op in TINY.ops if type(op).__name__ != "Dropout"))
    recipe = Recipe(epochs=2, batch_size=32, learning_rate=0.02, seed=2)
    ours, ends = trained(recipe, tiny_data(), without_dropout)
    monkeypatch.setattr("core.training.cpu_kernels.network.compiled", lambda: None)
    assert path_of(build(TINY), CPU) == "torch"
    theirs, others = trained(recipe, tiny_data(), without_dropout)
    assert all(close(ours[name].double(), theirs[name].double(), 5e-3) for name in ours)  # a ReLU on its edge
    assert ends[-1].record.test_loss == pytest.approx(others[-1].record.test_loss, rel=1e-3)


def test_evaluation_gives_the_figures_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_data(20, test=300)
    network = build(catalogue.by_slug("a3-dilation-5340").architecture, 3)
    ours = evaluate(network, data.test, data.normalisation)
    monkeypatch.setattr("core.training.cpu_kernels.network.compiled", lambda: None)
    assert ours == pytest.approx(evaluate(network, data.test, data.normalisation), rel=1e-5)


@pytest.mark.parametrize("layer", [0, 4])
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_weight_that_is_no_number_is_seen_in_the_loss(layer: int, wrong: float) -> None:
    activations = nn.Sequential(
        nn.ReLU(), nn.ReLU6(), nn.Hardswish(), nn.ELU(), nn.SiLU(), nn.Hardsigmoid(), nn.GELU(), nn.Tanh()
    )
    network = nn.Sequential(
        *(nn.Conv2d(1, 2, 3), BatchNorm(2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3), *activations, nn.Flatten())
    )
    with torch.no_grad():
        network[layer].weight[0, 0, 0, 0] = wrong  # type: ignore[index,operator]
    compute = accelerated(network)
    assert compute is not None
    images = torch.randn(20, 1, 28, 28)
    assert bool(compute(images).isnan().any()) == bool(network(images).isnan().any())
    assert wrong == math.inf or compute(images).isnan().any()


def test_all_networks_of_the_lineages_but_the_largest_have_kernels() -> None:
    paths = {step.slug: path_of(build(step.architecture), CPU) for step in (*catalogue.STEPS, *catalogue.OURS)}
    assert {slug for slug, path in paths.items() if path == "torch"} == {"c1-setup-6379786"}


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.Mish(), nn.Flatten()),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding_mode="reflect", padding=1), nn.Flatten()),
        nn.Sequential(nn.Conv2d(1, 2, (3, 1)), nn.Flatten()),
        nn.Sequential(nn.Conv2d(1, 2, 28)),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.LayerNorm([26, 26]), nn.Flatten()),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2, ceil_mode=True), nn.Flatten()),
        nn.Sequential(nn.Conv2d(1, 2, 3)),
        nn.Sequential(nn.Flatten(), nn.Linear(784, 1000), nn.Linear(1000, 10)),
    ],
)
def test_what_has_no_kernel_is_computed_by_torch(network: nn.Sequential) -> None:
    with pytest.raises(NoKernel):
        stages_of(network, (1, 28, 28))
    assert computing(network, CPU) is network


def test_a_network_with_hooks_or_in_another_precision_is_torchs() -> None:
    network = build(TINY)
    assert isinstance(computing(network, CPU), Accelerated)
    assert computing(network, CPU, bf16=True) is network
    assert accelerated(copy.deepcopy(network).double()) is None
    network[0].register_forward_hook(lambda *given: None)
    assert accelerated(network) is None


def test_a_backward_pass_after_another_forward_pass_is_an_error_and_no_wrong_gradient() -> None:
    network = build(TINY)
    compute = accelerated(network)
    assert compute is not None
    first = compute(torch.zeros(4, 1, 28, 28))
    compute(torch.ones(4, 1, 28, 28))
    with pytest.raises(RuntimeError, match="another one came between"):
        first.sum().backward()


# ----------------------------------------------------------------------------------------------------------- compiler


def test_it_is_compiled_once_and_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "KEPT", tmp_path / "kept")
    compiler.compiled.cache_clear()
    assert compiler.compiled() is not None
    (made,) = (tmp_path / "kept").iterdir()
    monkeypatch.setattr(compiler.subprocess, "run", lambda *given, **named: pytest.fail("compiled again"))
    compiler.compiled.cache_clear()
    assert compiler.compiled() is not None
    assert list((tmp_path / "kept").iterdir()) == [made]
    compiler.compiled.cache_clear()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="other processors have one width of vectors")
@pytest.mark.parametrize(("processor", "lanes"), [("x86-64", 4), ("haswell", 8)])
def test_processors_with_shorter_vectors_give_the_same(
    processor: str, lanes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [flag.replace("native", processor.replace("-", "_")) for flag in compiler.FLAGS]
    monkeypatch.setattr(compiler, "FLAGS", flags)
    monkeypatch.setattr(compiler, "KEPT", tmp_path)
    compiler.compiled.cache_clear()
    found = compiler.compiled()
    assert found is not None
    assert found.lanes() == lanes
    torch.manual_seed(3)
    torch.set_num_threads(3)
    network = nn.Sequential(
        *(nn.Conv2d(3, 7, 3, bias=False), BatchNorm(7), nn.ReLU(), nn.Conv2d(7, 11, 5, 2, 3), nn.SiLU()),
        *(nn.GroupNorm(1, 11), nn.MaxPool2d(2), nn.Conv2d(11, 6, 1), nn.Flatten(), nn.Linear(24, 10)),
    )
    for count in (5, 64, 75):
        agrees(network.train(), torch.randn(count, *SHAPE))
    compiler.compiled.cache_clear()


def test_where_the_code_is_read_only_it_is_kept_in_the_labs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiler, "KEPT", tmp_path / "file" / "kept")  # cannot be made, whoever one is
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    compiler.compiled.cache_clear()
    assert compiler.compiled() is not None
    assert len(list((tmp_path / "kernels").iterdir())) == 1
    compiler.compiled.cache_clear()


def test_without_a_compiler_or_with_a_broken_one_torch_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiler, "KEPT", tmp_path / "kept")
    for command, said in (((), "no compiler"), ((sys.executable, "-c", "raise SystemExit('no room')"), "no room")):
        monkeypatch.setattr(compiler, "_compiler", lambda command=command: command)
        monkeypatch.delenv("LAB_HOME", raising=False)
        compiler.compiled.cache_clear()
        caplog.clear()
        with caplog.at_level("INFO"):
            assert path_of(build(TINY), CPU) == "torch"
        assert said in caplog.text
    compiler.compiled.cache_clear()


@pytest.mark.parametrize(
    "target", ["x86_64-windows-gnu", "aarch64-windows-gnu", "aarch64-macos", "x86_64-macos", "aarch64-linux-gnu"]
)
def test_it_compiles_and_links_for_other_machines_too(target: str, tmp_path: Path) -> None:
    flags = [flag for flag in compiler.FLAGS if flag != "-march=native"]
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, *flags, "-O1", "-o", tmp_path / "it"]
    subprocess.run([*command, compiler.SOURCE], check=True, capture_output=True)
    made = (tmp_path / "it").read_bytes()
    assert all(name in made for name in (b"forward", b"backward", b"lanes"))
    assert ("macos" in target) == (b"/usr/lib/libSystem" in made)  # without it macOS loads no library
    assert {each.name for each in tmp_path.iterdir()} <= {"it", "network.lib"}  # on Windows, for a linker
