"""A recipe in words: every field and value reads as words, what is not usual is named, and so is the rule."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args, get_type_hints

import pytest
import torch

from core.ladder import catalogue
from core.training import recipe as recipes
from core.training.augment import draw, in_whole_pixels
from core.training.recipe import Adam, Augmentation, Jitter, RangeTest, Recipe
from core.training.recipe_difference import recipe_differences, recipe_fields
from core.training.recipe_words import augmentation_words, corner_shift, recipe_words, value_words
from core.words import loss_words, plural
from lab.ui.recipe_keys import plain

pytestmark = pytest.mark.own_data

IDENTIFIER = re.compile(r"[a-z0-9]+_[a-z0-9_]+|\b(?:fp32|tf32|bf16|Ema|ema)\b")
KINDS = (*get_args(recipes.Schedule), *get_args(recipes.Optimizer))


@pytest.mark.parametrize(("count", "words"), [(0, "0 tries"), (1, "1 try"), (2, "2 tries"), (1500, "1,500 tries")])
def test_one_of_a_thing_has_no_plural(count: int, words: str) -> None:
    assert plural(count, "try", "tries") == words
    assert plural(count, "seed") == words.replace("tries", "seeds").replace("try", "seed")


def test_a_loss_has_four_significant_digits() -> None:
    assert [loss_words(loss) for loss in (2.302585, 0.016121, 0.5, 12.0)] == ["2.303", "0.01612", "0.5000", "12.00"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_of_every_recipe_reads_as_words(kind: type) -> None:
    part = plain(kind)
    name = "schedule" if kind in get_args(recipes.Schedule) else "optimizer"
    recipe = replace(Recipe(range_test=RangeTest(), ema_decay=0.9), **{name: part})
    for field, value in recipe_fields(recipe):
        assert not IDENTIFIER.search(field), field
        assert not IDENTIFIER.search(value), value
        assert value != "None"


PARTS = (Recipe, Augmentation, recipes.Zoom, recipes.Elastic, recipes.Erasing, recipes.EarlyStopping, *KINDS)


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_every_choice_of_a_field_reads_as_words(kind: type) -> None:
    for hint in get_type_hints(kind).values():
        for choice in get_args(hint):
            assert not isinstance(choice, str) or not IDENTIFIER.search(value_words(choice)), choice


def test_what_the_newer_parts_of_a_recipe_are_is_told_in_its_line() -> None:
    recipe = Recipe(
        l1=1e-4,
        gradient_clipping=1.0,
        early_stopping=recipes.EarlyStopping(3),
        plain_epochs=2,
        normalisation="half",
        augmentation=Augmentation(
            crop=Jitter(0.1), erasing=recipes.Erasing(0.2, 0.1), elastic=recipes.Elastic(50), padding_mode="reflect"
        ),
    )
    for part in (
        "L1 penalty 0.0001", "the norm of all gradients at most 1", "stops after 3 epochs without a better loss",
        "last epochs without augmentation 2", "mean 0.5, deviation 0.5",
        "crop 0.1, elastic 50, erasing 0.2 with probability 0.1, border mirrored at the edge pixel, the lab's rule",
    ):  # fmt: skip
        assert part in recipe_words(recipe)
    rows = recipe_differences(Recipe(), recipe)
    assert ("early stopping", "none", "EarlyStopping") in [(row.field, row.before, row.after) for row in rows]
    assert ("early stopping, patience", "—", "3") in [(row.field, row.before, row.after) for row in rows]


def test_the_rule_of_the_write_ups_augmentation_is_named() -> None:
    written = catalogue.by_slug("a2-final-7758").recipe
    words = "rotation 15, perspective 0.2 with probability 0.5, torchvision's rule"
    assert augmentation_words(written.augmentation) == words
    assert words in recipe_words(written)
    ours = replace(written, augmentation=replace(written.augmentation, rule="composed"))
    assert "the lab's rule" in recipe_words(ours)
    assert [(row.field, row.before, row.after) for row in recipe_differences(ours, written)] == [
        ("augmentation, rule", "one resampling (the lab's)", "whole pixels (torchvision's)")
    ]
    assert augmentation_words(Augmentation()) == "none"
    assert augmentation_words(Augmentation(brightness=Jitter(0.2))) == "brightness 0.2", "nothing is resampled"


def test_what_is_not_usual_about_a_recipe_is_named() -> None:
    plain = recipe_words(Recipe())
    assert plain == "15 epochs of batch 128 · SGD, learning rate 0.01 · Constant · augmentation: none · seed 1"
    assert "decay 0.99, with warm-up" in recipe_words(Recipe(ema_decay=0.99, ema_warm_up=True))
    words = recipe_words(Recipe(optimizer=Adam(), ema_decay=0.998, validation_size=5000, precision="bf16", epochs=1))
    for part in ("1 epoch of", "Adam", "averaged weights, decay 0.998", "images held out 5,000", "bfloat16"):
        assert part in words


def test_values_that_look_alike_are_told_apart_by_all_their_digits() -> None:
    (row,) = recipe_differences(Recipe(learning_rate=0.1), Recipe(learning_rate=0.10001))
    assert (row.before, row.after) == ("0.1", "0.10001")


@pytest.mark.parametrize(("strength", "side"), [(0.2, 28), (0.5, 28), (0.07, 28)])
def test_the_mean_shift_of_a_corner_is_that_of_the_draws(strength: float, side: int) -> None:
    augmentation = Augmentation(perspective=Jitter(strength))
    drawn = draw(augmentation, 20_000, torch.Generator().manual_seed(0))
    assert drawn.perspective is not None
    found = float(drawn.perspective.mean()) * side / 2
    assert corner_shift(augmentation, side) == pytest.approx(found, rel=0.02)
    whole = in_whole_pixels(drawn, strength, side, side).perspective
    assert whole is not None
    by_torchvision = corner_shift(replace(augmentation, rule="torchvision"), side)
    assert by_torchvision == pytest.approx(float(whole.mean()) * side / 2, rel=0.02, abs=1e-9)
