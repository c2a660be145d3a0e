"""A recipe that *Bring your own* has put into the address of the Train page: the form begins with it."""

from __future__ import annotations

import streamlit as st

from core.training.recipe import Recipe
from core.training.recipe_words import recipe_words
from lab.ui import url
from lab.ui.step import RECIPE


def told_as_brought(recipe: Recipe | None) -> None:
    """Say above the form whose recipe it shows, and the way back to the step's own."""
    if recipe is None:
        return
    st.caption(f"The recipe that was brought: {recipe_words(recipe)}.")
    st.button("Take the step's own recipe", on_click=url.drop, args=(RECIPE,), icon=":material/undo:", width="stretch")
