"""Studies of an earlier recipe: pages and tables tell what differs, until the runs are trained anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.analysis.study import Study, write_study
from core.ladder import catalogue
from core.ladder.comparisons import variants
from core.ladder.model import Step
from core.training.recipe import Recipe
from lab.studies import results as studies
from lab.studies.results import EARLIER, alike, clean_answers, outdated, outdated_mark, outdated_words, reading_of
from lab.studies.tables import comparison_table, earlier_recipes, ladder_table
from tests.test_learn_pages import opened, said
from tests.test_study_figures import made_up

A2, A3 = catalogue.by_slug("a2-final-7758"), catalogue.by_slug("a3-dilation-5340")
RUNS = tuple(made_up(seed, 0.99, 0.995, 0.994 + seed / 10_000) for seed in range(1, 6))


def study(name: str, recipe: Recipe, step: Step = A3) -> Study:
    return Study(name, step.architecture, recipe, "MNIST", 60_000, RUNS)


def by_the_labs_rule(recipe: Recipe) -> Recipe:
    return replace(recipe, augmentation=replace(recipe.augmentation, rule="composed"))


def test_a_study_of_its_steps_recipe_has_no_mark() -> None:
    fresh = study(A3.slug, A3.recipe)
    assert outdated(fresh) == ()
    assert outdated_mark(fresh) == outdated_words(fresh) == outdated_mark(None) == ""
    assert outdated_mark(study("of no step", Recipe())) == ""
    assert outdated_mark(study(A3.slug, replace(A3.recipe, seed=77))) == "", "seeds are what runs differ in"


def test_what_has_changed_since_is_told_with_both_values() -> None:
    old = study(A3.slug, by_the_labs_rule(A3.recipe))
    assert outdated_mark(old) == f" ({EARLIER})"
    words = outdated_words(old)
    assert "one resampling (the lab's) then, whole pixels (torchvision's) now" in words
    assert "1.40 pixels on average then, by 1.00 now" in words
    assert "after the other changes, by torchvision's before them" in words


def test_the_average_of_before_the_warm_up_is_told() -> None:
    d8 = catalogue.by_slug("d8-third-2495")
    assert d8.recipe.ema_warm_up
    old = study(d8.slug, replace(d8.recipe, ema_warm_up=False), d8)
    assert "warm-up of the averaged weights: no then, yes now" in outdated_words(old)
    assert outdated_words(study(d8.slug, d8.recipe, d8)) == ""


def test_a_comparison_is_clean_only_where_nothing_else_differs() -> None:
    variant = next(each for each in variants() if each.name == "a3-patience-2")
    new, old = study(A3.slug, A3.recipe), study(A3.slug, by_the_labs_rule(A3.recipe))
    other_new, other_old = study(variant.name, variant.recipe), study(variant.name, by_the_labs_rule(variant.recipe))
    assert alike(other_new, new)
    assert alike(other_old, old), "both by the lab's rule: patience alone differs"
    assert not alike(other_old, new)
    one_sided = {each.name: each for each in (new, other_old)}
    told = reading_of(next(each for each in clean_answers(one_sided) if "patience" in each.asked.question))
    assert told == f"no clean comparison: one side has an {EARLIER}"
    assert told in comparison_table(one_sided)
    assert "not measured yet" in {reading_of(each) for each in clean_answers(one_sided)}


def test_studies_that_were_averaged_alike_are_still_compared() -> None:
    shipped = studies.studies()
    for each in studies.clean_answers(shipped):
        if each.before and each.after:
            assert (each.found is None) == (not alike(each.before, each.after))


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the shipped studies."""
    monkeypatch.setattr(studies, "STUDIES", tmp_path)
    return tmp_path


@pytest.mark.parametrize("old", [True, False])
def test_pages_and_tables_say_it_as_long_as_it_is_so(only: Path, old: bool) -> None:
    recipe = by_the_labs_rule(A3.recipe) if old else A3.recipe
    write_study(study(A3.slug, recipe), only / f"{A3.slug}.json")
    table = ladder_table(studies.studies())
    assert (f"({EARLIER})" in next(row for row in table.splitlines() if A3.slug in row)) == old
    assert bool(earlier_recipes(studies.studies())) == old
    step = opened("pages/learn/step.py", step=A3.slug, view="Result")
    assert not step.exception
    assert ("runs with an earlier recipe" in said(step)) == old
    assert any(EARLIER in (each.delta or "") for each in step.metric) == old
    ladder = opened("pages/learn/ladder.py")
    assert ("**A3.** These figures are of runs with an earlier recipe" in said(ladder)) == old
    assert (f"({EARLIER})" in said(ladder)) == old


def test_knobs_that_are_turned_get_no_figure_of_the_step_without_a_word() -> None:
    turned = opened("pages/learn/step.py", step="b2-dropout-6864", view="Result", width="1.5")
    assert "All figures below are of B2 · Dropout as it was" in said(turned)
    assert next(each.value for each in turned.metric if each.label == "Test accuracy") == "—"
    still = opened("pages/learn/step.py", step="b2-dropout-6864", view="Result")
    assert "All figures below" not in said(still)
