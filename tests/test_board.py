"""The challenge board: the three conditions worked by hand, the ranking, and the page."""

from __future__ import annotations

import json

import pytest

from core.architecture.spec import Architecture, Conv, Flatten, GlobalAvgPool, Linear
from core.architecture.trace import classifier
from core.data.mnist import EMBEDDED
from core.ladder import catalogue
from core.training.history import EpochRecord
from core.training.recipe import Recipe, ReduceLROnPlateau
from lab.experiment.board import figures as board_figures
from lab.runs.rows import NewRun, Run
from lab.runs.store import RunStore
from lab.settings import lab_home
from lab.studies.ranking import Standing, chosen, front, ladder, standings
from lab.ui.axes import accuracy_at
from tests.made_runs import made_run
from tests.test_learn_pages import metric, opened, said

BOARD = "pages/experiment/board.py"
LARGE = Architecture("large", (Conv(400, 3), GlobalAvgPool(), Flatten(), Linear(10)))  # 4,000 + 4,010 parameters
GOOD = [0.95, 0.99, 0.9941, 0.9943, 0.9940]


@pytest.fixture
def store(home: object) -> RunStore:
    return RunStore(lab_home())


def on_board(store: RunStore) -> tuple[Standing, ...]:
    def history(run: Run) -> list[EpochRecord]:
        return store.epochs(run.id)

    return standings(store.entries(100), history)


def test_the_three_conditions_are_told_apart(store: RunStore) -> None:
    assert classifier(LARGE).parameters == 8_010
    made_run(store, GOOD, owner="passes")
    made_run(store, [0.95, 0.9945, 0.9939, 0.9945, 0.9945], owner="dips")  # the third last epoch is below
    made_run(store, GOOD, owner="large", architecture=LARGE)
    made_run(store, [0.9] * 11 + GOOD, owner="long")  # 16 epochs
    made_run(store, [0.9950, 0.9950], owner="brief")  # two epochs hold nothing yet
    found = {
        each.owner: (each.challenge.mostly_held, each.challenge.short, each.challenge.small) for each in on_board(store)
    }
    assert found == {
        "passes": (True, True, True),
        "dips": (False, True, True),
        "large": (True, True, False),
        "long": (True, False, True),
        "brief": (False, True, True),
    }


def test_exactly_the_limits_still_pass(store: RunStore) -> None:
    made_run(store, [0.9] * 12 + [0.994] * 3)
    (only,) = on_board(store)
    assert only.epochs == 15
    assert only.passed


def test_who_meets_all_three_comes_first_and_of_these_the_smallest(store: RunStore) -> None:
    smaller = catalogue.by_slug("a3-dilation-5340").architecture
    larger = catalogue.by_slug("a2-final-7758").architecture
    made_run(store, [0.999] * 3, owner="misses one", architecture=LARGE)
    made_run(store, [0.996] * 3, owner="larger", architecture=larger)
    made_run(store, [0.995] * 3, owner="smaller", architecture=smaller)
    made_run(store, [0.90] * 3, owner="low")
    made_run(store, [0.91] * 3, owner="less low")
    assert [each.owner for each in on_board(store)] == ["smaller", "larger", "misses one", "less low", "low"]


def test_only_finished_training_runs_stand_on_the_board(store: RunStore) -> None:
    for status in ("stopped", "failed", "interrupted", None):
        made_run(store, GOOD, status=status)
    store.submit(
        NewRun(
            kind="range_test",
            name="x",
            architecture_json="{}",
            recipe_json="{}",
            dataset="MNIST",
            device="cpu",
            parameters=1,
            seed=1,
            epochs=0,
        )
    )[0]
    assert on_board(store) == ()
    made_run(store, GOOD)
    assert len(on_board(store)) == 1


def test_a_seed_group_is_one_row_with_its_mean_and_what_its_means_hold(store: RunStore) -> None:
    made_run(store, [0.99, 0.9950, 0.9930, 0.9950], seed=1, group="g")
    made_run(store, [0.99, 0.9940, 0.9960, 0.9970], seed=2, group="g")
    made_run(store, [0.99, 0.5], seed=3, group="g", status="stopped")
    (row,) = on_board(store)
    assert row.key == "g"
    assert row.figures.n == 2
    assert row.figures.mean == pytest.approx(0.9960)
    assert row.figures.sd == pytest.approx(0.00141, abs=1e-5)
    assert row.figures.held == pytest.approx(0.9945)  # the means are 99.45, 99.45 and 99.60%


def test_a_schedule_that_watches_the_test_loss_is_noted(store: RunStore) -> None:
    made_run(store, GOOD, recipe=Recipe(epochs=5, schedule=ReduceLROnPlateau(monitor="test")))
    (row,) = on_board(store)
    assert "watches the test figures" in row.note


def test_the_front_holds_whom_no_other_beats(store: RunStore) -> None:
    made_run(store, GOOD, owner="small")
    made_run(store, [0.98] * 5, owner="beaten", architecture=LARGE)
    made_run(store, [0.999] * 5, owner="best", architecture=LARGE)
    assert [each.owner for each in front(on_board(store))] == ["small", "best"]


