"""How a figure is written, the same on every page, in the reports and on the command line. No torch."""

from __future__ import annotations


def plural(count: int, noun: str, several: str = "") -> str:
    """`1 epoch`, `1,500 epochs`; `several` where the plural is not the noun and an s: `1 try`, `2 tries`."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def percent(share: float) -> str:
    """An accuracy or another share as 99.41%."""
    return f"{share:.2%}"


def loss_words(loss: float) -> str:
    """A loss with four significant digits: 2.303, 0.01612."""
    return f"{loss:#.4g}"


def rate_words(rate: float) -> str:
    """A learning rate with at most four significant digits: 0.1, 0.1008."""
    return f"{rate:.4g}"
