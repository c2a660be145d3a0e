"""Weights and ONNX files from elsewhere, held against torch and onnxruntime."""

from __future__ import annotations

import argparse
import io
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis.strategies import binary, floats, integers, lists, sampled_from, tuples
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn
from torch.nn import functional as F

from core.architecture.activations import GELU, Sigmoid
from core.architecture.spec import (
    Architecture,
    BatchNorm,
    Conv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Linear,
    LogSoftmax,
    MaxPool,
    Op,
    ReLU,
    Repeat,
    Residual,
    Softmax,
    every_op,
    op_words,
)
from core.architecture.trace import trace
from core.checkpoints.onnx_export import to_onnx
from core.errors import ImportingError, LabError
from core.importing.match import loaded, match
from core.importing.normalisation import CANDIDATES, inside
from core.importing.offer import offers
from core.importing.onnx_import import read_onnx
from core.importing.opened import file_name, open_file
from core.importing.tensors import Tensors
from core.training.evaluation import log_probabilities
from core.training.network import build
from core.training.resident import Normalisation
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data

DESIGN = Architecture(
    "design",
    (Conv(4, 3, bias=False), ReLU(), BatchNorm(), MaxPool(2), Conv(6, 3), ReLU(), Flatten(), Linear(10), LogSoftmax()),
)
IMAGES = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))


class Student(nn.Module):
    """The design as somebody else writes it; declared in another order than it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, bias=False)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.bn1 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(6 * 11 * 11, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.bn1(F.relu(self.conv1(x))), 2)
        return F.log_softmax(self.fc(F.relu(self.conv2(x)).flatten(1)), 1)


def student() -> Student:
    torch.manual_seed(3)
    network = Student()
    nn.init.normal_(network.bn1.weight)
    network(torch.rand(8, 1, 28, 28))
    return network.eval()


def saved(what: object, legacy: bool = False) -> bytes:
    file = io.BytesIO()
    torch.save(what, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def opened(content: bytes, name: str = "weights.pt") -> Tensors:
    tensors = open_file(content, name).tensors
    assert tensors is not None
    return tensors


def npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


def parts_of(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The weights of one module, as its own state_dict names them."""
    return {n.removeprefix(f"{name}."): v for n, v in weights.items() if n.startswith(f"{name}.")}


