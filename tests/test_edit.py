"""Edits of an architecture against the same edits of a list, and a history against a pile of designs."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.advice.bad_designs import BAD_DESIGNS
from core.architecture.edit import (
    MAX_UNDO,
    History,
    duplicate,
    insert,
    move,
    put,
    record,
    redo,
    remove,
    renamed,
    undo,
    with_field,
)
from core.architecture.fit import fit
from core.architecture.spec import Architecture, AvgPool, BatchNorm, Conv, Dropout, Flatten, Linear, MaxPool, ReLU
from core.architecture.trace import trace
from core.errors import SpecError
from core.ladder.catalogue import LADDER, by_slug
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data


@given(architectures(), st.data())
def test_insert_remove_move_and_duplicate_do_what_a_list_does(architecture: Architecture, data: st.DataObject) -> None:
    places = st.integers(0, len(architecture.ops) - 1)
    index, to = data.draw(places), data.draw(places)
    mine = list(architecture.ops)
    mine.insert(index, ReLU())
    assert list(insert(architecture, index, ReLU()).ops) == mine
    mine = list(architecture.ops)
    del mine[index]
    assert list(remove(architecture, index).ops) == mine
    mine = list(architecture.ops)
    mine.insert(to, mine.pop(index))
    assert list(move(architecture, index, to).ops) == mine
    mine = list(architecture.ops)
    mine.insert(index, mine[index])
    assert list(duplicate(architecture, index).ops) == mine


@given(architectures(), st.data())
def test_every_edit_has_its_reverse(architecture: Architecture, data: st.DataObject) -> None:
    places = st.integers(0, len(architecture.ops) - 1)
    index, to = data.draw(places), data.draw(places)
    assert remove(insert(architecture, index, Dropout(0.2)), index) == architecture
    assert remove(duplicate(architecture, index), index) == architecture
    assert move(move(architecture, index, to), to, index) == architecture
    assert put(put(architecture, index, ReLU()), index, architecture.ops[index]) == architecture


edits = st.lists(st.sampled_from(["edit", "edit", "undo", "redo"]), max_size=40)


@given(architectures(), edits)
def test_undo_and_redo_walk_a_pile_of_designs(architecture: Architecture, done: list[str]) -> None:
    history, pile, at = History(architecture), [architecture], 0
    for number, what in enumerate(done):
        if what == "edit":
            history = record(history, renamed(history.present, f"design {number}"))
            pile, at = [*pile[: at + 1], history.present], at + 1
        elif what == "undo":
            history, at = undo(history), max(0, at - 1)
        else:
            history, at = redo(history), min(len(pile) - 1, at + 1)
        assert history.present == pile[at]
        assert history.past == tuple(pile[:at])
        assert history.future == tuple(pile[at + 1 :])


def test_a_history_keeps_so_many_steps_and_no_more() -> None:
    history = History(Architecture("0", (ReLU(),)))
    for number in range(1, MAX_UNDO + 50):
        history = record(history, renamed(history.present, str(number)))
    assert len(history.past) == MAX_UNDO
    for _ in range(MAX_UNDO + 1):
        history = undo(history)
    assert history.present.name == "49"


def test_an_edit_that_changes_nothing_leaves_redo_as_it_was() -> None:
    start = History(Architecture("a", (ReLU(),)))
    undone = undo(record(start, Architecture("b", (ReLU(),))))
    assert record(undone, undone.present) == undone
    assert redo(undone).present.name == "b"


SMALL = Architecture("small", (Conv(4, 3), BatchNorm(), MaxPool(2), Flatten(), Linear(10)))


@pytest.mark.parametrize(
    ("index", "name", "value", "words"),
    [
        (0, "kernel_size", 0, "op 0 Conv: kernel_size: 0 is outside 1 to 512"),
        (0, "out_channels", 5000, "op 0 Conv: out_channels: 5,000 is outside 1 to 4,096"),
        (0, "padding", 1.5, "op 0 Conv: padding: expected a whole number, got 1.5"),
        (0, "bias", 1, "op 0 Conv: bias: expected true or false, got 1"),
        (1, "p", 0.5, "op 1 BatchNorm: unknown field 'p'"),
        (5, "p", 0.5, "there is no op 5; the network has 5"),
        (-1, "p", 0.5, "there is no op -1; the network has 5"),
    ],
)
def test_a_field_that_cannot_be_is_said_with_its_place(index: int, name: str, value: float, words: str) -> None:
    with pytest.raises(SpecError) as error:
        with_field(SMALL, index, name, value)
    assert words in str(error.value)


def test_a_field_changes_alone() -> None:
    changed = with_field(SMALL, 0, "kernel_size", 5)
    assert changed.ops[0] == Conv(4, 5)
    assert changed.ops[1:] == SMALL.ops[1:]
    assert with_field(SMALL, 4, "bias", False).ops[4] == Linear(10, bias=False)


@pytest.mark.parametrize("kind", [MaxPool, AvgPool])
def test_the_stride_of_a_pool_follows_its_kernel_where_it_was_the_kernels(kind: type[MaxPool | AvgPool]) -> None:
    follows = with_field(Architecture("p", (kind(2),)), 0, "kernel_size", 3)
    assert follows.ops[0] == kind(3, stride=3)
    stays = with_field(Architecture("p", (kind(3, stride=2),)), 0, "kernel_size", 4)
    assert stays.ops[0] == kind(4, stride=2)


def test_a_network_takes_no_more_ops_than_are_allowed() -> None:
    full = Architecture("full", (ReLU(),) * 256)
    with pytest.raises(SpecError, match="257 ops, at most 256"):
        duplicate(full, 3)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_name_has_one_to_a_hundred_characters(name: str) -> None:
    with pytest.raises(SpecError, match="1 to 100 characters"):
        renamed(SMALL, name)


@given(
    architectures(),
    st.integers(0, 8),
    st.sampled_from([Flatten(), Conv(3, 17), MaxPool(16, padding=0), Conv(4, 1, groups=4)]),
)
def test_what_fits_is_what_a_walk_op_by_op_finds(architecture: Architecture, place: int, op: Flatten) -> None:
    broken = insert(architecture, min(place, len(architecture.ops)), op)
    count = 0
    try:
        for count in range(len(broken.ops)):
            trace(replace(broken, ops=broken.ops[: count + 1]))
        expected = len(broken.ops)
    except SpecError:
        expected = count
    found = fit(broken)
    assert (len(found.trace.layers) if found.trace else 0) == expected
    assert found.broken == (None if expected == len(broken.ops) else expected)
    assert bool(found.error) == (expected < len(broken.ops))


def test_an_empty_network_fits_nowhere_and_has_no_op_to_blame() -> None:
    found = fit(Architecture("empty", ()))
    assert (found.trace, found.broken) == (None, None)
    assert "empty" in found.error


def test_every_op_of_every_step_can_be_edited_field_by_field() -> None:
    for step in LADDER:
        for index, op in enumerate(step.architecture.ops):
            for field in fields(op):
                same = with_field(step.architecture, index, field.name, getattr(op, field.name))
                assert same == step.architecture


def test_the_shelf_of_bad_designs_and_the_ladder_share_no_name() -> None:
    names = [each.slug for each in BAD_DESIGNS]
    assert len(set(names)) == len(names)
    for name in names:
        with pytest.raises(SpecError):
            by_slug(name)
