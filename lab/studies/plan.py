"""The plan of the studies: made from the catalogue, kept beside the studies, and asked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.analysis.evidence import LEVEL
from core.analysis.plan import Pair, Plan, PlannedStudy, changes, departures, read_plan, write_plan
from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.errors import CheckpointError, SpecError
from core.ladder import catalogue
from core.ladder.comparisons import CLEAN_COMPARISONS, variants
from core.ladder.ours import OURS
from core.record import short
from core.training.recipe import Recipe
from lab.studies import results

MANY, SEVERAL = 20, 5  # seeds of a study
LARGE = 20_000  # parameters, from which on one seed has to do
CLOSER = ("a2-final-7758", "a3-dilation-5340")  # studied with many seeds, as the lab's own steps are
MAKE_IT = "`python -m lab reproduce --plan` writes it into the plan, to be committed before the test set is read"


@dataclass(frozen=True)
class Subject:
    """What is studied: a step, or a variant of one for a clean comparison."""

    name: str
    slug: str  # the step's, or "" for a variant, whose weights are not shipped
    architecture: Architecture
    recipe: Recipe

    @property
    def seeds(self) -> int:
        """How many a new plan gives it."""
        if classifier(self.architecture).parameters >= LARGE:
            return 1
        return MANY if self.slug in (*CLOSER, *(step.slug for step in OURS)) else SEVERAL


def subjects(names: Sequence[str] = ()) -> list[Subject]:
    """All that can be studied, or those of these names. Raises SpecError."""
    steps = [Subject(step.slug, step.slug, step.architecture, step.measured_recipe) for step in catalogue.LADDER]
    varied = [Subject(each.name, "", each.architecture, each.measured_recipe) for each in variants()]
    known = {subject.name: subject for subject in (*steps, *varied)}
    if unknown := [name for name in names if name not in known]:
        raise SpecError(f"there is nothing to reproduce called {short(unknown[0])}; there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())


def path() -> Path:
    """Where the plan stands."""
    return results.path_of(results.PLAN)


def planned() -> Plan | None:
    """The plan; None where there is none. Raises CheckpointError for one that is damaged."""
    return read_plan(path()) if path().is_file() else None


def made(old: Plan | None) -> Plan:
    """The plan of today's catalogue. A study that was planned keeps its number of seeds."""
    studies = []
    for each in subjects():
        known = old.study_of(each.name) if old else None
        recipe = replace(each.recipe, seed=Recipe.seed)
        studies.append(PlannedStudy(each.name, each.architecture, recipe, known.seeds if known else each.seeds))
    return Plan(
        test="t-test, two-sided, paired by seed",
        correction="Holm, over all comparisons",
        level=LEVEL,
        studies=tuple(studies),
        comparisons=tuple(Pair(each.before, each.after) for each in CLEAN_COMPARISONS),
    )


def renew() -> list[str]:
    """Write the plan of today's catalogue; returns what changed, a line each. Raises CheckpointError, OSError."""
    old = planned()
    new = made(old)
    if told := changes(old, new):
        write_plan(new, path())
    return told


def seeds_of(subject: Subject) -> tuple[int, ...]:
    """The seeds planned for it. Raises CheckpointError if it is not in the plan as it is now."""
    plan = planned()
    found = plan.study_of(subject.name) if plan else None
    if found is None:
        raise CheckpointError(f"{subject.name} is not in the plan; {MAKE_IT}")
    if told := departures(found, subject.architecture, subject.recipe):
        raise CheckpointError(f"{subject.name} is planned otherwise ({'; '.join(told)}); {MAKE_IT}")
    return tuple(range(1, found.seeds + 1))


def so_far(name: str, n: int) -> str:
    """` of 20 planned`, behind the number of runs of a study that has fewer; else nothing."""
    plan = planned()
    found = plan.study_of(name) if plan else None
    return f" of {found.seeds} planned" if found and n < found.seeds else ""
