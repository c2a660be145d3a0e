"""The precision that a device has, where a recipe asks for one that it has not: float32 is what all of them have."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.training.recipe import Precision, Recipe
from core.training.recipe_words import value_words


def has(precision: Precision, device: torch.device) -> bool:
    """Whether the device computes so itself. One that imitates bfloat16 is slower than in float32, and no better."""
    if precision == "fp32":
        return True
    match device.type:
        case "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))  # since Ampere, which brought TF32 too
        case "mps":
            return precision == "bf16" and torch.backends.mps.is_macos_or_newer(14, 0)
    return precision == "bf16"


def computed_in(recipe: Recipe, device: torch.device) -> Recipe:
    """The recipe as the device computes it: in float32 where it does not have the precision."""
    return recipe if has(recipe.precision, device) else replace(recipe, precision="fp32")


def remark(recipe: Recipe, device: torch.device) -> str:
    """What a card says after the device's name; "" where the device has the precision.

    A processor has no TF32, and needs no remark: a recipe's TF32 is a GPU's, which rounds what others do not.
    """
    if device.type == "cpu" or has(recipe.precision, device):
        return ""
    return f", in float32: it has no {value_words(recipe.precision)}"
