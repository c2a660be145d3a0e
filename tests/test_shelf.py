"""The shelf reads each card once, however many there are, and only cards."""

from __future__ import annotations

from pathlib import Path

from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.checkpoints.card import read_card
from core.training.network import build
from lab.runs.machine import Machine, write_machine
from lab.studies import shelf
from tests.tiny import TINY


def test_a_card_is_read_once_and_what_is_no_card_never(home: Path) -> None:
    template = read_card(shelf.SHIPPED / "a2-final-7758.json")
    card = dict(vars(template)) | {"architecture": TINY, "parameters": classifier(TINY).parameters, "slug": ""}
    checkpoint.save(home, "mine", build(TINY).state_dict(), type(template)(**card))
    write_machine(Machine(("cpu",), ("cpu",), "2", 1), home)
    shelf._card.cache_clear()
    for _ in range(2):
        assert [shelved.reference for shelved in shelf.own()] == ["mine"]
    assert (shelf._card.cache_info().misses, shelf._card.cache_info().hits) == (1, 1)


def test_more_cards_than_a_class_makes_are_kept() -> None:
    assert (shelf._card.cache_info().maxsize or 0) >= 20_000
