"""Words from outside are plain wherever they enter: nothing unseen is in them, and nothing that a terminal obeys."""

from __future__ import annotations

import io
import json
import logging
import struct
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.architecture.edit import renamed
from core.architecture.json_form import architecture_from_json
from core.architecture.link import from_code, to_code
from core.architecture.spec import Architecture, Flatten, Linear
from core.errors import LabError, RunError, SpecError
from core.importing.opened import file_name, open_file
from core.outside import PlainFormatter, cut, plain, plain_words, printable, visible
from core.record import short
from lab.classroom.designs import is_name
from lab.classroom.game import Rooms
from lab.cli.parser import main
from lab.cli.terminal import PlainStream
from lab.runs.rows import MAX_NAME
from lab.runs.rows import plain_words as run_words
from lab.runs.store import RunStore
from lab.settings import read_settings, settings
from tests.made_runs import made_run

pytestmark = pytest.mark.own_data

OBEYED = ["\x1b[31m", "\x9b2J", "\x1b]0;title\x07", "\x1b", "\x07", "\r", "\n", "\x00", "\x7f", "\x85"]
UNSEEN = [
    *("\u202e", "\u202a", "\u202c", "\u2066", "\u2069", "\u200b", "\u200e", "\u2060", "\ufeff", "\u00ad", "\u061c"),
    *("\ue000", "\U000f0000", "\ufffe", "\ufdd0", "\U000e0041", "\u034f", "\u3164", "\u115f", "\u2028", "\u2800"),
    *("\u200c", "\u200d", "\ufe0f", "\U000e0100"),
]
words = st.lists(
    st.sampled_from([*OBEYED, *UNSEEN, "\ud800", "\udfff", "a", "Zoë", "e\u0301", " ", "7", "न", "\u094d", "👩", "❤"])
    | st.text(st.characters(codec=None), max_size=4),
    max_size=10,
).map("".join)
few = hypothesis_settings(max_examples=40)
NETWORK = (Flatten(), Linear(10))


def is_plain(text: str) -> bool:
    """Told from the characters alone, not as `plain` makes it so."""
    kinds = [unicodedata.category(each) for each in text]
    unseen = {"Cc", "Cs", "Co", "Zl", "Zp"} & set(kinds) or [
        each for each, kind in zip(text, kinds, strict=True) if kind == "Cf" and each not in "\u200c\u200d"
        and not "\U000e0020" <= each <= "\U000e007f"
    ]  # fmt: skip
    return not unseen and text == " ".join(text.split()) and unicodedata.is_normalized("NFC", text)


def is_safe(told: str) -> bool:
    """An error may quote what it refuses, but for what is unseen or obeyed."""
    return is_plain(unicodedata.normalize("NFC", " ".join(told.split())))


@given(words)
def test_a_word_from_outside_is_plain_once_and_for_all(text: str) -> None:
    found = plain(text)
    assert is_plain(found)
    assert plain(found) == found
    assert len(cut(text, 5)) <= 5
    assert is_plain(cut(text, 5))


@pytest.mark.parametrize(
    "text",
    [
        *("Anna", "Zoë", "O'Brien-Łukasz", "李小龍", "محمد", "שרה", "नमस्ते", "สมชาย", "Ελένη", "🎉 net 3", "x² + y₁"),
        *("می\u200cخواهم", "क्\u200dष", "ന്\u200d", "ශ්\u200dරී"),  # Persian, Hindi, Malayalam, Sinhala
        *("👩\u200d👩\u200d👧", "❤\ufe0f", "👩🏽\u200d🔬", "1\ufe0f\u20e3", "🏳\ufe0f\u200d🌈", "葛\U000e0100"),
        "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",  # the flag of Wales
    ],
)
def test_what_people_write_stays_in_any_script(text: str) -> None:
    assert plain(text) == text
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "is_left"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("\x1b]0;own the terminal\x07name", "name"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("pay\u200bpal", "paypal"),
        ("x\u200dy", "xy"),  # no script that needs a joiner
        ("two\nlines\tand\x00more", "two lines and more"),
        ("e\u0301", "é"),
        ("\ud83d\ude00 \ud800", "😀 \ufffd"),
        ("\u3164\u2800\u200d", ""),
    ],
)
def test_what_nobody_sees_and_what_a_terminal_obeys_goes(text: str, is_left: str) -> None:
    assert plain(text) == is_left