WAYS = {
    "alone": lambda w: saved(w),
    "of before 2020": lambda w: saved(w, legacy=True),
    "in a checkpoint": lambda w: saved({"epoch": 3, "model_state_dict": w, "optimizer_state_dict": {"state": {}}}),
    "beside a loss of numpy": lambda w: saved({"net": w, "loss": np.float64(0.1)}),
    "of DataParallel": lambda w: saved({f"module.{name}": value for name, value in w.items()}),
    "of torch.compile, in another module": lambda w: saved({f"_orig_mod.model.{n}": v for n, v in w.items()}),
    "of Lightning": lambda w: saved({"state_dict": {f"model.{n}": v for n, v in w.items()}, "loops": {}}),
    "as safetensors": lambda w: save_safetensors(dict(w)),
    "beside what a script keeps": lambda w: saved(
        {
            "model": w,
            "args": argparse.Namespace(rate=0.1),
            "path": PurePosixPath("a/b"),
            "losses": np.array([0.1, 0.2]),
            "seen": defaultdict(list, {"a": [1]}),
            "generator": torch.get_rng_state(),
        }
    ),
    "beside a metric and a loss": lambda w: saved(
        {
            "state_dict": {f"model.{n}": v for n, v in w.items()}
            | {"val_acc.total": torch.ones(2), "loss.w": w["fc.bias"]}
        }
    ),
    "deep in a checkpoint": lambda w: saved({"state": {"best": {"model_state_dict": w}}}),
    "with its optimizer in a tuple": lambda w: saved((w, {"state": {}, "param_groups": []})),
    "of each epoch": lambda w: saved({epoch: {n: v * epoch for n, v in w.items()} for epoch in (0, 1)}),
    "in parts": lambda w: saved({name: parts_of(w, name) for name in ("conv1", "conv2", "bn1", "fc")}),
    "parameters and buffers": lambda w: saved(
        {key: {n: v for n, v in w.items() if ("running" in n) is (key == "buffers")} for key in ("params", "buffers")}
    ),
    "with linear weights as x @ w": lambda w: saved({n: v.T.contiguous() if v.dim() == 2 else v for n, v in w.items()}),
    "with weight norm": lambda w: saved(
        {n: v for n, v in w.items() if n != "fc.weight"}
        | {"fc.weight_g": w["fc.weight"].norm(dim=1, keepdim=True), "fc.weight_v": 3 * w["fc.weight"]}
    ),
    "pruned": lambda w: saved(
        {n: v for n, v in w.items() if n != "fc.weight"}
        | {"fc.weight_orig": w["fc.weight"], "fc.weight_mask": torch.ones_like(w["fc.weight"])}
    ),
    "as arrays with names": lambda w: npz(**{n.replace(".", "_"): v.numpy() for n, v in w.items()}),
    "alone in a ZIP": lambda w: zipped(a__pt=saved(w)),
    "as float64": lambda w: saved({name: value.double() for name, value in w.items()}),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_state_dict_gives_the_outputs_of_the_network_that_it_was_saved_from(way: str) -> None:
    theirs = student()
    found = match(opened(WAYS[way](theirs.state_dict())), DESIGN)
    assert found.complete, found.problems
    with torch.no_grad():
        torch.testing.assert_close(loaded(found, DESIGN)(IMAGES), theirs(IMAGES), rtol=1e-5, atol=1e-5)


def test_weights_of_half_precision_are_loaded_as_float32_and_that_is_said() -> None:
    tensors = opened(saved({name: value.bfloat16() for name, value in student().state_dict().items()}))
    assert any("bfloat16" in note for note in tensors.notes)
    assert all(value.dtype == torch.float32 for value in tensors.named.values())


def test_the_paths_that_the_code_names_decide_where_order_and_shape_would_not() -> None:
    twins = Architecture("twins", (Conv(2, 3), Conv(2, 3), Conv(2, 3), GlobalAvgPool(), Flatten(), Linear(10)))
    theirs = {
        f"{name}.{part}": value
        for name, module in (("z", nn.Conv2d(2, 2, 3)), ("start", nn.Conv2d(1, 2, 3)), ("a", nn.Conv2d(2, 2, 3)))
        for part, value in module.state_dict().items()
    } | {f"head.{part}": value for part, value in nn.Linear(2, 10).state_dict().items()}
    modules = {"0": ("start",), "1": ("a",), "2": ("z",), "5": ("head",)}
    found = match(opened(save_safetensors(theirs), "w.safetensors"), twins, modules)
    assert found.how == "by the code"
    assert torch.equal(found.weights["1.weight"], theirs["a.weight"])
    assert torch.equal(found.weights["2.weight"], theirs["z.weight"])


def test_keras_arrays_give_the_outputs_of_keras_with_their_kernels_and_flattened_inputs_turned() -> None:
    design = Architecture("keras", (Conv(4, 3), ReLU(), MaxPool(2), Flatten(), Linear(10)))
    kernel, bias = np.random.default_rng(1).normal(size=(3, 3, 1, 4)), np.zeros(4)
    dense, shift = np.random.default_rng(2).normal(size=(13 * 13 * 4, 10)), np.arange(10.0)
    file = io.BytesIO()
    np.savez(file, kernel, bias, dense, shift)
    tensors = opened(file.getvalue(), "keras.npz")
    found = match(tensors, design)
    assert found.complete, found.problems
    assert any("channels last" in note for note in found.notes)
    maps = F.max_pool2d(F.relu(F.conv2d(IMAGES.double(), torch.from_numpy(kernel).permute(3, 2, 0, 1))), 2)
    by_hand = maps.permute(0, 2, 3, 1).flatten(1) @ torch.from_numpy(dense) + torch.from_numpy(shift)
    with torch.no_grad():
        torch.testing.assert_close(loaded(found, design)(IMAGES).double(), by_hand, rtol=1e-4, atol=1e-4)


def test_batch_norms_that_were_folded_into_the_layers_before_them_answer_the_same() -> None:
    norms = BatchNorm(eps=1e-3), BatchNorm(affine=False)
    design = Architecture(
        "folded", (Conv(4, 3, bias=False), norms[0], ReLU(), Conv(6, 3), norms[1], ReLU(), Flatten(), Linear(10))
    )
    torch.manual_seed(2)
    theirs = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10)
    )
    with torch.no_grad():
        answers = theirs(IMAGES)
        found = match(opened(saved(theirs.state_dict())), design)
        torch.testing.assert_close(loaded(found, design)(IMAGES), answers, rtol=1e-4, atol=1e-5)
    assert any("batch norms" in note for note in found.notes)


