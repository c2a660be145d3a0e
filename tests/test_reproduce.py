"""The study of the ladder in small: it trains what is missing, goes on where it stopped, and ships the median seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from core.analysis.plan import PlannedStudy, read_plan, write_plan
from core.analysis.study import read_study, summary
from core.checkpoints.card import read_card
from core.checkpoints.checkpoint import load, normalisation_of
from core.data.mnist import EMBEDDED, load_split
from core.errors import CheckpointError, LabError, SpecError
from core.training.evaluation import evaluate
from core.training.recipe import Recipe
from core.training.resident import examples
from lab.settings import lab_home
from lab.studies.plan import Subject, made, so_far, subjects
from lab.studies.reproduce import folder_of, reproduce, unfinished
from lab.studies.results import in_words, studies
from lab.studies.tables import END, START, rewrite, written
from tests.tiny import PLAIN, TINY

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("worker_here")
SUBJECT = Subject("tiny-step", "tiny-step", TINY, Recipe(epochs=2, batch_size=64, learning_rate=0.05, seed=7))
VARIANT = Subject("tiny-variant", "", TINY, Recipe(epochs=2, batch_size=32, learning_rate=0.05))
WILD = Subject("wild", "", PLAIN, replace(SUBJECT.recipe, learning_rate=100.0))


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shelf and a plan of the test's own, on the embedded digits."""
    folder = tmp_path / "checkpoints"
    monkeypatch.setattr("lab.studies.reproduce.SHIPPED", folder)
    monkeypatch.setattr("lab.studies.reproduce.path_of", lambda name: folder / "studies" / f"{name}.json")
    monkeypatch.setattr("lab.studies.reproduce.DATASET", EMBEDDED)
    monkeypatch.setattr("lab.studies.plan.path", lambda: folder / "studies" / "PLAN.json")
    folder.mkdir()
    planned = tuple(PlannedStudy(each.name, each.architecture, each.recipe, 5) for each in (SUBJECT, VARIANT, WILD))
    write_plan(replace(made(None), studies=planned), folder / "studies" / "PLAN.json")
    return folder


@pytest.mark.slow
def test_it_trains_keeps_and_ships(shelf: Path) -> None:
    said: list[str] = []
    reproduce([SUBJECT, VARIANT], CPU, 2, (1, 2, 3), said.append)
    found = read_study(shelf / "studies" / "tiny-step.json")
    assert [run.seed for run in found.runs] == [1, 2, 3]
    assert {len(run.history) for run in found.runs} == {2}
    _, card = load(shelf / "tiny-step")
    assert card.record.test_accuracy == pytest.approx(sorted(run.last for run in found.runs)[1], abs=1e-6)
    assert card.recipe == replace(SUBJECT.recipe, seed=card.recipe.seed)
    assert not list(shelf.glob("tiny-variant*"))
    assert len(read_study(shelf / "studies" / "tiny-variant.json").runs) == 3
    assert any("is the median of 3" in line for line in said)


def test_a_run_keeps_the_images_that_its_last_weights_misread(shelf: Path) -> None:
    reproduce([SUBJECT], CPU, 1, (1,), lambda text: None)
    (run,) = read_study(shelf / "studies" / "tiny-step.json").runs
    network, card = load(folder_of(SUBJECT, 1) / "last")
    test = load_split(EMBEDDED, "test")
    pixels = (torch.tensor(test.images)[:, None] / 255 - card.normalisation_mean) / card.normalisation_sd
    with torch.no_grad():
        read = network(pixels).argmax(1).tolist()
    wrong = [index for index, label in enumerate(test.labels.tolist()) if read[index] != label]
    assert list(run.mistakes or ()) == wrong
    assert run.last == pytest.approx(1 - len(wrong) / 360, abs=1e-6)


