"""Comparing runs: the tests of a difference against scipy's, the pictures against their definitions, and the page."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations, pairwise
from math import comb
from statistics import fmean

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from streamlit.testing.v1 import AppTest

from core.analysis.evidence import evidence, seeds_needed
from core.analysis.pairs import mcnemar, pair, paired_standard_error
from core.analysis.study import SeedRun
from core.architecture.trace import trace
from core.data.embedded_digits import embedded_digits
from core.data.mnist import EMBEDDED, EMBEDDED_TEST
from core.errors import DataError, RunError
from core.ladder import catalogue
from core.ladder.relatives import EXTRAS
from core.training.network import build
from core.training.predictions import Predictions
from core.training.recipe import SGD, Adam, Recipe, StepLR
from core.training.recipe_difference import ABSENT, recipe_differences
from lab.runs.rows import NewRun
from lab.runs.store import RunStore
from lab.settings import lab_home
from lab.studies.entries import MOST, find, keys_in
from lab.studies.results import studies
from lab.ui import comparison_figure as compare_figures
from lab.ui.axes import accuracy_at
from lab.ui.checkpoints import USUAL
from lab.ui.comparison_figure import PALETTE, QUANTITIES, Look, apart, curves, line, looks, smoothed
from tests.made_runs import history, made_run, save_weights
from tests.patience import patient
from tests.test_learn_pages import metric, opened, said
from tests.tiny import TINY

COMPARE = "pages/experiment/compare.py"


def runs(accuracies: dict[int, float]) -> list[SeedRun]:
    """A run for each seed, with that last accuracy."""
    return [SeedRun(seed, tuple(history(0.9, last)), "cpu", "2.13.0", "") for seed, last in accuracies.items()]


@pytest.fixture
def store(home: object) -> RunStore:
    return RunStore(lab_home())


# ---------------------------------------------------------------------------------------------- is the difference real


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (3, 0), (12, 5), (20, 20), (1, 9)])
def test_mcnemars_p_is_the_share_of_coin_tosses_at_least_as_uneven(fixed: int, broken: int) -> None:
    tosses = fixed + broken
    least = sum(comb(tosses, heads) for heads in range(tosses + 1) if abs(2 * heads - tosses) >= abs(fixed - broken))
    assert mcnemar(fixed, broken) == pytest.approx(least / 2**tosses)


def test_the_standard_error_of_a_paired_difference_is_that_of_a_mean_of_plus_and_minus_ones() -> None:
    changes = np.array([1] * 30 + [-1] * 18 + [0] * 952)
    assert paired_standard_error(30, 18, 1000) == pytest.approx(changes.std() / math.sqrt(1000))


FIRST = {1: 0.9931, 2: 0.9938, 3: 0.9940, 4: 0.9929, 5: 0.9936}
SECOND = {1: 0.9942, 2: 0.9941, 3: 0.9946, 4: 0.9944, 5: 0.9939}


def test_shared_seeds_are_compared_in_pairs_as_scipy_does() -> None:
    found = evidence(runs(FIRST), runs({**SECOND, 9: 0.5}))
    oracle = stats.ttest_rel(list(SECOND.values()), list(FIRST.values()))
    both_sides = stats.ttest_rel(list(SECOND.values()), list(FIRST.values())).confidence_interval(0.95)
    assert (found.test, found.pairs) == ("paired", 5)
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.interval == pytest.approx((both_sides.low, both_sides.high))


def test_groups_without_a_common_seed_are_compared_by_welch_as_scipy_does() -> None:
    other = {seed + 10: last for seed, last in list(SECOND.items())[:4]}
    found = evidence(runs(FIRST), runs(other))
    oracle = stats.ttest_ind(list(other.values()), list(FIRST.values()), equal_var=False)
    interval = stats.ttest_ind(list(other.values()), list(FIRST.values()), equal_var=False).confidence_interval(0.95)
    assert (found.test, found.first, found.second) == ("unpaired", 5, 4)
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.interval == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("swapped", [False, True])
def test_one_run_is_held_against_several_by_their_spread_alone(swapped: bool) -> None:
    several, one = list(FIRST.values()), 0.9950
    sides = (runs({1: one}), runs(FIRST)) if swapped else (runs(FIRST), runs({1: one}))
    found = evidence(*sides)
    groups = (several, [one]) if swapped else ([one], several)
    oracle = stats.ttest_ind(*groups)  # pooled: the variance of a single value counts nothing
    assert found.test == "one run against several"
    assert found.p == pytest.approx(oracle.pvalue)


def test_single_runs_give_a_difference_and_no_p() -> None:
    found = evidence(runs({1: 0.99}), runs({2: 0.992}))
    assert (found.test, found.p, found.interval) == ("single runs", None, None)
    assert found.difference == pytest.approx(0.002)


def test_runs_that_do_not_vary_give_no_p_and_no_division_by_zero() -> None:
    assert evidence(runs({1: 0.99, 2: 0.99}), runs({3: 0.992, 4: 0.992})).p is None
    assert evidence(runs({1: 0.99, 2: 0.99}), runs({3: 0.992})).p is None
    three_each = evidence(runs({1: 0.9924, 2: 0.9901}), runs({1: 0.9927, 2: 0.9904}))
    assert (three_each.pairs, three_each.p, three_each.interval, seeds_needed(three_each)) == (2, None, None, None)
    with pytest.raises(ValueError, match="0 runs"):
        evidence([], runs(FIRST))


def test_the_seeds_that_are_said_to_be_needed_show_the_difference_about_four_times_in_five() -> None:
    found = evidence(runs(FIRST), runs(SECOND))
    smaller = replace(found, difference=found.deviation / 2 if found.deviation else 0)
    needed = seeds_needed(smaller)
    assert needed is not None
    assert smaller.deviation is not None
    samples = np.random.default_rng(1).normal(smaller.difference, smaller.deviation, (4000, needed))
    shown = stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05
    assert shown.mean() == pytest.approx(0.8, abs=0.05)


# ---------------------------------------------------------------------------------------------------------- the images


def some_predictions(seed: int, images: int = 200) -> Predictions:
    generator = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(0, 10, images)
    return Predictions(generator.dirichlet(np.ones(10), images).astype(np.float32), labels)


def test_every_image_is_fixed_broken_wrong_in_both_or_right_in_both() -> None:
    one, other = some_predictions(1), some_predictions(2)
    found = pair(one, other)
    for image in range(200):
        right = one.predicted[image] == one.labels[image], other.predicted[image] == other.labels[image]
        expected = {(False, True): found.fixed, (True, False): found.broken, (False, False): found.wrong_in_both}
        for sides, indices in expected.items():
            assert (image in indices) == (right == sides)
    assert found.right_in_both == sum((one.predicted == one.labels) & (other.predicted == other.labels))
    assert found.difference == pytest.approx(other.accuracy - one.accuracy)


def test_answers_about_other_images_are_refused_with_both_numbers() -> None:
    with pytest.raises(DataError, match="200 and 100"):
        pair(some_predictions(1), some_predictions(2, 100))
    with pytest.raises(DataError, match="labels differ"):
        pair(some_predictions(1), replace(some_predictions(2), labels=np.zeros(200, np.int64)))


# --------------------------------------------------------------------------------------------------------- the recipes


def test_recipes_differ_exactly_where_they_are_not_equal() -> None:
    steps = [*catalogue.LADDER, *EXTRAS]
    for one, other in combinations(steps, 2):
        same = replace(one.recipe, seed=1) == replace(other.recipe, seed=1)
        assert bool(recipe_differences(one.recipe, other.recipe)) != same


def test_an_exchanged_optimizer_is_named_before_the_fields_that_only_one_of_them_has() -> None:
    before = Recipe(optimizer=SGD(momentum=0.9), schedule=StepLR(6))
    rows = recipe_differences(before, replace(before, optimizer=Adam(), learning_rate=0.003, seed=5))
    told = {row.field: (row.before, row.after) for row in rows}
    assert told["learning rate"] == ("0.01", "0.003")
    assert told["optimizer"] == ("SGD", "Adam")
    assert told["optimizer, momentum"] == ("0.9", ABSENT)
    assert told["optimizer, beta1"] == (ABSENT, "0.9")
    assert "optimizer, weight decay" not in told  # both have it, and it is 0 in both
    assert "seed" not in told
    assert [row.field for row in recipe_differences(before, replace(before, seed=5), with_seed=True)] == ["seed"]


# -------------------------------------------------------------------------------------------------------- the pictures


def test_a_runs_colour_is_its_own_unless_it_is_taken() -> None:
    keys = [f"run-{number}" for number in range(24)]
    for key in keys:
        assert looks([key])[key] == looks([key, *keys])[key]
    assert len(set(looks(keys).values())) == 24  # four dashes of six colours
    assert len({look.colour for look in looks(keys[: len(PALETTE)]).values()}) == len(PALETTE)


@given(st.lists(st.one_of(st.none(), st.floats(-10, 10)), max_size=30), st.floats(0, 0.99))
def test_smoothing_is_the_weighted_mean_of_what_came_before(values: list[float | None], weight: float) -> None:
    found = smoothed(values, weight)
    before: list[float] = []
    for value, average in zip(values, found, strict=True):
        if value is None:
            assert average is None
            continue
        before.append(value)
        weights = [weight ** (len(before) - 1 - place) for place in range(len(before))]
        assert average == pytest.approx(np.average(before, weights=weights), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_words_at_the_lines_ends_never_touch_and_stay_in_order(places: list[float]) -> None:
    found = apart(sorted(places), 0.1, (0.0, 1.0))
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in pairwise(found))
    assert min(found) >= -1e-9
    assert max(found) <= 1 + 1e-9


def test_words_that_do_not_touch_stay_where_they_are() -> None:
    assert apart([0.1, 0.5, 0.9], 0.1, (0.0, 1.0)) == pytest.approx([0.1, 0.5, 0.9])


def test_a_group_is_drawn_as_its_mean_and_the_band_of_its_seeds() -> None:
    quantity = QUANTITIES["test accuracy"]
    both = line("A", "<b>x</b>", Look("#0072B2", "solid"), [history(0.98, 0.99), history(0.96, 0.992)], quantity)
    figure = curves([both], quantity, 0.0, 2)
    low, high, mean = figure.data
    assert list(low.y) == pytest.approx([accuracy_at(y) for y in (96, 99)])
    assert list(high.y) == pytest.approx([accuracy_at(y) for y in (98, 99.2)])
    assert list(mean.y) == pytest.approx([accuracy_at(y) for y in (97, 99.1)])
    assert "<b>x</b>" not in mean.hovertemplate
    assert any("<b>A</b> 99.10" in note.text for note in figure.layout.annotations)


def test_smoothing_keeps_the_raw_line_visible() -> None:
    quantity = QUANTITIES["test accuracy"]
    one = line("A", "x", Look("#0072B2", "solid"), [history(0.9, 0.99, 0.95)], quantity)
    raw, strong = curves([one], quantity, 0.5, 3).data
    assert list(raw.y) == pytest.approx([accuracy_at(y) for y in (90, 99, 95)])
    assert 0 < raw.opacity < 1
    assert strong.opacity == 1


def test_a_loss_that_is_no_number_is_a_gap() -> None:
    broken = [replace(history(0.9)[0], test_loss=math.nan), replace(history(0.9, 0.9)[1], test_loss=0.5)]
    quantity = QUANTITIES["test loss"]
    assert line("A", "x", Look("#0072B2", "solid"), [broken], quantity).mean == [None, 0.5]
    curves([line("A", "x", Look("#0072B2", "solid"), [broken[:1]], quantity)], quantity, 0.0, 2)  # nothing to draw


# ---------------------------------------------------------------------------------------------------------- the entries


def test_a_link_names_each_run_once_and_not_too_many() -> None:
    assert keys_in(" a,b ,a,,c") == ["a", "b", "c"]
    with pytest.raises(RunError, match=f"9 runs; at most {MOST}"):
        keys_in(",".join("abcdefghi"))


def test_an_entry_is_a_run_a_group_or_a_shipped_study(store: RunStore) -> None:
    single = made_run(store, [0.9, 0.95])
    for seed in (2, 3):
        made_run(store, [0.9, 0.9 + seed / 100], seed=seed, group="g")
    assert find(store, single.id).summary.mean == pytest.approx(0.95)  # type: ignore[union-attr]
    group = find(store, "g")
    assert [run.seed for run in group.runs] == [2, 3]
    assert group.summary is not None
    assert group.summary.mean == pytest.approx(0.925)
    name, study = next(iter(studies().items()))
    assert find(store, name).runs == study.runs
    for wanted in ("nowhere", "../runs", "g'; DROP TABLE runs", "\ud800"):
        with pytest.raises(RunError, match="no run, no group"):
            find(store, wanted)


# ------------------------------------------------------------------------------------------------------------- the page


def two_with_weights(store: RunStore) -> tuple[str, str]:
    """Two finished runs on the embedded digits, with the weights of two untrained networks."""
    keys = []
    for number in (3, 4):
        run = made_run(store, [0.3, 0.4 + number / 100], name=f"net {number}", dataset=EMBEDDED, seed=number)
        save_weights(run, [0.3, 0.4 + number / 100], weights_seed=number)
        keys.append(run.id)
    return keys[0], keys[1]


def answers(seed: int) -> Predictions:
    """What the untrained network makes of the embedded test split, by plain torch."""
    images, labels = embedded_digits()
    given_images = torch.tensor(images[-EMBEDDED_TEST:]).unsqueeze(1) / 255
    with torch.no_grad():
        scores = build(TINY, seed=seed).eval()((given_images - 0.1307) / 0.3081)
    return Predictions(scores.softmax(1).numpy(), labels[-EMBEDDED_TEST:].astype(np.int64))


def test_compare_opens_on_c6_and_the_best_small_study_and_with_comparisons_that_are_worth_a_look() -> None:
    app = opened(COMPARE)
    assert not app.exception
    small = {name: found for name, found in studies().items() if trace(found.architecture).parameters <= 8_000}
    last = {name: fmean(run.last for run in found.runs) for name, found in small.items() if name != USUAL}
    best = max(last, key=lambda name: last[name])
    assert app.multiselect[0].value == [USUAL, best]
    assert "No run is chosen" in app.info[0].value
    assert f"{last[best]:.2%}, n {len(small[best].runs)}" in app.info[0].value
    assert "runs" not in app.query_params
    offer = next(button for button in app.button if "ladder" in button.label)
    offer.click().run()
    assert not app.exception
    assert len(app.query_params["runs"].split(",")) == min(
        MOST, len([s for s in catalogue.LADDER if s.slug in studies()])
    )
    assert len(app.dataframe[0].value) == len(app.query_params["runs"].split(","))


def test_two_runs_stand_with_their_figures_and_what_is_not_there_is_one_sentence(store: RunStore) -> None:
    one, other = two_with_weights(store)
    app = opened(COMPARE, runs=f"{one},{other},nowhere")
    assert not app.exception
    assert [error.value for error in app.error] == [
        "there is no run, no group of runs and no shipped study 'nowhere' here"
    ]
    assert metric(app, "Test accuracy, B") == "44.00%"
    frame = app.dataframe[0].value
    assert list(frame["run"]) == ["net 3", "net 4"]
    assert list(frame["last, %"]) == pytest.approx([43, 44])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("runs", "a,b,c,d,e,f,g,h,i", "at most 8"), ("first", "Z", "A, B"), ("image", "999", "0 to 359")],
)
def test_a_stale_link_to_compare_is_one_sentence(store: RunStore, name: str, value: str, words: str) -> None:
    one, other = two_with_weights(store)
    app = opened(COMPARE, **{"runs": f"{one},{other}", "view": "Images", name: value})
    assert not app.exception
    assert len(app.error) == 1
    assert words in app.error[0].value


def test_a_range_test_is_refused_by_name(store: RunStore) -> None:
    run = store.submit(
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
    app = opened(COMPARE, runs=run.id)
    assert "is a range test" in app.error[0].value


def test_the_differences_name_what_was_done_otherwise(store: RunStore) -> None:
    one, other = catalogue.by_slug("c2-skeleton-7272"), catalogue.by_slug("c3-batchnorm-7448")
    keys = [
        made_run(store, [0.9], architecture=s.architecture, recipe=s.recipe, seed=i).id
        for i, s in enumerate((one, other))
    ]
    app = opened(COMPARE, runs=",".join(keys), view="Differences")
    assert not app.exception
    rows = app.dataframe[0].value
    assert set(rows["what"]) <= {"added", "removed", "changed"}
    assert rows["parameters"].sum() == 7448 - 7272
    assert (rows["B"] == "BatchNorm").any()
    assert "The seeds differ: A 0, B 1." in said(app).replace("\\", "")  # which show a colon as one


def test_is_it_real_says_n_and_p_of_shared_seeds(store: RunStore) -> None:
    for group, lasts in (("g", FIRST), ("h", SECOND)):
        for seed, last in lasts.items():
            made_run(store, [0.9, last], seed=seed, group=group)
    app = opened(COMPARE, runs="g,h", view="Is it real?")
    assert not app.exception
    p = stats.ttest_rel(list(SECOND.values()), list(FIRST.values())).pvalue
    words = said(app)
    assert f"p = {p:.3f}" in words
    assert "(n 5 pairs)" in words
    assert len(app.table[0].value) == 5


def test_of_single_runs_the_images_speak_and_the_seeds_are_said_to_be_missing(store: RunStore) -> None:
    one, other = two_with_weights(store)
    app = opened(COMPARE, runs=f"{one},{other}", view="Is it real?")
    assert not app.exception
    words = said(app)
    assert "cannot tell a better recipe from a luckier seed" in words
    first, second = answers(3), answers(4)
    fixed = int(((first.predicted != first.labels) & (second.predicted == second.labels)).sum())
    broken = int(((first.predicted == first.labels) & (second.predicted != second.labels)).sum())
    assert f"corrects {fixed} images that A gets wrong, and gets {broken} wrong" in words
    assert f"p = {mcnemar(fixed, broken):.3f}" in words or "p < 0.001" in words


def test_what_the_images_say_names_the_digits_that_stand_in_for_mnist(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA", "/nonexistent")
    runs = [made_run(store, [0.9, 0.95], seed=seed) for seed in (1, 2)]
    for weights_seed, run in enumerate(runs):
        save_weights(run, [0.9, 0.95], weights_seed)
    words = said(opened(COMPARE, runs=",".join(run.id for run in runs), view="Is it real?"))
    assert "**On the images.**" in words
    assert f"{EMBEDDED}, used in place of MNIST" in words


def test_runs_on_other_data_are_not_held_against_each_other(store: RunStore) -> None:
    keys = [made_run(store, [0.9], dataset=dataset).id for dataset in ("MNIST", EMBEDDED)]
    app = opened(COMPARE, runs=",".join(keys), view="Is it real?")
    assert "different data" in said(app)
    assert app.metric[3].delta == "A: 90.00%, MNIST"
    alike = opened(COMPARE, runs=",".join(made_run(store, [0.9]).id for _ in range(2)))
    assert alike.metric[3].delta == "A: 90.00%, 0.00 points"


@pytest.mark.parametrize("show", ["fixed", "broken", "both"])
def test_the_images_that_changed_can_be_seen(store: RunStore, show: str) -> None:
    one, other = two_with_weights(store)
    app = opened(COMPARE, runs=f"{one},{other}", view="Images", show=show)
    assert not app.exception
    assert not app.error
    first, second = answers(3), answers(4)
    right = first.predicted == first.labels, second.predicted == second.labels
    wanted = {"fixed": ~right[0] & right[1], "broken": right[0] & ~right[1], "both": ~right[0] & ~right[1]}[show]
    shown = [int(str(button.key).removeprefix("open-")) for button in app.button if str(button.key).startswith("open-")]
    assert len(shown) == min(24, wanted.sum())
    assert all(wanted[index] for index in shown)
    labels = [button.label for button in app.button if str(button.key) == f"open-{shown[0]}"]
    assert f"{first.labels[shown[0]]}: A {first.predicted[shown[0]]}, B {second.predicted[shown[0]]}" in labels[0]


def test_without_weights_the_images_say_so(store: RunStore) -> None:
    keys = [made_run(store, [0.9], seed=seed, name=f"net {seed}").id for seed in (1, 2)]
    app = opened(COMPARE, runs=",".join(keys), view="Images")
    assert "its weights are not here" in app.error[0].value
    assert "net 1" in app.error[0].value


def test_more_than_two_can_be_held_against_any_of_them(store: RunStore) -> None:
    keys = [made_run(store, [0.9, 0.95], seed=seed, name=f"net {seed}").id for seed in (1, 2, 3)]
    app = opened(COMPARE, runs=",".join(keys), view="Is it real?", first="C", second="A")
    assert not app.exception
    assert "**One run each.** A is" in said(app)
    assert any("All against C" in each.value for each in app.markdown)


def test_a_name_that_looks_like_markup_stays_text_in_the_hover(store: RunStore) -> None:
    keys = [made_run(store, [0.9, 0.95], seed=seed, name="<img src=x>").id for seed in (1, 2)]
    app = opened(COMPARE, runs=",".join(keys))
    assert not app.exception
    drawn = compare_figures.curves(
        [line("A", "<img src=x>", Look("#0072B2", "solid"), [history(0.9, 0.95)], QUANTITIES["test accuracy"])],
        QUANTITIES["test accuracy"],
        0.0,
        2,
    )
    assert "<img" not in json.dumps(drawn.to_plotly_json(), default=str)


def test_a_name_that_looks_like_markup_stays_text_in_the_table_of_all_against_one(store: RunStore) -> None:
    keys = [made_run(store, [0.9, 0.95], seed=seed, name="![x](http://e)").id for seed in (1, 2, 3)]
    app = opened(COMPARE, runs=",".join(keys), view="Is it real?")
    assert not app.exception
    shown = [str(cell) for table in app.table for cell in table.value.index]  # st.table reads its cells as Markdown
    assert "B · !\\[x\\](http\\:\u2060//e)" in shown


# ------------------------------------------------------------------------------------------- naming, tagging, deleting


def table_app() -> AppTest:
    return AppTest.from_string(
        "from lab.experiment.train.run_table import run_table\nrun_table()", default_timeout=patient(30)
    )


def tick(app: AppTest, *rows: int) -> AppTest:
    """The table with these rows ticked, as a browser would send it."""
    key = app.dataframe[0].key
    app.session_state[key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return app.run()


def labelled(app: AppTest, label: str) -> object:
    return next(button for button in app.button if button.label == label)


def test_ticked_runs_can_be_compared_named_and_deleted(store: RunStore) -> None:
    made_run(store, [0.9], name="first")
    second = made_run(store, [0.9], name="second")
    app = table_app().run()
    assert labelled(app, "Compare").disabled  # type: ignore[attr-defined]
    assert labelled(app, "Delete").disabled  # type: ignore[attr-defined]
    app = tick(app, 0, 1)
    assert not app.exception
    assert not labelled(app, "Compare (2)").disabled  # type: ignore[attr-defined]
    app = tick(app, 0)
    next(field for field in app.text_input if field.label == "Name").set_value("renamed")
    next(field for field in app.text_input if field.label == "Tags").set_value("tuesday, group 2")
    next(field for field in app.text_input if field.label == "Nickname").set_value("Mia")
    labelled(app, "Save").click().run()  # type: ignore[attr-defined]
    assert not app.exception
    changed = store.get(second.id)
    assert (changed.name, changed.tags, changed.owner) == ("renamed", ("tuesday", "group 2"), "Mia")
    frame = app.dataframe[0].value
    assert frame["nickname"][0] == "Mia"
    assert frame["tags"][0] == "tuesday, group 2"

    def field(label: str) -> object:
        return next(field for field in app.text_input if field.label == label)

    app = tick(app, 0)
    store.rename(second.id, "theirs")  # in another tab
    field("Name").set_value("mine")  # type: ignore[attr-defined]
    labelled(app, "Save").click().run()  # type: ignore[attr-defined]
    assert "the name was changed to 'theirs' in another tab" in app.error[0].value
    assert (store.get(second.id).name, field("Name").value) == ("theirs", "mine")  # type: ignore[attr-defined]
    labelled(app, "Take theirs").click().run()  # type: ignore[attr-defined]
    assert field("Name").value == "theirs"  # type: ignore[attr-defined]
    field("Name").set_value("mine")  # type: ignore[attr-defined]
    labelled(app, "Save").click().run()  # type: ignore[attr-defined]
    assert store.get(second.id).name == "mine"


def asked_to_delete() -> AppTest:
    """The question that the table's Delete asks, about every run of the store."""
    return AppTest.from_string(
        "from lab.ui.caches import store\nfrom lab.experiment.train.run_actions import confirm_deletion\n"
        "runs = store().runs()\nif runs:\n    confirm_deletion([runs])",
        default_timeout=patient(30),
    )


def test_the_table_asks_before_it_deletes(store: RunStore) -> None:
    made_run(store, [0.9], name="first", owner="Mia")
    app = tick(table_app().run(), 0)
    labelled(app, "Delete").click().run()  # type: ignore[attr-defined]
    assert "first · Mia" in said(app)
    assert store.runs()


def test_a_deleted_run_is_gone_with_its_files(store: RunStore) -> None:
    run = made_run(store, [0.9], name="first", dataset=EMBEDDED)
    stem = save_weights(run, [0.9], weights_seed=3)
    app = asked_to_delete().run()
    assert stem.with_suffix(".safetensors").is_file()  # it has only been asked
    labelled(app, "Delete for good").click().run()  # type: ignore[attr-defined]
    assert not app.exception
    assert not store.runs()
    assert not stem.parent.exists()


def test_a_running_run_is_not_deleted_and_it_is_said_why(store: RunStore) -> None:
    run = made_run(store, [0.9], status=None)
    app = asked_to_delete().run()
    labelled(app, "Delete for good").click().run()  # type: ignore[attr-defined]
    assert "is running; stop it" in app.error[0].value
    assert store.get(run.id)
