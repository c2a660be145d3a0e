"""The recipe as a form: left alone it is the recipe that it was filled with, and each choice has fields of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.ladder import catalogue
from core.ladder.model import Step
from core.ladder.relatives import EXTRAS
from core.record import Range, range_of
from core.training.recipe import MAX_STRENGTH, Augmentation, Jitter, Recipe, check_recipe
from lab.experiment.train.recipe_form import TO_BEGIN_WITH
from tests.patience import patient

KINDS = "recipe-augmentation"


def drawn(written: Recipe) -> AppTest:
    """The form alone, filled with a recipe; what it comes to is kept in the session."""

    def page(written: object) -> None:  # all that it needs it imports: it runs as a script of its own
        import streamlit as st

        from core.training.recipe import Recipe
        from lab.experiment.train.recipe_form import recipe_form

        assert isinstance(written, Recipe)
        st.session_state.filled = recipe_form(written, "recipe")

    app = AppTest.from_function(page, kwargs={"written": written}, default_timeout=patient(30)).run()
    assert not app.exception
    return app


def filled(app: AppTest) -> Recipe:
    """What the form has come to."""
    recipe = app.session_state["filled"]
    assert type(recipe).__name__ == "Recipe"
    return recipe  # type: ignore[no-any-return]


@pytest.mark.parametrize("step", [*catalogue.LADDER, *EXTRAS], ids=lambda step: step.slug)
def test_a_form_left_alone_is_the_recipe_of_the_write_up(step: Step) -> None:
    assert filled(drawn(step.recipe)) == step.recipe


def test_a_change_of_the_images_that_is_chosen_has_fields_and_a_strength_that_does_something() -> None:
    app = drawn(Recipe())
    assert filled(app).augmentation == Augmentation()
    before = {field.label for field in app.number_input}
    app.pills(key=KINDS).set_value(["contrast", "rotation"]).run()
    assert not app.exception
    assert {field.label for field in app.number_input} - before == {"Rotation", "Contrast", "Probability", "Fill"}
    assert filled(app).augmentation == Augmentation(rotation=Jitter(10), contrast=Jitter(0.2))
    app.number_input(key="recipe-augmentation-rotation").set_value(25.0).run()
    assert filled(app).augmentation.rotation == Jitter(25)
    assert "Augmentation: rotation, contrast" in [expander.label for expander in app.expander]


def test_a_change_that_is_chosen_off_is_off_and_comes_back_as_it_was() -> None:
    written = Recipe(augmentation=Augmentation(rotation=Jitter(7, 0.5), shear=Jitter(12), fill=0.25))
    app = drawn(written)
    app.pills(key=KINDS).set_value(["shear"]).run()
    assert filled(app).augmentation == replace(written.augmentation, rotation=Jitter())
    app.pills(key=KINDS).set_value([]).run()
    assert not filled(app).augmentation.geometric
    assert "Augmentation: none" in [expander.label for expander in app.expander]
    app.pills(key=KINDS).set_value(["rotation", "shear"]).run()
    assert filled(app) == written


def test_what_is_chosen_in_does_not_fold_as_its_title_changes() -> None:
    app = drawn(Recipe())
    assert [expander.proto.expanded for expander in app.expander] == [False, False, False, False]
    app.selectbox(key="recipe-optimizer").set_value("Adam").run()
    app.pills(key=KINDS).set_value(["scale"]).run()
    assert [expander.label for expander in app.expander if expander.proto.expanded] == [
        "Optimizer: Adam",
        "Augmentation: scale",
    ]


@pytest.mark.parametrize("name", MAX_STRENGTH)
def test_each_change_begins_within_its_bounds(name: str) -> None:
    bounds = range_of(Jitter, "strength")
    assert isinstance(bounds, Range)
    assert bounds.least < TO_BEGIN_WITH[name] <= min(bounds.most, MAX_STRENGTH[name])
    check_recipe(Recipe(augmentation=Augmentation(**{name: Jitter(TO_BEGIN_WITH[name])})))


def test_the_rule_of_the_geometric_changes_is_a_choice_with_words_and_help() -> None:
    app = drawn(Recipe(augmentation=Augmentation(perspective=Jitter(0.2))))
    rule = app.selectbox(key="recipe-augmentation-rule")
    assert (rule.label, rule.options) == ("Rule", ["one resampling (the lab's)", "whole pixels (torchvision's)"])
    assert "RandomPerspective" in rule.help
    rule.set_value("torchvision").run()
    assert filled(app).augmentation == Augmentation(perspective=Jitter(0.2), rule="torchvision")
    assert [each for each in drawn(Recipe()).selectbox if each.label == "Rule"] == [], "nothing is resampled"


def test_no_label_and_no_choice_is_an_identifier() -> None:
    app = drawn(Recipe(ema_decay=0.99, augmentation=Augmentation(rotation=Jitter(7))))
    words = [field.label for field in (*app.number_input, *app.selectbox, *app.toggle)]
    words += [option for box in app.selectbox for option in box.options]
    assert "Decay of the averaged weights" in words
    assert "cross-entropy" in words
    assert [each for each in words if "_" in each or each in ("fp32", "tf32", "bf16") or "Ema" in each] == []
