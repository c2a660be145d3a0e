"""What is to be measured, written down before the test set is read: networks, recipes, seeds, comparisons, the test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from core.analysis.study import VERSION, without_seed
from core.architecture.json_form import architecture_from_dict, architecture_to_dict
from core.architecture.spec import Architecture
from core.checkpoints.files import checked_version, read_json
from core.errors import CheckpointError
from core.files import replace_text
from core.record import By, Range, read, write
from core.training.recipe import Recipe, recipe_from_dict
from core.training.recipe_difference import recipe_differences


@dataclass(frozen=True)
class PlannedStudy:
    """A network and a recipe, to be trained with the seeds 1 to `seeds`."""

    name: str
    architecture: Annotated[Architecture, By(architecture_from_dict, architecture_to_dict)]
    recipe: Annotated[Recipe, By(recipe_from_dict, without_seed)]  # its seed does not count
    seeds: Annotated[int, Range(1, 100)]


@dataclass(frozen=True)
class Pair:
    """Two studies to be compared, by name."""

    before: str
    after: str


@dataclass(frozen=True)
class Plan:
    """Everything that is to be measured and tested. It has no defaults, so that its file says all of it."""

    test: Literal["t-test, two-sided, paired by seed"]
    correction: Literal["Holm, over all comparisons"]
    level: Annotated[float, Range(0.0001, 0.5)]  # the accepted error of all comparisons together
    studies: tuple[PlannedStudy, ...]
    comparisons: tuple[Pair, ...]

    def study_of(self, name: str) -> PlannedStudy | None:
        """The planned study of that name; None where there is none."""
        return next((each for each in self.studies if each.name == name), None)


def departures(planned: PlannedStudy, architecture: Architecture, recipe: Recipe) -> list[str]:
    """In what a network and a recipe differ from the planned ones, in words; the seed does not count."""
    told = [
        f"{each.field}: {each.before} planned, {each.after} now" for each in recipe_differences(planned.recipe, recipe)
    ]
    return ["another network", *told] if architecture != planned.architecture else told


def changes(old: Plan | None, new: Plan) -> list[str]:
    """What the new plan adds, changes and removes, a line each; nothing for equal ones."""
    lines: list[str] = []
    for each in new.studies:
        planned = old.study_of(each.name) if old else None
        if planned is None:
            lines.append(f"{each.name}: added, n {each.seeds}")
            continue
        told = departures(planned, each.architecture, each.recipe)
        if planned.seeds != each.seeds:
            told.append(f"seeds: {planned.seeds} planned, {each.seeds} now")
        if told:
            lines.append(f"{each.name}: changed; {'; '.join(told)}")
    studies, pairs = (old.studies, old.comparisons) if old else ((), ())
    lines += [f"{each.name}: removed" for each in studies if not new.study_of(each.name)]
    for word, some, others in (("added", new.comparisons, pairs), ("removed", pairs, new.comparisons)):
        lines += [f"comparison of {each.before} with {each.after}: {word}" for each in some if each not in others]
    if old and (old.test, old.correction, old.level) != (new.test, new.correction, new.level):
        lines.append(f"the test: changed; {new.test}, {new.correction}, level {new.level}")
    return lines


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises CheckpointError for a file that is missing or no plan."""
    data = read_json(path, "there is no plan", "the plan cannot be read")
    plan = read(Plan, checked_version(data, VERSION, "the plan's", str(path)), str(path), CheckpointError)
    names = [each.name for each in plan.studies]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise CheckpointError(f"{path}: studies: {twice[0]} is planned twice")
    return plan


def write_plan(plan: Plan, path: Path) -> None:
    """Replace the plan in a file; a study or comparison a line, so that a diff shows what changed. Raises OSError."""
    data = {"version": VERSION, **write(plan)}
    lines = [f"{json.dumps(key)}: {_lines(value)}" for key, value in data.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _lines(value: object) -> str:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return json.dumps(value)
    return "[\n" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in value) + "\n]"
