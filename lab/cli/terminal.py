"""What a command prints: nothing in it moves the cursor, sets a colour or a title, whatever a name or a file holds."""

from __future__ import annotations

import io
from typing import TextIO

from core.outside import printable


class PlainStream(io.TextIOBase):
    """Standard output or error, on which what a terminal would obey is written out, as \\x1b."""

    def __init__(self, under: TextIO) -> None:
        """`under`: where it goes on to, which stays open."""
        self._under = under

    def write(self, text: str) -> int:
        """As many characters as were given."""
        self._under.write(printable(text))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def flush(self) -> None:
        """Let go of what is waiting."""
        self._under.flush()

    def fileno(self) -> int:
        """Of the stream below."""
        return self._under.fileno()

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._under.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream below."""
        return self._under.encoding
