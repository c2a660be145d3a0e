"""What the training loop will do, shown before it does: the first images as the network will see them."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.architecture.trace import Trace
from core.challenge import target_of
from core.data.mnist import Dataset, Pixels
from core.training.recipe import Recipe, recipe_from_json, recipe_to_json
from core.training.recipe_words import recipe_words
from core.words import target_words
from lab.runs.bounds import iterations_per_epoch
from lab.runs.machine import read_machine
from lab.settings import lab_home
from lab.ui import curves
from lab.ui.caches import challenge, split
from lab.ui.headline import headline
from lab.ui.live_plot import live_plot

SHOWN = 24
OTHERS = "Drawn on the processor. The run's GPU draws other random numbers: other images come first, otherwise changed."


def before_a_run(walked: Trace, recipe: Recipe, dataset: str, device: str = "auto") -> None:
    """What a run of this recipe will be: its network's figures, the rate to come, the first images."""
    target = target_of(recipe.target_accuracy, dataset, challenge())
    headline(walked, None, f"target {target_words(target)}")
    st.caption(recipe_words(recipe))
    st.markdown("**The learning rate to come**")
    live_plot(
        curves.schedule(recipe, iterations_per_epoch(dataset, recipe)),
        key="schedule",
        alt="The learning rate over the epochs.",
    )
    st.markdown("**The first images the network will see**")
    augmentation_preview(dataset, recipe)
    if not _is_processor(device):
        st.caption(OTHERS)


def _is_processor(device: str) -> bool:
    """Whether a run on the device draws as this process does; what is not known yet is taken for one."""
    machine = read_machine(lab_home())
    return (machine.devices[0] if device == "auto" and machine else device) in ("cpu", "auto")


def augmentation_preview(dataset: str, recipe: Recipe) -> None:
    """The first batch of the first epoch, as the recipe's seed will draw it on a CPU. Raises LabError."""
    sheet = _first_batch(dataset, recipe_to_json(recipe))
    st.image(sheet, width="stretch", alt="The first 24 training images of the run, augmented.")
    if not recipe.augmentation.changes:
        st.caption("Nothing is changed: the recipe has no augmentation.")


@st.cache_data(max_entries=64, show_spinner=False)
def _first_batch(dataset: str, recipe_json: str) -> Pixels:
    """A sheet of digits, two rows of twelve, enlarged without blur."""
    import torch

    from core.training.loop import first_images
    from core.training.resident import resident

    recipe = recipe_from_json(recipe_json)
    both = Dataset(dataset, split(dataset, "train"), split(dataset, "test"))
    shown = first_images(resident(both, recipe, torch.device("cpu")), recipe, SHOWN)
    return contact_sheet((255 * shown[:, 0].clamp(0, 1)).round().byte().numpy(), columns=12)


def contact_sheet(digits: Pixels, columns: int, zoom: int = 4, gap: int = 2) -> Pixels:
    """Digits (N, 28, 28) side by side, `columns` in a row, each pixel `zoom` wide, with a grey gap between."""
    rows = -(-len(digits) // columns)
    side = digits.shape[1] + gap
    sheet = np.full((rows * side - gap, columns * side - gap), 96, np.uint8)
    for number, digit in enumerate(digits):
        top, left = side * (number // columns), side * (number % columns)
        sheet[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return sheet.repeat(zoom, 0).repeat(zoom, 1)