def test_mistakes_that_contradict_the_runs_accuracy_are_not_kept(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.studies.reproduce.misread", lambda stem: ())
    said: list[str] = []
    reproduce([SUBJECT], CPU, 1, (1,), said.append)
    assert read_study(shelf / "studies" / "tiny-step.json").runs[0].mistakes is None
    assert any("seed 1: its mistakes are not kept: 0 images, but a test accuracy of" in line for line in said)


def test_what_is_done_is_left_alone_and_more_seeds_are_added(shelf: Path) -> None:
    reproduce([SUBJECT], CPU, 1, (1,), lambda text: None)
    before = read_study(shelf / "studies" / "tiny-step.json")
    said: list[str] = []
    reproduce([SUBJECT], CPU, 1, (1,), said.append)
    assert said == []
    reproduce([SUBJECT], CPU, 1, (1, 5), said.append)
    after = read_study(shelf / "studies" / "tiny-step.json")
    assert [run.seed for run in after.runs] == [1, 5]
    assert after.runs[0] == before.runs[0]
    assert all("seed 1:" not in line for line in said)


def test_a_median_whose_weights_are_gone_is_trained_again(shelf: Path) -> None:
    reproduce([SUBJECT], CPU, 1, (1,), lambda text: None)
    for path in (shelf / "tiny-step.json", *folder_of(SUBJECT, 1).iterdir()):
        path.unlink()
    before = read_study(shelf / "studies" / "tiny-step.json").runs[0]
    reproduce([SUBJECT], CPU, 1, (1,), lambda text: None)
    assert read_card(shelf / "tiny-step.json").record.test_accuracy == pytest.approx(before.last, abs=1e-6)


def test_a_large_network_ships_in_half_precision_and_its_card_says_what_the_halved_weights_do(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.studies.reproduce.HALVED", 1)
    said: list[str] = []
    reproduce([SUBJECT], CPU, 1, (1,), said.append)
    stored = load_file(shelf / "tiny-step.safetensors")
    whole = load_file(folder_of(SUBJECT, 1) / "last.safetensors")
    assert {tensor.dtype for tensor in stored.values() if tensor.is_floating_point()} == {torch.float16}
    assert all(torch.equal(stored[name], whole[name].to(stored[name].dtype)) for name in whole)
    network, card = load(shelf / "tiny-step")
    test = examples(load_split(EMBEDDED, "test"), CPU)
    loss, accuracy = evaluate(network, test, normalisation_of(card))
    assert (card.stored, card.record.test_accuracy) == ("float16", accuracy)
    assert card.record.test_loss == pytest.approx(loss)
    reproduce([SUBJECT], CPU, 1, (1,), said.append)
    assert len([line for line in said if "ships" in line]) == 1


def test_a_run_that_fails_is_named_and_costs_no_other(shelf: Path) -> None:
    with pytest.raises(LabError, match=r"1 run failed; the first: wild, seed 1: .*loss is"):
        reproduce([WILD, SUBJECT], CPU, 1, (1,), lambda text: None)
    assert len(read_study(shelf / "studies" / "tiny-step.json").runs) == 1


def test_two_at_once_do_not_train_the_same_runs(shelf: Path) -> None:
    with FileLock(lab_home() / "reproduce.lock"), pytest.raises(LabError, match=r"reproduce\.lock: another reproduce"):
        reproduce([SUBJECT], CPU, 1, (1,), lambda text: None)
    assert [path.name for path in shelf.glob("studies/*")] == ["PLAN.json"]
    reproduce([SUBJECT], CPU, 1, (1,), lambda text: None)


def test_a_study_of_another_recipe_is_not_mixed_in(shelf: Path) -> None:
    reproduce([VARIANT], CPU, 1, (1,), lambda text: None)
    other = replace(VARIANT, recipe=replace(VARIANT.recipe, batch_size=16))
    replan(shelf, PlannedStudy(other.name, other.architecture, other.recipe, 5))
    with pytest.raises(CheckpointError, match="another network or recipe than tiny-variant"):
        reproduce([other], CPU, 1, (1,), lambda text: None)


def replan(shelf: Path, *studies: PlannedStudy) -> None:
    path = shelf / "studies" / "PLAN.json"
    write_plan(replace(read_plan(path), studies=studies), path)


@pytest.mark.parametrize("also", [(), (SUBJECT,)])
def test_what_is_not_planned_is_refused_before_anything_is_trained(shelf: Path, also: tuple[Subject, ...]) -> None:
    (shelf / "studies" / "PLAN.json").unlink()
    with pytest.raises(CheckpointError, match="tiny-variant is not in the plan; `python -m lab reproduce --plan`"):
        reproduce([VARIANT, *also], CPU, 1, (1,), lambda text: None)
    replan_with = [PlannedStudy(each.name, each.architecture, each.recipe, 5) for each in (SUBJECT, WILD)]
    write_plan(replace(made(None), studies=tuple(replan_with)), shelf / "studies" / "PLAN.json")
    with pytest.raises(CheckpointError, match="tiny-variant is not in the plan"):
        reproduce([*also, VARIANT], CPU, 1, (1,), lambda text: None)
    assert [path.name for path in shelf.glob("studies/*")] == ["PLAN.json"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            replace(VARIANT, architecture=PLAIN),
            r"tiny-variant is planned otherwise \(another network\); `python -m lab",
        ),
        (
            replace(VARIANT, recipe=replace(VARIANT.recipe, batch_size=16)),
            r"tiny-variant is planned otherwise \(batch size: 32 planned, 16 now\); `python -m lab",
        ),
    ],
)
def test_another_network_or_recipe_than_planned_is_refused(changed: Subject, told: str, shelf: Path) -> None:
    with pytest.raises(CheckpointError, match=told):
        reproduce([changed], CPU, 1, (1,), lambda text: None)
    assert next(unfinished([changed])).startswith("tiny-variant is planned otherwise")


