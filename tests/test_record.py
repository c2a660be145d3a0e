"""Dataclasses to JSON and back: what is read is what was written, and what cannot be read is named with its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.architecture.spec import OPS
from core.challenge import Challenge
from core.errors import LabError
from core.outside import plain
from core.record import By, Json, Length, Range, range_of, read, read_value, write
from core.training.recipe import Augmentation, EarlyStopping, Optimizer, RangeTest, Recipe, Schedule

pytestmark = pytest.mark.own_data


@dataclass(frozen=True)
class Point:
    x: Annotated[float, Range(-10, 10)]
    y: Annotated[float, Range(-10, 10)] = 0.0


def from_hexadecimal(data: Json) -> int:
    try:
        return int(str(data), 16)
    except ValueError:
        raise LabError(f"{data} is no hexadecimal number") from None


@dataclass(frozen=True)
class Everything:
    name: Annotated[str, Length(1, 5)]
    number: Annotated[int, By(from_hexadecimal, hex)]
    points: tuple[Point, ...] = ()
    pairs: Annotated[tuple[tuple[bool, Annotated[int, Range(0, 9)]], ...], Length(0, 2)] = ()
    versions: dict[str, str] | None = None
    note: str = ""


COORDINATES = st.floats(-10, 10)
RECORDS = st.builds(
    Everything,
    st.text("abcé", min_size=1, max_size=5),
    st.integers(0, 10**6),
    st.lists(st.builds(Point, COORDINATES, COORDINATES), max_size=3).map(tuple),
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=2).map(tuple),
    st.none() | st.dictionaries(st.text("xyz", max_size=3), st.text("12.", max_size=4), max_size=2),
    st.text("abc ", max_size=9).map(plain),
)


@given(RECORDS)
def test_a_record_is_read_as_it_was_written(record: Everything) -> None:
    assert read(Everything, json.loads(json.dumps(write(record))), "here", LabError) == record


def test_defaults_are_left_out() -> None:
    assert write(Everything("a", 255, (Point(1),))) == {"name": "a", "number": "0xff", "points": [{"x": 1}]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 5}, "here: name: expected a text, got 5"),
        ({"name": ""}, "here: name: 0 characters, at least 1 are needed"),
        ({"name": "abcdef"}, "here: name: 6 characters, at most 5 are allowed"),
        ({"name": "\ud800"}, "here: name: '\\ud800' is not valid Unicode text"),
        ({"note": "a" * 201}, "here: note: 201 characters, at most 200 are allowed"),
        ({"number": "xyz"}, "here: number: xyz is no hexadecimal number"),
        ({"points": {"x": 1}}, 'here: points: expected a list, got {"x": 1}'),
        ({"points": [{"x": 1}, {"x": 11}]}, "here: points[1]: x: 11 is outside -10 to 10"),
        ({"points": [{"z": 1}]}, "here: points[0]: unknown field 'z'; Point takes x, y"),
        ({"pairs": [[True, 1]] * 3}, "here: pairs: 3 elements, outside 0 to 2"),
        ({"pairs": [[True]]}, "here: pairs[0]: expected a list of 2, got [true]"),
        ({"pairs": [[True, 10]]}, "here: pairs[0][1]: 10 is outside 0 to 9"),
        ({"versions": ["x"]}, 'here: versions: expected names and texts, got ["x"]'),
        ({"versions": {"torch": 2}}, "here: versions: 'torch': expected a text, got 2"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(change: dict[str, object], message: str) -> None:
    data = {"name": "a", "number": "0x1", **change}
    with pytest.raises(LabError) as caught:
        read(Everything, data, "here", LabError)  # type: ignore[arg-type]
    assert str(caught.value) == message


def members(*unions: object) -> list[type]:
    return [kind for union in unions for kind in get_args(union)]


RECORDS = (Recipe, RangeTest, EarlyStopping, Challenge, Augmentation, *members(Optimizer, Schedule), *OPS.values())
NUMBERS = [
    (kind, name, hint)
    for kind in RECORDS
    for name, hint in get_type_hints(kind, include_extras=True).items()
    if get_origin(hint) is Annotated and get_args(hint)[0] in (int, float)
]


@pytest.mark.parametrize(("kind", "name", "hint"), NUMBERS, ids=lambda each: getattr(each, "__name__", str(each)[:20]))
def test_a_number_is_refused_with_its_field_itself_and_both_ends_of_the_range(
    kind: type, name: str, hint: object
) -> None:
    number, bounds = get_args(hint)
    assert isinstance(bounds, Range)
    assert bounds == range_of(kind, name)
    for wrong in (number(bounds.least) - 1, 2 * number(bounds.most) + 1):
        with pytest.raises(LabError) as refused:
            read_value(hint, wrong, f"{kind.__name__}: {name}", LabError)
        assert (
            str(refused.value) == f"{kind.__name__}: {name}: {wrong:,} is outside {bounds.least:,} to {bounds.most:,}"
        )


def test_no_number_of_a_recipe_or_an_op_is_without_a_range() -> None:
    assert len(NUMBERS) > 60
    for kind in RECORDS:
        assert not {int, float} & {*get_type_hints(kind, include_extras=True).values()}, kind
