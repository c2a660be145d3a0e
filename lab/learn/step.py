"""A step's story, what we measured, and what its write-up got wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.analysis.evidence import judge_claim, p_stated
from core.analysis.study import SeedRun, Summary
from core.ladder.brought import KEY
from core.ladder.model import Erratum, Step
from core.training.recipe_words import recipe_words
from core.words import plural
from lab.runs.seed_list import seeds_in_words
from lab.studies import own_ladder, results
from lab.ui import curves
from lab.ui.caches import challenge
from lab.ui.live_plot import live_plot
from lab.ui.tables import comparison_table
from lab.ui.tries import how_it_was_chosen
from lab.ui.words import escaped


def story(step: Step, runs: Sequence[SeedRun]) -> None:
    """The figure here, its band beside the write-up's curve, result and analysis, the clean comparisons, the errata."""
    claim, measured = step.claim, results.summarised(runs, challenge=challenge())
    study = results.study_of(step.slug)
    if study and (earlier := results.outdated_words(study)):
        st.info(f"{earlier} They stay until its runs are trained again.", icon=":material/history:")
    st.markdown(measured_sentence(step, measured) if measured else "**Measured here.** Not yet.")
    if measured or (claim and claim.test_log):
        live_plot(
            curves.study_curves(runs if measured else (), claim.test_log if claim else (), target=challenge().accuracy),
            key="story-curves",
            alt="Test accuracy by epoch: as logged by the write-up, and the mean of the runs here with its band.",
        )
    if measured:
        st.caption(provenance(runs, step.measured_precision))
    if step.result:
        st.markdown(f"**Result{', as written up' if claim else ''}.** {step.result}")
    if step.analysis:
        st.markdown(f"**Analysis.** {step.analysis}")
    how_it_was_chosen(step, runs if measured else ())
    if step.confounded:
        st.warning(f"Not a fair comparison: {step.confounded}", icon=":material/balance:")
    comparison_table(step)
    counted = (
        " The write-up's words count epochs from 0, as its log does; the figures here count from 1."
        if claim and step.lineage != KEY
        else ""
    )
    st.caption(f"Recipe: {recipe_words(step.recipe)}. Source: {step.source}.{counted}")
    if step.recipe.watches_test:
        st.caption("This recipe lowers its rate by the **test** loss: the test set influences the training.")
    if claim and claim.note:
        st.caption(f"Claim: {claim.note}")
    errata_table("What the write-up got wrong", (*step.errata, *own_ladder.lineage_of(step).errata))


def links_of(step: Step) -> None:
    """Where more can be read."""
    if step.links:
        st.caption(" · ".join(f"[{escaped(each.label)}]({each.address})" for each in step.links))


def measured_sentence(step: Step, measured: Summary) -> str:
    """Mean, deviation and n, how many runs held the target, the best figure, and the verdict, in words."""
    one = measured.n == 1
    mean = results.in_words(measured).split(" (")[0]
    over = "in one run, which has no deviation" if one else f"over {measured.n} seeds"
    best = "Its best epoch" if one else "The best epochs"
    return (
        f"**Measured here: {mean}** after the last epoch, {over} (n {measured.n}). {results.held_in_words(measured)} "
        f"{best}, chosen on the test set: {measured.best_mean:.2%}{'' if one else ' on average'}. "
        f"{verdict_sentence(step, measured)} {results.error_of_images()}"
    )


def verdict_sentence(step: Step, measured: Summary) -> str:
    """What the runs say about the step's claim, and how sure that is; of a step of our own, of the challenge."""
    if step.claim is None:
        return f"**{results.met_in_words(results.challenge_of(step, measured)).capitalize()}.**"
    claim = step.claim.best_test_accuracy
    verdict = judge_claim(claim, measured)
    if verdict.interval is None or verdict.p is None:
        spread = "has no spread" if measured.n == 1 else "have no spread"
        return f"Whether the claim of {claim:.2%} fits **cannot be told**: {plural(measured.n, 'run')} {spread}."
    low, high = verdict.interval
    return (
        f"The claim of {claim:.2%}, the best epoch of one run, is **{verdict.words}**: of further runs of ours, 95 in "
        f"100 would have their best epoch between {low:.2%} and {min(high, 1.0):.2%} ({p_stated(verdict.p)})."
    )


def provenance(runs: Sequence[SeedRun], precision: str = "fp32") -> str:
    """The runs' seeds, devices, precision and torch."""
    seeds = seeds_in_words([run.seed for run in runs]).replace("-", " to ").replace(",", ", ")
    devices, versions = ", ".join(sorted({run.device for run in runs})), ", ".join(sorted({run.torch for run in runs}))
    computed = "" if precision == "fp32" else f" in {precision}, where its write-up had float32"
    return f"Seed{'' if len(runs) == 1 else 's'} {seeds} · trained on {devices}{computed} · torch {versions}"


def errata_table(title: str, errata: tuple[Erratum, ...]) -> None:
    """What was said beside what is right; nothing where there is nothing."""
    if errata:
        st.markdown(f"**{title}**")
        st.table(pd.DataFrame([{"it says": each.said, "right is": each.right} for each in errata]).set_index("it says"))
