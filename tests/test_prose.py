"""Sentences hold to the data: each figure in the catalogue's words, in the README and in docs/ is accounted for.

What our own runs and tries gave is never typed into a sentence: it is worked out where it is shown.
"""

from __future__ import annotations

import itertools
import json
import re
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.analysis import choices
from core.analysis.choices import attempts, beside, choice_words, goal_words, log_words, seeds_apart, tried
from core.architecture.difference import difference
from core.architecture.spec import Dropout
from core.architecture.trace import classifier
from core.challenge import CHALLENGE
from core.errors import CheckpointError
from core.ladder import catalogue
from core.ladder.catalogue import LADDER, LINEAGES, STEPS, by_slug
from core.ladder.common import COMMON_ERRATA
from core.ladder.comparisons import CLEAN_COMPARISONS, variants
from core.ladder.model import CleanComparison, Step
from core.ladder.ours import OURS, OWN
from core.ladder.relatives import EXTRAS, RELATIVES
from core.training.recipe import Recipe
from core.training.recipe_difference import recipe_differences
from lab.learn.lessons import LESSONS
from lab.studies.results import studies
from lab.studies.shelf import SHIPPED
from lab.studies.tables import END, PAGE, START
from tests.test_docs import TEXTS

pytestmark = pytest.mark.own_data

LOG = json.loads((SHIPPED / "choices" / "log.json").read_text(encoding="utf-8"))
EVERYTHING = (*LADDER, *EXTRAS)

# Accuracies in per cent, losses (and rates, which look like them), and differences in points.
SECONDS = r"\d*(?: \([\d.]+ s\))?(?:(?: to | / |, | and )[\d.]+)* s\b"  # what was timed is no accuracy
FIGURE = re.compile(rf"(?<![\d.,])9\d\.\d+(?!\d)|(?<![\d.])0\.0\d+(?!{SECONDS})|\d+\.\d+(?= points)")
WEASELS = re.compile(r"\b(by far|clearly|hardly|obviously|significantly|a hair|far better|much (?:better|more|less))\b")

# What the write-ups and their code say besides their claims and logs: (step, figure), and where it is from.
SAID = {
    ("a1-skeleton-509946", "99.3"): "its code's threshold for a checkpoint",
    ("a2-final-7758", "99.49"): "its own network's best, in the repository's log",
    ("a2-final-7758", "0.02235"): "the rate of that run",
    ("a2-final-7758", "99.3"): "its code's threshold for a checkpoint",
    ("a2-final-7758", "98.68"): "a later revision",
    ("a2-final-7758", "0.0016"): "its automatic check",
    ("a3-dilation-5340", "99.51"): "its run with patience 2",
    ("a3-dilation-5340", "99.48"): "its run on another machine",
    ("b1-setup-10970", "99.1"): "read off its log, by about",
    ("b4-rotation-7852", "99.44"): "the second run of its notebook",
    ("c1-setup-6379786", "99.2"): "read off its log, by about",
    ("x-eva7-setup-75828", "98.74"): "its log's best",
    ("x-eva8-gap-9395", "99.35"): "part 2 of the same notebook",
    ("x-eva8-gap-9395", "99.30"): "part 2 of the same notebook",
}
WORKED_OUT = {  # differences of two claims, checked below
    ("c4-dropout-7448", "0.29"),
    ("c6-steplr-7416", "0.3"),
    ("x-evolution-step3-14010", "0.19"),
}
TARGET = "99.4"  # of the challenge


def texts(step: Step) -> Iterator[str]:
    """Every sentence of a step."""
    yield from (step.title, step.change, step.target, step.result, step.analysis, step.confounded, step.test_had_a_say)
    yield step.claim.note if step.claim else ""
    for erratum in step.errata:
        yield from (erratum.said, erratum.right)


def known(step: Step) -> set[str]:
    """The figures that stand in a step's data: its claim and log, its goal, its rate and its dropout."""
    found = {TARGET, f"{step.recipe.learning_rate:g}"}
    found |= {f"{op.p:g}" for op in step.architecture.ops if isinstance(op, Dropout)}
    if step.goal:
        found.add(f"{100 * step.goal:g}")
    if step.claim:
        claim = step.claim
        shares = (claim.best_train_accuracy, claim.best_test_accuracy, *claim.train_log, *claim.test_log)
        found |= {f"{100 * share:.2f}" for share in shares if share is not None}
    return found


# ------------------------------------------------------------------------------------------------------ the catalogue


