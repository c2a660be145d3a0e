"""Numbers as short words."""

from __future__ import annotations


def millions(macs: int) -> str:
    """Multiply-adds as 1.52 M."""
    return f"{macs / 1e6:.2f} M" if macs < 1e8 else f"{macs / 1e6:,.0f} M"


def kilobytes(size: int) -> str:
    """Bytes as 30.3 KB or 24.3 MB."""
    return f"{size / 1e3:,.1f} KB" if size < 1e6 else f"{size / 1e6:,.1f} MB"
