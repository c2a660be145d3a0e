"""Checkpoints: weights and their card, in files that are written as a whole or not at all."""
