"""Edits of an architecture against the same edits of a list, and a history against a pile of designs."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.advice.bad_designs import BAD_DESIGNS
from core.architecture.activations import GELU
from core.architecture.edit import (
    GROUPS,
    MAX_UNDO,
    History,
    duplicate,
    group,
    insert,
    move,
    next_gap,
    put,
    record,
    redo,
    remove,
    renamed,
    span,
    taken,
    undo,
    ungroup,
    with_field,
    with_ops,
    without,
)
from core.architecture.fit import fit
from core.architecture.fresh import BLOCKS, block, fresh, shape_at
from core.architecture.link import from_code, to_code
from core.architecture.place import Place, op_at, ops_at, place_words
from core.architecture.rows import rows
from core.architecture.spec import (
    OPS,
    Architecture,
    AvgPool,
    BatchNorm,
    Concatenate,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Linear,
    MaxPool,
    ReLU,
    Repeat,
    Residual,
    SqueezeExcite,
    every_op,
)
from core.architecture.trace import trace
from core.errors import SpecError
from core.ladder.catalogue import LADDER, by_slug
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data
ON_VECTORS = ("Linear", "Softmax", "LogSoftmax")


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
    ones = dict.fromkeys((index, to), architecture.ops[index])
    assert with_ops(architecture, ones) == put(put(architecture, index, ones[index]), to, ones[to])


# ----------------------------------------------------------------------------------------------------------- in bodies


@st.composite
def ranges(draw: st.DrawFn, architecture: Architecture) -> tuple[Place, Place]:
    """Some ops that stand together, in the network or in a body."""
    within = draw(st.sampled_from(sorted({row.place[:-1] for row in rows(architecture)})))
    numbers = st.integers(0, len(ops_at(architecture, within)) - 1)
    first, last = sorted((draw(numbers), draw(numbers)))
    return (*within, first), (*within, last)


def gaps(architecture: Architecture) -> list[Place]:
    """Every place that an op can be put at."""
    homes: set[Place] = {()}
    for row in rows(architecture):
        homes |= {
            (*row.place, number) for number in range({Repeat: 1, Residual: 2, Concatenate: 2}.get(type(row.op), 0))
        }
    return sorted((*home, number) for home in homes for number in range(len(ops_at(architecture, home)) + 1))


def own(architecture: Architecture) -> list[str]:
    """What its ops say of themselves, without their bodies, in any order."""
    return sorted(type(op).__name__ if type(op) in GROUPS.values() else repr(op) for op in every_op(architecture.ops))


@given(architectures(), st.data())
def test_an_edit_anywhere_has_its_reverse_and_loses_no_op(architecture: Architecture, data: st.DataObject) -> None:
    first, last = data.draw(ranges(architecture))
    gone = taken(architecture, first, last)
    assert insert(remove(architecture, first, last), first, *gone) == architecture
    longer = duplicate(architecture, first, last)
    assert remove(longer, first, last) == architecture
    for kind in GROUPS.values():
        grouped = group(architecture, first, last, kind)
        assert own(grouped) == sorted([*own(architecture), kind.__name__])
        assert ungroup(grouped, first) == architecture
    gap = data.draw(st.sampled_from(gaps(architecture)))
    if gap[: len(first) - 1] == first[:-1] and len(gap) > len(first) and first[-1] <= gap[len(first) - 1] <= last[-1]:
        with pytest.raises(SpecError, match="cannot be moved into its own body"):
            without(gap, first, last)
        return
    to = without(gap, first, last)
    moved = move(architecture, first, to, last)
    end = (*to[:-1], to[-1] + len(gone) - 1)
    assert own(moved) == own(architecture)
    assert taken(moved, to, end) == gone
    assert move(moved, to, first, end) == architecture
    assert from_code(to_code(moved)) == moved


@given(architectures(), st.data())
def test_a_step_up_is_undone_by_a_step_down_and_every_op_comes_to_both_ends(
    architecture: Architecture, data: st.DataObject
) -> None:
    first, last = data.draw(ranges(architecture))
    for there, back in (("up", "down"), ("down", "up")):
        gap = next_gap(architecture, first, last, there)
        if gap is None:
            assert len(first) == 1
            continue
        to = without(gap, first, last)
        moved = move(architecture, first, to, last)
        end = (*to[:-1], to[-1] + last[-1] - first[-1])
        opposite = next_gap(moved, to, end, back)
        assert opposite is not None
        assert (len(to) < len(first)) or move(moved, to, without(opposite, to, end), end) == architecture
    out = next_gap(architecture, first, last, "out")
    assert (out is None) == (len(first) == 1)


def test_steps_by_hand() -> None:
    design = Architecture("steps", (Conv(8, 3), Residual((ReLU(),), (Conv(8, 1),)), BatchNorm(), Repeat((ReLU(),))))
    told = {
        ((0,), "down"): (2,),
        ((0,), "up"): None,
        ((0,), "in"): (1, 0, 0),
        ((0,), "out"): None,
        ((2,), "in"): (1, 0, 1),
        ((2,), "up"): (1,),
        ((2,), "down"): (4,),
        ((1, 0, 0), "up"): (1,),
        ((1, 0, 0), "down"): (1, 1, 0),
        ((1, 0, 0), "out"): (2,),
        ((1, 1, 0), "up"): (1, 0, 1),
        ((1, 1, 0), "down"): (2,),
        ((3, 0, 0), "down"): (4,),
        ((3,), "down"): None,
    }
    for (place, direction), gap in told.items():
        assert next_gap(design, place, place, direction) == gap, (place, direction)  # type: ignore[arg-type]


@given(architectures(), st.data())
def test_a_selection_from_one_row_to_another_holds_both_and_stands_together(
    architecture: Architecture, data: st.DataObject
) -> None:
    places = st.sampled_from([row.place for row in rows(architecture)])
    one, other = data.draw(places), data.draw(places)
    first, last = span(one, other)
    assert taken(architecture, first, last)
    level = len(first) - 1
    for each in (one, other):
        assert each[:level] == first[:-1]
        assert first[-1] <= each[level] <= last[-1]
    assert span(other, one) == (first, last)


@given(architectures())
def test_the_rows_are_the_ops_in_order_at_their_places_with_the_layers_of_the_trace(architecture: Architecture) -> None:
    listed = rows(architecture)
    assert [row.op for row in listed] == list(every_op(architecture.ops))
    assert [row.place for row in listed] == sorted(row.place for row in listed)
    layers = {layer.path: layer for layer in reversed(trace(architecture).every_layer)}  # of a repeat, the first time
    for row in listed:
        assert op_at(architecture, row.place) == row.op
        assert row.layer == layers[row.path]


def test_in_an_op_that_does_not_fit_the_ops_of_its_body_still_have_their_numbers() -> None:
    body = (Conv(8, 3), Residual((Conv(4, 3, padding=1), Conv(3, 1)), (ReLU(),)), ReLU())
    listed = rows(Architecture("broken", (Conv(8, 3), Residual(body), Linear(10))))
    shapes = [(row.path, row.layer.output if row.layer else None) for row in listed]
    assert shapes == [
        ("0", (8, 26, 26)),
        ("1", None),
        ("1.body.0", (8, 24, 24)),
        ("1.body.1", None),
        ("1.body.1.body.0", (4, 24, 24)),
        ("1.body.1.body.1", (3, 24, 24)),
        ("1.body.1.shortcut.0", (8, 24, 24)),
        ("1.body.2", None),
        ("2", None),
    ]


@given(architectures(), st.data())
def test_a_new_op_and_a_ready_block_fit_where_they_are_put_in_a_map(
    architecture: Architecture, data: st.DataObject
) -> None:
    places = [
        place for place in gaps(architecture) if len(shape := shape_at(architecture, place)) == 3 and shape[1] > 2
    ]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    before = rows(architecture)
    kind = data.draw(st.sampled_from([kind for name, kind in OPS.items() if name not in ON_VECTORS]))
    assert fits_at(insert(architecture, place, fresh(architecture, place, kind)), place)
    name = data.draw(st.sampled_from(BLOCKS))
    added = block(architecture, place, name)
    changed = insert(architecture, place, *added)
    for number in range(len(added)):
        assert fits_at(changed, (*place[:-1], place[-1] + number))
    assert len(rows(changed)) == len(before) + sum(1 for _ in every_op(added))


def fits_at(architecture: Architecture, place: Place) -> bool:
    return next(row for row in rows(architecture) if row.place == place).layer is not None


def test_a_new_convolution_in_a_shortcut_gives_what_the_body_gives() -> None:
    body = (Conv(12, 3, stride=2, padding=1), BatchNorm())
    design = Architecture("skip", (Conv(6, 3), Residual(body), GlobalAvgPool()))
    assert fit(design).broken == 1
    repaired = insert(design, (1, 1, 0), fresh(design, (1, 1, 0), Conv))
    assert op_at(repaired, (1, 1, 0)) == Conv(12, 1, stride=2, bias=False)
    assert fit(repaired).broken is None


def test_new_ops_suit_the_channels_that_come_in() -> None:
    design = Architecture("six", (Conv(6, 3),))
    assert fresh(design, 1, GroupNorm) == GroupNorm(3)
    assert fresh(design, 1, SqueezeExcite) == SqueezeExcite(1)
    assert fresh(design, 1, Conv) == Conv(6, 3, bias=False)
    assert fresh(Architecture("r", (Conv(6, 3), Residual((ReLU(),)))), (1, 0, 1), Conv) == Conv(
        6, 3, padding=1, bias=False
    )


def test_bodies_go_no_deeper_and_hold_no_more_ops_than_can_be_read_again() -> None:
    design = Architecture("deep", (ReLU(),))
    for _ in range(8):
        design = group(design, 0, 0, Residual)
    assert from_code(to_code(design)) == design
    with pytest.raises(SpecError, match="more than 8 deep"):
        group(design, 0, 0, Repeat)
    full = Architecture("full", (Repeat((ReLU(),) * 254),))
    with pytest.raises(SpecError, match="257 ops, at most 256"):
        insert(full, (0, 0, 3), ReLU(), ReLU())


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((0, 2, 0), "op 0 has 2 bodies, no number 2"),
        ((1, 0, 0), "op 1 has 0 bodies"),
        ((0, 0, 5), "there is no op 0: body: op 5; op 0: body has 1"),
        ((0, 1, -1), "there is no op 0: shortcut: op -1"),
        ((9, 0, 0), "there is no op 9; the network has 2"),
    ],
)
def test_a_place_that_is_not_there_is_said(place: Place, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        put(Architecture("two", (Residual((ReLU(),)), ReLU())), place, ReLU())


def test_several_ops_are_replaced_at_once_or_none() -> None:
    two = Architecture("two", (ReLU(), ReLU()))
    assert with_ops(two, {0: GELU(), 1: Dropout(0.2)}).ops == (GELU(), Dropout(0.2))
    with pytest.raises(SpecError, match="there is no op 2; the network has 2"):
        with_ops(two, {0: GELU(), 2: GELU()})
    with pytest.raises(SpecError, match="op 1 Dropout: p: 2 is outside"):
        with_ops(two, {0: GELU(), 1: Dropout(2)})


def test_fields_of_ops_in_bodies_change_and_a_repeat_keeps_its_body() -> None:
    design = Architecture("r", (Repeat((Residual((GELU(),)), ReLU()), 2),))
    assert with_field(design, 0, "times", 5).ops == (Repeat((Residual((GELU(),)), ReLU()), 5),)
    assert op_at(with_field(design, (0, 0, 0, 0, 0), "approximate", "tanh"), (0, 0, 0, 0, 0)) == GELU("tanh")
    with pytest.raises(SpecError, match="op 0: body: op 0: body: op 0 GELU: approximate: 'sin' is none of none, tanh"):
        with_field(design, (0, 0, 0, 0, 0), "approximate", "sin")
    assert place_words((0, 0, 1)) == "op 0: body: op 1"


# ------------------------------------------------------------------------------------------------------------- history

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


@pytest.mark.parametrize("body", [-1, 2])
def test_a_body_that_an_op_does_not_have_is_refused_by_its_number(body: int) -> None:
    network = Architecture("one", (Residual((ReLU(),)),))
    with pytest.raises(SpecError, match=f"no number {body}"):
        ops_at(network, (0, body))
