"""What is asked for and noted of a run, and seeds as a line of text: worked by hand."""

from __future__ import annotations

import pytest

from core.data.mnist import EMBEDDED
from core.errors import RecipeError, RunError
from core.training.recipe import Recipe, check_recipe
from lab.runs.rows import new_run, plain_words
from lab.runs.seed_list import LAST_SEED, MAX_SEEDS, next_seeds, parse_seeds, seeds_in_words
from tests.tiny import TINY

pytestmark = pytest.mark.own_data


def test_a_range_test_is_asked_for_without_epochs() -> None:
    assert new_run(TINY, Recipe(epochs=7), EMBEDDED).epochs == 7
    assert new_run(TINY, Recipe(epochs=7), EMBEDDED, "range_test").epochs == 0


def test_exactly_so_many_characters_fit() -> None:
    assert plain_words("  a\n b ", "The name", 3) == "a b"
    with pytest.raises(RunError, match="The name has 4 characters, at most 3 fit"):
        plain_words("a bc", "The name", 3)


def test_the_last_seed_is_a_recipes_last() -> None:
    check_recipe(Recipe(seed=LAST_SEED))
    with pytest.raises(RecipeError, match="seed"):
        check_recipe(Recipe(seed=LAST_SEED + 1))
    assert parse_seeds(f"{LAST_SEED}") == (LAST_SEED,)


def test_as_many_seeds_as_fit_are_read_and_one_more_is_told() -> None:
    assert len(parse_seeds(f"1-{MAX_SEEDS}")) == MAX_SEEDS
    with pytest.raises(RunError, match=f"more than {MAX_SEEDS} seeds"):
        parse_seeds(f"0-{MAX_SEEDS}")


def test_more_seeds_follow_the_largest_and_at_the_end_the_free_ones() -> None:
    assert next_seeds((), 2) == (0, 1)
    assert next_seeds((1, 5, 3), 2) == (6, 7)
    assert next_seeds((0, 2, LAST_SEED), 2) == (1, 3)
    assert next_seeds((LAST_SEED - 3,), 2) == (LAST_SEED - 2, LAST_SEED - 1)


def test_seeds_in_words_are_read_as_the_same_seeds() -> None:
    assert seeds_in_words((9, 0, 1, 2, 4, 3)) == "0-4,9"
    assert seeds_in_words((7,)) == "7"
    assert parse_seeds(seeds_in_words((1, 3, 4))) == (1, 3, 4)
