"""What several runs say: figures by hand, and files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.study import (
    SeedRun,
    Study,
    epoch_means,
    median_run,
    pareto_front,
    read_study,
    study_to_dict,
    summary,
    write_study,
)
from core.errors import CheckpointError
from core.ladder import catalogue
from core.training.history import EpochRecord

pytestmark = pytest.mark.own_data

STEP = catalogue.by_slug("c3-batchnorm-7448")


def run(seed: int, *accuracies: float, validation: float | None = None) -> SeedRun:
    history = tuple(
        EpochRecord(epoch, 0.1, 0.98, validation, validation, 0.05, accuracy, 0.01, 12.5)
        for epoch, accuracy in enumerate(accuracies)
    )
    return SeedRun(seed, history, "cpu", "2.13.0", "2026-11-21T10:00:00+00:00")


def study(*runs: SeedRun) -> Study:
    return Study(STEP.slug, STEP.architecture, STEP.recipe, "MNIST", 60_000, runs)


RUNS = (run(1, 0.98, 0.990, 0.992, 0.991), run(2, 0.97, 0.994, 0.993, 0.993))


def test_the_figures_are_those_one_gets_by_hand() -> None:
    found = summary(RUNS)
    assert (found.n, found.mean, found.best_mean) == (2, pytest.approx(0.992), pytest.approx(0.993))
    assert found.sd == pytest.approx(0.001 * 2**0.5)  # half the distance, over n - 1
    assert found.held == pytest.approx(0.992)  # of 0.992, 0.9925, 0.992
    assert epoch_means(RUNS) == pytest.approx([0.975, 0.992, 0.9925, 0.992])


def test_runs_that_stop_early_are_summarised_by_their_own_last_epochs() -> None:
    shorter = replace(RUNS[0], history=RUNS[0].history[:-1])
    with pytest.raises(ValueError, match="cannot be summarised together"):
        summary([shorter, *RUNS[1:]])
    found = summary([shorter, *RUNS[1:]], stop_early=True)
    assert found.mean == pytest.approx((shorter.last + sum(run.last for run in RUNS[1:])) / len(RUNS))
    assert (found.n, found.epochs) == (len(RUNS), len(RUNS[0].history))


def test_one_run_has_no_deviation() -> None:
    found = summary(RUNS[:1])
    assert (found.n, found.sd, found.best_sd) == (1, None, None)


def test_runs_that_cannot_be_put_together_are_refused() -> None:
    with pytest.raises(ValueError, match="no runs"):
        summary(())
    with pytest.raises(ValueError, match="runs of 2 and of 4 epochs"):
        summary((RUNS[0], run(3, 0.9, 0.9)))


def test_how_many_runs_hold_the_target_is_counted_run_by_run() -> None:
    held, dips = run(1, 0.98, 0.994, 0.995, 0.994), run(2, 0.999, 0.996, 0.9939, 0.999)
    found = summary((held, dips))
    assert (found.holding, found.n, found.epochs) == (1, 2, 4)
    assert found.held > 0.994, "the mean curve hides that one run of two does not hold it"
    assert summary((run(1, 0.999, 0.999),)).holding == 0, "two epochs hold nothing yet"


def test_the_median_is_one_of_the_runs() -> None:
    runs = [run(1, 0.99), run(2, 0.97), run(3, 0.98), run(4, 0.96)]
    assert median_run(runs[:3]).seed == 3
    assert median_run(runs).seed == 2  # the lower of the middle two


def test_the_front_holds_what_nothing_beats() -> None:
    points = [(5000.0, 0.99), (4000.0, 0.99), (8000.0, 0.995), (9000.0, 0.994), (4000.0, 0.98)]
    assert pareto_front(points) == [1, 2]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=12))
def test_every_point_off_the_front_is_beaten_by_one_on_it(points: list[tuple[int, int]]) -> None:
    front = pareto_front([(float(cost), float(gain)) for cost, gain in points])
    for index, (cost, gain) in enumerate(points):
        if index not in front:
            assert any(points[each][0] <= cost and points[each][1] >= gain for each in front)


def test_a_study_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = study(*RUNS, run(3, 0.9, 0.9, 0.9, 0.9, validation=0.5))
    write_study(written, tmp_path / "a" / "study.json")
    assert read_study(tmp_path / "a" / "study.json") == replace(written, recipe=replace(STEP.recipe, seed=1))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["study.json"]


def test_a_run_is_added_or_replaced_by_its_seed() -> None:
    grown = study(RUNS[1]).with_run(RUNS[0]).with_run(run(2, 0.5))
    assert [(each.seed, each.last) for each in grown.runs] == [(1, 0.991), (2, 0.5)]
    assert grown.missing([3, 2, 1, 4]) == [3, 4]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data.update(version=9), "version is 9"),
        (lambda data: data.pop("train_images"), "train_images is missing"),
        (lambda data: data["runs"][0].update(seed=-1), "runs[0]: seed: -1 is outside"),
        (
            lambda data: data["runs"][1]["history"].update(test_accuracy=[2, 0, 0, 0]),
            "test_accuracy: 2 is outside 0 to 1",
        ),
        (lambda data: data["runs"][1]["history"].update(test_loss=[0.1]), "columns of 4 epochs"),
        (lambda data: data["runs"][1]["history"].update(surprise=[0] * 4), "of the fields"),
    ],
)
def test_a_damaged_study_is_named(damage: object, said: str, tmp_path: Path) -> None:
    data = study_to_dict(study(*RUNS))
    damage(data)  # type: ignore[operator]
    path = tmp_path / "study.json"
    path.write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match=r"study\.json") as raised:
        read_study(path)
    assert said in str(raised.value)


def test_the_images_that_a_run_misreads_are_kept_in_one_line(tmp_path: Path) -> None:
    known = replace(RUNS[0], mistakes=tuple(range(7, 97)))
    write_study(study(known, RUNS[1]), tmp_path / "study.json")
    assert [run.mistakes for run in read_study(tmp_path / "study.json").runs] == [known.mistakes, None]
    assert (tmp_path / "study.json").read_text().count("mistakes") == 1, "what is not known takes no room"


@pytest.mark.parametrize(
    ("mistakes", "said"),
    [
        ("0,1", "mistakes: a list of the images' indices, counted from 0, expected"),
        ([*range(89), True], "a list of the images' indices"),
        ([-1, *range(89)], "a list of the images' indices"),
        ([*range(89), 10_000], "runs[0]: mistakes: index 10,000 is outside 0 to 9,999"),
        ([*range(89), 88], "mistakes: index 88 does not come in rising order, each once"),
        ([*range(2, 91), 1], "index 1 does not come in rising order"),
        (list(range(87)), "runs[0]: mistakes: 87 images, but a test accuracy of 99.10% leaves 90 misread"),
        (list(range(93)), "93 images, but"),
        ([], "0 images, but"),
    ],
)
def test_mistakes_that_cannot_be_the_runs_are_named(mistakes: object, said: str, tmp_path: Path) -> None:
    data = study_to_dict(study(*RUNS))
    data["runs"][0].update(mistakes=mistakes)  # type: ignore[index, call-overload, union-attr]
    (tmp_path / "study.json").write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match=r"study\.json") as raised:
        read_study(tmp_path / "study.json")
    assert said in str(raised.value)


@pytest.mark.parametrize("count", [88, 90, 92])
def test_another_device_may_read_an_image_or_two_otherwise(count: int, tmp_path: Path) -> None:
    write_study(study(replace(RUNS[0], mistakes=tuple(range(count)))), tmp_path / "study.json")
    assert len(read_study(tmp_path / "study.json").runs[0].mistakes or ()) == count


def test_no_study_and_no_json_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such study"):
        read_study(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text('{"version": 1, "runs": [')
    with pytest.raises(CheckpointError, match=r"cut\.json: the study cannot be read"):
        read_study(tmp_path / "cut.json")


def test_a_mean_over_runs_of_different_lengths_is_none() -> None:
    with pytest.raises(ValueError, match="shorter"):
        epoch_means((run(0, 0.9, 0.91), run(1, 0.9)))
