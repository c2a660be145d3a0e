"""Advice on a design: what is wrong with it, and which changes help. No torch."""