@pytest.mark.parametrize("step", EVERYTHING, ids=lambda step: step.slug)
def test_every_figure_in_a_steps_words_is_one_of_its_data_or_of_its_write_up(step: Step) -> None:
    figures = {figure for text in texts(step) for figure in FIGURE.findall(text)}
    unfounded = {
        figure
        for figure in figures - known(step)
        if (step.slug, figure) not in SAID and (step.slug, figure) not in WORKED_OUT
    }
    assert unfounded == set()


def test_no_figure_that_is_accounted_for_has_gone() -> None:
    """Else the list would allow what nobody says any more."""
    for slug, figure in (*SAID, *WORKED_OUT):
        assert any(figure in FIGURE.findall(text) for text in texts(by_slug(slug))), (slug, figure)


@pytest.mark.parametrize("step", OURS, ids=lambda step: step.slug)
def test_a_step_of_our_own_has_no_figure_of_its_runs_in_its_words(step: Step) -> None:
    allowed = {f"{100 * step.goal:g}"} if step.goal else set()
    rates = {f"{step.recipe.learning_rate:g}"}
    assert {figure for text in texts(step) for figure in FIGURE.findall(text)} <= allowed | rates
    assert not re.search(r"\bseeds? (gave|show)|\bmissed\b|\bwon\b", " ".join(texts(step)).lower())


def test_differences_of_claims_are_those_of_the_claims() -> None:
    def best(slug: str) -> float:
        claim = by_slug(slug).claim
        assert claim is not None
        return 100 * claim.best_test_accuracy

    assert best("c3-batchnorm-7448") - best("c4-dropout-7448") == pytest.approx(0.29)
    assert best("x-evolution-step2-511386") - best("x-evolution-step3-14010") == pytest.approx(0.19)
    c6, c5 = by_slug("c6-steplr-7416").claim, by_slug("c5-rotation-7448").claim
    assert c6 is not None
    assert c5 is not None
    assert 100 * (c6.test_log[6] - c6.test_log[5]) == pytest.approx(0.30)
    assert all(one > other for one, other in zip(c6.test_log[:6], c5.test_log[:6], strict=True)), "ahead of C5 before"
    assert min(c6.test_log[-5:]) >= 0.994


def test_no_step_and_no_lineage_says_by_far_or_hardly() -> None:
    told = [text for step in EVERYTHING for text in texts(step)]
    told += [lineage.about for lineage in (*LINEAGES, OWN, RELATIVES)] + [each.question for each in COMPARISONS]
    assert [text for text in told if WEASELS.search(text)] == []


def test_a_lineages_words_have_no_figures_of_runs() -> None:
    lineages = (*LINEAGES, OWN, RELATIVES)
    assert [each.about for each in lineages if FIGURE.search(each.about)] == []
    told = [erratum for each in lineages for erratum in each.errata] + list(COMMON_ERRATA)
    assert [each for each in told if FIGURE.search(f"{each.said} {each.right}")] == []
    assert "Every choice was made" not in OWN.about


def test_the_dilated_fields_wrong_jump_is_told_of_conv5_alone() -> None:
    told = next(each.right for each in by_slug("a3-dilation-5340").errata if "67" in each.said)
    assert "adds 4 at conv5, where the jump is missing" in told
    assert "does add 8 at conv6 and conv7" in told
    assert "the write-up does not say how it gets 67" in told
    claimed = {claim.layer: claim.size for claim in by_slug("a3-dilation-5340").field_claims}
    sizes = [claimed[name] for name in ("conv4", "conv5", "conv6", "conv7")]
    assert [b - a for a, b in itertools.pairwise(sizes) if a and b] == [4, 8, 8]


# -------------------------------------------------------------------------------------------- the clean comparisons

COMPARISONS = CLEAN_COMPARISONS
SUBJECTS = {step.slug: (step.architecture, step.measured_recipe) for step in LADDER} | {
    each.name: (each.architecture, each.measured_recipe) for each in variants()
}
NAMES = {
    "last epochs without augmentation": "last epochs",  # a change, and the words by which a question names it
    "learning rate": r"\brate\b|\b0\.01\b",
    "schedule": r"schedule|fall to zero|patience|falls by the test loss",
    "optimizer": r"Adam|SGD|Nesterov",
    "augmentation": r"augmentation|rotation",
    "batch size": r"[Bb]atches",
    "decay of the averaged weights": r"average",
    "network": r"network|ReLU|batch norm|dropout|half|third|rest of C6|pool|parameters",
}


