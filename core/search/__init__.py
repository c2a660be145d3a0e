"""Searching for a network: what may vary, which choice to try next."""
