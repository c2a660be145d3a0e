"""Confidence against accuracy: counts by a plain loop, and intervals against their formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.analysis.calibration import BINNINGS, BINS, calibration
from core.analysis.proportion import wilson
from core.training.predictions import Predictions
from lab.use.mistakes.calibration import in_words, table
from lab.use.mistakes.figures import reliability

pytestmark = pytest.mark.own_data


def drawn(count: int, seed: int, sharper: float = 1.0) -> Predictions:
    """Predictions that are right as often as they say; a `sharper` above 1 makes them say too much."""
    random = np.random.default_rng(seed)
    honest = random.dirichlet(np.full(10, 0.2), count)
    labels = np.array([random.choice(10, p=row) for row in honest])
    said = honest**sharper
    return Predictions((said / said.sum(1, keepdims=True)).astype(np.float32), labels)


def said_with(confidence: list[float], right: list[bool]) -> Predictions:
    """Answers of 3 with these confidences; the label is 3 where it is right, else 7."""
    rows = np.array([[(1 - c) / 9] * 10 for c in confidence], np.float32)
    rows[:, 3] = confidence
    return Predictions(rows, np.array([3 if each else 7 for each in right]))


def test_the_expected_calibration_error_is_the_one_worked_out_by_hand() -> None:
    found = calibration(said_with([0.61, 0.63, 0.95, 0.97, 0.99, 0.99], [True, False, True, True, True, False]))
    low, high = found.bins
    assert (low.count, low.right, high.count, high.right) == (2, 1, 4, 3)
    assert low.gap == pytest.approx(0.62 - 0.5, abs=1e-6)
    assert high.gap == pytest.approx(0.975 - 0.75, abs=1e-6)
    assert found.expected_error == pytest.approx((2 * 0.12 + 4 * 0.225) / 6, abs=1e-6)
    assert found.largest_gap is high


def test_bins_of_equal_width_hold_what_a_loop_puts_into_them() -> None:
    predictions = drawn(2_000, 1)
    found = calibration(predictions)
    confidence = predictions.confidence.astype(float)
    right = predictions.predicted == predictions.labels
    error = 0.0
    for number in range(BINS):
        inside = [
            place
            for place, c in enumerate(confidence)
            if number / BINS < c and (c <= (number + 1) / BINS or number == 14)
        ]
        if inside:
            error += len(inside) / 2_000 * abs(confidence[inside].mean() - right[inside].mean())
            held = next(each for each in found.bins if each.high == (number + 1) / BINS)
            assert (held.count, held.right) == (len(inside), right[inside].sum())
    assert found.expected_error == pytest.approx(error)


def test_bins_of_equal_count_differ_by_one_answer_at_most_and_rise() -> None:
    found = calibration(drawn(1_000, 2), "equal count")
    counts = [each.count for each in found.bins]
    assert sum(counts) == 1_000
    assert max(counts) - min(counts) <= 1
    assert [each.confidence for each in found.bins] == sorted(each.confidence for each in found.bins)
    assert all(each.low <= each.confidence <= each.high for each in found.bins)


@pytest.mark.parametrize("binning", BINNINGS)
def test_an_honest_network_has_hardly_an_error_and_a_boastful_one_is_found_out(binning: str) -> None:
    honest, boastful = (calibration(drawn(20_000, 3, sharper), binning) for sharper in (1.0, 3.0))  # type: ignore[arg-type]
    assert honest.expected_error < 0.02  # bins of 1,333 coin tosses are off by 0.01 on average
    assert boastful.expected_error > 0.05
    assert all(each.gap > 0 for each in boastful.bins if each.count > 500 and each.confidence < 0.99)
    assert "too sure" in in_words(boastful)
    assert "about as sure as it is right" in in_words(calibration(said_with([0.5, 0.5], [True, False])))


@pytest.mark.parametrize("binning", BINNINGS)
def test_fewer_answers_than_bins_and_a_single_one_are_binned(binning: str) -> None:
    for count in (1, 4):
        found = calibration(drawn(count, 5), binning)  # type: ignore[arg-type]
        assert sum(each.count for each in found.bins) == count


def test_a_certain_answer_lies_in_the_last_bin() -> None:
    found = calibration(Predictions(np.eye(10, dtype=np.float32), np.arange(10)))
    assert [each.count for each in found.bins] == [10]
    assert found.bins[0].high == 1
    assert found.expected_error == 0


@pytest.mark.parametrize(("right", "count"), [(0, 10), (10, 10), (7, 10), (995, 1_000), (1, 1)])
def test_the_interval_is_wilsons_formula(right: int, count: int) -> None:
    z, p = 1.959964, right / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    assert wilson(right, count) == pytest.approx((max(0.0, middle - half), min(1.0, middle + half)), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("binning", BINNINGS)
def test_the_diagram_and_its_table_hold_the_same_figures(binning: str) -> None:
    found = calibration(drawn(500, 6), binning)  # type: ignore[arg-type]
    points = next(each for each in reliability(found).data if each.mode == "markers")
    rows = table(found)
    assert [f"{x:.2f}%" for x in points.x] == rows["mean confidence"].tolist()
    assert [f"{y:.2f}%" for y in points.y] == rows["accuracy"].tolist()
    assert rows["answers"].sum() == 500
    spans = zip(points.y, points.error_y.array, points.error_y.arrayminus, strict=True)
    assert all(0 <= y - down <= y + up <= 100 + 1e-9 for y, up, down in spans)
