"""What a run's own figures say about it, in plain words: each finding with its evidence and what to try. No torch.

A new finding is a function from `RunFigures` to `Finding | None` in the file of its theme (`learning_rate`, `fitting`,
`ending`), a name in `finding.FindingKind`, and a place in `diagnose`.

The thresholds are the lab's own. Each stands with its reason, which comes from the measured runs of the ladder
(`checkpoints/studies`); the tests say what each of those runs is diagnosed as.
"""

from __future__ import annotations

from core.analysis.diagnosis.ending import (
    WINDOW,
    against_other,
    against_target,
    dead_units,
    still_improving,
    too_short,
    unsteady,
)
from core.analysis.diagnosis.finding import Finding, RunFigures, without_contradictions
from core.analysis.diagnosis.fitting import overfits, underfits
from core.analysis.diagnosis.learning_rate import average_lags, diverged, learns_nothing, rate_too_high, rate_too_low


def diagnose(run: RunFigures) -> tuple[Finding, ...]:
    """All findings about the run, the most important first; no two of them advise opposite things."""
    if found := diverged(run):
        return (found,)
    if not run.history:
        return ()
    lags = average_lags(run)
    about_rate = rate_too_high(run, held_out_counts=lags is None) or rate_too_low(run) or learns_nothing(run)
    findings = [against_target(run), about_rate, lags]
    if lags is None and (about_rate is None or about_rate.kind == "rate too high"):
        findings.append(overfits(run))
    if about_rate is None:  # else it would only be said again in other words
        findings.append(too_short(run))
    if about_rate is None and lags is None:
        improving = still_improving(run)
        had_its_time = improving is None or not (run.epochs_left or len(run.history) < WINDOW)
        findings += [underfits(run) if had_its_time else None, unsteady(run), improving]
    findings += [dead_units(run), against_other(run)]
    return without_contradictions([each for each in findings if each is not None])
