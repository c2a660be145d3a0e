"""`python -m lab`: each command's JSON document as the issue has it, and one line on standard error for bad input."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.architecture.json_form import architecture_to_json
from core.checkpoints import checkpoint
from core.data.embedded_digits import embedded_digits
from core.data.mnist import load
from core.errors import LabError
from core.ladder.catalogue import LADDER
from core.training.network import build
from core.training.recipe import SGD, Recipe
from core.training.resident import resident
from lab.cli.networks import with_recipe
from lab.cli.parser import main
from lab.runs.seed_list import LAST_SEED, MAX_SEEDS, parse_seeds
from lab.runs.store import RunStore
from lab.runs.training_job import TrainingJob, run_training
from tests.tiny import PLAIN, TINY

ROOT = Path(__file__).resolve().parents[1]
AT_THE_END = {"plain_train_loss", "plain_train_accuracy"}  # of a run's last epoch only
EPOCH = {"epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate", "seconds"}
Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains on the embedded digits, whatever data sets this machine has."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))


@pytest.fixture
def document(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command with --json and gives its document, which is all that stands on standard output."""

    def run(*arguments: object) -> Any:
        assert main([*map(str, arguments), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command that must fail and gives its one line of error."""

    def run(*arguments: object) -> str:
        try:
            status: object = main([*map(str, arguments)])
        except SystemExit as ended:  # argparse's way
            status = ended.code
        out, err = capsys.readouterr()
        assert status == 2
        assert out == ""
        lines = err.strip().splitlines()
        assert len(lines) == 1, err
        assert "Traceback" not in err
        return str(lines[0])

    return run


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "mine.json"
    path.write_text(architecture_to_json(TINY))
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text('{"epochs": 2, "batch_size": 256, "learning_rate": 0.05, "seed": 5}')
    return path


# ------------------------------------------------------------------------------------------------- the documents' shape


def test_steps_are_the_ladder_in_order(document: Command) -> None:
    steps = document("steps")
    assert [step["slug"] for step in steps] == [step.slug for step in LADDER]
    shape = {"slug", "lineage", "title", "parameters", "macs", "receptive_field", "claimed_test_accuracy"}
    shape |= {"test_accuracy_mean", "test_accuracy_sd", "n", "held_test_accuracy", "runs_that_held"}
    shape |= {"verdict", "earlier_recipe"}
    for step in steps:
        assert set(step) == shape
        assert str(step["parameters"]) in step["slug"]  # the slugs carry the write-ups' counts
        assert step["macs"] > 0
        assert step["receptive_field"] > 0
        assert (step["claimed_test_accuracy"] is None) == (step["lineage"] == "d")
        assert 0.9 < (step["claimed_test_accuracy"] or 0.99) < 1
        assert (step["n"] == 0) == (step["test_accuracy_mean"] is None) == (step["verdict"] == "not measured")
        assert (step["n"] > 1) == (step["test_accuracy_sd"] is not None)


def test_trace_gives_totals_and_layers(document: Command, spec: Path) -> None:
    for network, parameters in (("a2-final-7758", 7758), (spec, sum(p.numel() for p in build(TINY).parameters()))):
        traced = document("trace", network)
        assert set(traced) == {"parameters", "macs", "receptive_field", "layers"}
        assert traced["parameters"] == parameters == sum(layer["parameters"] for layer in traced["layers"])
        assert traced["macs"] == sum(layer["macs"] for layer in traced["layers"])
        assert traced["receptive_field"] == traced["layers"][-1]["receptive_field"]["size"]
        for index, layer in enumerate(traced["layers"]):
            assert set(layer) == {"index", "op", "output", "parameters", "macs", "receptive_field"}
            assert set(layer["receptive_field"]) == {"size", "jump", "start"}
            assert layer["index"] == index
        assert traced["layers"][0]["op"] == "Conv"
        assert traced["layers"][-1]["output"] == [10]


@pytest.mark.usefixtures("worker_here")
def test_train_gives_its_epochs_and_a_checkpoint_that_loads(
    document: Command, spec: Path, recipe: Path, home: Path
) -> None:
    run = document("train", spec, "--recipe", recipe, "--device", "cpu", "--save", "mine")
    assert set(run) == {"slug", "run", "parameters", "device", "dataset", "seed", "epochs", "checkpoint"}
    assert (run["slug"], run["device"], run["dataset"], run["seed"]) == ("", "cpu", "embedded digits", 5)
    assert [epoch["epoch"] for epoch in run["epochs"]] == [0, 1]
    assert set(run["epochs"][-1]) >= AT_THE_END
    for epoch in run["epochs"]:
        assert set(epoch) - (AT_THE_END if epoch is run["epochs"][-1] else set()) == EPOCH
        assert 0 <= epoch["train_accuracy"] <= 1
        assert 0 <= epoch["test_accuracy"] <= 1
    assert run["checkpoint"] == str(home / "mine.safetensors")
    _, card = checkpoint.load(Path(run["checkpoint"]))
    assert card.record.test_accuracy == run["epochs"][-1]["test_accuracy"]
    assert card.architecture == TINY


@pytest.mark.usefixtures("worker_here")
@pytest.mark.parametrize("network", ["", "model = nn.Sequential(nn.Conv2d(1, 10, 28), nn.Flatten())\n"])
def test_a_recipe_may_be_a_training_script(tmp_path: Path, network: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"{network}epochs = 2\noptimizer = optim.SGD(model.parameters(), lr=0.05)\n")
    found = with_recipe(argparse.Namespace(network="c6-steplr-7416", recipe=script, seed=3))
    assert found[1] == Recipe(2, learning_rate=0.05, optimizer=SGD(0.0), seed=3)
    script.write_text("model = nn.Sequential(nn.Conv2d(1, 10, 28), nn.Flatten())\n")
    with pytest.raises(LabError, match=r"train\.py: there is no recipe in it; a script has lines such as"):
        with_recipe(argparse.Namespace(network="c6-steplr-7416", recipe=script, seed=None))


def test_options_come_before_the_recipe_and_the_split_adds_its_figures(
    document: Command, spec: Path, recipe: Path
) -> None:
    recipe.write_text(json.dumps(json.loads(recipe.read_text()) | {"validation_size": 5000}))
    run = document("train", spec, "--recipe", recipe, "--epochs", 1, "--seed", 8)
    assert run["seed"] == 8
    assert [set(epoch) for epoch in run["epochs"]] == [EPOCH | AT_THE_END | {"validation_loss", "validation_accuracy"}]
    assert document("mistakes", run["checkpoint"])["total"] == 360  # a card with validation figures is read again


@pytest.mark.usefixtures("worker_here")
def test_a_second_run_of_a_name_it_chose_itself_overwrites_nothing(document: Command, spec: Path, recipe: Path) -> None:
    runs = [document("train", spec, "--recipe", recipe, "--epochs", 1) for _ in range(2)]
    assert len({run["checkpoint"] for run in runs}) == 2


@pytest.mark.usefixtures("worker_here")
@pytest.mark.slow
def test_many_seeds_are_one_document_with_a_run_of_each(
    document: Command, spec: Path, recipe: Path, home: Path
) -> None:
    found = document("train", spec, "--recipe", recipe, "--device", "cpu", "--seeds", "7,0-1", "--side-by-side", 1)
    totals = {"n", "test_accuracy_mean", "test_accuracy_sd"}
    about = {"slug", "parameters", "device", "dataset", "side_by_side", "group", "seconds"}
    assert set(found) == about | totals | {"runs"}
    assert (found["slug"], found["device"], found["dataset"]) == ("", "cpu", "embedded digits")
    assert (found["side_by_side"], found["n"]) == (1, 3)
    assert [run["seed"] for run in found["runs"]] == [0, 1, 7]
    for run in found["runs"]:
        assert set(run) == {"seed", "run", "status", "error", "epochs", "checkpoint"}
        assert (run["status"], run["error"]) == ("finished", "")
        assert [set(epoch) for epoch in run["epochs"]] == [EPOCH, EPOCH | AT_THE_END]
        assert run["checkpoint"] == str(home / run["run"] / "last.safetensors")
        _, card = checkpoint.load(Path(run["checkpoint"]))
        assert (card.recipe.seed, card.record.test_accuracy) == (run["seed"], run["epochs"][-1]["test_accuracy"])
    reached = [run["epochs"][-1]["test_accuracy"] for run in found["runs"]]
    assert found["test_accuracy_mean"] == pytest.approx(np.mean(reached))
    assert found["test_accuracy_sd"] == pytest.approx(np.std(reached, ddof=1))
    assert document("mistakes", f"{found['runs'][0]['run']}/last", "--limit", 1)["total"] == 360
    assert [run.seed for run in RunStore(home).job(found["group"])] == [0, 1, 7]


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains the seeds of a group in this process: the start of others takes seconds."""
    monkeypatch.setattr("lab.runs.seeds.most_side_by_side", lambda device: 1)


@pytest.mark.usefixtures("worker_here", "one_by_one")
def test_one_of_many_seeds_has_no_deviation(document: Command, spec: Path, recipe: Path) -> None:
    found = document("train", spec, "--recipe", recipe, "--epochs", 1, "--seeds", "3")
    assert (found["n"], found["side_by_side"], found["test_accuracy_sd"]) == (1, 1, None)
    assert found["test_accuracy_mean"] == found["runs"][0]["epochs"][-1]["test_accuracy"]


@pytest.mark.usefixtures("worker_here", "one_by_one")
def test_people_get_a_line_for_each_seed_and_one_for_all(
    spec: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(spec), "--recipe", str(recipe), "--epochs", "1", "--seeds", "0-2"]) == 0
    *seeds, mean, where = capsys.readouterr().out.splitlines()
    assert sorted(line[:18] for line in seeds) == [f"seed   {seed}  finished" for seed in range(3)]
    assert re.match(r"test, last epoch: \d+\.\d\d% ± \d+\.\d\d% \(n = 3\); \d+\.\d s, 1 side by side", mean)
    assert "trained on embedded digits" in where


@pytest.mark.usefixtures("worker_here", "one_by_one")
def test_seeds_that_fail_stand_in_the_document_and_their_reasons_on_standard_error(
    spec: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optimizer = {"name": "SGD", "momentum": 0.99}
    recipe.write_text(json.dumps({"epochs": 9, "batch_size": 100, "learning_rate": 100, "optimizer": optimizer}))
    spec.write_text(architecture_to_json(PLAIN))
    assert main(["train", str(spec), "--recipe", str(recipe), "--seeds", "4-5", "--json"]) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [run["status"] for run in found["runs"]] == ["failed", "failed"]
    assert (found["n"], found["test_accuracy_mean"], found["test_accuracy_sd"]) == (0, None, None)
    last = err.strip().splitlines()[-1]
    assert last.startswith("python -m lab train: seed 4: ")
    assert "; seed 5: " in last
    assert all(run["error"] in last for run in found["runs"])


@given(st.sets(st.integers(0, 40) | st.integers(0, LAST_SEED), min_size=1, max_size=MAX_SEEDS), st.randoms())
def test_seeds_are_read_as_they_were_written(seeds: set[int], random: Random) -> None:
    parts: list[tuple[int, int]] = []
    for seed in sorted(seeds):
        if parts and parts[-1][1] == seed - 1 and random.random() < 0.7:
            parts[-1] = (parts[-1][0], seed)
        else:
            parts.append((seed, seed))
    random.shuffle(parts)
    text = ",".join(f"{first}-{last}" if first < last else f"{first}" for first, last in parts)
    assert parse_seeds(text) == tuple(sorted(seeds))


def test_the_range_test_gives_its_points_and_suggestions(document: Command, spec: Path, recipe: Path) -> None:
    found = document("range-test", spec, "--recipe", recipe, "--iterations", 30, "--start", 1e-4)
    assert {"slug", "dataset", "points", "suggestions", "diverged", "reason"} == set(found)
    assert set(found["points"][0]) == {"learning_rate", "loss", "smoothed"}
    assert found["points"][0]["learning_rate"] == pytest.approx(1e-4)


@pytest.fixture
def saved(home: Path) -> str:
    """A checkpoint of one's own, trained on the embedded digits."""
    job = TrainingJob("plain", "", PLAIN, Recipe(epochs=3, batch_size=64, learning_rate=0.05), home, "saved", "", False)
    for _ in run_training(job, resident(load("embedded digits"), job.recipe, torch.device("cpu"))):
        pass
    return "saved"


def test_mistakes_are_counted_and_listed_the_least_confident_first(document: Command, saved: str) -> None:
    found = document("mistakes", saved, "--limit", 5)
    assert set(found) == {"checkpoint", "split", "total", "wrong", "items"}
    assert (found["checkpoint"], found["split"], found["total"]) == ("saved", "test", 360)
    assert 5 < found["wrong"] < 180
    assert len(found["items"]) == 5
    labels = embedded_digits()[1][-360:]
    for item in found["items"]:
        assert set(item) == {"index", "true", "predicted", "confidence"}
        assert item["true"] == labels[item["index"]] != item["predicted"]
    confidences = [item["confidence"] for item in found["items"]]
    assert confidences == sorted(confidences)
    everything = document("mistakes", saved, "--split", "train", "--order", "most confident", "--limit", 10_000)
    assert (everything["total"], len(everything["items"])) == (1437, everything["wrong"])
    confidences = [item["confidence"] for item in everything["items"]]
    assert confidences == sorted(confidences, reverse=True)


def test_predict_reads_a_picture(document: Command, saved: str, tmp_path: Path) -> None:
    image = embedded_digits()[0][0]
    Image.fromarray(np.pad(image, 30)).resize((300, 300)).save(tmp_path / "digit.png")
    found = document("predict", tmp_path / "digit.png", "--checkpoint", saved)
    assert set(found) == {"checkpoint", "digit", "probabilities", "digits", "remark"}
    assert found["digits"] == [{name: found[name] for name in ("digit", "probabilities")}]
    assert found["checkpoint"] == "saved"
    assert len(found["probabilities"]) == 10
    assert sum(found["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert found["probabilities"][found["digit"]] == max(found["probabilities"])


def test_data_says_what_is_here(document: Command, tmp_path: Path) -> None:
    found = document("data")
    assert found["root"] == str(tmp_path / "no data")
    assert {each["name"]: each["present"] for each in found["datasets"]} == {
        "MNIST": False,
        "FashionMNIST": False,
        "KMNIST": False,
        "embedded digits": True,
    }


@pytest.mark.slow
def test_the_process_prints_its_document_and_its_progress_apart(spec: Path, recipe: Path, home: Path) -> None:
    command = [sys.executable, "-m", "lab", "train", spec, "--recipe", recipe, "--epochs", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ, check=True)
    assert json.loads(done.stdout)["epochs"][0]["epoch"] == 0
    assert "embedded digits instead" in done.stderr


def test_the_process_ends_with_status_2_and_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab", "trace", tmp_path / "absent.json", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.strip().splitlines())) == (2, "", 1)


def test_a_reader_who_has_enough_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "lab", "steps"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before it has imported anything
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("command", [["steps"], ["trace", "a2-final-7758"], ["data"]], ids=" ".join)
def test_without_json_people_get_a_table(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["trace"], "SLUG"),
        (["trace", "z9-nothing-1"], "z9-nothing-1"),
        (["train", "a2-final-7758", "--epochs", "many"], "'many'"),
        (["train", "a2-final-7758", "--epochs", "0"], "epochs: 0 is outside 1 to 1,000"),
        (["train", "a2-final-7758", "--seed", "-1"], "seed: -1 is outside"),
        (["train", "a2-final-7758", "--device", "tpu"], "'tpu'"),
        (["train", "a2-final-7758", "--recipe", "absent.json"], "absent.json: cannot be read"),
        (["train", "a2-final-7758", "--save", "../out"], "'../out' cannot be a file's name"),
        (["train", "a2-final-7758", "--save", "machine"], "'machine' cannot be a file's name"),
        (["train", "a2-final-7758", "--save", "foo.json"], "give 'foo.json' without its ending"),
        (["train", "a2-final-7758", "--save", "foo.safetensors"], "give 'foo.safetensors' without its ending"),
        (["train", "a2-final-7758", "--save", "a2-final-7758"], "'a2-final-7758' is the name of a shipped checkpoint"),
        (["train", "a2-final-7758", "--data", "MNIST"], "MNIST is not in"),
        (["train", "a2-final-7758", "--seeds", ""], "--seeds: '' is neither a seed nor a range of seeds"),
        (["train", "a2-final-7758", "--seeds", "1,two"], "--seeds: 'two' is neither a seed nor a range of seeds"),
        (["train", "a2-final-7758", "--seeds", "1,,2"], "--seeds: '' is neither a seed nor a range of seeds"),
        (["train", "a2-final-7758", "--seeds=-1"], "--seeds: '-1' is neither a seed nor a range of seeds"),
        (["train", "a2-final-7758", "--seeds", "9" * 5000], "is neither a seed nor a range of seeds"),
        (["train", "a2-final-7758", "--seeds", "4-2"], "--seeds: '4-2' counts down; give 2-4"),
        (["train", "a2-final-7758", "--seeds", "2147483648"], "'2147483648' is outside 0 to 2,147,483,647"),
        (["train", "a2-final-7758", "--seeds", "0-100"], "--seeds: '0-100' names more than 100 seeds"),
        (["train", "a2-final-7758", "--seeds", "0-2147483647"], "names more than 100 seeds"),
        (["train", "a2-final-7758", "--seeds", "0-4,3"], "--seeds: '0-4,3' names 3 more than once"),
        (["train", "a2-final-7758", "--seeds", "0-4", "--seed", "1"], "--seeds: --seed is given too"),
        (["train", "a2-final-7758", "--seeds", "0-4", "--save", "five"], "--seeds: --save is given too"),
        (["train", "a2-final-7758", "--side-by-side", "2"], "--side-by-side: give --seeds too"),
        (["train", "a2-final-7758", "--seeds", "0-4", "--side-by-side", "0"], "--side-by-side: 0 is outside 1 to"),
        (
            ["train", "a2-final-7758", "--seeds", "0-4", "--side-by-side", "9999"],
            "--side-by-side: 9999 is outside 1 to",
        ),
        (["range-test", "a2-final-7758", "--iterations", "1"], "iterations: 1 is outside 20 to 5,000"),
        (["range-test", "a2-final-7758", "--start", "2"], "start 2 is not below end 1"),
        (["range-test", "a2-final-7758", "--end", "nan"], "end: nan is outside"),
        (["mistakes", "absent"], "there is no checkpoint 'absent'"),
        (["mistakes", ""], "there is no checkpoint ''"),
        (["mistakes", "/"], "there is no checkpoint '/'"),
        (["mistakes", "x" * 300], "there is no checkpoint 'xxx"),
        (["mistakes", "a\0b"], "there is no checkpoint 'a"),
        (["mistakes", "absent", "--order", "by taste"], "'by taste'"),
        (["mistakes", "absent", "--limit", "-1"], "--limit: -1 is below 0"),
        (["predict", "absent.png", "--checkpoint", "absent"], "absent"),
        (["data", "--download", "CIFAR"], "'CIFAR'"),
        (["data", "--download", "KMNIST"], "LAB_OFFLINE is set: nothing is downloaded"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_line(arguments: list[str], says: str, refusal: Command) -> None:
    assert says in refusal(*arguments)


def test_a_device_that_is_not_there_is_one_line(refusal: Command) -> None:
    from core.training.resident import available_devices

    absent = next(kind for kind in ("cuda", "mps") if kind not in available_devices())
    assert f"{absent} was asked for" in refusal("train", "a2-final-7758", "--device", absent)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "cannot be read"),
        (b"{}", "ops"),
        (b'{"ops": [{"op": "Flatten"}, {"op": "Linear", "out_features": 9}]}', "9 values, not in 10 outputs"),
        (
            b'{"input": [3, 28, 28], "ops": [{"op": "Flatten"}, {"op": "Linear", "out_features": 10}]}',
            "1 x 28 x 28 images, the network takes 3 x 28 x 28",
        ),
        (b" " * 1_000_001, "1,000,001 bytes, at most 1,000,000"),
    ],
)
@pytest.mark.parametrize("command", ["train", "range-test"])
def test_a_file_that_is_no_network_to_train_is_one_line(
    command: str, content: bytes, says: str, refusal: Command, tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    assert says in refusal(command, tmp_path / "bad.json")


def test_a_folder_in_place_of_a_file_is_one_line(refusal: Command, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    assert "cannot be read" in refusal("trace", tmp_path / "folder.json")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n cut"])
def test_a_picture_that_is_none_is_one_line(content: bytes, refusal: Command, saved: str, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(content)
    assert "picture" in refusal("predict", tmp_path / "x.png", "--checkpoint", saved)


def test_an_empty_picture_is_one_line(refusal: Command, saved: str, tmp_path: Path) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "empty.png")
    refusal("predict", tmp_path / "empty.png", "--checkpoint", saved)


def test_a_checkpoint_that_was_cut_short_is_one_line(refusal: Command, saved: str, home: Path) -> None:
    path = home / "saved.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut short" in refusal("mistakes", saved)


@pytest.mark.slow
def test_a_run_whose_loss_is_no_number_is_one_line_after_its_data(
    spec: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optimizer = {"name": "SGD", "momentum": 0.99}
    recipe.write_text(json.dumps({"epochs": 9, "batch_size": 100, "learning_rate": 100, "optimizer": optimizer}))
    spec.write_text(architecture_to_json(PLAIN))
    assert main(["train", str(spec), "--recipe", str(recipe), "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "learning rate 100" in err.strip().splitlines()[-1]
