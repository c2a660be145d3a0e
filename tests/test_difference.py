"""Two designs side by side: the rows come to both of them, and their differences to the totals'."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.architecture.difference import difference
from core.architecture.edit import group, insert, move, remove, with_field
from core.architecture.place import op_at
from core.architecture.spec import (
    Architecture,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    ReLU,
    Repeat,
    Residual,
    every_op,
)
from core.architecture.trace import trace
from core.ladder.catalogue import by_slug
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data


@given(architectures(), architectures())
def test_the_rows_come_to_both_designs_and_their_differences_to_the_totals(
    before: Architecture, after: Architecture
) -> None:
    rows = difference(before, after)
    assert [row.before.op for row in rows if row.before] == list(every_op(before.ops))
    assert [row.after.op for row in rows if row.after] == list(every_op(after.ops))
    assert all(op_at(after, row.after.place) == row.after.op for row in rows if row.after)
    assert (before.ops == after.ops) == all(row.kind == "same" for row in rows)
    assert sum(row.parameters or 0 for row in rows) == trace(after).parameters - trace(before).parameters
    assert sum(row.macs or 0 for row in rows) == trace(after).macs - trace(before).macs


@given(architectures())
def test_a_design_does_not_differ_from_itself(architecture: Architecture) -> None:
    for row in difference(architecture, architecture):
        assert (row.kind, row.parameters, row.macs, row.field) == ("same", 0, 0, 0)


@given(architectures(), st.integers(0, 9))
def test_one_op_added_is_one_row_added(architecture: Architecture, place: int) -> None:
    index = min(place, len(architecture.ops))
    longer = insert(architecture, index, Dropout(0.375))
    kinds = [row.kind for row in difference(architecture, longer)]
    assert kinds.count("added") == 1
    assert kinds.count("same") == len(list(every_op(architecture.ops)))
    back = [row.kind for row in difference(longer, architecture)]
    assert back.count("removed") == 1


def test_a_changed_field_is_one_changed_row_and_its_cost_goes_on() -> None:
    before = Architecture("a", (Conv(8, 3, bias=False), BatchNorm(), ReLU(), Conv(10, 3), GlobalAvgPool(), Flatten()))
    rows = difference(before, with_field(before, 0, "out_channels", 12))
    assert [row.kind for row in rows] == ["changed", "same", "same", "same", "same", "same"]
    # By hand: 4 kernels of 1 x 3 x 3; 4 scales and shifts; 10 x 4 x 3 x 3 in the next convolution
    assert [row.parameters for row in rows] == [36, 8, 0, 360, 0, 0]


def test_a_wider_kernel_shows_in_the_field_of_every_op_after_it() -> None:
    before = Architecture("a", (Conv(8, 3), MaxPool(2), Conv(10, 3), ReLU()))
    rows = difference(before, with_field(before, 0, "kernel_size", 5))
    assert [row.field for row in rows] == [2, 2, 2, 2]


def test_what_does_not_fit_has_no_numbers_to_compare() -> None:
    before = by_slug("a2-final-7758").architecture
    after = insert(remove(before, 0), 0, Conv(10, 29))
    first, *rest = difference(before, after)
    assert first.kind == "changed"
    assert (first.parameters, first.macs, first.field) == (None, None, None)
    assert all(row.parameters is None for row in rest if row.after)


def test_a_changed_op_in_a_body_is_one_row_and_the_further_times_of_a_repeat_are_another() -> None:
    body = (Conv(8, 3, padding=1, bias=False), BatchNorm(), ReLU())
    before = Architecture("a", (Conv(8, 3, bias=False), Repeat(body, 3), GlobalAvgPool()))
    rows = difference(before, with_field(before, (1, 0, 0), "bias", True))
    assert [(row.kind, row.parameters) for row in rows if row.kind != "same" or row.parameters] == [("changed", 8)]
    rows = difference(before, with_field(before, 1, "times", 5))
    # Two more times: the norm's 2 x 8 values, and the multiply-adds of the 8 x 8 x 3 x 3 weights on 26 x 26 units
    (row,) = (row for row in rows if row.kind != "same")
    assert (row.kind, row.parameters, row.macs) == ("changed", 2 * 16, 2 * 576 * 26 * 26)


def test_ops_put_into_a_block_are_moved_and_the_block_is_added() -> None:
    before = Architecture("a", (Conv(8, 3), Conv(8, 3, padding=1), ReLU(), GlobalAvgPool()))
    grouped = group(before, 1, 2, Residual)
    assert [row.kind for row in difference(before, grouped)] == ["same", "added", "moved", "moved", "same"]
    beside = move(grouped, (1, 0, 1), (1, 1, 0))
    assert [row.kind for row in difference(grouped, beside)] == ["same", "same", "same", "moved", "same"]
