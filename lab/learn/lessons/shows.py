"""What stands beside a lesson's words: the lab's own widgets, each with the numbers of the day."""

from __future__ import annotations

import statistics
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis.mistakes import mistakes
from core.architecture.spec import Architecture, Conv
from core.architecture.trace import classifier, trace
from core.architecture.vary import vary
from core.data.mnist import best_present
from core.ladder import catalogue
from core.ladder.catalogue import label, mark
from core.words import plural
from lab.learn.ladder import ladder_points
from lab.learn.lessons import figures as lesson_figures
from lab.learn.lessons import scene
from lab.learn.lessons.dilation import claimed_growth
from lab.learn.lessons.facts import Split, layer, log, measured, percent, runs, step, walked
from lab.learn.lessons.learning_rate import BATCHES
from lab.studies.results import challenge_of, measured_studies, outdated_mark, outdated_words, study_of, why_unreadable
from lab.studies.shelf import absence, shipped
from lab.ui import checkpoints, curves, images, ladder_figure
from lab.ui.caches import challenge, split
from lab.ui.colours import ink
from lab.ui.formats import percent as in_percent
from lab.ui.headline import headline
from lab.ui.links import link
from lab.ui.live_plot import live_plot, still_plot
from lab.ui.predictions import one_thread, opened, predictions
from lab.ui.presentation import presenting
from lab.ui.tables import comparison_table, data_table, field_view, layer_table
from lab.ui.words import errors_shown, escaped

# What takes the whole width of a screen.
WIDE = (
    scene.Layers,
    scene.Field,
    scene.ClaimedFields,
    scene.Comparisons,
    scene.Conditions,
    scene.Worst,
    scene.NormMaps,
    scene.TrainAndTest,
    scene.Knobs,
    scene.ConvArithmetic,
)


def show(each: scene.Show, key: str, locked: bool, answers: bool = True) -> None:
    """Draw it. `key` tells its controls from those of other scenes.

    `locked`: the controls cannot be moved. `answers`: what was asked may be looked up.
    """
    match each:
        case scene.Layers(slug):
            layer_table(walked(slug))
        case scene.ConvArithmetic(in_channels, out_channels):
            _conv(in_channels, out_channels, key, locked)
        case scene.Field(slug):
            field_view(walked(slug), step(slug))
        case scene.ClaimedFields(slug):
            _claimed_fields(slug)
        case scene.Knobs(slug):
            _knobs(slug, key, locked)
        case scene.Ladder(lineage):
            steps = [one for one in catalogue.LADDER if lineage in ("", one.lineage)]
            drawn = ladder_figure.ladder(ladder_points(steps, measured_studies()), ink(), 440)
            still_plot(drawn, key, "Parameters against test accuracy of the steps, claimed and measured.")
        case scene.Curves(slug):
            _curves(slug, key)
        case scene.TrainAndTest(slugs, ours):
            _train_and_test(slugs, ours, key)
        case scene.Comparisons(slug):
            comparison_table(step(slug))
        case scene.Rates(slugs):
            _rates(slugs, key, locked)
        case scene.Worst(slug):
            _worst(slug, key, answers)
        case scene.NormMaps(slug, name):
            _norm_maps(slug, name, key)
        case scene.GradientByDepth(depths):
            _gradient_by_depth(depths, key)
        case scene.Conditions():
            _conditions()
        case scene.Way(page, label, parameters):
            link(page.removeprefix("pages/").removesuffix(".py"), label, dict(parameters))


def _conv(in_channels: int, out_channels: int, key: str, locked: bool) -> None:
    """One convolution on a map 28 wide, its product with the sliders' numbers."""
    inputs, results = st.columns([1, 1], gap="large")
    with inputs:
        incoming = st.slider("Input channels", 1, 64, in_channels, key=f"{key}-in", disabled=locked)
        outgoing = st.slider("Output channels", 1, 64, out_channels, key=f"{key}-out", disabled=locked)
        kernel = st.select_slider("Kernel size", (1, 3, 5, 7), 3, key=f"{key}-k", disabled=locked)
        bias = st.toggle("Bias", key=f"{key}-bias", disabled=locked)
    found = trace(Architecture("one", (Conv(outgoing, kernel, bias=bias),), (incoming, 28, 28))).layers[0]
    with results:
        st.metric("Parameters", f"{found.parameters:,}", border=True)
        more = f" + {outgoing}" if bias else ""
        st.latex(rf"{outgoing} \cdot {incoming} \cdot {kernel} \cdot {kernel}{more} = \mathbf{{{found.parameters:,}}}")
        st.markdown(
            f"On a map of 28 x 28 it costs {found.macs:,} multiply-adds and leaves one of {found.output[-1]} x "
            f"{found.output[-1]}."
        )


