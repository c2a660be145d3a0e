"""Designing a network: the page's parts."""
