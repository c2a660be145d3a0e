"""What is told of code beside the network: modules that are never called, notes, problems and what to write instead."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from core.architecture.pytorch_code import pytorch_code
from core.architecture.spec import (
    Architecture,
    BatchNorm,
    Concatenate,
    Conv,
    Dropout2d,
    Flatten,
    GhostBatchNorm,
    GlobalAvgPool,
    GroupNorm,
    Linear,
    LogSoftmax,
    MaxPool,
    ReLU,
    Repeat,
    Residual,
    Shape,
    SqueezeExcite,
    every_op,
)
from core.architecture.trace import Trace, trace
from core.errors import SpecError
from core.reading.code import read_code
from core.reading.record import Network
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
CASES = Path(__file__).parent / "code_cases"


def case(name: str) -> Network:
    return read_code((CASES / f"{name}.txt").read_text(encoding="utf-8")).networks[0]


def of(forward: str, init: str = "pass") -> Network:
    """A network of two convolutions with these lines in its methods."""
    code = (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = nn.Conv2d(1, 8, 3)\n        self.b = nn.Conv2d(8, 8, 3, padding=1)\n"
        f"        {init}\n    def forward(self, x):\n        x = self.a(x)\n        {forward}\n"
        "        return x.mean([2, 3])\n"
    )
    return read_code(code).networks[0]


@pytest.mark.parametrize(
    ("written", "torchs"),
    [
        ("x = rearrange(x, 'b c h w -> b (c h w)')", "x = x.flatten(1)"),
        ("x = rearrange(x, 'b ... -> b (...)')", "x = x.flatten(1)"),
        ("x = rearrange(reduce(x, 'b c h w -> b c 1 1', 'mean'), 'b c 1 1 -> b c')", "x = x.mean([2, 3])"),
        ("x = reduce(x, 'b c h w -> b c', reduction='max')", "x = x.amax((2, 3))"),
        ("x = reduce(x, 'b c (h a) (w k) -> b c h w', 'max', a=2, k=2)", "x = F.max_pool2d(x, 2)"),
        ("x = reduce(x, '... (h 2) (w 2) -> ... h w', 'mean')", "x = F.avg_pool2d(x, 2)"),
        ("x = Rearrange('b c h w -> b (c h w)')(x)", "x = nn.Flatten()(x)"),
        ("x = Reduce('b c h w -> b c', 'mean')(x)", "x = x.mean([2, 3])"),
        ("x = Reduce('b c (h h2) (w w2) -> b c h w', 'max', h2=13, w2=13)(x)", "x = nn.MaxPool2d(13)(x)"),
        ("x = x.clip(0)", "x = F.relu(x)"),
        ("x = torch.clamp_min(x, 0.0)", "x = torch.relu(x)"),
        ("x = x.clamp(0, 6)", "x = F.relu6(x)"),
        ("x = nn.AdaptiveMaxPool1d(1)(x.flatten(2)).squeeze(-1)", "x = x.amax((2, 3))"),
    ],
)
def test_two_spellings_of_one_step_are_read_as_one(written: str, torchs: str) -> None:
    imports = "from einops import rearrange, reduce\nfrom einops.layers.torch import Rearrange, Reduce\n"
    start = f"{imports}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    start += "        self.a = nn.Conv2d(1, 10, 3)\n    def forward(self, x):\n        x = self.a(x)\n"
    one, other = (read_code(f"{start}        {line}\n        return x\n").networks[0] for line in (written, torchs))
    assert one.problems == other.problems == ()
    assert one.architecture == other.architecture
    assert len(one.ops) > 1


def test_modules_that_are_never_called_are_named_and_their_parameters_told() -> None:
    network = case("unused-modules")
    assert [(each.module, each.kind, each.line, each.parameters) for each in network.unused] == [
        ("conv3", "Conv2d", 6, 8 * 16 * 9 + 16),
        ("bn9", "BatchNorm2d", 7, 198),
    ]
    assert network.parameters is not None
    assert network.total == network.parameters + 8 * 16 * 9 + 16 + 198


def test_each_op_has_the_line_and_the_torch_path_of_its_module() -> None:
    network = case("eva4-convblocks")
    first, relu, *_ = network.ops
    assert (first.path, first.line, first.modules) == ("0", 9, ("convblock1.0",))
    assert (relu.path, relu.modules) == ("1", ("convblock1.1",))
    assert network.ops[-1].op == LogSoftmax()
    assert network.ops[-1].modules == ()


def test_the_ops_are_those_of_the_architecture_in_order() -> None:
    for path in sorted(CASES.iterdir()):
        network = read_code(path.read_text(encoding="utf-8"), path.name).networks[0]
        assert network.architecture is not None
        assert [each.op for each in network.ops] == list(every_op(network.architecture.ops))
        paths = {layer.path for layer in trace(network.architecture).every_layer}
        assert {each.path for each in network.ops} == paths


@pytest.mark.parametrize(
    ("forward", "init", "message", "instead"),
    [
        ("x = torch.fft.fft(x)", "pass", "does not know", "leave it out"),
        ("x = self.c(x)", "self.c = nn.ConvTranspose2d(8, 8, 2)", "no nn.ConvTranspose2d", "leave it out"),
        ("x = self.c(x)", "self.c = nn.Conv2d(8, 8, (1, 3))", "windows are square", "write kernel_size=3"),
        ("x = self.c(x)", "self.c = nn.Conv2d(9, 8, 3)", "takes 9 channels, 8 come in", "write 8 for 9"),
        ("x = self.c(x)", "self.c = nn.Conv2d(8, 8, 3, padding=(1, 0))", "one number for both axes", "write padding=1"),
        ("x = F.pad(x, (0, 1, 0, 1))", "pass", "pads all four alike", "write (1, 1, 1, 1)"),
        ("x = self.c(x)", "self.c = nn.LSTM(8, 8)", "no nn.LSTM, which gets (N, 8, 26, 26)", "is no sequence"),
        ("x = F.interpolate(x, scale_factor=2)", "pass", "what interpolate does", "do not enlarge"),
        ("x = self.c(x)", "self.c = nn.utils.weight_norm(nn.Conv2d(8, 8, 3))", "weight_norm (line 6)", "without it"),
        ("x = x @ self.w", "self.w = nn.Parameter(torch.randn(26, 26))", "weight of the class's own", "nn.Linear"),
        ("x = self.missing(x)", "pass", "self.missing` is never made", "paste its definition"),
        ("x = self.b(x) * self.b(x)", "pass", "two maps are multiplied", "squeeze-and-excite"),
        ("x = x * 0.1", "pass", "do not scale", "leave the number out"),
        ("x = x.view(-1, 100)", "pass", "takes 100 values of each image, 5,408 are there", "torch.flatten"),
        ("if unknown: x = self.b(x)", "pass", "cannot be known", "leave only the branch"),
        ("x = F.relu(self.n(self.b(self.n(x))))", "self.n = nn.BatchNorm2d(8)", "runs 2 times", "of its own"),
        ("x = self.c(x)", "self.c = nn.MaxPool2d(400)", "window is 400 wide, the map is only 26", ""),
        ("x = x[:, :4]", "pass", "part of a map", "leave it out"),
        ("x = x.permute(0, 2, 3, 1)", "pass", "axes change places", "torch's order"),
        ("x = einops.rearrange(x, 'b c h w -> b (h w c)')", "pass", "changes the order", "torch.flatten"),
        ("x = einops.reduce(x, 'b c h w -> b c', 'sum')", "pass", "the mean and the maximum", "'mean'"),
        ("x = einops.reduce(x, 'b c h w -> b h w', 'mean')", "pass", "over axes 1", "AdaptiveAvgPool2d"),
        ("x = einops.rearrange(x, 'b c h -> b (c h)')", "pass", "names 3 axes, the map is (N, 8, 26", "x, 1"),
        ("x = x.clamp(min=0.5)", "pass", "cut off at a bound", "F.relu"),
        ("x = torch.cat([x, self.b(x)], 2)", "pass", "joins channels only", "torch.cat([a, b], 1)"),
        ("x = x + self.c(x)", "self.c = nn.Conv2d(8, 4, 1)", "only equal shapes", "channels or stride"),
    ],
)
def test_what_is_not_understood_is_told_with_its_line_and_what_to_write(
    forward: str, init: str, message: str, instead: str
) -> None:
    network = of(forward, init)
    told = [each for each in network.problems if message in each.message]
    assert told, network.problems
    assert instead in told[0].instead
    assert told[0].line in (4, 5, 6, 9)
    assert told[0].source
    assert network.architecture is not None  # what could be read is kept
    assert network.architecture.ops[0] == Conv(8, 3)


@pytest.mark.parametrize(
    ("forward", "init", "message"),
    [
        ("x = F.dropout(x)", "pass", "drops at test too"),
        ("x = self.n(x)", "self.n = nn.BatchNorm2d(8, momentum=None)", "momentum=None"),
        ("x = self.n(x)", "self.n = nn.BatchNorm2d(8, track_running_stats=False)", "running statistics"),
        (
            "y = self.b(x)",
            "pass",
            "b is called, but its result does not reach the end; its 584 parameters are left out",
        ),
        ("x = x if self.training else x / 2", "pass", "read as true"),
    ],
)
def test_what_is_worth_telling_is_a_note(forward: str, init: str, message: str) -> None:
    network = of(forward, init)
    assert not network.problems
    assert any(message in note.message for note in network.notes), network.notes


def test_the_network_that_is_made_last_comes_first_and_blocks_are_left_out() -> None:
    read = read_code((CASES / "eva6-norm-helper-function.txt").read_text(encoding="utf-8"))
    assert [network.name for network in read.networks] == ["Net6 as net_ln", "Net6 as net_bn"]
    blocks = read_code((CASES / "resnet-basic-blocks.txt").read_text(encoding="utf-8"))
    assert [network.name for network in blocks.networks] == ["ResNet"]


def test_the_size_of_the_image_comes_from_summary_or_from_what_fits() -> None:
    assert case("resnet-basic-blocks").architecture.input == (3, 32, 32)  # type: ignore[union-attr]
    assert case("tutorial-lenet-flat-features").architecture.input == (1, 32, 32)  # type: ignore[union-attr]
    assert case("mlp").architecture.input == (1, 28, 28)  # type: ignore[union-attr]


def test_an_argument_without_a_value_is_guessed_by_its_name_and_told() -> None:
    code = (
        "class Net(nn.Module):\n    def __init__(self, args, n_classes, dropout_rate):\n        super().__init__()\n"
        "        self.net = nn.Sequential(nn.Conv2d(args.num_channels, 4, 3), nn.Dropout(dropout_rate), nn.Flatten(),\n"
        "                                 nn.Linear(2704, n_classes))\n    def forward(self, x):\n"
        "        return self.net(x)\n"
    )
    (network,) = read_code(code).networks
    assert network.architecture is not None
    assert network.architecture.ops[-1] == Linear(10)
    assert "n_classes = 10, dropout_rate = 0.1" in network.notes[0].message


def test_the_hyperparameters_that_lightning_saves_are_known() -> None:
    code = (
        "import lightning as pl\nclass Net(pl.LightningModule):\n"
        "    def __init__(self, width=6, rate=0.1):\n        super().__init__()\n"
        "        self.save_hyperparameters()\n"
        "        self.net = nn.Sequential(nn.Conv2d(1, self.hparams.width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
        "    def forward(self, x):\n        return self.net(x)\n"
    )
    (network,) = read_code(code).networks
    assert network.problems == ()
    assert network.parameters == 6 * 9 + 6


def test_a_line_of_a_notebook_is_told_with_its_cell() -> None:
    cells = [
        {"cell_type": "code", "source": ["import torch.nn as nn\n", "%time 1"]},
        {"cell_type": "markdown", "source": "text"},
        {"cell_type": "code", "source": "net = nn.Sequential(\n    nn.Conv2d(1, 4, 3), nn.LSTM(3, 4))"},
    ]
    read = read_code(json.dumps({"cells": cells}), "a.ipynb")
    (problem,) = read.networks[0].problems
    assert read.place(problem.line) == "code cell 2, line 2"


def test_a_part_that_is_not_python_does_not_hide_the_rest() -> None:
    network = (CASES / "gap-by-mean.txt").read_text(encoding="utf-8")
    read = read_code(f"Epoch 1: accuracy = 98.2 %\n{network}\nTraining took 3 min :)\n")
    assert read.networks[0].parameters == 80 + 730
    assert read.problems[0].line == 1


@pytest.mark.parametrize("text", ["", "hello", "x = 1", "class A: pass", "def forward(self, x): return x", "{}"])
def test_a_text_without_a_network_is_answered_with_one_sentence(text: str) -> None:
    with pytest.raises(SpecError) as told:
        read_code(text)
    assert "\n" not in str(told.value)


OWN = Architecture(
    "own",
    (
        Conv(8, 3, bias=False),
        GhostBatchNorm(4, momentum=0.2),
        ReLU(),
        Residual((Conv(8, 3, padding=1), GroupNorm(2), ReLU()), (Conv(8, 1),)),
        Concatenate((Conv(4, 1), Dropout2d(0.1))),
        Repeat((Conv(12, 3, padding=1), BatchNorm(), ReLU()), 3),
        Repeat((MaxPool(3, stride=1, padding=1), Repeat((ReLU(), Conv(12, 1)), 2)), 3),
        SqueezeExcite(4),
        GlobalAvgPool(),
        Flatten(),
        Linear(10),
        LogSoftmax(),
    ),
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "import flax.linen as nn\nclass CNN(nn.Module):\n    def __call__(self, x): pass",
            "is written with Flax, and",
        ),
        ("import jax\nimport equinox as eqx\nclass CNN(eqx.Module):\n    layers: list", "is written with Equinox, and"),
        ("from fastai.vision.all import *\nlearn = vision_learner(dls)", "is written with fastai's learners, and"),
        ("import timm\nmodel = timm.create_model('resnet18')", "it is in timm: export the network with torch.onnx"),
        ("import torch\nfrom torchvision import models\nmodel = models.resnet18()", "it is in torchvision.models: "),
        ("import torchvision.models as models\nmodel = models.resnet18()", "it is in torchvision.models: "),
        ("import torch, jax\nfrom torchvision import datasets\nx = torch.zeros(3)", "there is no network"),
        ("from . import flax, timm", "there is no network"),
    ],
)
def test_where_the_network_is_otherwise_is_told_by_the_imports(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=re.escape(words)):
        read_code(text)


def test_the_labs_own_code_comes_back_as_the_same_architecture() -> None:
    (network,) = read_code(pytorch_code(OWN)).networks
    assert network.problems == ()
    assert network.architecture is not None
    assert network.architecture.ops == OWN.ops


@settings(max_examples=40)
@given(architectures())
def test_the_code_of_any_architecture_comes_back_with_its_numbers(architecture: Architecture) -> None:
    network = read_code(pytorch_code(architecture)).networks[0]
    assert network.problems == ()
    assert network.architecture is not None
    mine, theirs = trace(network.architecture), trace(architecture)
    assert mine.parameters == theirs.parameters
    assert _leaves(mine) == _leaves(theirs)


def _leaves(walked: Trace) -> list[Shape]:
    """What each op without a body gives. A repeat of ops without weights is read as these ops one after the other."""
    return [layer.output for layer in walked.every_layer if not (layer.branches or isinstance(layer.op, Flatten))]


def test_reading_needs_no_torch_and_runs_nothing() -> None:
    code = "import sys\nimport core.reading.code, core.reading.summary_table\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"
    for path in (ROOT / "core" / "reading").glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert not {"eval", "exec", "compile", "__import__"} & {ast.unparse(call.func) for call in calls}


def test_why_a_line_is_no_python_is_told_without_pythons_own_place() -> None:
    with pytest.raises(SpecError, match=r"this is not Python: invalid syntax$"):
        read_code("class Net(nn.Module):\n    def __init__(self):\n        self.a = = 3\n")


@pytest.mark.parametrize("base", ["nn.Conv2d.__init__(self, 1, 10, 28)", "super().__init__(1, 10, 28)"])
def test_a_layer_of_ones_own_that_calls_its_base_is_that_base(base: str) -> None:
    code = (
        f"class Own(nn.Conv2d):\n    def __init__(self):\n        {base}\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = Own()\n"
        "    def forward(self, x):\n        return self.a(x).flatten(1)\n"
    )
    network = read_code(code).networks[0]
    assert network.parameters == 10 * 28 * 28 + 10
    assert not network.problems
