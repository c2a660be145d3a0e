"""Numbers as short words."""

from __future__ import annotations


def millions(macs: int) -> str:
    """Multiply-adds as 1.52 M."""
    return f"{macs / 1e6:.2f} M" if macs < 1e8 else f"{macs / 1e6:,.0f} M"


def kilobytes(size: int) -> str:
    """Bytes as 30.3 KB or 24.3 MB."""
    return f"{size / 1e3:,.1f} KB" if size < 1e6 else f"{size / 1e6:,.1f} MB"


VERDICTS = {True: "✓ right", False: "✗ not so", None: "— open"}


def percent(share: float) -> str:
    """52%; with two digits where the whole number would say all or nothing, and never quite either."""
    if 0.01 <= share <= 0.99:
        return f"{share:.0%}"
    return f"{share:.2%}" if 0.0001 <= share <= 0.9999 else "under 0.01%" if share < 0.5 else "over 99.99%"
