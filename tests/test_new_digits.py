"""The tables that say how sure the figures are on new digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.analysis.bootstrap import interval_of_difference, interval_of_mean
from core.analysis.evidence import interval_in_percent, interval_in_points
from core.analysis.study import Study
from core.ladder.comparisons import CLEAN_COMPARISONS
from lab.studies.new_digits import new_digits
from lab.studies.plan import subjects
from tests.test_study import run

pytestmark = pytest.mark.own_data
ASKED = CLEAN_COMPARISONS[0]
FIRST, SECOND = ([tuple(range(start, start + count)) for count in (62, 58, 66)] for start in (0, 20))


def study(name: str, mistakes: Sequence[tuple[int, ...] | None], wrong: int = 60) -> Study:
    """A study of that step or variant, with runs that misread these images."""
    (subject,) = subjects([name])
    runs = []
    for seed, images in enumerate(mistakes, 1):
        last = 1 - (wrong if images is None else len(images)) / 10_000
        runs.append(replace(run(seed, 0.98, 0.9942, 0.9941, last), mistakes=images))
    return Study(name, subject.architecture, subject.recipe, "MNIST", 60_000, tuple(runs))


def test_studies_without_all_mistakes_get_no_table() -> None:
    for mistakes in ([None, None], [FIRST[0], None], [FIRST[0]], []):
        assert new_digits({ASKED.before: study(ASKED.before, mistakes)}) == "", (
            "nothing, or not the spread of the seeds"
        )


def test_a_row_has_the_spread_of_seeds_the_error_of_the_test_set_and_both_together() -> None:
    told = new_digits({ASKED.before: study(ASKED.before, FIRST)})
    (row,) = [line for line in told.splitlines() if line.startswith("| `")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[0] == f"`{ASKED.before}`"
    assert cells[1].startswith("99.38% (n 3")
    assert cells[2:6] == ["99.28% to 99.48%", "0.04", "1 of 3", "±0.08"]  # 4.303 * 0.04 / sqrt 3; sqrt(0.0062 / 10,000)
    assert cells[6] == interval_in_percent(interval_of_mean(FIRST, 10_000))


def test_two_studies_that_a_question_compares_get_a_row_for_their_difference() -> None:
    told = new_digits({name: study(name, found) for name, found in ((ASKED.before, FIRST), (ASKED.after, SECOND))})
    rows = [line for line in told.splitlines() if line.startswith(f"| `{ASKED.before}` | `{ASKED.after}`")]
    assert len(rows) == 1
    assert rows[0].endswith(f"| {interval_in_points(interval_of_difference(FIRST, SECOND, 10_000))} |")
    assert "| 0.00 |" in rows[0]