def changes(comparison: CleanComparison) -> set[str]:
    """What differs between the two sides: fields of the recipe, by their part, and the network."""
    (before, one), (after, other) = SUBJECTS[comparison.before], SUBJECTS[comparison.after]
    found = {row.field.split(",")[0] for row in recipe_differences(one, other)}
    if any(row.kind != "same" for row in difference(before, after)):
        found.add("network")
    return found


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda each: f"{each.before}, {each.after}")
def test_a_clean_comparisons_question_names_all_that_changes(comparison: CleanComparison) -> None:
    changed = changes(comparison)
    assert changed
    for name in changed:
        assert re.search(NAMES[name], comparison.question), (name, comparison.question)


def test_d1_says_that_three_things_change_with_it() -> None:
    d1 = by_slug("d1-falling-7448")
    (comparison,) = (each for each in COMPARISONS if each.step == d1.slug)
    assert changes(comparison) == {"learning rate", "schedule", "optimizer"}
    for text in (d1.change, d1.confounded, comparison.question):
        assert "Nesterov's momentum" in text
        assert "zero" in text


def test_every_fair_step_has_its_clean_comparison() -> None:
    for step in STEPS:
        previous = catalogue.before(step)
        if previous and not step.confounded:
            assert any((each.before, each.after) == (previous.slug, step.slug) for each in COMPARISONS), step.slug


# ---------------------------------------------------------------------------------------------------- the log of tries


def logged(name: str) -> list[dict]:  # type: ignore[type-arg]
    return [row for row in LOG if row["name"] == name]


def of_a_try(row: dict) -> str:  # type: ignore[type-arg]
    """Its network and recipe, whatever it is called and whichever images were held out."""
    recipe = {name: value for name, value in row["recipe"].items() if name not in ("validation_size", "split_seed")}
    return json.dumps([recipe, [op for op in row["architecture"]["ops"] if op["op"] != "LogSoftmax"]])


DIFFERENT = len({of_a_try(row) for row in LOG})


def test_each_network_and_recipe_of_the_log_is_one_attempt() -> None:
    found = attempts()
    assert sum(len(each.tries) for each in found) == len(LOG)
    assert len(found) == DIFFERENT < len(LOG)
    assert [each.loss for each in found] == sorted(each.loss for each in found)
    assert found[0].name in {row["name"] for row in sorted(LOG, key=lambda row: row["validation_loss"])[:2]}


def test_tries_on_two_splits_are_told_apart_and_only_those_on_one_are_averaged() -> None:
    twice = [each for each in attempts() if len({t.split for t in each.tries}) > 1]
    assert len(twice) > 3
    for each in twice:
        usual = [t.loss for t in each.tries if t.recipe.split_seed == 0]
        assert each.loss == pytest.approx(sum(usual) / len(usual))
    step = by_slug("d14-whole-7784")
    told = {row["recipe"].get("split_seed", 0): row for row in logged("t20-d14") if row["seed"] > 1}
    words = choice_words(step, attempts())
    assert f"1 seed on another split: {told[1]['validation_accuracy']:.2%} right" in words
    assert f"{told[0]['validation_loss']:#.4g}; 1 seed" in words


UNTRIED = ["D2", "D8", "D9", "D10"]


def test_which_steps_were_not_tried_as_they_stand() -> None:
    own = {f"d{step.order}": tried(step, attempts()) for step in OURS}
    assert [mark.upper() for mark, found in own.items() if found is None] == UNTRIED
    assert {mark: found.name for mark, found in own.items() if found} == {
        "d1": "t1-linear01",
        "d3": "t1-linear01-small-ema",
        "d4": "t5-adam01-small-ema",
        "d5": "t8-7784-deep-adam",
        "d6": "t10-7784-ema998",
        "d7": "t11-3730-ema998",
        "d11": "t21-d11",
        "d12": "t20-d12",
        "d13": "t20-d13",
        "d14": "t20-d14",
        "d15": "t20-d15",
        "d16": "t21-d16",
        "d17": "t21-d17",
    }


def test_a_step_tells_its_tries_with_their_seeds_and_figures() -> None:
    words = choice_words(by_slug("d1-falling-7448"), attempts())
    one, other = logged("t1-linear01")
    assert f"{one['validation_accuracy']:.2%} and {other['validation_accuracy']:.2%} right" in words
    assert "2 seeds" in words
    assert "Of 9 recipes" in words
    least = choice_words(by_slug("d4-adam-7448"), attempts())
    assert "1 seed:" in least
    assert "its loss is the least" in least
    untried = choice_words(by_slug("d8-third-2495"), attempts())
    assert "not tried" in untried
    assert "decay of the averaged weights 0.99, here 0.998" in untried
    assert f"{logged('t8-2495-deep-adam')[0]['validation_accuracy']:.2%}" in untried