def test_a_mismatch_names_both_shapes_and_the_change_that_would_let_it_fit() -> None:
    weights = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.BatchNorm2d(8), nn.MaxPool2d(2)).state_dict()
    weights |= {f"4.{n}": v for n, v in nn.Conv2d(8, 6, 3).state_dict().items()}
    weights |= {f"7.{n}": v for n, v in nn.Linear(6 * 10 * 10, 10).state_dict().items()}
    tensors = opened(saved(weights))
    found = match(tensors, DESIGN)
    told = " ".join(row.problem for row in found.problems)
    assert "8 x 1 x 5 x 5" in told
    assert "4 x 1 x 3 x 3" in told
    with pytest.raises(ImportingError, match="do not fit"):
        loaded(found, DESIGN)
    (offer,) = offers(tensors, DESIGN)
    assert offer.match.complete
    assert op_words(offer.architecture.ops[0]) == "Conv(8, kernel_size=5)"


def test_a_norm_without_running_figures_is_named_and_group_norms_are_offered() -> None:
    weights = {n: v for n, v in student().state_dict().items() if "running" not in n}
    tensors = opened(saved(weights))
    assert any("track_running_stats" in row.problem for row in match(tensors, DESIGN).problems)
    assert any(isinstance(offer.architecture.ops[2], GroupNorm) for offer in offers(tensors, DESIGN))


class Trap:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (Path("ran"),)  # type: ignore[return-value]


