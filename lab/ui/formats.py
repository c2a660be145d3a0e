"""Numbers as short words."""

from __future__ import annotations

from core.words import percent as accuracy_words
from core.words import rounded, share_words


def millions(macs: int) -> str:
    """Multiply-adds as 1.52 M."""
    return f"{rounded(macs / 1e6, 2 if macs < 1e8 else 0)} M"


def kilobytes(size: int) -> str:
    """Bytes as 30.3 KB or 24.3 MB."""
    return f"{rounded(size / 1e3, 1)} KB" if size < 1e6 else f"{rounded(size / 1e6, 1)} MB"


VERDICTS = {True: "✓ right", False: "✗ not so", None: "— open"}


def percent(share: float) -> str:
    """52%; with two digits where the whole number would say all or nothing, and never quite either."""
    if 0.01 <= share <= 0.99:
        return share_words(share)
    return accuracy_words(share) if 0.0001 <= share <= 0.9999 else "under 0.01%" if share < 0.5 else "over 99.99%"
