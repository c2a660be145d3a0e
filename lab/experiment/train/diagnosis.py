"""What a run's own figures say, shown under it: each finding, its evidence, and the page on which to try what helps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from core.analysis.diagnosis.ending import dead_units
from core.analysis.diagnosis.finding import DeadUnits, Finding, FindingKind, Page, RunFigures
from core.architecture.spec import ReLU, every_op
from core.checkpoints.card import read_card
from core.errors import LabError
from lab.runs.rows import Run
from lab.studies.reference import reference_of
from lab.ui.caches import store
from lab.ui.links import link
from lab.ui.predictions import activity_of
from lab.ui.range_result import as_design, link_to
from lab.ui.words import escaped

MAX_COUNTED_PARAMETERS = 100_000  # of a network whose dead units are counted while the page waits
GOOD, BAD, SO_SO = ":green[:material/check_circle:]", ":orange[:material/error:]", ":gray[:material/info:]"
ICONS: dict[FindingKind, str] = {
    "target met": GOOD,
    "better": GOOD,
    "target missed": SO_SO,
    "within noise": SO_SO,
    "still improving": SO_SO,
    "average lags": SO_SO,
    "too short": SO_SO,
}
PAGES: dict[Page, tuple[str, str]] = {
    "learning rate": ("experiment/learning_rate", "Learning rate"),
    "train": ("experiment/train", "Change the recipe"),
    "design": ("experiment/design", "Design"),
    "step": ("learn/step", "The step"),
    "mistakes": ("use/mistakes", "Which digits"),
    "compare": ("experiment/compare", "Compare"),
}


def diagnosis(run: Run, findings: Sequence[Finding]) -> None:
    """The findings, each with its evidence and the way on; dead units are counted last, in their own place."""
    if not findings:
        return
    st.header("What happened, and what to try", anchor=False)
    for finding in findings:
        _show(run, finding)
    _dead(run)


def _show(run: Run, finding: Finding) -> None:
    say, go = st.columns([4, 1], vertical_alignment="center")
    advice = f" {escaped(finding.advice)}" if finding.advice else ""
    words = f"{ICONS.get(finding.kind, BAD)} **{escaped(finding.words)}**{advice}"
    say.markdown(f"{words}  \n:gray[:small[{escaped(finding.evidence)}]]")
    if finding.page is not None:
        link(*PAGES[finding.page], way_on(run, finding.page), at=go)


def way_on(run: Run, page: Page) -> dict[str, str]:
    """The URL parameters with which a page takes up this run's network."""
    if page == "mistakes":
        return {"checkpoint": f"{run.id}/last"}
    if page == "compare":
        reference = reference_of(run.slug, run.architecture)
        return {"runs": ",".join([run.id, *([reference.step.slug] if reference else [])])}
    if page == "design":
        return as_design(run)
    return link_to(run)


def _dead(run: Run) -> None:
    """Dead units, of a small network: counted once and kept."""
    architecture = run.architecture
    has_relu = any(isinstance(op, ReLU) for op in every_op(architecture.ops))
    stem = store().folder / run.id / "last"
    if run.parameters > MAX_COUNTED_PARAMETERS or not has_relu:
        return
    with suppress(LabError):  # no checkpoint: it failed in its first epoch
        card = read_card(stem.with_suffix(".json"))
        found = activity_of(str(stem), card.weights_sha256, card.dataset)
        dead = tuple(DeadUnits(each.layer.name, len(each.dead), len(each.answers), each.images) for each in found)
        if finding := dead_units(RunFigures(card.history, card.recipe, dead=dead, architecture=architecture)):
            _show(run, finding)
        else:
            silent, units = sum(layer.dead for layer in dead), sum(layer.units for layer in dead)
            st.caption(f"{silent} of its {units} units are dead: they answer 0 to all of {dead[0].images} test digits.")