REFUSED = {
    "a whole module": (lambda: saved(nn.Linear(2, 2)), "whole pickled network"),
    "a whole module in a checkpoint": (
        lambda: saved({"model": student(), "epoch": 3}),
        r"Student'\), and reading",
    ),
    "a trap": (lambda: saved({"model": Trap()}), "only running code would make"),
    "two files in a ZIP": (lambda: zipped(a__pt=b"1", b__pt=b"2"), r"'a\.pt', 'b\.pt'; unpack it"),
    "torch.export": (lambda: zipped(archive_format=b"pt2", model__json=b"{}"), "torch.export file"),
    "lists in JSON": (lambda: b'{"a.weight": [[0.5, 1.0]], "a.bias": [1.0]}', "torch.save"),
    "TorchScript": (lambda: zipped(data__pkl=b"x", constants__pkl=b"x"), "TorchScript"),
    "Keras": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(100), "np.savez"),
    "a Keras archive": (lambda: zipped(config__json=b"{}", model__weights__h5=b""), "tf2onnx"),
    "a pickle": (lambda: b"\x80\x04K\x01.", "pickled"),
    "nothing": (lambda: b"", "empty"),
    "objects": (lambda: npz(a=np.array([Trap()], object)), "Python objects"),
    "not a number": (lambda: saved({"a.weight": torch.full((2, 2), torch.nan)}), "not a number"),
    "one tensor": (lambda: saved(torch.zeros(3)), "one tensor"),
    "an optimizer alone": (lambda: saved({"optimizer": {"a": torch.zeros(2)}}), "without a network's weights"),
    "a view of more values than there are": (lambda: saved({"a": torch.zeros(1).expand(10**9)}), "at most"),
    "too much in a ZIP": (lambda: zipped(a__npy=bytes(3_000_000)), "unpacks to 3,000,000 bytes"),
    "a cut file": (lambda: saved(student().state_dict())[:2000], "damaged"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_taken_is_refused_in_one_sentence_and_never_run(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("core.importing.kind.MAX_UNPACKED", 2_000_000)
    make, words = REFUSED[kind]
    content = make()
    with pytest.raises(ImportingError, match=words) as refused:
        opened(content, "it.pt")
    assert "\n" not in str(refused.value)
    assert not Path("ran").exists()


@pytest.fixture(scope="module")
def whole_files() -> dict[str, bytes]:
    weights = student().state_dict()
    return {
        "a.pt": saved(weights),
        "b.pt": saved({"net": weights}, legacy=True),
        "c.safetensors": save_safetensors(weights),
        "d.npz": npz(**{name.replace(".", "_"): value.numpy() for name, value in weights.items()}),
        "e.onnx": to_onnx(build(DESIGN, 1).eval(), DESIGN),
    }


@settings(max_examples=60)
@given(
    name=sampled_from(("a.pt", "b.pt", "c.safetensors", "d.npz", "e.onnx")),
    changes=lists(tuples(floats(0, 1, exclude_max=True), binary(max_size=4), integers(0, 4)), min_size=1, max_size=4),
)
def test_a_changed_file_is_read_or_refused_in_one_sentence(
    name: str, changes: list[tuple[float, bytes, int]], whole_files: dict[str, bytes]
) -> None:
    content = bytearray(whole_files[name])
    for share, put, taken in changes:
        at = int(share**3 * len(content))  # more often in the header
        content[at : at + taken] = put
    said = ""
    try:
        open_file(bytes(content), name)
    except LabError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 600


def test_a_name_of_a_file_keeps_no_folder() -> None:
    assert file_name("../../etc/passwd") == "passwd"
    assert file_name("C:\\Users\\me\\a.pt") == "a.pt"


# ---------------------------------------------------------------------------------------------------------------- ONNX


NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d, nn.LayerNorm)


@settings(max_examples=15)
@given(architectures())
def test_the_labs_own_onnx_comes_back_with_the_same_outputs_and_parameters(architecture: Architecture) -> None:
    network = build(architecture, seed=1).eval()
    for module in network.modules():
        if isinstance(module, NORMS) and module.weight is not None:  # all 1, a file does not tell it from one without
            nn.init.uniform_(module.weight)
    assume(bool(network(torch.rand(4, *architecture.input)).isfinite().all()))  # a pool may see padding alone
    found = read_onnx(to_onnx(network, architecture), "own.onnx")  # which compares the outputs
    # A file has a repeat written out, and a batch norm without factors with 1 and 0.
    if not any(isinstance(op, Repeat) or getattr(op, "affine", True) is False for op in every_op(architecture.ops)):
        assert trace(found.architecture).parameters == trace(architecture).parameters


@pytest.mark.parametrize(
    "skips",
    [
        (Residual((Residual((Residual((ReLU(), ReLU())),)),)),),
        (Residual((Residual((Residual((ReLU(),)), ReLU())),)),),
        (Residual((Residual((ReLU(), GELU())), Residual((ReLU(), ReLU())))), Sigmoid(), ReLU()),
    ],
)
def test_skips_within_skips_around_activations_alone_come_back_with_the_same_outputs(skips: tuple[Op, ...]) -> None:
    architecture = Architecture("skips", (Conv(8, 3), *skips, GlobalAvgPool(), Flatten(), Linear(10)))
    read_onnx(to_onnx(build(architecture, seed=1).eval(), architecture), "own.onnx")  # which compares the outputs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("after", [lambda x: 3 * F.gelu(x), lambda x: 1 - F.relu(F.elu(x)), lambda x: -x.sigmoid() / 2])
def test_numbers_behind_an_activation_are_read(after: Callable[[Tensor], Tensor]) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.linear = nn.Conv2d(1, 4, 3), nn.Linear(4, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(after(self.conv(x)).mean((2, 3)))  # type: ignore[no-any-return]

    file = io.BytesIO()
    torch.onnx.export(Scaled().eval(), (torch.rand(1, 1, 28, 28),), file, dynamo=False)
    read_onnx(file.getvalue(), "scaled.onnx")  # which compares the outputs


@pytest.mark.filterwarnings("ignore")
def test_onnx_of_torchs_exporter_comes_back_with_the_outputs_of_torch() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.side = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.norm, self.group = nn.BatchNorm2d(4), nn.GroupNorm(2, 8)
            self.fc = nn.Linear(8 * 14 * 14, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = F.gelu(self.norm(self.conv((x - 0.1307) / 0.3081)))
            x = F.hardswish(x + self.side(F.silu(x)))
            x = F.max_pool2d(torch.cat([x, F.leaky_relu(self.side(x), 0.2)], 1), 2)
            x = F.mish(self.group(x))
            return F.softmax(self.fc(x.view(x.size(0), -1)), 1)

    torch.manual_seed(4)
    theirs = Odd().eval()
    nn.init.uniform_(theirs.group.weight)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(theirs, (IMAGES[:1],), file, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    found = read_onnx(file.getvalue(), "odd.onnx")
    with torch.no_grad():
        ours = found.network(IMAGES * found.factor + found.shift)
        torch.testing.assert_close(ours, theirs(IMAGES), rtol=1e-4, atol=1e-5)
    assert isinstance(found.architecture.ops[-1], Softmax)
    once = inside(CANDIDATES[1], found.factor, found.shift).normalisation
    assert (once.mean, once.sd) == pytest.approx((0.1307, 0.3081), abs=1e-4)


def test_a_graph_with_the_channels_last_as_tensorflow_writes_it_gives_its_outputs() -> None:
    random = np.random.default_rng(1)
    weights = {
        "kernel": random.normal(size=(4, 1, 3, 3)),
        "bias": random.normal(size=(4,)),
        "dense": random.normal(size=(14 * 14 * 4, 10)),
        "shift": random.normal(size=(10,)),
        "scale": random.normal(size=(4,)),
        "offset": random.normal(size=(4,)),
        "mean": random.normal(size=(4,)),
        "variance": random.uniform(0.5, 2, size=(4,)),
    }
    node = onnx.helper.make_node
    nodes = [
        node("Transpose", ["image"], ["a"], perm=[0, 3, 1, 2]),
        node("Conv", ["a", "kernel"], ["b"], auto_pad="SAME_UPPER", kernel_shape=[3, 3]),
        node("Transpose", ["b"], ["c"], perm=[0, 2, 3, 1]),
        node("Add", ["c", "bias"], ["d"]),
        node("Relu", ["d"], ["e"]),
        node("Transpose", ["e"], ["f"], perm=[0, 3, 1, 2]),
        node("BatchNormalization", ["f", "scale", "offset", "mean", "variance"], ["g"], epsilon=1e-3),
        node("MaxPool", ["g"], ["h"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", ["h"], ["i"], perm=[0, 2, 3, 1]),
        node("Reshape", ["i", "flat"], ["j"]),
        node("MatMul", ["j", "dense"], ["k"]),
        node("Add", ["k", "shift"], ["l"]),
        node("Softmax", ["l"], ["output"], axis=-1),
    ]
    constants = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    constants.append(onnx.numpy_helper.from_array(np.array([-1, 14 * 14 * 4]), "flat"))
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "keras", [info("image", 1, ["n", 28, 28, 1])], [info("output", 1, ["n", 10])], constants
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 15)], ir_version=8)
    found = read_onnx(model.SerializeToString(), "keras.onnx")
    kinds = [type(op).__name__ for op in found.architecture.ops]
    assert kinds == ["Conv", "ReLU", "BatchNorm", "MaxPool", "Flatten", "Linear", "Softmax"]
    assert any("channels last" in note for note in found.notes)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"image": IMAGES.permute(0, 2, 3, 1).numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found.network(IMAGES).numpy(), theirs, rtol=1e-4, atol=1e-5)


def test_a_node_that_the_lab_cannot_say_is_named_with_its_kind() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, (3, 1)), nn.Flatten(), nn.Linear(4 * 26 * 28, 10))
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (IMAGES[:1],), file, dynamo=False)
    with pytest.raises(ImportingError, match=r"node '.*' \(Conv\): its kernel is 3 x 1; the lab's windows are square"):
        read_onnx(file.getvalue(), "tall.onnx")


def test_probabilities_at_the_end_are_not_put_through_a_softmax_again() -> None:
    ops = (Flatten(), Linear(10))
    digits = (IMAGES[:, 0] * 255).to(torch.uint8)
    logits, probabilities = (build(Architecture("a", each), seed=5) for each in (ops, (*ops, Softmax())))
    a, b = (log_probabilities(network, digits, Normalisation()) for network in (logits, probabilities))
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
