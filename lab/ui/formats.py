"""Numbers as short words."""

from __future__ import annotations

from core.errors import LabError
from core.ladder.catalogue import mark
from lab.studies import own_ladder
from lab.studies.shelf import Shelved


def millions(macs: int) -> str:
    """Multiply-adds as 1.52 M."""
    return f"{macs / 1e6:.2f} M" if macs < 1e8 else f"{macs / 1e6:,.0f} M"


def kilobytes(size: int) -> str:
    """Bytes as 30.3 KB or 24.3 MB."""
    return f"{size / 1e3:,.1f} KB" if size < 1e6 else f"{size / 1e6:,.1f} MB"


VERDICTS = {True: "✓ right", False: "✗ not so", None: "— open"}


def short_name(shelved: Shelved) -> str:
    """A network in a narrow column: its step's mark, such as A2, or its reference where it is no step."""
    try:
        return mark(own_ladder.by_slug(shelved.card.slug))
    except LabError:
        return shelved.reference


def percent(share: float) -> str:
    """52%; with two digits where the whole number would say all or nothing, and never quite either."""
    if 0.01 <= share <= 0.99:
        return f"{share:.0%}"
    return f"{share:.2%}" if 0.0001 <= share <= 0.9999 else "under 0.01%" if share < 0.5 else "over 99.99%"
