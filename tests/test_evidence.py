"""Is a difference real? Against scipy, by simulation, and by laws that every answer obeys."""

from __future__ import annotations

import random
import statistics
from itertools import permutations, product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, t, ttest_ind, ttest_rel

from core.analysis.evidence import (
    Evidence,
    evidence,
    holm,
    interval_in_percent,
    interval_in_points,
    interval_over_seeds,
    judge_claim,
    least_exact_p,
    of_accuracies,
    seeds_for,
    seeds_needed,
)
from core.analysis.study import summary
from core.challenge import CHALLENGE
from core.ladder.comparisons import CLEAN_COMPARISONS
from lab.studies.results import clean_answers, reading, studies
from tests.test_study import RUNS, run

pytestmark = pytest.mark.own_data

images = st.integers(9800, 9999).map(lambda right: right / 1e4)
groups = st.lists(images, min_size=1, max_size=8)


@given(st.lists(images, min_size=2, max_size=20).filter(lambda each: len(set(each)) > 1))
def test_the_interval_of_a_mean_over_seeds_is_scipys(accuracies: list[float]) -> None:
    mean, sd, n = statistics.mean(accuracies), statistics.stdev(accuracies), len(accuracies)
    assert interval_over_seeds(mean, sd, n) == pytest.approx(t.interval(0.95, n - 1, mean, sd / n**0.5))


def test_an_interval_of_an_accuracy_ends_at_all_images() -> None:
    assert interval_in_percent((0.99251, 0.9967)) == "99.25% to 99.67%"
    assert interval_in_percent((0.998, 1.001)) == "99.80% to 100.00%"


@given(st.lists(st.tuples(images, images), min_size=3, max_size=12))
def test_paired_p_and_interval_are_scipys(pairs: list[tuple[float, float]]) -> None:
    first = [run(seed, before) for seed, (before, _) in enumerate(pairs)]
    second = [run(seed, after) for seed, (_, after) in enumerate(pairs)]
    found = evidence(first, list(reversed(second)))
    before, after = zip(*pairs, strict=True)
    assert (found.test, found.pairs) == ("paired", len(pairs))
    assert found.difference == pytest.approx(statistics.mean(after) - statistics.mean(before), abs=1e-12)
    if len({round(b - a, 6) for a, b in pairs}) > 1:
        theirs = ttest_rel(after, before)
        assert found.p == pytest.approx(theirs.pvalue, abs=1e-6)
        assert found.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)), abs=1e-6)


@given(groups, groups)
def test_unpaired_p_and_interval_are_welchs(one: list[float], other: list[float]) -> None:
    assume(len(one) > 1 and len(other) > 1 and len(set(one)) > 1 and len(set(other)) > 1)
    found, theirs = of_accuracies(one, other), ttest_ind(other, one, equal_var=False)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)
    assert found.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)), abs=1e-9)


@given(groups, groups)
def test_the_words_follow_the_interval_and_the_interval_agrees_with_p(one: list[float], other: list[float]) -> None:
    found = of_accuracies(one, other)
    if found.interval is None or found.p is None:
        assert found.told == "cannot be told"
        return
    low, high = found.interval
    assert (found.told == "cannot be told") == (low <= 0 <= high)
    if abs(found.p - 0.05) > 1e-9:
        assert (found.told == "cannot be told") == (found.p > 0.05)
    assert reading(found).startswith(found.told)


@given(groups, groups)
def test_asked_the_other_way_round_the_answer_is_the_opposite_and_as_sure(one: list[float], other: list[float]) -> None:
    forth, back = of_accuracies(one, other), of_accuracies(other, one)
    assert back.difference == pytest.approx(-forth.difference, abs=1e-12)
    assert back.p == (None if forth.p is None else pytest.approx(forth.p, abs=1e-9))
    opposite = {"better": "worse", "worse": "better", "cannot be told": "cannot be told"}
    assert back.told == opposite[forth.told]


