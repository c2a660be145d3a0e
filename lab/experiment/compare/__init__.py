"""Comparing runs: the page's parts."""
