"""When a run meets the challenge: worked by hand, and against the rule's own words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.architecture.trace import classifier
from core.challenge import (
    CHALLENGE,
    conditions,
    first_reached,
    held_from,
    holds,
)
from core.ladder import catalogue
from lab.studies.results import challenge_of, studies, summarised

pytestmark = pytest.mark.own_data

accuracies = st.lists(st.integers(9900, 9999).map(lambda images: images / 10_000), max_size=20)


@pytest.mark.parametrize(
    ("curve", "held"),
    [
        ([0.9938, 0.9946, 0.9944], False),
        ([0.5, 0.994, 0.994, 0.994], True),
        ([0.999, 0.999], False),  # two epochs hold nothing yet
        ([], False),
        ([0.98 + 0.014 - 1e-16] * 3, True),  # 0.994, off by what floating point leaves
        ([0.999, 0.999, 0.999, 0.9939], False),
    ],
)
def test_a_run_holds_the_target_when_all_of_its_last_three_epochs_reach_it(curve: list[float], held: bool) -> None:
    assert holds(curve) == held


@given(accuracies)
def test_holding_agrees_with_since_when_the_target_is_held(curve: list[float]) -> None:
    since = held_from(curve)
    assert holds(curve) == (since is not None and since <= len(curve) - 3)
    reached = first_reached(curve)
    assert (reached is None) == (max(curve, default=0) < CHALLENGE.accuracy)


@given(st.integers(1, 20_000), st.integers(1, 30), st.integers(0, 5), st.integers(0, 5))
def test_no_run_meets_the_challenge_that_breaks_a_limit(
    parameters: int, epochs: int, holding: int, failing: int
) -> None:
    n = max(1, holding + failing)
    found = conditions(parameters, epochs, holding, n)
    within = parameters <= CHALLENGE.parameters and epochs <= CHALLENGE.epochs
    assert found.meeting == (holding if within else 0)
    assert found.mostly_met == (found.met == 3) == (found.meeting > n / 2)


def test_of_every_shipped_study_the_runs_that_meet_the_challenge_are_counted_as_by_hand() -> None:
    for name, study in studies().items():
        step = next((each for each in catalogue.LADDER if each.slug == name), None)
        figures = summarised(study.runs)
        if step is None or figures is None:
            continue
        by_hand = sum(
            len(run.history) <= 15 and min(record.test_accuracy for record in run.history[-3:]) >= 0.994
            for run in study.runs
        )
        by_hand *= classifier(step.architecture).parameters <= 8_000
        assert challenge_of(step, figures).meeting == by_hand, name