def test_only_shared_seeds_are_paired() -> None:
    found = evidence((run(1, 0.990), run(2, 0.990), run(9, 0.1)), (run(2, 0.991), run(1, 0.992)))
    assert (found.test, found.pairs, found.difference) == ("paired", 2, pytest.approx(0.0015))
    assert evidence(RUNS[:1], RUNS[:1]).p is None
    with pytest.raises(ValueError, match="0 runs of the first"):
        evidence((), RUNS)


def test_without_spread_nothing_can_be_told() -> None:
    same = evidence((run(1, 0.99), run(2, 0.98)), (run(1, 0.99), run(2, 0.98)))
    assert (same.p, same.told, same.deviation) == (1.0, "cannot be told", 0.0)
    before, after = (0.9924, 0.9901), (0.9927, 0.9904)  # three images both times; as floats they differ by 1e-16
    assert after[0] - before[0] != after[1] - before[1]
    three_each = evidence([run(n, a) for n, a in enumerate(before)], [run(n, a) for n, a in enumerate(after)])
    assert (three_each.pairs, three_each.difference, three_each.p) == (2, pytest.approx(0.0003), None)
    assert three_each.told == "cannot be told"


def test_of_two_equal_recipes_one_in_twenty_is_called_different() -> None:
    draw = random.Random(1)
    told = [
        of_accuracies([draw.gauss(0.99, 1e-3) for _ in range(5)], [draw.gauss(0.99, 1e-3) for _ in range(n)]).told
        for n in (1, 5)
        for _ in range(3_000)
    ]
    for side in ("better", "worse"):
        assert told.count(side) / len(told) == pytest.approx(0.025, abs=0.008)  # 10% in all, where one side was read


# ----------------------------------------------------------------------------------------------------- many questions


def test_holms_adjustment_is_that_of_his_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([None, 0.5, None]) == [None, 0.5, None]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_for_more_questions_no_p_falls_and_their_order_stays(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= more <= min(1, p * len(ps)) + 1e-12 for p, more in zip(ps, adjusted, strict=True))
    assert all(adjusted[a] <= adjusted[b] for a, b in permutations(range(len(ps)), 2) if ps[a] < ps[b])
    lenient = false_discovery_control(ps, method="bh")  # which bounds less, so is never larger
    assert all(ours >= theirs - 1e-12 for ours, theirs in zip(adjusted, lenient, strict=True))


def test_the_studies_answers_are_adjusted_for_each_other() -> None:
    answers = clean_answers(studies())
    ps = [each.found.p if each.found else None for each in answers]
    all_asked = holm([1.0 if p is None else p for p in ps])  # the plan corrects for all, measured or not
    assert [each.adjusted for each in answers] == [None if p is None else q for p, q in zip(ps, all_asked, strict=True)]
    assert {each.questions for each in answers} == {len(CLEAN_COMPARISONS)}
    for each in answers:
        if each.found is None or each.adjusted is None:
            continue
        words = reading(each.found, each.adjusted, each.questions)
        if words.startswith(("better (", "worse (")):
            assert each.adjusted < 0.05, "what is told of a difference holds among all the questions"


# ----------------------------------------------------------------------------------------------------------- how many


def test_so_many_seeds_as_the_noncentral_t_asks_for() -> None:
    effects = (3, 2, 1.5, 1.2, 1)
    assert [seeds_for(effect, level=0.05) for effect in effects] == [3, 4, 5, 6, 8], "one-sided, as in tables"
    assert [seeds_for(effect) for effect in effects] == [4, 5, 6, 8, 10], "two-sided, as the lab tests"


@pytest.mark.slow
@pytest.mark.parametrize("effect", [3.0, 1.5, 1.0])
def test_with_so_many_seeds_a_difference_is_found_four_times_in_five_and_with_one_fewer_it_is_not(
    effect: float,
) -> None:
    n, draw = seeds_for(effect), random.Random(2)

    def found(pairs: int) -> float:
        times = 4_000
        return sum(_told_of([draw.gauss(effect, 1) for _ in range(pairs)]) == "better" for _ in range(times)) / times

    assert found(n) >= 0.78
    assert found(n - 1) <= 0.82


def _told_of(differences: list[float]) -> str:
    zeros = [run(seed, 0.5) for seed in range(len(differences))]
    return evidence(zeros, [run(seed, 0.5 + each / 100) for seed, each in enumerate(differences)]).told


