"""What several runs say: figures by hand, verdicts, comparisons against scipy, files."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from core import catalogue
from core.errors import CheckpointError
from core.history import EpochRecord
from core.study import (
    SeedRun,
    Study,
    compare,
    epoch_means,
    median_run,
    pareto_front,
    read_study,
    standard_error,
    study_to_dict,
    summary,
    verdict,
    write_study,
)

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
    assert standard_error(found) == pytest.approx(0.001)


def test_one_run_has_no_deviation() -> None:
    found = summary(RUNS[:1])
    assert (found.n, found.sd, found.best_sd, standard_error(found)) == (1, None, None, None)


def test_runs_that_cannot_be_put_together_are_refused() -> None:
    with pytest.raises(ValueError, match="no runs"):
        summary(())
    with pytest.raises(ValueError, match="runs of 2 and of 4 epochs"):
        summary((RUNS[0], run(3, 0.9, 0.9)))


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (0.9930, "holds"),  # a mean of 0.992 and a deviation of 0.0014
        (0.9940, "holds only as a best epoch"),  # the best epochs: 0.993 and 0.0014
        (0.9950, "does not hold"),
    ],
)
def test_a_claim_holds_within_one_deviation(claim: float, words: str) -> None:
    assert verdict(claim, summary(RUNS)) == words


@given(st.lists(st.tuples(st.integers(9800, 9999), st.integers(9800, 9999)), min_size=3, max_size=12))
def test_the_p_value_is_scipys_paired_one(pairs: list[tuple[int, int]]) -> None:
    first = [run(seed, before / 1e4) for seed, (before, _) in enumerate(pairs)]
    second = [run(seed, after / 1e4) for seed, (_, after) in enumerate(pairs)]
    found = compare(first, list(reversed(second)))
    before, after = zip(*[(before / 1e4, after / 1e4) for before, after in pairs], strict=True)
    assert found.n == len(pairs)
    assert found.difference == pytest.approx(statistics.mean(after) - statistics.mean(before), abs=1e-12)
    if len({round(a - b, 9) for b, a in zip(before, after, strict=True)}) > 1:
        assert found.p == pytest.approx(ttest_rel(after, before, alternative="greater").pvalue, abs=1e-6)


def test_only_shared_seeds_are_compared() -> None:
    found = compare((run(1, 0.990), run(2, 0.990), run(9, 0.1)), (run(2, 0.991), run(1, 0.992)))
    assert (found.n, found.difference) == (2, pytest.approx(0.0015))
    assert compare(RUNS[:1], RUNS[:1]).p is None
    with pytest.raises(ValueError, match=r"no seed is shared: \[1\] and \[2\]"):
        compare(RUNS[:1], RUNS[1:])


def test_without_spread_nothing_is_certain() -> None:
    same = compare((run(1, 0.99), run(2, 0.98)), (run(1, 0.99), run(2, 0.98)))
    assert same.p == 0.5
    before, after = (0.9924, 0.9901), (0.9927, 0.9904)  # three images both times; as floats they differ by 1e-16
    assert after[0] - before[0] != after[1] - before[1]
    three_each = compare([run(n, a) for n, a in enumerate(before)], [run(n, a) for n, a in enumerate(after)])
    assert (three_each.n, three_each.difference, three_each.p) == (2, pytest.approx(0.0003), None)


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
        (lambda data: data.pop("runs"), "KeyError"),
        (lambda data: data["runs"][0].update(seed=-1), "run 0: seed: -1 is outside"),
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


def test_no_study_and_no_json_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such study"):
        read_study(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text('{"version": 1, "runs": [')
    with pytest.raises(CheckpointError, match=r"cut\.json: the study cannot be read"):
        read_study(tmp_path / "cut.json")
