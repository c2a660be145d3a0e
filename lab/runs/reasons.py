"""Why something went wrong, in words that everybody may read: one line, and no folder of this server."""

from __future__ import annotations

import os
import re
from pathlib import Path

from core.data.mnist import data_root
from core.places import OWN
from lab.settings import ROOT, lab_home

MAX_REASON = 400  # characters
# Any other place: '/srv/a b/c' in quotes, /srv/a, C:\a, \\server\a. Not a/b, 1/2 or an address.
ELSEWHERE = re.compile(
    r"""(?P<quote>["'`])(?:/[\w.~+@-]+|[A-Za-z]:[\\/]|\\\\)[^"'`\n]*(?P=quote)"""
    r"""|(?<![\w:/.\\])(?:(?:/[\w.~+@-]+){2,}/?|[A-Za-z]:[\\/][^\s"'`:;,)]*|\\\\[\w.$-]+\\[^\s"'`:;,)]*)"""
)


def without_folders(text: str) -> str:
    """The text with files named from the lab's own folders on, and other places as …: those are for the log."""
    named = {str(each): words for folder, words in _folders().items() for each in (folder, folder.resolve())}
    for folder in sorted(named, key=len, reverse=True):  # the deeper one first
        text = text.replace(f"{folder}{os.sep}", "").replace(folder, named[folder])
    return ELSEWHERE.sub("…", text)


def _folders() -> dict[Path, str]:
    """The folders of this server, each with what it is called where it stands alone."""
    return {lab_home(): "the lab's folder", data_root(): "the folder of the data", ROOT: "the lab", OWN: "the lab"}


def public(text: str) -> str:
    """A reason for everybody: of several lines the first that says something, without this server's folders."""
    line = next((each.strip() for each in text.splitlines() if each.strip()), "")
    said = without_folders(line)
    return said if len(said) <= MAX_REASON else said[: MAX_REASON - 1] + "…"
