"""What stands in the store as JSON, read once: pages that look each second would read the same words again and again.

Only for what is in the store: it was checked, and bounded, before it came there.
"""

from __future__ import annotations

from functools import lru_cache

from core.architecture.spec import Architecture, architecture_from_json
from core.training.recipe import Recipe, recipe_from_json


@lru_cache(maxsize=512)
def recipe_of(text: str) -> Recipe:
    """A run's recipe. Raises RecipeError."""
    return recipe_from_json(text)


@lru_cache(maxsize=512)
def architecture_of(text: str) -> Architecture:
    """A run's architecture. Raises SpecError."""
    return architecture_from_json(text)