def _knobs(slug: str, key: str, locked: bool) -> None:
    """The width of a step, and the headline it gives; the step's own page keeps its knobs."""
    width = st.slider("Width multiplier", 0.25, 2.0, 1.0, 0.05, key=f"{key}-width", disabled=locked)
    changed = "as it is" if width == 1 else f"{width:g} times as wide"
    with errors_shown():
        walked = classifier(vary(step(slug).architecture, width=width))
        headline(walked, None, f"{mark(step(slug))}, {changed}", f"headline-{key}")


def _height(on_a_page: int) -> int:
    """Of a chart; presented, one has the right half of the screen for itself."""
    return max(on_a_page, 400) if presenting() else on_a_page


def _curves(slug: str, key: str) -> None:
    study, claim = study_of(slug), step(slug).claim
    if study is None and not (claim and claim.test_log):
        reason = why_unreadable(slug)
        why = f"the study cannot be read: {reason}" if reason else "it has not been measured yet"
        st.info(escaped(f"{label(step(slug))}: {why}."))
        return
    live_plot(
        curves.study_curves(study.runs if study else (), claim.test_log if claim else (), height=_height(320)),
        key=key,
        alt=f"Test accuracy of {slug} by epoch: our runs with their band, the write-up's log.",
    )
    if study and (earlier := outdated_words(study)):
        st.caption(earlier)


def _train_and_test(slugs: tuple[str, ...], ours: bool, key: str) -> None:
    """By the write-ups' logs or the means of our runs, on one scale."""
    curves = {slug: (_by_epoch(slug, "train", ours), _by_epoch(slug, "test", ours)) for slug in slugs}
    least = min(min(*train, *test) for train, test in curves.values())
    for column, (slug, (train, test)) in zip(st.columns(len(slugs)), curves.items(), strict=True):
        number = len(runs(slug)) if ours else 0
        whose = (
            f"mean of our {number} runs" if number > 1 else "our one run" if number else "the write-up's log, one run"
        )
        with column:
            st.markdown(f"**{label(step(slug))}**, {walked(slug).parameters:,} parameters; {whose}")
            still_plot(
                lesson_figures.train_and_test(train, test, least), f"{key}-{slug}",
                f"Training and test accuracy of {slug} by epoch, {whose}; they end at {percent(train[-1])} and "
                f"{percent(test[-1])}.",
            )  # fmt: skip
    logged = [step(slug) for slug in slugs if not (ours and runs(slug))]
    notes = [f"{mark(each)}: {each.claim.note}" for each in logged if each.claim and each.claim.note]
    st.caption(" ".join(["The axis is stretched towards 100%, so that the gap shows and no epoch is cut off.", *notes]))


def _by_epoch(slug: str, split: Split, ours: bool) -> list[float]:
    """The mean of our runs after each epoch, or the write-up's log."""
    found = [[getattr(record, f"{split}_accuracy") for record in run.history] for run in runs(slug)] if ours else []
    return [statistics.mean(epoch) for epoch in zip(*found, strict=True)] or list(log(slug, split))


def _rates(slugs: tuple[str, ...], key: str, locked: bool) -> None:
    """The learning rates; low ones can be told apart on a logarithmic axis."""
    logarithmic = st.toggle("Logarithmic axis: equal factors, equal distances", key=f"{key}-log", disabled=locked)
    recipes = [(label(step(slug)), step(slug).recipe) for slug in slugs]
    drawn = lesson_figures.rates(recipes, BATCHES, logarithmic, _height(300))
    still_plot(drawn, f"{key}-{logarithmic}", "The learning rate over the epochs of several recipes.")


def _claimed_fields(slug: str) -> None:
    """The write-up's fields beside the right ones: size, growth, and the arithmetic of each."""
    rows = []
    for claim in step(slug).field_claims:
        found = layer(slug, claim.layer)
        window, before = found.window, found.before
        rows.append(
            {
                "layer": claim.layer,
                "jump before it": str(before.jump),
                "the write-up": str(claim.size),
                "it grows by": f"{claimed_growth(slug, claim.layer)}",
                "right": str(found.field.size),
                "right growth": f"({window.kernel_size} − 1) · {window.dilation} · {before.jump} = "
                f"{found.field.size - before.size}",
            }
        )
    st.table(pd.DataFrame(rows).set_index("layer"))