@pytest.mark.parametrize("step", OURS, ids=lambda step: step.slug)
def test_every_figure_of_a_steps_tries_is_in_the_log(step: Step) -> None:
    words = choice_words(step, attempts())
    rows = {f"{row['validation_accuracy']:.2%}" for row in LOG} | {f"{row['validation_loss']:#.4g}" for row in LOG}
    rows |= {f"{each.loss:#.4g}" for each in attempts()}  # of several seeds the mean
    assert set(re.findall(r"9\d\.\d+%|0\.0\d{3,}", words)) <= rows
    near = beside(step, attempts(), classifier(step.architecture).parameters)
    assert all(0.8 <= each.parameters / classifier(step.architecture).parameters <= 1.2 for each in near)


def test_two_seeds_of_one_recipe_lie_as_far_apart_as_in_the_log() -> None:
    losses = defaultdict(list)
    for row in LOG:
        losses[of_a_try(row), row["recipe"].get("split_seed", 0)].append(row["validation_loss"])
    assert seeds_apart(attempts()) == pytest.approx(max(max(each) - min(each) for each in losses.values()))


def test_a_damaged_log_is_an_error_with_its_place(tmp_path: Path) -> None:
    for text in ("[", "{}", "[{}]", '[{"name": "x"}]', "null"):
        path = tmp_path / f"{len(text)}.json"
        path.write_text(text)
        with pytest.raises(CheckpointError, match=path.name):
            attempts(path)
    with pytest.raises(CheckpointError):
        attempts(tmp_path / "none.json")


@pytest.mark.parametrize("step", [step for step in OURS if step.goal], ids=lambda step: step.slug)
def test_whether_a_target_was_reached_is_worked_out(step: Step) -> None:
    runs, goal = studies()[step.slug].runs, step.goal or 0.0
    last = [[record.test_accuracy for record in run.history[-3:]] for run in runs]
    holding = sum(min(each) >= goal for each in last)
    mean_curve = min(statistics.mean(epoch) for epoch in zip(*last, strict=True))
    words = goal_words(step, runs)
    assert words.startswith(f"{holding} of {len(runs)} runs held {goal:.2%}")
    assert words.endswith(f"{mean_curve:.2%}")
    assert f"{100 * goal:g}%" in step.target
    assert goal_words(replace(step, goal=None), runs) == goal_words(step, ()) == ""


# ------------------------------------------------------------------------------------------------- the README and docs/

PROSE = re.sub(rf"```.*?```|{START}.*?{END}", "", " ".join("\n".join(TEXTS.values()).split()))
MEASURED_ELSEWHERE = {  # figures of the pages that no study and no try has, with the script that gives them
    "99.4": "the challenge; also tests.measure's pasted digits",
    "98.90": "LAB_FULL_STUDY=1 pytest tests/test_same_accuracy.py",
    "98.86": "LAB_FULL_STUDY=1 pytest tests/test_same_accuracy.py",
    "0.08": "the standard error of that difference",
    "99.2": "tests.measure: pasted digits",
    "98.3": "python -m tests.photographs",
}


def test_every_figure_in_the_pages_prose_is_accounted_for() -> None:
    assert set(FIGURE.findall(PROSE)) <= set(MEASURED_ELSEWHERE)
    assert WEASELS.search(PROSE) is None


def test_the_pages_words_about_the_tries_come_from_the_log() -> None:
    words = log_words(attempts(), OURS)
    assert words in PAGE.read_text(encoding="utf-8")
    assert f"{attempts()[0].loss:#.4g}" in words
    first = [each.loss for each in choices.of_its_network(OURS[0], attempts())]
    assert f"{min(first):#.4g} to {max(first):#.4g}" in words
    single = sum(len(each.tries) == 1 for each in attempts())
    assert f"{len(LOG)} tries of {DIFFERENT} networks and recipes, {single} of them with one" in words
    assert f"Not tried as they stand: {', '.join(UNTRIED)}." in words


def test_the_counts_in_the_pages_are_those_of_the_lab() -> None:
    counts = [classifier(step.architecture).parameters for step in STEPS]
    assert f"in {len(STEPS)} networks of {min(counts):,} to {max(counts) / 1e6:.1f} million parameters" in PROSE
    numbers = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    assert f"{numbers[len(LESSONS) - 1]} lessons" in PROSE
    largest = max((classifier(step.architecture) for step in STEPS), key=lambda walked: walked.macs)
    assert f"takes {largest.macs / 1e6:.0f} million" in PROSE
    assert f"{CHALLENGE.parameters:,} parameters" in PROSE


def test_a_recipe_of_a_try_is_a_steps_but_for_the_images_held_out() -> None:
    assert all(each.recipe.validation_size == 0 and each.recipe.seed == Recipe.seed for each in attempts())
