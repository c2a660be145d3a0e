"""What a single run came to: its diagnosis, and what was predicted of it."""

from __future__ import annotations

from dataclasses import dataclass

from core.analysis.diagnosis.finding import Finding
from core.analysis.prediction import Answer, answers, prediction_from_json
from core.data.mnist import test_images
from core.errors import PredictionError
from core.words import plural
from lab.studies.entries import Entry
from lab.studies.reference import findings_of, held_against, how_measured, reference_of
from lab.studies.results import held_in_words, standing
from lab.ui.caches import store


@dataclass(frozen=True)
class Outcome:
    """Nothing of several seeds, of a study, or before the first epoch has ended."""

    findings: tuple[Finding, ...] = ()
    predicted: tuple[Answer, ...] = ()  # each prediction beside what came


@dataclass(frozen=True)
class Condition:
    """One of the challenge's three conditions."""

    met: bool
    words: str


def conditions_of(entry: Entry) -> list[Condition]:
    """Which conditions an entry meets; nothing for other data than the challenge's, or before an epoch has ended."""
    figures, asked = entry.summary, entry.challenge
    if figures is None or entry.dataset != asked.dataset:
        return []
    met = standing(entry.parameters, figures)
    return [
        Condition(met.mostly_held, held_in_words(figures)),
        Condition(met.short, f"{plural(figures.epochs, 'epoch')}; at most {asked.epochs}"),
        Condition(met.small, f"{entry.parameters:,} parameters; at most {asked.parameters:,}"),
    ]


def how_measured_of(entry: Entry) -> str:
    """How the accuracies of a single run were measured; nothing of several."""
    return how_measured(entry.runs[0].history[-1]).replace("**", "") if len(entry.runs) == 1 else ""


def outcome_of(entry: Entry) -> Outcome:
    """The outcome of an entry that is one run. A prediction that cannot be read counts as none."""
    if len(entry.members) != 1 or not entry.runs:
        return Outcome()
    run, history = entry.members[0], entry.runs[0].history
    findings = findings_of(run, history, store().batches(run.id, at_most=400), entry.challenge)
    try:
        prediction = prediction_from_json(run.prediction) if run.prediction else None
    except PredictionError:
        prediction = None
    if prediction is None:
        return Outcome(findings)
    other = held_against(reference_of(run.slug, entry.architecture))
    kinds = [finding.kind for finding in findings]
    images = test_images(entry.dataset)
    return Outcome(findings, answers(prediction, history[-1].test_accuracy, images, kinds, other))