def test_without_spread_or_difference_no_number_of_seeds_is_named() -> None:
    assert seeds_needed(Evidence("single runs", 1, 1, 0, 0.01, None, None, None)) is None
    assert seeds_needed(Evidence("paired", 5, 5, 5, 0.0, 0.01, (-0.01, 0.01), 1.0)) is None
    assert seeds_needed(Evidence("paired", 5, 5, 5, -0.01, 0.01, (-0.02, 0.0), 0.1)) == 10


@pytest.mark.parametrize("pairs", [2, 5, 8])
def test_no_exact_test_of_so_few_pairs_goes_lower(pairs: int) -> None:
    means = [sum(signs) for signs in product((-1, 1), repeat=pairs)]
    assert least_exact_p(pairs) == sum(abs(mean) >= pairs for mean in means) / len(means)


# ------------------------------------------------------------------------------------------------------------- claims


def test_a_claim_is_judged_by_where_one_more_best_epoch_would_lie() -> None:
    figures = summary([run(seed, best) for seed, best in enumerate((0.9930, 0.9932, 0.9934, 0.9936, 0.9938))])
    spread = statistics.stdev((0.9930, 0.9932, 0.9934, 0.9936, 0.9938))
    reach = 2.776445 * spread * (1 + 1 / 5) ** 0.5  # the 97.5% point of t with 4 degrees of freedom
    inside = judge_claim(0.9934 + 0.99 * reach, figures)
    assert inside.interval == pytest.approx((0.9934 - reach, 0.9934 + reach), abs=1e-6)
    assert inside.words == "consistent with our runs"
    assert judge_claim(0.9934 + 1.01 * reach, figures).words == "above what our runs reach"
    assert judge_claim(0.9934 - 1.01 * reach, figures).words == "below what our runs reach"
    assert judge_claim(0.9934 + reach, figures).p == pytest.approx(0.05, abs=1e-4)


def test_one_run_judges_no_claim() -> None:
    assert judge_claim(0.9, summary(RUNS[:1])).words == "cannot be told"


def test_an_honest_claim_is_doubted_one_time_in_twenty() -> None:
    draw, times = random.Random(3), 4_000
    doubted = 0
    for _ in range(times):
        *ours, claim = (max(draw.gauss(0.993, 8e-4) for _ in range(3)) for _ in range(6))
        words = judge_claim(claim, summary([run(seed, best) for seed, best in enumerate(ours)])).words
        doubted += words != "consistent with our runs"
    assert doubted / times == pytest.approx(0.05, abs=0.015)  # by one deviation of the mean it was one in five


def test_every_claim_of_the_ladder_has_its_interval_beside_its_verdict() -> None:
    from core.ladder import catalogue

    for step in catalogue.LADDER:
        study = studies().get(step.slug)
        if step.claim is None or study is None or len(study.runs) < 2:
            continue
        found = judge_claim(step.claim.best_test_accuracy, summary(study.runs))
        assert found.interval is not None
        assert found.p is not None
        inside = found.interval[0] <= step.claim.best_test_accuracy <= found.interval[1]
        assert (found.words == "consistent with our runs") == inside == (found.p >= 0.05)
    assert CHALLENGE.accuracy == 0.994


@given(st.floats(-0.02, 0.02), st.floats(0, 0.02))
def test_an_interval_as_printed_holds_zero_where_the_interval_does(low: float, wide: float) -> None:
    assume(all(not 0 < abs(end) < 1e-6 for end in (low, low + wide)))
    words = interval_in_points((low, low + wide))
    low_end, high_end = (float(end.replace("−", "-")) for end in words.split(" to "))
    assert (low_end <= 0 <= high_end) == (low <= 0 <= low + wide), words


def test_an_end_near_zero_keeps_its_sign() -> None:
    assert interval_in_points((-0.0001, 0.0021)) == "−0.01 to +0.21"
    assert interval_in_points((0.00003, 0.0021)) == "+0.003 to +0.21"
    assert interval_in_points((0.0, 0.0)) == "0.00 to 0.00"