def _worst(slug: str, key: str, answers: bool) -> None:
    """Six wrong test digits of a shipped network, least confidence first; what they are only when asked for."""
    shelved = next((each for each in shipped() if each.card.slug == slug), None)
    if shelved is None:
        st.info(escaped(f"{slug}: {absence(slug)}."))
        return
    dataset = checkpoints.dataset_for(shelved)
    found = predictions(str(shelved.stem), shelved.card.weights_sha256, dataset, "test")
    digits = split(dataset, "test")
    if dataset != shelved.card.dataset:
        st.caption(f"{best_present().capitalize()}, used in place of {shelved.card.dataset}.")
    told = st.toggle("Show the labels and what the network read", key=f"{key}-told") if answers else False
    shown = mistakes(found, "least confident")[:6]
    for number, (column, index) in enumerate(zip(st.columns(6), shown, strict=False), 1):
        words = f"{found.labels[index]} read as {found.predicted[index]}"
        alt = f"Image {index}: {words}." if told else f"Test digit {number} of {len(shown)}."
        width: int | Literal["stretch"] = "stretch" if presenting() else 112
        column.image(images.enlarged(digits.images[index]), width=width, output_format="PNG", alt=alt)
        column.caption(f"{words}, {in_percent(float(found.confidence[index]))}" if told else f"Digit {number}")


NORM_IMAGES, NORM_CHANNELS = 3, 8  # shown: rows and columns of the picture
TOGETHER = {
    "Batch norm": ("one channel of all images", NORM_IMAGES, 1),
    "Instance norm": ("one channel of one image", 1, 1),
    "Group norm": ("a group of four channels of one image", 1, 4),
    "Layer norm": ("all channels of one image", 1, NORM_CHANNELS),
}


def _norm_maps(slug: str, name: str, key: str) -> None:
    """Some digits after one layer of a shipped network, and the values that share one mean."""
    shelved = next((each for each in shipped() if each.card.slug == slug), None)
    if shelved is None:
        st.info(escaped(f"{slug}: {absence(slug)}."))
        return
    from core.analysis.inside import feature_maps
    from core.checkpoints.checkpoint import normalisation_of

    network, card = opened(str(shelved.stem), shelved.card.weights_sha256)
    digits = split(checkpoints.dataset_for(shelved), "test").images[:NORM_IMAGES]
    with one_thread():
        found = [feature_maps(network, card.architecture, digit, normalisation_of(card)) for digit in digits]
    maps = np.stack([each.outputs[name][:NORM_CHANNELS] for each in found])
    kind = st.segmented_control("Norm", list(TOGETHER), default="Batch norm", required=True, key=f"{key}-norm")
    words, of_images, of_channels = TOGETHER[kind]
    together = np.zeros(maps.shape[:2], bool)
    together[:of_images, :of_channels] = True
    values = maps[together]
    picture, numbers = st.columns([3, 1], vertical_alignment="center")
    alt = f"{len(maps)} rows of maps, one for each digit; in orange {words}."
    picture.image(lesson_figures.norm_maps(maps, together), width="stretch", output_format="PNG", alt=alt)
    picture.caption(f"{mark(step(slug))}, {name}: a row is a digit, a column a channel. Orange: {words}.")
    numbers.metric("Values averaged together", f"{values.size:,}", border=True)
    numbers.metric("Their mean", f"{values.mean() + 0.0:.3f}".replace("-", "−"), border=True)
    numbers.metric("Their deviation", f"{values.std():.2f}", border=True)


def _gradient_by_depth(depths: tuple[int, ...], key: str) -> None:
    from core.analysis.gradient_by_depth import SEEDS, first_gradients

    with one_thread():
        of = {
            name: [first_gradients(depth, skips) for depth in depths]
            for name, skips in (("with skips", True), ("without skips", False))
        }
    deepest = {name: statistics.geometric_mean(found[-1]) for name, found in of.items()}
    live_plot(
        lesson_figures.gradients(depths, of, _height(340)),
        key=key,
        alt=f"The gradient of the first layer by depth. At {depths[-1]}: "
        + ", ".join(f"{value:.1g} {name}" for name, value in deepest.items())
        + f" (n {len(SEEDS)}).",
    )
    st.caption(
        f"Before training, {len(SEEDS)} seeds each; the line goes through their geometric means. Both axes are "
        "logarithmic."
    )


def _conditions() -> None:
    """Every measured step, and which of the three conditions it meets."""
    rows, asked = [], challenge()
    for each in catalogue.LADDER:
        found = measured(each.slug, asked)
        if found is not None:
            met = challenge_of(each, found)
            held, epochs, parameters = ("✓ yes" if one else "— no" for one in (met.mostly_held, met.short, met.small))
            rows.append(
                {
                    "step": label(each),
                    "parameters": f"{walked(each.slug).parameters:,}",
                    "mean curve": f"{found.held:.2%}{outdated_mark(study_of(each.slug))}",
                    f"{asked.target} held": f"{held}, {met.holding} of {met.n}",
                    plural(asked.epochs, "epoch"): epochs,
                    f"{asked.parameters:,} parameters": parameters,
                    "rate set by the test loss": "✗ yes" if each.recipe.watches_test else "",
                }
            )
    data_table(rows, "The three conditions, step by step.")
