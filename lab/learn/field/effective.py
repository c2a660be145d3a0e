"""How much each pixel of a field in fact counts: untrained, and trained where there are weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.data.mnist import best_present
from core.words import rounded, share_words
from lab.learn.field import figures as field_figures
from lab.learn.field.network import MNIST_INPUT, Viewed, beyond, trained_weights
from lab.runs.affordable import affordable, field_images
from lab.ui.explorer import Place
from lab.ui.live_plot import live_plot
from lab.ui.predictions import effective_trained, effective_untrained
from lab.ui.tables import data_table
from lab.ui.words import escaped

if TYPE_CHECKING:  # it needs torch, which takes two seconds to import
    from core.analysis.effective_field import EffectiveField

SEED = 0  # of a design's first weights, where no recipe names one


def effective(network: Viewed, place: Place) -> None:
    """Theoretical beside effective field of the layer's middle unit: untrained, and trained where there are weights.

    Raises SpecError for a network that is too much for this server.
    """
    if network.walked.architecture.input != MNIST_INPUT:
        st.info("The effect is measured on MNIST's digits, and this network takes other images.")
        return
    if not network.layers:
        st.info("No op of this network moves the field: each unit sees its own pixel.")
        return
    field_images(affordable(network.walked.architecture))
    layer = network.layers[max(place.stage, 1) - 1]
    trained = trained_weights(network.walked.architecture)
    recipe = trained.card.recipe if trained else network.step.recipe if network.step else None
    seed = recipe.seed if recipe else SEED
    data = best_present()
    before = effective_untrained(network.key, seed, layer.index, data)
    after = effective_trained(str(trained.stem), trained.card.weights_sha256, layer.index, data) if trained else None
    shown = after or before
    field = shown.field.size
    st.markdown(
        f"The theoretical field of **{layer.name}** is {field} x {field} pixels. How much each of them in fact moves "
        f"its middle unit fades from the middle outwards: {_share(before)} of the effect comes from "
        f"the middle half (dashed) untrained"
        + (f", {_share(after)} trained" if after else "")
        + f". Were all its pixels alike, it would be {share_words(shown.even_share)}.{beyond(network, place)}"
    )
    one, other, curve = st.columns([1, 1, 1.35], gap="small")
    for column, title, found, key in ((one, "Untrained", before, "before"), (other, "Trained", after, "after")):
        with column:
            if found is None:
                st.markdown(f"**{title}**")
                st.info("No weights of this network are here yet.")
                continue
            st.markdown(f"**{title}:** {_share(found)} in the half")
            live_plot(
                field_figures.effect_map(found, 270),
                key=f"effect-{key}",
                alt=f"{title}: the effect of each pixel on the middle unit of {layer.name}, {_share(found)} of it "
                f"within the square of half the field's side.",
            )
    with curve:
        live_plot(
            field_figures.effect_profile(before, after, 300),
            key="effect-profile",
            alt=f"The effect of each column; its standard deviation is {rounded(shown.deviation, 1)} pixels.",
        )
    _effect_table(before, after)
    weights = f"trained: {trained.label}" if trained else "train it to see the other"
    st.caption(
        f"Mean of |d unit / d pixel| over the first {shown.images} test digits of {data} and "
        f"{shown.channels} of the map's channels (Luo et al. 2016, arXiv:1701.04128); untrained: the first weights of "
        f"seed {seed}; {escaped(weights)}. Solid: the theoretical field. Effective size: four standard deviations, "
        "which hold 95% of a Gaussian."
    )


def _share(found: EffectiveField) -> str:
    return share_words(found.inside_half) if found.effect.any() else "nothing"


def _effect_table(before: EffectiveField, after: EffectiveField | None) -> None:
    """The figures' text twin."""
    shown = [(name, found) for name, found in (("untrained", before), ("trained", after)) if found is not None]
    rows = [
        {
            "": name,
            "theoretical size": f"{found.field.size} pixels",
            "effective size": f"{rounded(4 * found.deviation, 1)} pixels",
            "deviation": f"{rounded(found.deviation, 2)} pixels",
            "inside half the side": share_words(found.inside_half, 1),
            "if spread evenly": share_words(found.even_share, 1),
        }
        for name, found in shown
    ]
    data_table(rows, "Theoretical and effective size, and the share in the middle.")
