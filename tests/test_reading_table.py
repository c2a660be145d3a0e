"""A pasted table of torchsummary or torchinfo stands line by line beside the design."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.architecture.spec import Architecture, BatchNorm, Conv, Dropout, Flatten, GlobalAvgPool, LogSoftmax, ReLU
from core.architecture.trace import trace
from core.errors import SpecError
from core.reading.summary_table import compare_table, read_table

pytestmark = pytest.mark.own_data

OPS = (Conv(8, 3, bias=False), ReLU(), BatchNorm(), Dropout(0.1), Conv(10, 1), GlobalAvgPool(), Flatten(), LogSoftmax())
DESIGN = Architecture("a design", OPS)
# As torchsummary 1.5.1 prints it: the log-softmax is a function there.
SUMMARY = """
----------------------------------------------------------------
        Layer (type)               Output Shape         Param #
================================================================
            Conv2d-1            [-1, 8, 26, 26]              72
              ReLU-2            [-1, 8, 26, 26]               0
       BatchNorm2d-3            [-1, 8, 26, 26]              16
           Dropout-4            [-1, 8, 26, 26]               0
            Conv2d-5           [-1, 10, 26, 26]              90
         AvgPool2d-6             [-1, 10, 1, 1]               0
================================================================
Total params: 178
Trainable params: 178
Non-trainable params: 0
"""
# As torchinfo 1.8.0 prints it, with the input's shape, the kernel's and blocks.
INFO = """
==========================================================================================
Layer (type:depth-idx)    Input Shape        Output Shape       Kernel Shape   Param #
==========================================================================================
Net                       [2, 1, 28, 28]     [2, 10]            --             --
├─Sequential: 1-1         [2, 1, 28, 28]     [2, 8, 26, 26]     --             --
│    └─Conv2d: 2-1        [2, 1, 28, 28]     [2, 8, 26, 26]     [3, 3]         72
│    └─ReLU: 2-2          [2, 8, 26, 26]     [2, 8, 26, 26]     --             --
│    └─BatchNorm2d: 2-3   [2, 8, 26, 26]     [2, 8, 26, 26]     --             16
├─Dropout: 1-2            [2, 8, 26, 26]     [2, 8, 26, 26]     --             --
├─Conv2d (conv2): 1-3     [2, 8, 26, 26]     [2, 10, 26, 26]    [1, 1]         90
├─AdaptiveAvgPool2d: 1-4  [2, 10, 26, 26]    [2, 10, 1, 1]      --             --
==========================================================================================
Total params: 178
"""


@pytest.mark.parametrize("text", [SUMMARY, INFO, SUMMARY.split("====\n")[1]], ids=["summary", "info", "no header"])
def test_a_table_of_the_design_itself_is_the_same_in_every_line(text: str) -> None:
    compared = compare_table(text, trace(DESIGN))
    assert compared.same
    assert [row.theirs.kind for row in compared.rows if row.theirs] == [
        *("Conv2d", "ReLU", "BatchNorm2d", "Dropout", "Conv2d"),
        "AvgPool2d" if text != INFO else "AdaptiveAvgPool2d",
    ]
    assert [row.ours.path for row in compared.rows if row.ours] == [str(index) for index in range(len(OPS))]
    assert (compared.their_total, compared.our_total) == (178 if "Total" in text else None, 178)


def test_a_line_that_differs_is_marked_with_both_numbers() -> None:
    other = replace(DESIGN, ops=(Conv(8, 3, padding=1), *OPS[1:]))
    compared = compare_table(SUMMARY, trace(other))
    assert not compared.same
    assert compared.rows[0].difference == ("8 x 26 x 26 there, 8 x 28 x 28 here; 72 parameters there, 80 here")
    assert compared.rows[1].difference == "8 x 26 x 26 there, 8 x 28 x 28 here"
    assert compared.rows[5].same  # after the pool the size is 1 in both


def test_a_layer_more_on_either_side_leaves_the_others_in_their_places() -> None:
    fewer = replace(DESIGN, ops=(OPS[0], OPS[1], *OPS[3:]))
    differing = [row for row in compare_table(SUMMARY, trace(fewer)).rows if not row.same]
    assert [row.difference for row in differing] == ["only in the table: BatchNorm2d, 16 parameters"]
    more = replace(DESIGN, ops=(*OPS[:3], BatchNorm(), *OPS[3:]))
    differing = [row for row in compare_table(SUMMARY, trace(more)).rows if not row.same]
    assert [row.difference for row in differing] == ["only in the design: BatchNorm2d, 16 parameters"]


def test_one_line_alone_is_a_table() -> None:
    (row,) = read_table("Conv2d-1 [-1, 8, 26, 26] 72")
    assert (row.name, row.output, row.parameters) == ("Conv2d-1", (8, 26, 26), 72)


@pytest.mark.parametrize("text", ["", "hello", "[1, 2]", "x" * 300_000, "Total params: 3"])
def test_a_text_without_a_table_is_answered_with_one_sentence(text: str) -> None:
    with pytest.raises(SpecError, match="table"):
        read_table(text)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(SUMMARY)), st.characters()), max_size=12))
def test_no_change_of_a_table_breaks_the_reader(changes: list[tuple[int, str]]) -> None:
    text = SUMMARY
    for at, character in changes:
        text = text[:at] + character + text[at + 1 :]
    with suppress(SpecError):
        compare_table(text, trace(DESIGN))
