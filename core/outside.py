"""Words from outside, made plain where they enter: names, notes, file names, text of imported files, log lines.

What a terminal obeys and what nobody sees is taken out: control characters and escape sequences, marks that turn the
direction of writing, zero-width and private characters, line breaks. What people write stays, in any script: a joiner
stands where its neighbours need it, in Persian and in Hindi, and within an emoji.
"""

from __future__ import annotations

import logging
import re
import unicodedata

from core.errors import LabError

# Sequences that a terminal obeys (ECMA-48): CSI, the strings OSC, DCS, SOS, PM, APC, and two-character ones.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Letters, marks and symbols that are blank although their category says otherwise; a Braille blank is one.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0")
_INVISIBLE = ("Cf", "Cs", "Co")
JOINERS = "\u200c\u200d"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAGS = "\U000e0020-\U000e007f"
_KEPT_FOR_NOW = re.compile(f"[{JOINERS}{_SELECTORS}{_TAGS}]")

_EMOJI = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Scripts whose letters a joiner parts or connects: Arabic to Sinhala, Khmer, Mongolian, Phags-pa, Adlam, Brahmi's.
_JOINING = "\u0600-\u0dff\u1780-\u18af\ua840-\ua87f\ufb50-\ufdff\ufe70-\ufefc\U0001e900-\U0001e95f\U00011000-\U00011fff"
_VIRAMAS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"  # a joiner after one may end a word
# Each keeps its first group, where the neighbours need it, and takes out every other such character.
_IN_PLACE = (
    re.compile(f"(\U0001f3f4[\U000e0030-\U000e007a]{{4,6}}\U000e007f)|[{_TAGS}]"),  # the flag of Wales
    re.compile(
        f"((?<=[{_EMOJI}0-9#*])[\ufe0e\ufe0f]|(?<=[{_IDEOGRAPHS}\u2200-\u22ff])[\ufe00-\ufe0d\U000e0100-\U000e01ef]"
        f"|(?<=[\u1800-\u18af])[\u180b-\u180d\u180f])|[{_SELECTORS}]"
    ),
    re.compile(
        f"((?<=[{_JOINING}])[{JOINERS}](?=[{_JOINING}])|(?<=[{_VIRAMAS}])[{JOINERS}]"
        f"|(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}]))|[{JOINERS}]"
    ),
)


def plain(text: str) -> str:
    """The text on one line, with single spaces, in Unicode's normal form C, without what is unseen or obeyed.

    Half of a surrogate pair becomes the replacement character. Plain text stays as it is.
    """
    if not (text.isascii() and text.isprintable()):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = "".join(map(_seen, _SEQUENCE.sub("", text)))
        for pattern in _IN_PLACE:
            text = pattern.sub(r"\1", text)
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split())


def _seen(character: str) -> str:
    """The character, a space in place of a control character or a blank, or nothing."""
    if _KEPT_FOR_NOW.match(character):
        return character
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zl", "Zp") or character == "\u2800" or character.isspace():
        return " "
    number = ord(character)
    no_character = number & 0xFFFE == 0xFFFE or 0xFDD0 <= number <= 0xFDEF or 0xE0000 <= number <= 0xE0FFF
    return "" if kind in _INVISIBLE or character in _BLANK or no_character else character


def plain_words(text: str, what: str, most: int, error: type[LabError]) -> str:
    """The plain text. Raises `error`, with both numbers, when it is longer than `most` characters."""
    words = plain(text)
    if len(words) > most:
        shown = words if len(words) <= 50 else f"{words[:50]}..."
        raise error(f"{what} has {len(words):,} characters, at most {most:,} fit: '{shown}'")
    return words


def cut(text: str, most: int) -> str:
    """The plain text, of which no more than the first characters are wanted."""
    return plain(plain(text)[:most])


def visible(text: str) -> str:
    """The text as it was given, for an error or a terminal: what is not plain in it is written as \\x1b or \\u202e."""
    if plain(text) == text:
        return text
    return "".join(
        each if each == " " or (each.isprintable() and each not in _BLANK and not _KEPT_FOR_NOW.match(each))
        else each.encode("ascii", "backslashreplace").decode() if ord(each) > 127 else ascii(each)[1:-1]
        for each in text
    )  # fmt: skip


def printable(text: str) -> str:
    """Lines for a terminal, each made visible; their breaks and tabs stay."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))


class PlainFormatter(logging.Formatter):
    """Log lines of which a terminal obeys none, whatever a name in them holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line, and its traceback where it has one."""
        return printable(super().format(record))


def log_plainly(logger: str = "", level: int = logging.INFO) -> None:
    """Let a logger and all below it write to standard error, each line with its moment; "" is the root of them all."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(asctime)s %(message)s"))
    named = logging.getLogger(logger)
    named.handlers = [handler]
    named.setLevel(level)
