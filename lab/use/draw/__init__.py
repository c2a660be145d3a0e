"""Digits drawn by hand: the pad, and the class's own set."""
