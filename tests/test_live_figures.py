"""The figures that are drawn each second, in Plotly's own words: they are Plotly's, and say what the run did."""

from __future__ import annotations

import json
from dataclasses import replace

import plotly.graph_objects as go
import plotly.io
import pytest

from core.training.history import EpochRecord, RateChange
from core.training.recipe import OneCycle, Recipe, ReduceLROnPlateau, rate_at
from lab.experiment.train.run_controls import with_changes
from lab.runs.rows import BatchRow, Run
from lab.runs.store import RunStore
from lab.settings import lab_home
from lab.ui import curves, figures
from lab.ui.axes import accuracy_at
from tests.made_runs import made_run


@pytest.fixture
def run() -> Run:
    store = RunStore(lab_home())
    return made_run(store, [0.97, 0.99, 0.995, 0.9955], name="made", owner="", seed=1)


@pytest.fixture
def epochs(run: Run) -> list[EpochRecord]:
    return RunStore(lab_home()).epochs(run.id)


BATCHES = [BatchRow(n, n // 10, 2.0 / (n + 1), 0.5, 0.1, 1000.0) for n in range(40)]


def checked(figure: figures.Plain) -> go.Figure:
    """The figure as Plotly reads it; it refuses any word or value that it does not know."""
    return go.Figure(json.loads(plotly.io.to_json(figure, validate=True)))


def test_the_loss_shows_each_batch_where_it_was_and_each_epoch(epochs: list[EpochRecord]) -> None:
    figure = checked(curves.loss_curves(epochs, BATCHES, planned=6, per_epoch=10))
    assert list(figure.layout.yaxis.ticktext) == ["0.001", "0.01", "0.1", "1", "10"]
    each, *lines = figure.data
    assert [round(10 * x) for x in each.x] == [row.iteration + 1 for row in BATCHES]
    assert list(each.y) == pytest.approx([row.loss for row in BATCHES], rel=1e-4)
    test = next(line for line in lines if line.name == "test")
    assert list(test.y) == [record.test_loss for record in epochs]


def test_the_accuracy_shows_the_target_and_where_it_was_reached_and_held(epochs: list[EpochRecord]) -> None:
    figure = checked(curves.accuracy_curves(epochs, planned=6, target=0.994, claimed=(0.98, 0.991)))
    test = next(line for line in figure.data if line.name == "test")
    assert list(test.customdata) == [100 * record.test_accuracy for record in epochs]
    assert list(test.y) == [accuracy_at(100 * record.test_accuracy) for record in epochs]
    assert figure.layout.shapes[0].y0 == pytest.approx(accuracy_at(99.4))
    assert {note.text for note in figure.layout.annotations} == {
        "target 99.4%",
        "first reached epoch 3",
        "held from epoch 3",
    }


def test_a_run_that_waits_has_empty_curves(epochs: list[EpochRecord]) -> None:
    for figure in (curves.loss_curves([], [], 6, 10), curves.accuracy_curves([], 6, 0.994)):
        assert not checked(figure).data


def test_a_change_of_the_rate_is_a_line_where_it_came_into_force(run: Run, epochs: list[EpochRecord]) -> None:
    plain = curves.accuracy_curves(epochs, 6, 0.994)
    changed = replace(run, rate_changes=(RateChange(15, 0.5), RateChange(20, 1.0)))
    shapes = checked(with_changes(plain, changed, per_epoch=10)).layout.shapes
    assert [shape.x0 for shape in shapes if shape.yref == "y domain"] == [1.5, 2.0]
    assert len(shapes) == 3, "the target's line stays"
    assert len(plain["layout"]["shapes"]) == 1, "the figure that was given stays as it is"


@pytest.mark.parametrize("schedule", [OneCycle(), ReduceLROnPlateau(monitor="test")])
def test_the_schedule_is_the_loops_own(schedule: OneCycle | ReduceLROnPlateau) -> None:
    recipe = Recipe(epochs=3, schedule=schedule)
    figure = checked(curves.schedule(recipe, 10))
    (line,) = figure.data
    assert list(line.y) == pytest.approx([rate_at(recipe, n, 10) for n in range(30)], rel=1e-4)
    assert list(line.x) == pytest.approx([n / 10 for n in range(30)])
    assert bool(figure.layout.annotations) == isinstance(schedule, ReduceLROnPlateau)
