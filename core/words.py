"""How numbers are written, the same on all pages, in reports and on the command line. No torch."""

from __future__ import annotations

import re
from math import floor, log10


def plural(count: int, noun: str, several: str = "") -> str:
    """`1 epoch`, `1,500 epochs`; `several` is the plural if it is not the noun with an s: `1 try`, `2 tries`."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def percent(share: float) -> str:
    """An accuracy or another share as 99.41%."""
    return f"{share:.2%}"


def share_words(part: float, digits: int = 0) -> str:
    """A share that is no accuracy, or one of few images: 12%, 12.3%."""
    return f"{part:.{digits}%}"


def points_words(difference: float) -> str:
    """A difference of two accuracies in percentage points, without a sign: 0.12."""
    return f"{100 * difference:.2f}"


def rounded(value: float, digits: int) -> str:
    """A measured value with so many decimals, and commas between thousands: 1,234.5."""
    return f"{value:,.{digits}f}"


def signed_words(value: float, digits: int) -> str:
    """The same with its sign: +0.25."""
    return f"{value:+,.{digits}f}"


def significant(value: float, digits: int = 4) -> str:
    """A value with at most so many significant digits, and commas between thousands: 0.5, 1,234."""
    return f"{value:,.{digits}g}"


def loss_words(loss: float) -> str:
    """A loss with four significant digits, as people write it: 2.303, 0.01612, 4,483, 1.0e+19."""
    if loss < 999.95:
        return f"{loss:#.4g}"
    return f"{loss:,.0f}" if loss < 1e6 else f"{loss:.1e}"


def rate_words(rate: float) -> str:
    """A learning rate with at most four significant digits: 0.1, 0.1008, 0.00001; below a millionth as 1e-09."""
    digits = f"{rate:.4g}"
    return f"{rate:.{3 - floor(log10(rate))}f}".rstrip("0") if "e-0" in digits and rate >= 1e-6 else digits


def target_words(accuracy: float) -> str:
    """A target accuracy with all its digits: 99.4%, and 99.45%, not 99.5%."""
    return f"{100 * accuracy:.6g}%"


def factor_words(factor: float) -> str:
    """A ratio: `1.40 times`, `4,483 times`."""
    if factor < 10:
        return f"{factor:.2f} times"
    return f"{factor:,.0f} times" if factor < 1e6 else "more than a million times"


def number_order(text: str) -> list[int | str]:
    """A key that sorts layer2 before layer10, and D9 before D10."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split(r"(\d+)", text))]