def test_a_long_word_is_told_with_both_numbers() -> None:
    with pytest.raises(RunError, match="the name has 61 characters, at most 60 fit"):
        plain_words("a\u200b" * 61, "the name", 60, RunError)
    assert plain_words("a\u200b" * 60, "the name", 60, RunError) == "a" * 60


# ---------------------------------------------------------------------------------------------------------- each door


def json_of(name: str) -> str:
    return json.dumps({"name": name, "ops": [{"op": "Flatten"}, {"op": "Linear", "out_features": 10}]})


@few
@given(words)
def test_no_door_lets_anything_else_in(text: str) -> None:
    for enter in (
        lambda: renamed(Architecture("net", NETWORK), text).name,  # the form
        lambda: run_words(text, "the nickname", MAX_NAME),  # the form, the address, the command line
        lambda: from_code(to_code(Architecture(text, NETWORK))).name,  # a link
        lambda: architecture_from_json(json_of(text)).name,  # a file
        lambda: file_name(f"{text}.py"),
        lambda: read_settings({"LAB_RAY_ADDRESS": f"a{text}"}, {}).ray_address,  # the environment
        lambda: read_settings({}, {"ray_address": f"a{text}"}).ray_address,
    ):
        try:
            entered, refused = enter(), ""
        except LabError as error:
            entered, refused = "", str(error)
        assert is_plain(entered), ascii(entered)
        assert is_safe(refused), ascii(refused)
    assert is_safe(short(text))
    assert not is_name(text) or is_plain(text)


@few
@given(words)
def test_no_refusal_of_a_file_or_a_room_says_more_than_it_should(text: str) -> None:
    header = json.dumps(
        {text.encode("utf-8", "replace").decode(): {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    ).encode()
    for refuse in (
        lambda: Rooms().find(text),
        lambda: open_file(b"\x89HDF\r\n\x1a\n", f"{text}.h5"),
        lambda: open_file(b"PK\x03\x04", f"{text}.zip"),
        lambda: open_file(json_of("a").replace("Flatten", "Flat" + json.dumps(text)[1:-1]).encode(), f"{text}.json"),
    ):
        with pytest.raises(LabError) as found:
            refuse()
        assert is_safe(str(found.value)), ascii(str(found.value))
    opened = open_file(struct.pack("<Q", len(header)) + header + bytes(4), "a.safetensors").tensors
    assert opened is not None
    assert all(map(is_plain, opened.named))


def test_a_runs_name_nickname_and_tags_are_plain_in_the_store_and_on_a_terminal(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(home)
    run = made_run(store, [0.9], name="net\x1b[31m\u202e", owner="Ada\u200b")
    assert (run.name, run.owner) == ("net", "Ada")
    assert store.rename(run.id, "a\x1b]0;t\x07b\u202e").name == "ab"
    assert store.set_tags(run.id, ["one\x1b[1m", "t\u200bwo"]).tags == ("one", "two")
    # As an older version let it in.
    store.change("UPDATE runs SET name = ?, tags = '', ended = 1 WHERE id = ?", ("old\x1b[31m\u202ename", run.id))
    monkeypatch.setenv("LAB_KEEP_DAYS", "1")
    settings.cache_clear()
    main(["prune", "--dry-run"])
    settings.cache_clear()
    assert "old\\x1b[31m\\u202ename" in capsys.readouterr().out


def test_a_log_and_a_terminal_get_no_escape_whatever_is_in_a_name() -> None:
    record = logging.LogRecord("lab", logging.INFO, "", 0, "run %s: %s", ("a\x1b[31m", "two\r\nlines\u202e"), None)
    assert PlainFormatter("%(message)s").format(record) == "run a\\x1b[31m: two\\r\nlines\\u202e"
    under = io.StringIO()
    print("a\tb\x1b[2J\u202e", "é", file=PlainStream(under))
    assert under.getvalue() == "a\tb\\x1b[2J\\u202e é\n"
    assert printable("plain\n") == "plain\n"


def test_a_design_may_be_called_as_its_script_writes() -> None:
    for name in ("नमस्ते", "สมชาย", "می\u200cخواهم", "Zoë's".replace("'", "")):
        assert is_name(name)
    with pytest.raises(SpecError):
        renamed(Architecture("net", NETWORK), "\u200b\u202e")