def test_the_board_can_be_narrowed_to_a_nickname_and_a_tag(store: RunStore) -> None:
    made_run(store, GOOD, owner="Mia", tags=["monday"])
    made_run(store, GOOD, owner="Ben", tags=["monday", "late"])
    everyone = on_board(store)
    assert {each.owner for each in chosen(everyone, tag="monday")} == {"Mia", "Ben"}
    assert [each.owner for each in chosen(everyone, tag="late")] == ["Ben"]
    assert [each.owner for each in chosen(everyone, nickname="Mia")] == ["Mia"]
    assert chosen(everyone, "Mia", "late") == ()


# -------------------------------------------------------------------------------------------------------- the picture


def test_who_passes_is_told_by_form_as_well_as_by_colour(store: RunStore) -> None:
    made_run(store, GOOD, owner="passes")
    made_run(store, [0.991] * 5, owner="misses")
    figure = board_figures.board(on_board(store), (), "#000")
    forms = {
        trace.customdata[0]: trace.marker.symbol for trace in figure.data if trace.mode == "markers" and len(trace.x)
    }
    assert {("passes" in told, form) for told, form in forms.items()} == {(True, "circle"), (False, "circle-open")}


def test_the_axes_keep_their_place_whoever_comes(store: RunStore) -> None:
    def ranges() -> list[object]:
        layout = board_figures.board(on_board(store), ladder(), "#000").layout
        return [layout.xaxis.range, layout.xaxis2.range, layout.yaxis.range, layout.height]

    before = ranges()
    made_run(store, [0.3] * 5, architecture=LARGE)
    made_run(store, [0.9999] * 5)
    assert ranges() == before


def test_a_run_that_learns_nothing_has_its_true_place_and_its_number(store: RunStore) -> None:
    made_run(store, [0.098] * 3)
    figure = board_figures.board(on_board(store), (), "#000")
    (mark,) = [trace for trace in figure.data if trace.mode == "markers" and len(trace.x)]
    assert list(mark.y) == [accuracy_at(9.8)]
    low, high = figure.layout.yaxis.range
    assert low < accuracy_at(9.8) < high
    assert mark.marker.symbol == "circle-open"
    assert "held 9.80%" in mark.customdata[0]


def test_a_nickname_is_text_on_the_picture(store: RunStore) -> None:
    made_run(store, GOOD, owner="<a href='x'>y</a>", name="<b>n</b>")
    drawn = json.dumps(board_figures.board(on_board(store), (), "#000").to_plotly_json(), default=str)
    assert "<a href" not in drawn
    assert "<b>n</b>" not in drawn


@pytest.mark.parametrize("count", [5, 30])
def test_the_best_have_their_names_on_the_picture_and_the_ladder_has_its_own(store: RunStore, count: int) -> None:
    for number in range(count):
        made_run(store, [0.9942 + number / 1e5] * 3, owner=f"nickname {number}")
    notes = [note.text for note in board_figures.board(on_board(store), ladder(), "#000").layout.annotations]
    named = [text for text in notes if text.startswith("nickname")]
    assert 0 < len(named) <= min(count, board_figures.LABELS)
    assert {"D8", "D7", "A3", "B2", "B1"} <= set(notes), "those that stand apart"


# ------------------------------------------------------------------------------------------------------------ the page


def test_an_empty_board_says_what_to_do() -> None:
    app = opened(BOARD)
    assert not app.exception
    assert "Nobody has finished a run on MNIST yet" in said(app)
    assert metric(app, "Meet the challenge") == "0 of 0"


def test_the_board_shows_signs_and_words(store: RunStore) -> None:
    made_run(store, GOOD, owner="Mia")
    made_run(store, [0.993] * 3, owner="Ben", architecture=LARGE)
    app = opened(BOARD)
    assert not app.exception
    assert metric(app, "Meet the challenge") == "1 of 2"
    frame = app.dataframe[0].value
    assert list(frame["nickname"]) == ["Mia", "Ben"]
    assert list(frame["challenge"]) == ["✓ meets it", "✗ misses it"]
    assert list(frame["≥ 99.4% held"]) == ["✓ pass, 99.40%", "✗ fail, 99.30%"]
    assert list(frame["≤ 8,000 parameters"]) == ["✓ pass, 434", "✗ fail, 8,010"]
    assert list(frame["≤ 15 epochs"]) == ["✓ pass, 5", "✓ pass, 3"]


def test_runs_on_other_data_stand_apart(store: RunStore) -> None:
    made_run(store, GOOD, owner="Mia", dataset=EMBEDDED)
    app = opened(BOARD)
    assert metric(app, "Meet the challenge") == "0 of 0"
    assert "On other data" in [each.value for each in app.header]
    assert list(app.dataframe[0].value["data"]) == [EMBEDDED]


def test_a_link_narrows_the_board_and_a_stale_one_is_one_sentence(store: RunStore) -> None:
    made_run(store, GOOD, owner="Mia", tags=["monday"])
    made_run(store, GOOD, owner="Ben")
    assert list(opened(BOARD, tag="monday").dataframe[0].value["nickname"]) == ["Mia"]
    assert list(opened(BOARD, nickname="Ben").dataframe[0].value["nickname"]) == ["Ben"]
    stale = opened(BOARD, nickname="<i>Eve</i>")
    assert not stale.exception
    assert len(stale.error) == 1
    assert "Ben, Mia" in stale.error[0].value
    assert len(stale.dataframe[0].value) == 2


def test_a_running_run_is_counted_and_not_ranked(store: RunStore) -> None:
    made_run(store, GOOD, status=None)
    app = opened(BOARD)
    assert metric(app, "Running or waiting") == "1"
    assert not len(app.dataframe)
