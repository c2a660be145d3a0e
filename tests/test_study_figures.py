"""The figures that show studies: means, deviations, the front, the band; against numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from core.analysis import evidence
from core.analysis.evidence import Evidence
from core.analysis.study import SeedRun, Study, Summary
from core.ladder import catalogue
from core.ladder.comparisons import variants
from core.training.history import EpochRecord
from lab.learn.step import provenance
from lab.studies import results as studies
from lab.ui import colours, curves, ladder_figure
from lab.ui.axes import accuracy_at
from lab.ui.ladder_figure import LadderPoint

pytestmark = pytest.mark.own_data


def made_up(seed: int, *accuracies: float) -> SeedRun:
    """A run with those test accuracies, by epoch."""
    history = (EpochRecord(n, 0.1, 0.98, None, None, 0.1, a, 0.01, 8.0) for n, a in enumerate(accuracies))
    return SeedRun(seed, tuple(history), "cpu", "2.13.0", "2026-01-01T00:00:00+00:00")


def made_up_study(name: str, runs: tuple[SeedRun, ...]) -> Study:
    """A study of the step or variant of that name, as it would be trained; of any other name, of C6."""
    known = {step.slug: step for step in catalogue.LADDER} | {each.name: each for each in variants()}
    studied = known.get(name, catalogue.by_slug("c6-steplr-7416"))
    return Study(name, studied.architecture, studied.measured_recipe, "MNIST", 60_000, runs)


def summarised(mean: float, sd: float | None = 0.0004, n: int = 5) -> Summary:
    return Summary(n, 15, mean, sd, mean - 0.0005, 0, mean + 0.0005, sd)


def point(label: str, parameters: int, mean: float | None, claimed: float | None = 0.993) -> LadderPoint:
    measured = None if mean is None else summarised(mean)
    return LadderPoint(
        label.lower(), label, f"{label} · Made up", label[0].lower(), parameters, claimed, measured, "holds"
    )


def traces(figure: go.Figure, group: str) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.legendgroup == group]


def test_a_filled_mark_stands_at_the_mean_with_a_bar_of_one_deviation_and_tells_n() -> None:
    figure = ladder_figure.ladder([point("A1", 5_000, 0.9934)], ink="#000")
    (ours,) = traces(figure, "ours")
    assert list(ours.x) == [5_000]
    assert list(ours.y) == pytest.approx([accuracy_at(99.34)])
    assert list(ours.error_y.array) == pytest.approx([accuracy_at(99.38) - accuracy_at(99.34)])
    assert list(ours.error_y.arrayminus) == pytest.approx([accuracy_at(99.34) - accuracy_at(99.30)])
    told = ours.customdata[0]
    assert list(told) == ["a1", "A1 · Made up", "5,000", "99.30%", "99.34% ± 0.04 (n 5)", "99.29%", "99.39%", "holds"]
    hollow = traces(figure, "claimed")[0]
    assert list(hollow.y) == pytest.approx([accuracy_at(99.30)])
    assert hollow.marker.symbol == ("circle-open",)


def test_a_single_run_has_no_bar() -> None:
    single = replace(point("A1", 5_000, 0.9934), measured=summarised(0.9934, None, 1))
    (ours,) = traces(ladder_figure.ladder([single], ink="#000"), "ours")
    assert list(ours.error_y.array) == [None]
    assert ours.customdata[0][4] == "99.34% (n 1)"


def test_a_step_without_a_claim_has_a_filled_mark_alone_and_its_name() -> None:
    figure = ladder_figure.ladder([point("D1", 2_100, 0.9921, claimed=None)], ink="#000")
    assert not any(trace.x for trace in traces(figure, "claimed"))
    (ours,) = traces(figure, "ours")
    assert ours.marker.color == colours.LINEAGE["d"]
    assert "D1" in [note.text for note in figure.layout.annotations]


def test_a_step_that_is_not_measured_has_a_hollow_mark_alone() -> None:
    figure = ladder_figure.ladder([point("B1", 10_970, None)], ink="#000")
    assert not traces(figure, "ours")
    assert not traces(figure, "front")
    assert list(traces(figure, "claimed")[0].x) == [10_970]


def test_the_front_is_the_steps_that_nothing_smaller_reaches() -> None:
    points = [
        point("D1", 2_000, 0.9910),
        point("D2", 3_000, 0.9905),  # larger and worse than D1
        point("D3", 4_000, 0.9930),
        point("A1", 4_000, 0.9929),  # as large as D3, and worse
        point("B1", 7_000, 0.9930),  # no better than D3
        point("B2", 7_900, 0.9945),
        point("C1", 6_000_000, 0.9946),
        point("A2", 9_000, None),
    ]
    assert [each.label for each in ladder_figure.front(points)] == ["D1", "D3", "B2", "C1"]
    small, large = traces(ladder_figure.ladder(points, ink="#000"), "front")
    assert list(small.x) == [2_000, 4_000, 7_900, ladder_figure.SPLIT]
    assert list(small.y) == pytest.approx([accuracy_at(y) for y in (99.10, 99.30, 99.45, 99.45)])  # to the right edge
    assert list(large.y) == pytest.approx([accuracy_at(y) for y in (99.45, 99.46, 99.46)])
    assert small.line.shape == "hv"


def test_the_band_goes_from_the_least_run_to_the_best_around_their_mean() -> None:
    runs = [made_up(0, 0.980, 0.990, 0.992), made_up(1, 0.984, 0.988, 0.994)]
    figure = curves.study_curves(runs, claimed=(0.981, 0.991, 0.9945))
    log, low, high, mean = figure.data
    assert list(log.y) == pytest.approx([accuracy_at(y) for y in (98.1, 99.1, 99.45)])
    assert log.line.color == colours.CLAIM
    assert list(low.y) == pytest.approx([accuracy_at(y) for y in (98.0, 98.8, 99.2)])
    assert list(high.y) == pytest.approx([accuracy_at(y) for y in (98.4, 99.0, 99.4)])
    assert high.fill == "tonexty"
    assert list(mean.y) == pytest.approx([accuracy_at(y) for y in (98.2, 98.9, 99.3)])
    assert list(mean.x) == [1, 2, 3]
    assert "2 seeds" in mean.name


def test_a_single_run_is_a_thin_line_without_a_band() -> None:
    (line,) = curves.study_curves([made_up(0, 0.98, 0.99)]).data
    assert line.line.width < 2
    assert line.fill is None


def test_a_write_ups_log_is_drawn_without_runs_of_ours() -> None:
    (log,) = curves.study_curves((), claimed=(0.98, 0.99)).data
    assert list(log.y) == pytest.approx([accuracy_at(98.0), accuracy_at(99.0)])


def evidence_of(difference: float, interval: tuple[float, float] | None, p: float | None) -> Evidence:
    return Evidence("paired", 5, 5, 5, difference, 0.001 if interval else None, interval, p)


@pytest.mark.parametrize(
    ("found", "adjusted", "words"),
    [
        (evidence_of(0.001, (0.0001, 0.0019), 0.01), None, "better (n 5)"),
        (evidence_of(0.001, (0.0001, 0.0019), 0.01), 0.04, "better (n 5)"),
        (evidence_of(0.001, (0.0001, 0.0019), 0.01), 0.18, "better if asked alone; not told among 18 questions (n 5)"),
        (evidence_of(0.001, (-0.0001, 0.0021), 0.06), 0.8, "cannot be told (n 5)"),
        (evidence_of(-0.001, (-0.0019, -0.0001), 0.01), None, "worse (n 5)"),
        (evidence_of(0.001, None, None), None, "cannot be told: the runs have no spread (n 5)"),
    ],
)
def test_a_reading_says_no_more_than_the_interval_does(found: Evidence, adjusted: float | None, words: str) -> None:
    assert studies.reading(found, adjusted, 18) == words


def test_a_step_of_our_own_is_judged_by_how_many_runs_meet_the_challenge() -> None:
    own = replace(catalogue.by_slug("c6-steplr-7416"), claim=None)
    figures = Summary(5, 15, 0.9945, 0.0003, 0.9940, 3, 0.9947, 0.0002)
    assert studies.judged(own, figures) == "3 of 5 runs meet the challenge"
    assert studies.judged(own, replace(figures, epochs=16)) == "0 of 5 runs meet the challenge"
    assert studies.judged(own, replace(figures, n=1, holding=1)) == "meets the challenge, by one run"
    assert studies.judged(own, replace(figures, n=1, holding=0)) == "misses the challenge, by one run"
    large = replace(catalogue.by_slug("b1-setup-10970"), claim=None)
    assert studies.judged(large, figures) == "0 of 5 runs meet the challenge"


def test_how_runs_came_about_is_told_once() -> None:
    runs = (made_up(1, 0.99), replace(made_up(2, 0.99), torch="2.14.0"))
    assert provenance(runs) == "Seeds 1 to 2 · trained on cpu · torch 2.13.0, 2.14.0"
    told = provenance(runs[:1], "bf16")
    assert told == "Seed 1 · trained on cpu in bf16, where its write-up had float32 · torch 2.13.0"


@pytest.mark.parametrize(
    ("difference", "shown"),
    [(0.0006, "+0.06"), (-0.0012, "−0.12"), (-0.00004, "0.00"), (0.00004, "0.00"), (0.0, "0.00")],
)
def test_a_difference_that_rounds_to_nothing_has_no_sign(difference: float, shown: str) -> None:
    assert evidence.in_points(difference) == shown


@pytest.mark.parametrize(
    ("p", "bare", "stated"),
    [(0.06, "0.060", "p = 0.060"), (0.0002, "< 0.001", "p < 0.001"), (0.9998, "> 0.999", "p > 0.999")],
)
def test_a_p_is_never_said_to_be_nothing(p: float, bare: str, stated: str) -> None:
    assert (evidence.p_in_words(p), evidence.p_stated(p)) == (bare, stated)