def test_more_seeds_than_planned_are_refused(shelf: Path) -> None:
    with pytest.raises(LabError, match="tiny-variant: seed 6 is not one of the 5 seeds planned, 1 to 5; leave it out"):
        reproduce([VARIANT], CPU, 1, (1, 6), lambda text: None)


def test_without_seeds_all_that_are_planned_are_trained_on_a_cpu_too(shelf: Path) -> None:
    replan(shelf, PlannedStudy(VARIANT.name, VARIANT.architecture, VARIANT.recipe, 2))
    reproduce([VARIANT], CPU, 1, None, lambda text: None)
    assert [run.seed for run in read_study(shelf / "studies" / "tiny-variant.json").runs] == [1, 2]
    assert list(unfinished([VARIANT])) == []


def test_all_steps_and_variants_can_be_studied() -> None:
    names = [subject.name for subject in subjects()]
    assert len(names) == len(set(names)) >= 19
    assert [subject.name for subject in subjects(["c5-steplr"])] == ["c5-steplr"]
    with pytest.raises(SpecError, match="nothing to reproduce called 'no-such'"):
        subjects(["no-such"])


@pytest.mark.slow
def test_what_is_left_is_told(shelf: Path) -> None:
    assert list(unfinished([VARIANT])) == ["tiny-variant: 5 of 5 seeds"]
    reproduce([VARIANT], CPU, 2, (1, 2), lambda text: None)
    assert list(unfinished([VARIANT])) == ["tiny-variant: 3 of 5 seeds"]


def test_the_tables_are_put_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "ladder.md"
    page.write_text(f"before {START} old {END} after")
    rewrite(written(studies()), page)
    assert page.read_text() == f"before {written(studies())} after"
    page.write_text("nothing")
    with pytest.raises(CheckpointError, match=r"ladder\.md: the marks"):
        rewrite(written(studies()), page)


@pytest.mark.slow
def test_a_row_says_mean_deviation_and_n() -> None:
    steps = written(studies()).partition("How sure")[0].splitlines()
    for found in studies().values():
        row = next((line for line in steps if line.startswith(f"| `{found.name}`")), None)
        if row is not None:
            measured = summary(found.runs)
            n = in_words(measured, so_far(found.name, measured.n))
            assert f"{n} | {measured.holding} of {measured.n} | {measured.held:.2%} | " in row
