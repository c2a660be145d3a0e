"""The learning-rate page, and what Train says before, during and after a run: predictions, controls, the diagnosis."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.prediction import Prediction, prediction_from_json, prediction_to_json
from core.architecture.json_form import architecture_to_json
from core.architecture.link import to_code
from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.data.mnist import EMBEDDED
from core.ladder import catalogue
from core.training.history import EpochRecord, RateChange
from core.training.range_test import RangePoint, Suggestion, rate_of, summarise
from core.training.recipe import RangeTest, Recipe, StepLR, recipe_from_json, recipe_to_json
from core.training.recipe_words import recipe_words
from core.words import rate_words
from lab.experiment.rate import view as rate_page
from lab.experiment.train import diagnosis as diagnosis_view
from lab.experiment.train.run_controls import rate_asked_for
from lab.runs.rows import BatchRow, Kind, NewRun, Run
from lab.runs.store import RunStore
from lab.runs.worker import Worker
from lab.studies.reference import reference_of
from lab.ui import rate_figures as rate_figures
from lab.ui.range_result import result_of
from tests.test_learn_pages import opened, said
from tests.tiny import TINY

RATE, TRAIN = "pages/experiment/learning_rate.py", "pages/experiment/train.py"
C3 = catalogue.by_slug("c3-batchnorm-7448")


@pytest.fixture
def store(home: Path) -> RunStore:
    return RunStore(home)


def submitted(
    store: RunStore, recipe: Recipe, kind: Kind = "train", architecture: Architecture = C3.architecture,
    slug: str = C3.slug, dataset: str = "MNIST", prediction: str = "",
) -> Run:  # fmt: skip
    return store.submit(
        NewRun(
            kind=kind,
            slug=slug,
            name=architecture.name,
            architecture_json=architecture_to_json(architecture),
            recipe_json=recipe_to_json(recipe),
            dataset=dataset,
            device="cpu",
            parameters=classifier(architecture).parameters,
            seed=1,
            epochs=recipe.epochs,
            owner="Ada",
            prediction=prediction,
        )
    )[0]


def finished_test(store: RunStore, settings: RangeTest, at: float, ends: int | None = None) -> Run:
    """A finished range test whose loss falls fastest at a rate, and is cut off after `ends` points."""
    run = submitted(store, replace(C3.recipe, range_test=settings), "range_test")
    store.claim(["cpu"], "w")
    losses = [0.3 + 2 / (1 + (rate_of(settings, n) / at) ** 2) for n in range(ends or settings.iterations)]
    points = [RangePoint(rate_of(settings, n), loss, loss) for n, loss in enumerate(losses)]
    rows = [BatchRow(n, 0, point.smoothed, 0, point.learning_rate, 0) for n, point in enumerate(points)]
    store.add_batches(run.id, "w", rows)
    store.set_result(run.id, "w", json.dumps(asdict(summarise(points, settings))))
    store.finish(run.id, "w", "finished")
    return store.get(run.id)


def button(app: AppTest, label: str, number: int = 0) -> None:
    """Press it."""
    [each for each in app.button if each.label == label][number].click().run()
    assert not app.exception


# ------------------------------------------------------------------------------------------------------- the range test


def test_the_page_opens_for_a_step_a_design_and_a_run_and_says_what_is_wrong_with_a_link(store: RunStore) -> None:
    step = opened(RATE, step="b4-rotation-7852")
    assert step.selectbox(key="step_picker").value == "b4-rotation-7852"
    design = opened(RATE, design=to_code(replace(C3.architecture, name="Mine, wider")))
    assert "Mine, wider" in said(design)
    run = finished_test(store, RangeTest(start=1e-4), 0.01)
    of_run = opened(RATE, run=run.id)
    assert of_run.selectbox(key="step_picker").value == C3.slug
    assert of_run.number_input(key="range-start").value == 1e-4, "the range of the run, to be tried again"
    for wrong in ({"run": "<b>x</b>"}, {"design": "nonsense"}, {"step": "z9"}):
        app = opened(RATE, **wrong)
        assert not app.exception
        assert app.error


def test_each_suggestion_is_explained_and_taken_to_train_by_one_click(store: RunStore) -> None:
    run = finished_test(store, RangeTest(), 0.01)
    app = opened(RATE, run=run.id)
    suggestions = result_of(run).suggestions
    assert [each.name for each in suggestions] == ["valley", "steepest", "minimum/10", "minimum"]
    for each in suggestions:
        assert f"**{each.name}: {each.learning_rate:.4g}**, {each.why}." in said(app)
    uses = {each.key: each.proto.type for each in app.button if each.label == "Use it"}
    assert uses == {
        f"use-{run.id}-{each.name}": "primary" if each.name == "valley" else "secondary" for each in suggestions
    }
    assert said(app).count("Recommended") == 1
    button(app, "Use it", 1)
    assert app.title[0].value == "Train a network"
    assert app.number_input(key=f"recipe-{C3.slug}-rate").value == float(f"{suggestions[1].learning_rate:.4g}")
    changed = f"{rate_words(C3.recipe.learning_rate)} → {suggestions[1].learning_rate:.4g}"
    assert changed in app.toast[0].value
    assert changed in said(app), "the form goes on saying so"
    assert app.query_params["step"] == C3.slug
    assert "run" not in app.query_params


def test_a_rate_goes_into_a_recipe_that_was_brought_and_leaves_the_steps_own_form_alone(store: RunStore) -> None:
    run = finished_test(store, RangeTest(), 0.01)
    brought = Recipe(epochs=4, learning_rate=0.3, schedule=StepLR(2))
    app = opened(TRAIN, run=run.id, recipe=recipe_to_json(brought))
    button(app, "Use it", 1)
    rate = float(rate_words(result_of(run).suggestions[1].learning_rate))
    assert recipe_from_json(app.query_params["recipe"]) == replace(brought, learning_rate=rate)
    assert recipe_words(replace(brought, learning_rate=rate)) in said(app)
    button(app, "Take the step's own recipe")
    assert app.number_input(key=f"recipe-{C3.slug}-rate").value == C3.recipe.learning_rate


def test_a_suggestion_at_the_edge_is_doubted_and_the_range_widened_by_one_click(store: RunStore) -> None:
    run = finished_test(store, RangeTest(start=0.1, end=2.0), 0.02)  # as A2's and A3's: it falls from the very start
    app = opened(RATE, run=run.id)
    assert "At the edge" in said(app)
    assert "A suggestion lies at the edge" in app.warning[-1].value
    button(app, "Widen to 0.001 – 20")  # the minimum lies at the other end
    assert (app.number_input(key="range-start").value, app.number_input(key="range-end").value) == (0.001, 20.0)
    fine = opened(RATE, run=finished_test(store, RangeTest(1e-5, 10), 0.01, ends=90).id)
    assert [each for each in fine.warning if "edge" in each.value] == []


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([(0.01, False)], None),
        ([(0.11, True)], (0.001, 2.0)),
        ([(1.9, True)], (0.1, 20.0)),
        ([(0.11, True), (1.9, True)], (0.001, 20.0)),
    ],
)
def test_a_range_is_widened_where_it_is_pressed(
    rates: list[tuple[float, bool]], expected: tuple[float, float] | None
) -> None:
    found = rate_page.wider(RangeTest(0.1, 2.0), [Suggestion("valley", rate, "", edge) for rate, edge in rates])
    assert (found and (found.start, found.end)) == expected


def test_the_write_ups_picks_are_the_arithmetic_of_their_sweep() -> None:
    for slug, (iterations, index) in rate_page.THEIR_PICKS.items():
        found = rate_of(replace(rate_page.THEIRS, iterations=iterations), index)
        assert found == pytest.approx(catalogue.by_slug(slug).recipe.learning_rate, rel=1e-9)
    app = opened(RATE, step="a2-final-7758")
    assert "= **0.1008**: 0.3% of the way" in said(app)
    assert "= **0.1047**: 1.5% of the way" in said(app)
    button(app, "Repeat their sweep: 0.1 to 2")
    assert app.number_input(key="range-start").value == 0.1


def test_a_range_test_is_started_with_the_range_that_is_typed(store: RunStore) -> None:
    app = opened(RATE, step=C3.slug, me="Ada")
    app.number_input(key="range-start").set_value(0.001)
    app.number_input(key="range-iterations").set_value(40)
    button(app, "Start the range test")
    run = store.get(app.query_params["run"])
    store.request_stop(run.id)
    assert (run.kind, run.slug, run.owner) == ("range_test", C3.slug, "Ada")
    assert run.recipe.range_test == RangeTest(start=0.001, iterations=40)
    app.number_input(key="range-start").set_value(5.0).run()
    assert "start 5 is not below end 1" in app.error[0].value


def test_a_schedule_is_taken_to_train_with_its_rate() -> None:
    app = opened(RATE, step=C3.slug)
    app.segmented_control(key="schedule-shown").set_value("OneCycle")
    app.number_input(key=f"largest-{C3.slug}").set_value(0.2).run()
    assert "OneCycle: up, then down" in said(app)
    button(app, "Use both in Train")
    assert app.number_input(key=f"recipe-{C3.slug}-rate").value == 0.2
    assert app.selectbox(key=f"recipe-{C3.slug}-schedule").value == "OneCycle"


def test_a_range_test_that_is_open_on_train_gives_its_rate_to_the_form_beside_it(store: RunStore) -> None:
    run = finished_test(store, RangeTest(), 0.01)
    app = opened(TRAIN, run=run.id)
    assert "**valley:" in said(app)
    button(app, "Use it")
    suggested = result_of(run).suggestions[0].learning_rate
    assert app.number_input(key=f"recipe-{C3.slug}-rate").value == float(f"{suggested:.4g}")


def test_the_curves_axis_is_the_whole_range_from_the_first_point_on() -> None:
    settings = RangeTest(1e-4, 10)
    few = rate_figures.range_curve([1e-4], [2.3], [], (), settings)
    marked = [Suggestion("valley", 0.01, "", False), Suggestion("minimum", 0.5, "", False)]
    many = rate_figures.range_curve([1e-4, 0.01, 1], [2.3, 1, 0.5], [2.3, 0.9, 0.4], marked, settings)
    assert list(few.layout.xaxis.range) == list(many.layout.xaxis.range) == [-4, 1]
    assert few.layout.yaxis.range == many.layout.yaxis.range
    assert [trace.name for trace in many.data if trace.showlegend] == ["valley 0.01", "minimum 0.5"]


def test_every_schedule_is_drawn_with_the_loops_own_rates() -> None:
    figure = rate_figures.schedules(replace(C3.recipe, learning_rate=0.2), dict(rate_page.kinds_of(C3.recipe)), 10, "")
    curves = {trace.name: list(trace.y) for trace in figure.data}
    assert set(curves) == {"Constant", "StepLR", "ReduceLROnPlateau", "OneCycle", "Cosine", "LinearToZero"}
    assert set(curves["Constant"]) == {0.2}
    assert curves["LinearToZero"][-1] == 0
    assert curves["Cosine"][len(curves["Cosine"]) // 2] == pytest.approx(0.1, abs=0.002)
    assert max(curves["OneCycle"]) == pytest.approx(0.2, rel=0.01)


# ------------------------------------------------------------------------------------------------ before a run on Train


def test_a_prediction_a_nickname_and_snapshots_go_with_the_run(store: RunStore, mnist_raw: Path) -> None:
    app = opened(TRAIN, step=C3.slug, me="Ada")
    app.toggle(key=f"{C3.slug}-commit").set_value(True).run()
    app.number_input(key=f"{C3.slug}-predicted-accuracy").set_value(99.25)
    app.segmented_control(key=f"{C3.slug}-predicted-fit").set_value("neither")
    app.segmented_control(key=f"{C3.slug}-predicted-against").set_value("better")
    app.toggle(key=f"{C3.slug}-snapshots").set_value(True)
    button(app, "Start training")
    run = store.get(app.query_params["run"])
    store.request_stop(run.id)
    assert prediction_from_json(run.prediction) == Prediction(0.9925, "neither", "better")
    assert (run.owner, run.snapshots) == ("Ada", True)
    assert "Predicted by Ada: 99.25%, neither, better." in said(app)


def test_a_run_on_other_digits_is_not_predicted_against_the_step_before_it(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    app = opened(TRAIN, step=C3.slug, me="Ada")
    app.toggle(key=f"{C3.slug}-commit").set_value(True).run()
    app.number_input(key=f"{C3.slug}-predicted-accuracy").set_value(85)
    app.segmented_control(key=f"{C3.slug}-predicted-fit").set_value("neither")
    assert f"{C3.slug}-predicted-against" not in [control.key for control in app.segmented_control]
    button(app, "Start training")
    run = store.get(app.query_params["run"])
    store.request_stop(run.id)
    assert (run.dataset, prediction_from_json(run.prediction)) == (EMBEDDED, Prediction(0.85, "neither", None))


def test_nothing_is_predicted_unless_it_is_asked_for_and_a_small_networks_epochs_are_kept(store: RunStore) -> None:
    app = opened(TRAIN, step=C3.slug)
    button(app, "Start training")
    run = store.get(app.query_params["run"])
    store.request_stop(run.id)
    assert (run.prediction, run.owner, run.snapshots) == ("", "", True)  # a small network's epochs are kept


def test_a_large_network_keeps_no_snapshots() -> None:
    app = opened(TRAIN, step="a1-skeleton-509946")
    assert app.toggle(key="a1-skeleton-509946-snapshots").disabled


# -------------------------------------------------------------------------------------------------------- while it runs


def test_the_controls_of_a_running_run_ask_its_worker(store: RunStore) -> None:
    run = submitted(store, C3.recipe)
    store.claim(["cpu"], "w")
    store.add_batches(run.id, "w", [BatchRow(0, 0, 2.3, 0.1, 0.01, 4_000)])
    app = opened(TRAIN, run=run.id)
    button(app, "Pause")
    assert store.control(run.id).pause == "now"
    store.hold(run.id, "w", "now")
    app = opened(TRAIN, run=run.id)
    assert "paused on" in said(app)
    button(app, "÷ 2")
    assert store.control(run.id).rate_factor == 0.5
    assert "The learning rate is 0.005." in said(app), "it will be, from the next iteration on"
    button(app, "Set")
    assert store.control(run.id).rate_factor == pytest.approx(1), "the field still says 0.01"
    button(app, "One epoch")
    assert store.control(run.id).pause == "epoch"
    store.hold(run.id, "w", "epoch")
    button(opened(TRAIN, run=run.id), "Go on")
    assert store.control(run.id).pause == ""
    button(opened(TRAIN, run=run.id), "Stop")
    assert store.control(run.id).stop


@pytest.mark.parametrize("rate", [0.0, 1e-10, 1000.0])  # a schedule's last; after ÷ 10 and × 10, many times
def test_a_held_run_opens_whatever_its_rate_has_come_to(store: RunStore, rate: float) -> None:
    run = submitted(store, C3.recipe)
    store.claim(["cpu"], "w")
    store.set_pause(run.id, "now")
    store.hold(run.id, "w", "now")
    store.add_batches(run.id, "w", [BatchRow(0, 0, 2.3, 0.1, rate, 4_000)])
    app = opened(TRAIN, run=run.id)
    assert not app.exception
    assert ("The learning rate is" in said(app)) == (rate > 0)


def test_the_rate_asked_for_counts_a_change_from_the_iteration_on_in_which_it_came_into_force(store: RunStore) -> None:
    run = submitted(store, C3.recipe)
    store.claim(["cpu"], "w")
    store.set_rate_factor(run.id, 0.1)
    store.set_rate_changes(run.id, "w", [RateChange(8, 0.1)])
    before, after = (BatchRow(number, 0, 2.3, 0.1, rate, 4_000) for number, rate in ((7, 0.5), (8, 0.05)))
    assert rate_asked_for(store.get(run.id), []) is None
    assert rate_asked_for(store.get(run.id), [before]) == pytest.approx(0.05)
    assert rate_asked_for(store.get(run.id), [before, after]) == pytest.approx(0.05)


def test_a_button_of_a_run_that_was_deleted_meanwhile_says_so(store: RunStore) -> None:
    for label in ("Pause", "Stop"):
        run = submitted(store, C3.recipe)
        store.claim(["cpu"], "w")
        app = opened(TRAIN, run=run.id)
        store.finish(run.id, "w", "interrupted")
        store.delete(run.id)
        button(app, label)
        assert not app.exception
        assert any("there is no run" in each.value for each in app.error)


def test_a_rate_that_was_changed_by_hand_is_told(store: RunStore) -> None:
    run = submitted(store, C3.recipe)
    store.claim(["cpu"], "w")
    store.set_rate_changes(run.id, "w", [RateChange(469, 0.5)])
    store.finish(run.id, "w", "stopped")
    assert "× 0.5 from epoch 1.00 on" in said(opened(TRAIN, run=run.id))


# ---------------------------------------------------------------------------------------------------------- after a run


def ended(store: RunStore, test: list[float], train: float = 0.93, prediction: str = "") -> Run:
    run = submitted(store, replace(C3.recipe, epochs=len(test)), prediction=prediction)
    store.claim(["cpu"], "w")
    for number, accuracy in enumerate(test):
        loss = 0.5 / (number + 1)
        store.add_epoch(run.id, "w", EpochRecord(number, loss, train, None, None, loss, accuracy, 0.01, 1))
    store.finish(run.id, "w", "finished")
    return store.get(run.id)


def test_an_ended_run_shows_its_prediction_beside_its_outcome_and_its_diagnosis(store: RunStore) -> None:
    run = ended(
        store,
        [0.9, 0.955, 0.96, 0.96, 0.96, 0.96],
        prediction=prediction_to_json(Prediction(0.98, "underfits", "better")),
    )
    app = opened(TRAIN, run=run.id)
    assert not app.exception
    table = next(each.value for each in app.dataframe if "predicted" in each.value)
    assert list(table["predicted"]) == ["98.00%", "underfits", "better"]
    assert list(table[""]) == ["✗ not so", "✓ right", "✗ not so"]
    assert table["came"][0].startswith("96.00%, 2.00 points lower")
    words = said(app)
    assert "It underfits" in words
    assert "344 images short" in words or "340 images short" in words
    assert "It is worse than C2" in words


def test_a_prediction_that_cannot_be_read_is_a_sentence(store: RunStore) -> None:
    app = opened(TRAIN, run=ended(store, [0.9], prediction='{"accuracy":7}').id)
    assert not app.exception
    assert any("7 is outside 0 to 1" in error.value for error in app.error)


def test_a_finding_leads_to_where_its_network_can_be_changed(store: RunStore) -> None:
    run = ended(store, [0.9, 0.95, 0.96])
    ways = {page: diagnosis_view.way_on(run, page) for page in diagnosis_view.PAGES}
    assert ways["learning rate"] == ways["train"] == {"step": C3.slug}
    assert ways["design"] == {"design": to_code(C3.architecture), "from": C3.slug}
    assert ways["mistakes"] == {"checkpoint": f"{run.id}/last"}
    assert ways["compare"] == {"runs": f"{run.id},c2-skeleton-7272"}
    own = submitted(store, Recipe(), architecture=TINY, slug="")
    assert diagnosis_view.way_on(own, "train") == {"design": to_code(TINY)}
    assert diagnosis_view.way_on(own, "compare") == {"runs": own.id}


def test_a_step_is_held_against_the_one_before_and_a_changed_one_against_its_own() -> None:
    before = reference_of(C3.slug, C3.architecture)
    assert before is not None
    assert (before.step.slug, before.from_claim) == ("c2-skeleton-7272", False)
    changed = reference_of(C3.slug, replace(C3.architecture, ops=C3.architecture.ops[3:]))
    assert changed is not None
    assert changed.step == C3
    assert reference_of("", TINY) is None
    assert reference_of("gone", TINY) is None
    first = catalogue.by_slug("b1-setup-10970")
    assert reference_of(first.slug, first.architecture) is None


def test_a_real_run_that_has_ended_has_its_dead_units_counted(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_DATA", "/nonexistent")
    run = submitted(store, Recipe(epochs=1, batch_size=64), architecture=TINY, slug="", dataset=EMBEDDED)
    Worker(store, "cpu").work(0.3)
    app = opened(TRAIN, run=run.id)
    assert not app.exception
    assert "of its 12 units are dead" in said(app) or "Some of its units are dead" in said(app)


def test_a_run_that_diverged_leads_to_the_range_test(store: RunStore) -> None:
    run = submitted(store, C3.recipe)
    store.claim(["cpu"], "w")
    store.add_batches(run.id, "w", [BatchRow(n, 0, loss, 0.1, 1, 1) for n, loss in enumerate((2.3, 9.0, math.nan))])
    store.finish(run.id, "w", "failed", "epoch 0, iteration 2: the loss is nan at learning rate 1; a smaller rate")
    words = said(opened(TRAIN, run=run.id))
    assert "It diverged" in words
