"""A network's four figures, at the head of a page."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core.analysis.study import SeedRun
from core.architecture.trace import Trace
from core.ladder.model import Step
from core.words import plural, points_words, share_words
from lab.studies.results import outdated_mark, run_of, study_of, summarised
from lab.studies.shelf import shipped
from lab.ui.caches import challenge
from lab.ui.formats import millions


def headline(walked: Trace, accuracy: float | None, accuracy_from: str, key: str = "headline") -> None:
    """The row of figures that stands at the top of every page about a network, always in the same order.

    `key`: begins with `headline`, another one for each of several on a page.
    """
    asked = challenge()
    left = asked.parameters - walked.parameters
    budget = f"{abs(left):,} {'under' if left >= 0 else 'over'} {asked.parameters:,}"
    seen, size = walked.field.size, walked.architecture.input[1]
    short = "covers the image" if seen >= size else f"{plural(size - seen, 'pixel')} short"
    reached = "—" if accuracy is None else f"{accuracy:.2%}"
    why_accuracy = (
        "The share of test digits that are classified correctly after the last epoch. The challenge asks for "
        f"{asked.target} in {asked.each_of()}."
    )
    told: tuple[tuple[str, str, str, Literal["green", "red", "off"], str], ...] = (
        ("Parameters", f"{walked.parameters:,}", budget, "green" if left >= 0 else "red", why_parameters(walked)),
        ("Receptive field", f"{seen} of {size}", short, "green" if seen >= size else "red", why_field(walked)),
        ("MACs", millions(walked.macs), "for one image", "off", why_macs(walked)),
        (
            "Test accuracy",
            reached,
            accuracy_from,
            "green" if (accuracy or 0) >= asked.accuracy else "off",
            why_accuracy,
        ),
    )
    columns = st.container(key=key).columns([9, 8.5, 7.5, 12])  # the last says the most
    for column, (label, value, beside, colour, why) in zip(columns, told, strict=True):
        column.metric(label, value, beside, delta_color=colour, delta_arrow="off", border=True, help=why)


def why_parameters(walked: Trace) -> str:
    """How the parameters are counted: the largest layer's product, and how many layers share the rest."""
    owners = [layer for layer in walked.layers if layer.parameters]
    if not owners:
        return "No layer has parameters."
    largest = max(owners, key=lambda layer: layer.parameters)
    share = largest.parameters / walked.parameters
    parts = f"The largest, {largest.name}: {largest.arithmetic}, {share_words(share)}."
    return f"The sum over {plural(len(owners), 'layer')}. {parts}"


def why_field(walked: Trace) -> str:
    """How the field grows: what each layer adds to the one pixel of the input."""
    grown = [layer.field.size - layer.before.size for layer in walked.layers]
    terms = " + ".join(["1", *(str(each) for each in grown if each)])
    return f"Each op adds (k − 1) · dilation · jump, in input pixels: {terms} = {walked.field.size}."


def why_macs(walked: Trace) -> str:
    """How the multiply-adds are counted, by the layer with most of them."""
    largest = max(walked.layers, key=lambda layer: layer.macs)
    if not largest.macs:
        return "No layer multiplies."
    where = f" at each of {largest.output[1]} x {largest.output[2]} places" if len(largest.output) == 3 else ""
    return (
        f"Multiply-adds: each weight of a convolution is used{where}. The most are in {largest.name}: "
        f"{largest.macs:,}, {share_words(largest.macs / walked.macs)}."
    )


def runs_of(step: Step) -> tuple[SeedRun, ...]:
    """What was measured of a step: the runs of its study, or else those of the shipped checkpoints."""
    study = study_of(step.slug)
    return study.runs if study else tuple(run_of(each.card) for each in shipped() if each.card.slug == step.slug)


def step_headline(step: Step | None, walked: Trace, otherwise: str = "train it to find out") -> None:
    """The headline of a step: its mean with deviation, seeds and claim; without runs, its claim.

    `otherwise`: the words for a network that is not the step's, about which nothing is known.
    """
    if step is None or walked.architecture.ops != step.architecture.ops:
        headline(walked, None, otherwise)
        return
    claim = step.claim.best_test_accuracy if step.claim else None
    measured = summarised(runs_of(step))
    if measured is None:
        headline(walked, claim, "as claimed" if claim else "not measured")
        return
    n = plural(measured.n, "seed") if measured.sd is None else f"± {points_words(measured.sd)}, {measured.n} seeds"
    n += outdated_mark(study_of(step.slug))
    headline(walked, measured.mean, n if claim is None else f"{n} · claimed {claim:.2%}")
