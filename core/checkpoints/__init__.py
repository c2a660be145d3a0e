"""Weights with what they need: a card, and files that are written whole or not at all."""
