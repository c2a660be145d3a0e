"""A design in a link: what goes in comes out, and what was tampered with is one sentence."""

from __future__ import annotations

import base64
import json
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.advice.bad_designs import BAD_DESIGNS
from core.architecture.edit import renamed
from core.architecture.json_form import architecture_from_json, architecture_to_json
from core.architecture.link import MAX_BYTES, MAX_CODE, from_code, to_code
from core.architecture.spec import Architecture, Conv, Dropout, ReLU
from core.errors import SpecError
from core.ladder.catalogue import LADDER
from core.ladder.relatives import EXTRAS
from core.outside import plain
from tests.random_architectures import architectures

pytestmark = pytest.mark.own_data

names = st.text(min_size=1, max_size=100).map(plain).filter(lambda name: 1 <= len(name) <= 100)


@pytest.mark.slow
@given(architectures(), names)
def test_a_design_survives_its_link_and_its_json(architecture: Architecture, name: str) -> None:
    named = Architecture(name, architecture.ops, architecture.input)
    assert from_code(to_code(named)) == named
    assert architecture_from_json(architecture_to_json(named)) == named


@given(architectures())
def test_a_code_needs_no_escaping_in_a_url(architecture: Architecture) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", to_code(architecture))


def test_every_network_of_the_lab_fits_in_a_short_link() -> None:
    for network in (*LADDER, *EXTRAS, *BAD_DESIGNS):
        assert len(to_code(network.architecture)) < 360
        assert from_code(to_code(network.architecture)) == network.architecture


def test_the_largest_design_there_can_be_fits() -> None:
    conv = Conv(4096, 512, 511, 510, 509, 2, False)
    largest = Architecture("\U0001f600" * 100, (conv, Dropout(0.12345678901234567)) * 128, (4096, 512, 512))
    assert from_code(to_code(largest)) == largest


def test_a_name_stays_on_its_line() -> None:
    found = from_code(code_of(json.dumps({"name": " mine\n\n# Big\u2028\t1. ", "ops": [{"op": "ReLU"}]}).encode()))
    assert found.name == "mine # Big 1."
    assert renamed(found, " mine\r\n#  Big") == Architecture("mine # Big", (ReLU(),))


def test_an_empty_design_survives_too() -> None:
    assert from_code(to_code(Architecture("empty", ()))) == Architecture("empty", ())


def code_of(text: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(text, 9)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "cut short"),
        ("!!", "cut short"),
        ("ünlesbar", "cut short"),
        ("abc", "cut short"),
        (to_code(LADDER[0].architecture)[:-9], "cut short"),
        (code_of(b"[1, 2"), "cut short"),
        (code_of(b"\xff\xfe\x00"), "cut short"),
        (code_of(b"[" * 60_000), "cut short"),
        (code_of(b"3"), "an architecture is an object"),
        (code_of(b'{"ops": [], "name": 7}'), "name: expected 1 to 100 characters"),
        (code_of(b'{"ops": [{"op": "Conv", "out_channels": 0, "kernel_size": 3}]}'), "0 is outside 1 to 4,096"),
        (code_of(b'{"ops": [{"op": "__import__"}]}'), "unknown op '__import__'"),
        (code_of(b'{"ops": [{"op": "ReLU"}], "name": "\\ud800"}'), r"name: '\ud800' is not valid Unicode text"),
        (code_of(b'{"ops": [{"op": "\\udfff"}]}'), r"unknown op '\udfff'"),
    ],
)
def test_what_is_no_design_is_said_in_a_sentence(code: str, words: str) -> None:
    with pytest.raises(SpecError, match=re.escape(words)):
        from_code(code)


def test_a_code_that_unpacks_to_too_much_is_refused_before_it_does() -> None:
    bomb = code_of(b" " * 20_000_000 + b"{}")
    assert len(bomb) < MAX_CODE
    with pytest.raises(SpecError, match="unpacks to more than 65,536 bytes"):
        from_code(bomb)


def test_a_code_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(SpecError, match="at most 32,768"):
        from_code("A" * (MAX_CODE + 1))


def test_the_bounds_leave_room_for_every_design() -> None:
    longest = {"op": "Conv", "out_channels": 4096, "kernel_size": 512, "stride": 512, "padding": 512, "dilation": 512}
    text = json.dumps({"name": "\\u1234" * 100, "ops": [{**longest, "groups": 4096, "bias": False}] * 256})
    assert len(text) < MAX_BYTES


def test_a_design_is_given_back_as_it_was_drawn_even_where_it_does_not_fit() -> None:
    broken = Architecture("broken", (Conv(4, 29), ReLU()))
    assert from_code(to_code(broken)) == broken
