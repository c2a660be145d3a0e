"""The recipe as a form: left alone it is the recipe that it was filled with, and each choice has fields of its own."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest
from streamlit.testing.v1 import AppTest

from core.ladder import catalogue
from core.ladder.model import Step
from core.ladder.relatives import EXTRAS
from core.record import Range, range_of
from core.training.recipe import (
    MAX_STRENGTH,
    Augmentation,
    EarlyStopping,
    Erasing,
    Jitter,
    MultiStepLR,
    Muon,
    OneCycle,
    Recipe,
    ReduceLROnPlateau,
    check_recipe,
)
from lab.experiment.train.recipe_form import MORE, TO_BEGIN_WITH
from lab.experiment.train.recipe_settings import all_settings, is_main
from lab.ui.recipe_keys import OPTIMIZERS, SCHEDULES
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
    app.number_input(key="recipe-epochs").set_value(2000).run()
    assert "Epochs: 2,000 is outside 1 to 1,000." in app.caption[0].value
    assert filled(app).epochs == 2000, "it is refused, not changed behind one's back"
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
    assert [expander.proto.expanded for expander in app.expander] == [False, False, False]
    app.selectbox(key="recipe-optimizer").set_value("Adam").run()
    app.pills(key=KINDS).set_value(["scale"]).run()
    assert [expander.label for expander in app.expander if expander.proto.expanded] == [
        "Optimizer: Adam",
        "Augmentation: scale",
    ]


@pytest.mark.parametrize("name", MAX_STRENGTH)
def test_each_change_begins_within_its_bounds(name: str) -> None:
    kind = type(getattr(Augmentation(), name))
    bounds = range_of(kind, "strength")
    assert isinstance(bounds, Range)
    assert bounds.least < TO_BEGIN_WITH[name] <= min(bounds.most, MAX_STRENGTH[name])
    check_recipe(Recipe(augmentation=Augmentation(**{name: kind(TO_BEGIN_WITH[name])})))


def test_the_rule_of_the_geometric_changes_is_a_choice_with_words_and_help() -> None:
    app = drawn(Recipe(augmentation=Augmentation(perspective=Jitter(0.2))))
    rule = app.selectbox(key="recipe-augmentation-rule")
    assert (rule.label, rule.options) == ("Rule", ["one resampling (the lab's)", "whole pixels (torchvision's)"])
    assert "RandomPerspective" in rule.help
    rule.set_value("torchvision").run()
    assert filled(app).augmentation == Augmentation(perspective=Jitter(0.2), rule="torchvision")
    assert [each for each in drawn(Recipe()).selectbox if each.label == "Rule"] == [], "nothing is resampled"


def test_no_label_and_no_choice_is_an_identifier() -> None:
    app = drawn(
        Recipe(
            ema_decay=0.99, loss="mean_squared_error", precision="bf16", augmentation=Augmentation(rotation=Jitter(7))
        )
    )
    words = [field.label for field in (*app.number_input, *app.selectbox, *app.toggle)]
    words += [option for box in app.selectbox for option in box.options]
    assert "Decay of the averaged weights" in words
    assert "cross-entropy" in words
    own_names = (
        "eta_min",
        "T_max",
        "ns_steps",
        "exp_range",
        "clip_grad_norm_",
    )  # of torch, beside the words: people look for them
    words = [re.sub("|".join(own_names), "", each) for each in words]
    assert [each for each in words if "_" in each or each in ("fp32", "tf32", "bf16") or "Ema" in each] == []


# ------------------------------------------------------------------------------------------- what is found by search

SPOKEN = {
    "cutout": "augmentation.erasing",
    "random erasing": "augmentation.erasing",
    "random crop": "augmentation.crop",
    "random zoom": "augmentation.zoom",
    "elastic": "augmentation.elastic",
    "reflect": "augmentation.resampling",
    "gradient clipping": "gradient_clipping",
    "clip grad norm": "gradient_clipping",
    "early stopping": "early_stopping",
    "patience": "early_stopping",
    "l1": "l1",
    "validation": "validation_size",
    "ema": "ema_decay",
    "last epochs without": "plain_epochs",
    "standard deviation": "normalisation",
    "learning-rate finder": "range_test",
    "muon": "optimizer.Muon",
    "rmsprop": "optimizer.RMSprop",
    "adadelta": "optimizer.Adadelta",
    "warm restarts": "schedule.CosineAnnealingWarmRestarts",
    "milestones": "schedule.MultiStepLR",
    "exponential": "schedule.ExponentialLR",
    "cyclic": "schedule.CyclicLR",
    "cosineannealinglr": "schedule.Cosine",
    "cycled momentum": "schedule.OneCycle.cycle_momentum",
    "linear annealing": "schedule.OneCycle.anneal_strategy",
    "three phases": "schedule.OneCycle.three_phase",
    "plateau on accuracy": "schedule.ReduceLROnPlateau.mode",
    "absolute threshold": "schedule.ReduceLROnPlateau.threshold_mode",
}


@pytest.mark.parametrize("words", SPOKEN)
def test_a_setting_is_found_by_the_words_that_people_have_for_it(words: str) -> None:
    assert SPOKEN[words] in [each.name for each in all_settings() if words in str(each).lower()]


def test_the_form_or_the_search_has_every_field_of_a_recipe() -> None:
    found = {each.name for each in all_settings()}
    with_another = {name for more in MORE.values() for name in more}
    always = {"epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augmentation", "seed"}
    assert {field.name for field in fields(Recipe)} - found - with_another == always
    for part, kinds in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        for name, kind in kinds.items():
            rest = {f"{part}.{name}.{field.name}" for field in fields(kind) if not is_main(kind, field)}
            assert rest | {f"{part}.{name}"} <= found
    resampling = {"fill", "padding_mode", "interpolation", "rule"}
    assert {field.name for field in fields(Augmentation)} == set(MAX_STRENGTH) | resampling


def added(app: AppTest, name: str) -> AppTest:
    app.selectbox(key="recipe-search").set_value(name).run()
    assert not app.exception
    assert app.selectbox(key="recipe-search").value is None
    return app


def test_a_setting_that_is_added_does_something_and_taken_out_is_as_it_was() -> None:
    app = drawn(Recipe())
    for name, changed in {
        "l1": {"l1": 1e-4},
        "gradient_clipping": {"gradient_clipping": 1.0},
        "early_stopping": {"early_stopping": EarlyStopping()},
        "validation_size": {"validation_size": 5000},
    }.items():
        before = filled(app)
        assert filled(added(app, name)) == replace(before, **changed)  # type: ignore[arg-type]
    for name in ("l1", "gradient_clipping", "early_stopping", "validation_size"):
        app.button(key=f"recipe-out-{name}").click().run()
    assert filled(app) == Recipe()


def test_what_the_recipe_has_is_shown_and_taken_out_is_its_default_and_can_be_added_again() -> None:
    written = Recipe(validation_size=10_000, l1=0.01, normalisation="half")
    app = drawn(written)
    assert app.number_input(key="recipe-validation_size").value == 10_000
    app.button(key="recipe-out-validation_size").click().run()
    assert filled(app) == replace(written, validation_size=0)
    app.selectbox(key="recipe-normalisation").set_value("own").run()
    app.number_input(key="recipe-normalisation_sd").set_value(0.25).run()
    assert filled(app) == replace(written, validation_size=0, normalisation="own", normalisation_sd=0.25)
    assert filled(added(app, "validation_size")).validation_size == 10_000


def test_a_kind_or_a_field_of_one_that_is_found_is_chosen_and_its_part_opens() -> None:
    app = drawn(Recipe(validation_size=5000))
    assert filled(added(app, "optimizer.Muon")).optimizer == Muon()
    assert filled(added(app, "schedule.OneCycle.three_phase")).schedule == OneCycle(three_phase=True)
    assert filled(added(app, "schedule.ReduceLROnPlateau.mode")).schedule == ReduceLROnPlateau(
        monitor="test", mode="max"
    )
    assert filled(added(app, "schedule.MultiStepLR")).schedule == MultiStepLR((6, 12))
    app.text_input(key="recipe-schedule-MultiStepLR-milestones").set_value("3, 5").run()
    assert filled(app).schedule == MultiStepLR((3, 5))
    app.text_input(key="recipe-schedule-MultiStepLR-milestones").set_value("late").run()
    assert "write whole numbers with commas, such as 6, 12" in " ".join(each.value for each in app.caption)
    assert filled(added(app, "augmentation.erasing.value")).augmentation == Augmentation(erasing=Erasing(0.2))
    added(app, "augmentation.resampling")
    app.selectbox(key="recipe-augmentation-padding_mode").set_value("reflect").run()
    assert filled(app).augmentation.padding_mode == "reflect"
    opened = [expander.label for expander in app.expander if expander.proto.expanded]
    assert opened == ["Optimizer: Muon", "Schedule: MultiStepLR", "Augmentation: erasing"]
