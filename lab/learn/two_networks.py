"""The small and the large network of the first screen, and which of them makes fewer mistakes."""

from __future__ import annotations

from core.words import share_words
from lab.studies.shelf import Shelved, shipped

SMALL, LARGE = "a3-dilation-5340", "a1-skeleton-509946"


def networks() -> list[Shelved]:
    """The small and the large network, as far as their checkpoints are here."""
    there = {shelved.reference: shelved for shelved in shipped()}
    return [there[reference] for reference in (SMALL, LARGE) if reference in there]


def compared(small: Shelved, large: Shelved) -> str:
    """Which of the two makes fewer mistakes on the test digits, by their cards."""
    wrong = [round((1 - each.card.record.test_accuracy) * each.card.test_images) for each in (small, large)]
    on = f"on {small.card.test_images:,} test digits of {small.card.dataset}: **{wrong[0]}**, the other **{wrong[1]}**"
    if wrong[0] < wrong[1]:
        return f"The small one makes fewer mistakes {on}. Why?"
    size = share_words(small.card.parameters / large.card.parameters)
    return f"The small one has {size} of the parameters. Mistakes {on}."
