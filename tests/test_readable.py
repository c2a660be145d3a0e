"""A run that ends can be read again, or says why it failed; what cannot be read is listed with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import core.training.loop
from core.analysis.study import SeedRun, Study, read_study, write_study
from core.architecture.json_form import architecture_from_dict, architecture_to_json
from core.architecture.spec import Architecture
from core.checkpoints import checkpoint
from core.checkpoints.card import read_card, write_card
from core.data.mnist import EMBEDDED
from core.errors import CheckpointError, TrainingError
from core.files import replace_text
from core.record import range_of
from core.training.history import MAX_LOSS, EpochRecord, RateChange
from core.training.loop import EpochEnd, RateFound, train
from core.training.network import build
from core.training.range_test import RangeTestResult, Suggestion
from core.training.recipe import SGD, RangeTest, Recipe, recipe_from_dict, recipe_to_json
from lab.cli.parser import main
from lab.runs.rows import MAX_RATE_FACTOR, NewRun
from lab.runs.store import RunStore
from lab.runs.training_job import TrainingJob, run_training
from lab.runs.worker import Worker
from lab.studies import results as studies
from lab.studies import shelf
from tests.made_runs import made_run, save_weights
from tests.test_checkpoint import card
from tests.test_learn_pages import opened, said
from tests.tiny import PLAIN, TINY, tiny_data

pytestmark = pytest.mark.own_data

LENET = architecture_from_dict(
    {
        "name": "LeNet-5",
        "ops": [
            *({"op": "Conv", "out_channels": 6, "kernel_size": 5, "padding": 2}, {"op": "ReLU"}),
            *({"op": "MaxPool", "kernel_size": 2}, {"op": "Conv", "out_channels": 16, "kernel_size": 5}),
            *({"op": "ReLU"}, {"op": "MaxPool", "kernel_size": 2}, {"op": "Flatten"}),
            *({"op": "Linear", "out_features": 120}, {"op": "ReLU"}, {"op": "Linear", "out_features": 84}),
            *({"op": "ReLU"}, {"op": "Linear", "out_features": 10}),
        ],
    }
)
TEN = recipe_from_dict({"epochs": 2, "learning_rate": 10.0, "optimizer": {"name": "SGD", "momentum": 0.9}})
RATES = range_of(Recipe, "learning_rate")
LARGEST = RATES.most * MAX_RATE_FACTOR  # of a recipe, and multiplied by hand

losses = st.floats(0, MAX_LOSS)
shares = st.floats(0, 1)
held_out = st.one_of(st.just((None, None)), st.tuples(losses, shares))


@st.composite
def histories(draw: st.DrawFn) -> tuple[EpochRecord, ...]:
    """What `train` may yield: its bounds are those of the recipe, of a hand-changed rate and of a loss."""
    return tuple(
        EpochRecord(
            epoch, draw(losses), draw(shares), *draw(held_out), draw(losses), draw(shares),
            draw(st.floats(0, LARGEST)), draw(st.floats(0, 1e8)), *draw(held_out),
        )
        for epoch in range(draw(st.integers(1, 4)))
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------- what a run comes to


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@given(histories())
@examples(max_examples=40)
def test_every_figure_that_training_may_yield_comes_back_from_card_study_and_store(
    folder: Path, history: tuple[EpochRecord, ...]
) -> None:
    written = replace(card(), history=history, epoch=len(history) - 1)
    write_card(written, folder / "card.json")
    assert read_card(folder / "card.json") == written

    store = RunStore(folder)
    run = made_run(store, [], status=None, recipe=Recipe(epochs=4))
    for record in history:
        store.add_epoch(run.id, "w", record)
    assert tuple(store.epochs(run.id)) == history
    store.close()

    study = Study("tiny", TINY, Recipe(), EMBEDDED, 100, (SeedRun(1, history, "cpu", "2", ""),))
    write_study(study, folder / "study.json")
    (again,) = read_study(folder / "study.json").runs
    for record, kept in zip(history, again.history, strict=True):
        figures, theirs = vars(record).values(), vars(kept).values()
        assert list(theirs) == [None if each is None else pytest.approx(each, abs=5.1e-7, rel=1e-9) for each in figures]


@given(
    st.sampled_from([PLAIN, LENET]),
    st.floats(-9, 2).map(lambda power: min(10**power, RATES.most)),
    st.sampled_from([1.0, 1e3, MAX_RATE_FACTOR]),
    st.sampled_from([0.0, 0.9]),
    st.integers(0, 50),
)
@examples(max_examples=20)
def test_a_run_at_any_rate_is_readable_or_fails_with_its_reason(
    folder: Path, architecture: Architecture, rate: float, factor: float, momentum: float, seed: int
) -> None:
    recipe = Recipe(epochs=2, batch_size=50, learning_rate=rate, optimizer=SGD(momentum), seed=seed)
    order = TrainingJob("any", "", architecture, recipe, folder / "run", resumable=False)
    reason = ""
    try:
        for _ in run_training(order, tiny_data(), [RateChange(0, factor)]):
            pass
    except TrainingError as error:
        reason = str(error)
    if reason:
        assert re.search(r"loss is (nan|inf|\S+ \(more than 1e\+19\)).*; a smaller rate or batch norm", reason)
    else:
        assert len(read_card(folder / "run" / "last.json").history) == 2


def test_a_rate_changed_by_hand_as_far_as_can_be_is_readable(folder: Path) -> None:
    """Without a gradient nothing diverges, however high the rate."""
    recipe = Recipe(epochs=1, learning_rate=RATES.most, optimizer=SGD())
    network = build(PLAIN, 1)
    network.register_forward_hook(lambda module, given, logits: logits * 0)
    *_, end = train(network, tiny_data(), recipe, rate_factor=lambda: MAX_RATE_FACTOR)
    assert isinstance(end, EpochEnd)
    assert end.record.learning_rate == LARGEST
    written = replace(card(), history=(end.record,), epoch=0)
    write_card(written, folder / "high.json")
    assert read_card(folder / "high.json") == written


def test_a_rate_that_the_range_test_finds_is_one_that_a_recipe_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    tenth = Suggestion("minimum/10", RATES.least / 10, "", at_edge=True)
    monkeypatch.setattr(core.training.loop, "range_test", lambda *_: RangeTestResult((), (tenth,), False, ""))
    found = next(train(build(PLAIN, 1), tiny_data(), Recipe(range_test=RangeTest(pick="minimum/10"))))
    assert isinstance(found, RateFound)
    assert found.learning_rate == RATES.least


def test_a_card_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    unreadable = replace(card(), history=(replace(card().record, epoch=0, train_loss=float("inf")),), epoch=0)
    with pytest.raises(CheckpointError, match=r"the checkpoint mine cannot be saved: history\[0\]: train_loss: inf"):
        checkpoint.save(tmp_path / "home", "mine", build(TINY).state_dict(), unreadable)
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("worker_here")
@pytest.mark.parametrize("seed", [1, 2, 4])  # of which one ends far above 1e30, one recovers and one is no number
def test_lenet_at_rate_ten_without_batch_norm_is_readable_or_says_why_on_the_command_line(
    seed: int, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, recipe = tmp_path / "lenet.json", tmp_path / "ten.json"
    network.write_text(architecture_to_json(LENET))
    recipe.write_text(recipe_to_json(TEN))
    given = ["train", str(network), "--recipe", str(recipe), "--data", EMBEDDED, "--seed", str(seed), "--save", "ten"]
    status = main([*given, "--json"])
    said = capsys.readouterr()
    if status == 0:
        assert [each["epoch"] for each in json.loads(said.out)["epochs"]] == [0, 1]
        assert "ten" in [each.reference for each in shelf.own()]
        assert main(["mistakes", "ten", "--limit", "1"]) == 0
    else:
        assert "the loss is " in said.err
        assert "at learning rate 10; a smaller rate or batch norm keeps it finite" in said.err
        assert "ten" not in [each.reference for each in shelf.own()]
    assert shelf.unreadable() == ()


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_lenet_at_rate_ten_without_batch_norm_is_readable_or_says_why_as_a_workers_run(seed: int, home: Path) -> None:
    store = RunStore(home)
    recipe = replace(TEN, seed=seed)
    run = store.submit(
        NewRun(
            kind="train",
            name=LENET.name,
            architecture_json=architecture_to_json(LENET),
            recipe_json=recipe_to_json(recipe),
            dataset=EMBEDDED,
            device="cpu",
            parameters=61_706,
            seed=seed,
            epochs=2,
        )
    )[0]
    Worker(store, "cpu").work(0.3)
    run = store.get(run.id)
    train_page = opened("pages/experiment/train.py", run=run.id)
    assert not train_page.exception
    if run.status == "finished":
        assert f"{run.id}/last" in [each.reference for each in shelf.own()]
        mistakes = opened("pages/use/mistakes.py", checkpoint=f"{run.id}/last")
        assert not mistakes.exception
        assert not mistakes.error
    else:
        assert run.status == "failed"
        assert "the loss is " in run.error
        assert "It diverged" in said(train_page)
    assert shelf.unreadable() == ()


# -------------------------------------------------------------------------------------------------- what cannot be read


def drop_weights(stem: Path) -> None:
    stem.with_suffix(".safetensors").unlink()


def drop_card(stem: Path) -> None:
    stem.with_suffix(".json").unlink()


def cut_weights(stem: Path) -> None:
    path = stem.with_suffix(".safetensors")
    path.write_bytes(path.read_bytes()[:-5])


def empty_weights(stem: Path) -> None:
    stem.with_suffix(".safetensors").write_bytes(b"")


def spoil_card(stem: Path) -> None:
    replace_text(stem.with_suffix(".json"), "{")


def raise_loss(stem: Path) -> None:
    """As it was written before such a run failed; but for a loss that is no float32."""
    found = json.loads(stem.with_suffix(".json").read_text())
    found["history"][0]["train_loss"] = 1e39
    replace_text(stem.with_suffix(".json"), json.dumps(found))


DAMAGES = [
    (drop_weights, "its weights, last.safetensors, are missing"),
    (drop_card, "its card, last.json, is missing"),
    (cut_weights, "its weights, last.safetensors, were cut short"),
    (empty_weights, "its weights, last.safetensors, were cut short"),
    (spoil_card, "its card, last.json: the card cannot be read: it is not valid JSON at line 1, column 2"),
    (raise_loss, "its card, last.json: history[0]: train_loss: 1e+39 is outside 0 to"),
]
Damage = Callable[[Path], None]
NAMES = [damage.__name__ for damage, _ in DAMAGES]


@pytest.fixture
def store(home: Path) -> RunStore:
    return RunStore(home)


@pytest.mark.parametrize(("damage", "reason"), DAMAGES, ids=NAMES)
def test_a_checkpoint_that_cannot_be_read_is_listed_with_the_reason(
    damage: Damage, reason: str, store: RunStore, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = made_run(store, [0.5]), made_run(store, [0.5])
    save_weights(good, [0.5], 1)
    damage(save_weights(bad, [0.5], 1))
    reference = f"{bad.id}/last"
    assert [each.reference for each in shelf.own()] == [f"{good.id}/last"]
    (listed,) = shelf.unreadable()
    assert listed.reference == reference
    assert reason in listed.reason
    assert str(home) not in listed.reason

    with pytest.raises(CheckpointError, match="cannot be opened: its") as raised:
        shelf.find(reference)
    assert reason in str(raised.value)
    assert main(["checkpoints"]) == 0
    assert f"{reference}     cannot be opened: {reason}".replace(" ", "") in capsys.readouterr().out.replace(" ", "")
    assert main(["checkpoints", "--json"]) == 0
    assert reason in json.loads(capsys.readouterr().out)[-1]["cannot_be_opened"]


@pytest.mark.parametrize(("damage", "reason"), [DAMAGES[0], DAMAGES[-1]], ids=[NAMES[0], NAMES[-1]])
def test_the_pages_list_it_with_the_reason(damage: Damage, reason: str, store: RunStore, home: Path) -> None:
    bad = made_run(store, [0.5], dataset=EMBEDDED)
    damage(save_weights(bad, [0.5], 1))
    reference = f"{bad.id}/last"
    for page in ("mistakes", "inside", "draw", "read"):
        app = opened(f"pages/use/{page}.py", checkpoint=reference)
        assert not app.exception
        assert "1 checkpoint cannot be read" in [panel.label for panel in app.expander], page
        assert any(reason in shown(each.value) for each in app.error), f"{page}: the link to it says why"
        assert str(home) not in said(app)
    panel = opened("pages/experiment/train.py", run=bad.id)
    assert "1 checkpoint cannot be read" in [each.label for each in panel.expander]
    assert reason in shown(said(panel))


def shown(markdown: str) -> str:
    """Without the backslashes that keep words from becoming markup."""
    return markdown.replace("\\", "")


def test_compare_and_a_report_say_why_there_are_no_weights(store: RunStore) -> None:
    runs = [made_run(store, [0.5], dataset=EMBEDDED, seed=seed) for seed in (1, 2)]
    for run in runs:
        save_weights(run, [0.5], run.seed)
    cut_weights(store.folder / runs[0].id / "last")
    app = opened("pages/experiment/compare.py", runs=f"{runs[0].id},{runs[1].id}", view="Images")
    assert not app.exception
    assert "its checkpoint cannot be opened: its weights, last.safetensors, were cut short" in shown(said(app))


def test_where_no_checkpoint_can_be_read_the_page_says_so(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    drop_weights(save_weights(made_run(store, [0.5]), [0.5], 1))
    app = opened("pages/use/mistakes.py")
    assert "There is no checkpoint yet" in said(app)
    assert "1 checkpoint cannot be read" in [panel.label for panel in app.expander]


def test_other_files_in_the_home_are_no_checkpoints(home: Path) -> None:
    (home / "designs").mkdir(parents=True)
    (home / "designs" / "mine.json").write_text(architecture_to_json(TINY))
    (home / "machine.json").write_text("{}")
    (home / "notes.json").write_text("{}")
    assert shelf.own() == shelf.unreadable() == ()


def test_a_study_that_cannot_be_read_is_listed_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    (tmp_path / "c3-batchnorm-7448.json").write_text("{")
    (damaged,) = studies.unreadable_studies()
    assert damaged.reference == "c3-batchnorm-7448"
    assert damaged.reason == "it is not valid JSON at line 1, column 2"
    for page in ("learn/ladder", "experiment/board", "experiment/compare"):
        app = opened(f"pages/{page}.py")
        assert not app.exception
        assert "1 study cannot be read" in [panel.label for panel in app.expander], page
    assert "The study of this step cannot be read" in said(opened("pages/learn/step.py", step="c3-batchnorm-7448"))
    assert main(["steps"]) == 0
    assert "the study c3-batchnorm-7448 cannot be read" in capsys.readouterr().err
    assert main(["reproduce", "--tables"]) == 2, "its row would be written as not measured"
    assert "the study c3-batchnorm-7448 cannot be read" in capsys.readouterr().err


def test_every_shipped_checkpoint_and_study_can_be_read(home: Path) -> None:
    assert shelf.unreadable() == studies.unreadable_studies() == ()


def test_an_error_on_a_page_names_files_without_the_servers_folders(store: RunStore, home: Path) -> None:
    run = made_run(store, [0.5], status=None)
    weights = save_weights(run, [0.5], 1).with_suffix(".safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    store.finish(run.id, "w", "failed", f"{home}/{run.id}/resume.pt: the run cannot go on from it")
    for page, parameters in (("use/mistakes", {"checkpoint": f"{run.id}/last"}), ("experiment/train", {"run": run.id})):
        app = opened(f"pages/{page}.py", **parameters)
        (error,) = app.error
        assert shown(error.value).startswith(f"{run.id}/"), page
        assert str(home) not in said(app)
