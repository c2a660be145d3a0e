"""The plan of the measurements: it is the catalogue's, says what it changes, and its page shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.analysis.evidence import LEVEL
from core.analysis.plan import Plan, PlannedStudy, changes, read_plan, write_plan
from core.analysis.study import write_study
from core.architecture.trace import classifier
from core.errors import CheckpointError
from core.ladder.catalogue import LADDER
from core.ladder.comparisons import CLEAN_COMPARISONS, variants
from core.ladder.ours import OURS
from lab.cli.parser import main
from lab.studies import plan as planning
from lab.studies import results
from lab.studies.plan import made, planned, so_far, subjects
from lab.studies.tables import END, PLAN_PAGE, START, ladder_table, plan_written
from tests.test_study import RUNS, STEP, study

pytestmark = pytest.mark.own_data
NEW = made(None)


def shipped_plan() -> Plan:
    plan = planned()
    assert plan is not None
    return plan


# ------------------------------------------------------------------------------------------- the plan in the repository


def test_the_plan_is_that_of_the_catalogue() -> None:
    plan = shipped_plan()
    assert changes(plan, made(plan)) == [], "run `python -m lab reproduce --plan`"
    recipes = {each.slug: each.measured_recipe for each in LADDER} | {
        each.name: each.measured_recipe for each in variants()
    }
    assert {each.name: replace(each.recipe, seed=recipes[each.name].seed) for each in plan.studies} == recipes
    assert [(each.before, each.after) for each in plan.comparisons] == [
        (each.before, each.after) for each in CLEAN_COMPARISONS
    ]
    assert plan.level == LEVEL


def test_the_lab_s_own_steps_and_a2_and_a3_have_20_seeds_the_large_one_the_rest_5() -> None:
    closer = {step.slug for step in OURS} | {"a2-final-7758", "a3-dilation-5340"}
    for each in shipped_plan().studies:
        large = classifier(each.architecture).parameters >= 20_000
        assert each.seeds == (1 if large else 20 if each.name in closer else 5), each.name


def test_no_study_has_runs_that_were_not_planned() -> None:
    for name, found in results.studies().items():
        assert {run.seed for run in found.runs} <= set(planning.seeds_of(subjects([name])[0])), name


def test_the_page_shows_the_plan() -> None:
    assert plan_written(shipped_plan()) in PLAN_PAGE.read_text(encoding="utf-8")


def test_the_plan_is_no_study() -> None:
    assert results.PLAN not in results.studies()
    assert results.unreadable_studies() == ()


# --------------------------------------------------------------------------------------------------------- what changes


def test_a_new_plan_says_all_that_it_adds() -> None:
    told = changes(None, NEW)
    assert len(told) == len(NEW.studies) + len(NEW.comparisons)
    assert told[0] == f"{NEW.studies[0].name}: added, n {NEW.studies[0].seeds}"


def test_each_change_is_said_in_one_line() -> None:
    first, second, third, *rest = NEW.studies
    batch = first.recipe.batch_size
    other = replace(
        NEW,
        level=0.01,
        comparisons=NEW.comparisons[1:],
        studies=(
            replace(first, recipe=replace(first.recipe, batch_size=batch + 1), seeds=first.seeds + 1),
            replace(second, architecture=third.architecture),
            *rest,
        ),
    )
    pair = NEW.comparisons[0]
    assert changes(NEW, other) == [
        f"{first.name}: changed; batch size: {batch} planned, {batch + 1} now; "
        f"seeds: {first.seeds} planned, {first.seeds + 1} now",
        f"{second.name}: changed; another network",
        f"{third.name}: removed",
        f"comparison of {pair.before} with {pair.after}: removed",
        f"the test: changed; {NEW.test}, {NEW.correction}, level 0.01",
    ]


def test_the_seed_of_a_recipe_is_no_change() -> None:
    first, *rest = NEW.studies
    assert changes(NEW, replace(NEW, studies=(replace(first, recipe=replace(first.recipe, seed=77)), *rest))) == []


# ---------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of studies and a page of the test's own."""
    monkeypatch.setattr(results, "STUDIES", tmp_path)
    monkeypatch.setattr("lab.cli.training.PLAN_PAGE", tmp_path / "plan.md")
    (tmp_path / "plan.md").write_text(f"{START} {END}")
    return tmp_path


def test_the_command_writes_the_plan_and_then_says_only_what_changes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", "--plan"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[: len(NEW.studies)] == [f"{each.name}: added, n {each.seeds}" for each in NEW.studies]
    assert read_plan(folder / "PLAN.json") == NEW
    assert (folder / "plan.md").read_text() == plan_written(NEW)
    first, second, *rest = NEW.studies
    write_plan(replace(NEW, studies=(replace(first, seeds=7), *rest)), folder / "PLAN.json")
    assert main(["reproduce", "--plan"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{second.name}: added, n {second.seeds}"
    assert read_plan(folder / "PLAN.json").studies == (replace(first, seeds=7), second, *rest), "its number is kept"
    assert main(["reproduce", "--plan"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "nothing has changed"


@pytest.mark.parametrize("also", [["a1-skeleton-509946"], ["--tables"], ["--seeds", "1-3"]])
def test_the_command_plans_the_whole_ladder(also: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--plan", *also]) == 2
    assert "--plan: it plans the whole ladder" in capsys.readouterr().err
    assert not (folder / "PLAN.json").exists()


def test_a_study_with_fewer_runs_than_planned_says_so(folder: Path) -> None:
    assert so_far(STEP.slug, 2) == "", "nothing is planned"
    write_study(study(*RUNS), folder / f"{STEP.slug}.json")
    write_plan(
        replace(NEW, studies=(PlannedStudy(STEP.slug, STEP.architecture, STEP.recipe, 3),)), folder / "PLAN.json"
    )
    assert so_far(STEP.slug, 2) == " of 3 planned"
    assert "(n 2 of 3 planned)" in ladder_table(results.studies())
    assert so_far(STEP.slug, 3) == so_far("another", 2) == ""


# ------------------------------------------------------------------------------------------------------------- the file


def test_a_plan_is_read_as_it_was_written_with_a_line_for_each_study(tmp_path: Path) -> None:
    path = tmp_path / "PLAN.json"
    write_plan(NEW, path)
    assert read_plan(path) == NEW
    lines = path.read_text().splitlines()
    assert all(sum(f'"name":"{each.name}"' in line for line in lines) == 1 for each in NEW.studies)
    assert set(json.loads(path.read_text())) == {"version", "test", "correction", "level", "studies", "comparisons"}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data.update(version=9), "the plan's version is 9"),
        (lambda data: data.pop("test"), "test is missing"),
        (lambda data: data.update(test="one-sided"), "test: 'one-sided' is none of t-test, two-sided"),
        (lambda data: data["studies"][1].update(seeds=0), "studies[1]: seeds: 0 is outside 1 to 100"),
        (lambda data: data["studies"].append(data["studies"][0]), f"studies: {NEW.studies[0].name} is planned twice"),
    ],
)
def test_a_damaged_plan_is_named(damage: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "PLAN.json"
    write_plan(NEW, path)
    data = json.loads(path.read_text())
    damage(data)  # type: ignore[operator]
    path.write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match=r"PLAN\.json") as raised:
        read_plan(path)
    assert said in str(raised.value)
