"""A ladder of the class's own: the example folder is read and shown everywhere, and each fault is one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.architecture.json_form import architecture_from_dict, architecture_to_dict
from core.errors import SpecError
from core.ladder import catalogue
from core.ladder.brought import MAX_STEPS, read_ladder
from core.record import Json
from core.training.network import build
from core.training.recipe import recipe_to_dict
from lab.cli.parser import main
from lab.runs import supervisor
from lab.settings import settings
from lab.studies import own_ladder
from tests.test_learn_pages import metric, opened, said

pytestmark = pytest.mark.own_data

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "class-ladder"
FIRST, SECOND = "class-01-plain-4322", "class-02-batch-norm-4370"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the example, named by the setting."""
    copied = tmp_path / "ladder"
    shutil.copytree(EXAMPLE, copied)
    monkeypatch.setenv("LAB_LADDER", str(copied))
    settings.cache_clear()
    yield copied
    settings.cache_clear()


def written(folder: Path, name: str = "01-plain.json") -> dict[str, Json]:
    found = json.loads((folder / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_examples_steps_count_as_torch_does_and_stand_in_order() -> None:
    found = read_ladder(EXAMPLE)
    assert found.faults == ()
    assert [(step.slug, step.order, catalogue.label(step)) for step in found.steps] == [
        (FIRST, 1, "E1 · Four convolutions"),
        (SECOND, 2, "E2 · With batch norm"),
    ]
    for step in found.steps:
        assert sum(each.numel() for each in build(step.architecture).parameters()) == int(step.slug.split("-")[-1])
    assert [each.address for each in found.steps[1].links] == ["https://arxiv.org/abs/1502.03167"]
    claim = found.steps[1].claim
    assert claim is not None
    assert (claim.best_test_accuracy, claim.best_test_epoch) == (0.985, 8)  # the ninth, counted from 0


def test_every_step_of_the_ladder_can_be_written_as_such_a_file(tmp_path: Path) -> None:
    for number, step in enumerate(catalogue.LADDER[:MAX_STEPS], 1):
        file = {
            "title": step.title,
            "network": architecture_to_dict(step.architecture),
            "recipe": recipe_to_dict(step.recipe),
        }
        (tmp_path / f"{number:02}.json").write_text(json.dumps(file), encoding="utf-8")
    found = read_ladder(tmp_path)
    assert found.faults == ()
    for step, brought in zip(catalogue.LADDER, found.steps, strict=False):
        assert (brought.architecture, brought.recipe) == (step.architecture, step.recipe)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"title": ""}, "01-plain.json: title: 0 characters, at least 1 are needed"),
        ({"network": None}, "01-plain.json: network: an architecture is an object with name, input and ops, got null"),
        ({"network": {"ops": [{"op": "Cov"}]}}, "01-plain.json: network: op 0: unknown op 'Cov'"),
        (
            {"network": {"ops": [{"op": "Conv", "out_channels": 0, "kernel_size": 3}]}},
            "01-plain.json: network: op 0 Conv: out_channels: 0 is outside 1 to",
        ),
        ({"network": {"ops": [{"op": "Flatten"}]}}, "the network ends in 784 values, not in 10 outputs"),
        (
            {"network": {"input": [1, 32, 32], "ops": [{"op": "Flatten"}, {"op": "Linear", "out_features": 10}]}},
            "01-plain.json: network: it takes images of 1 x 32 x 32, the data sets have 1 x 28 x 28",
        ),
        ({"recipe": {"epochs": 0}}, "01-plain.json: recipe: recipe: epochs: 0 is outside 1 to"),
        ({"claim": {"test_accuracy": 99.4}}, "01-plain.json: claim: test_accuracy: 99.4 is outside 0 to 1"),
        ({"colour": "red"}, "01-plain.json: unknown field 'colour'"),
        (
            {"links": [{"label": "x", "address": "javascript:alert(1)"}]},
            "01-plain.json: links[0]: address: 'javascript:alert(1)' is no address; one begins with https://",
        ),
    ],
)
def test_a_wrong_step_is_one_sentence_with_file_and_place_and_the_other_stays(
    folder: Path, change: dict[str, Json], told: str
) -> None:
    (folder / "01-plain.json").write_text(json.dumps(written(folder) | change), encoding="utf-8")
    found = read_ladder(folder)
    (fault,) = found.faults
    assert told in fault
    assert fault.startswith("01-plain.json: ")
    assert "\n" not in fault
    assert [step.slug for step in found.steps] == [SECOND]


def test_files_that_are_no_json_and_a_folder_that_is_not_there_are_told(folder: Path) -> None:
    (folder / "01-plain.json").write_text('{"title": "x",', encoding="utf-8")
    (folder / "02-batch-norm.json").write_bytes(b"\xff\xfe\x00")
    (folder / "3 Bad Name.json").write_text("{}", encoding="utf-8")
    (folder / "ladder.json").write_text('{"name": "x"}', encoding="utf-8")
    (folder / "04-large.json").write_text(" " * 200_001, encoding="utf-8")
    faults = read_ladder(folder).faults
    assert len(faults) == 5
    for words in ("01-plain.json is not JSON", "02-batch-norm.json: it is not a text", "'3 Bad Name' cannot be part",
                  "ladder.json: unknown field 'name'", "04-large.json: 200,001 bytes, at most 200,000"):  # fmt: skip
        assert sum(words in fault for fault in faults) == 1, words
    (fault,) = read_ladder(folder / "nowhere").faults
    assert "the ladder's folder cannot be read" in fault


def test_the_commands_know_its_steps(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "03-bad.json").write_text("[]", encoding="utf-8")
    assert main(["steps"]) == 0
    said_here = capsys.readouterr()
    assert [line.split()[0] for line in said_here.out.splitlines()][-2:] == [FIRST, SECOND]
    assert "03-bad.json: expected an object with fields" in said_here.err
    assert main(["trace", FIRST]) == 0
    assert "4,322" in capsys.readouterr().out
    with pytest.raises(SpecError, match=FIRST):
        own_ladder.by_slug("nothing")


def test_a_step_has_the_one_before_it_and_its_lineage(folder: Path) -> None:
    first, second = own_ladder.own_ladder().steps
    assert own_ladder.before(second) is first
    assert own_ladder.before(first) is None
    assert own_ladder.lineage_of(second).title == "Our class"
    assert architecture_from_dict(written(folder)["network"]) == first.architecture
    assert own_ladder.lineage_of(catalogue.LADDER[0]).key == "a"


def test_ladder_step_design_and_train_show_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ensure_worker", lambda *_, **__: None)
    (folder / "03-bad.json").write_text("[]", encoding="utf-8")
    ladder = opened("pages/learn/ladder.py")
    assert not ladder.exception
    assert "Our class" in [each.value for each in ladder.header]
    assert r"03-bad.json\: expected an object with fields" in said(ladder)
    step = opened("pages/learn/step.py", step=SECOND, view="Result")
    assert not step.exception
    assert metric(step, "Parameters") == "4,370"
    assert "(https://arxiv.org/abs/1502.03167)" in said(step)
    assert "After E1 · Four convolutions: A batch norm after each convolution" in said(step)
    assert "Source: the class's own ladder." in said(step)
    train = opened("pages/experiment/train.py", step=SECOND)
    assert not train.exception
    assert next(each.value for each in train.selectbox if each.label == "Step") == SECOND
    design = opened("pages/experiment/design.py", **{"from": FIRST})
    assert not design.exception
    assert metric(design, "Parameters") == "4,322"
