"""The studies that the ladder is measured by: the histories of all runs, a file for each network and recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from core import catalogue
from core.card import Card
from core.challenge import MAX_EPOCHS, MAX_PARAMETERS
from core.errors import CheckpointError
from core.recipe import Recipe
from core.recipe_difference import FieldDifference, recipe_differences
from core.recipe_words import corner_shift
from core.study import Comparison, SeedRun, Study, Summary, compare, holds, read_study, summary, verdict
from core.trace import classifier
from lab.shelf import SHIPPED

STUDIES = SHIPPED / "studies"


def path_of(name: str) -> Path:
    """Where the study of that name stands, or will."""
    return STUDIES / f"{name}.json"


def studies() -> dict[str, Study]:
    """All that there are, by name. One that cannot be read is left out."""
    found = (_readable(path) for path in sorted(STUDIES.glob("*.json")))
    return {study.name: study for study in found if study is not None}


def study_of(name: str) -> Study | None:
    """The study of a step, by its slug, or of a variant; None where there is none, or none that can be read."""
    return _readable(path_of(name))


def _readable(path: Path) -> Study | None:
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (CheckpointError, OSError):
        return None


@lru_cache(maxsize=1000)
def _read(path: Path, modified: int) -> Study:
    """A study, read once for each time it is written."""
    return read_study(path)


def summarised(runs: Sequence[SeedRun]) -> Summary | None:
    """The runs' figures; None for no runs, or for runs of different lengths, which have none in common."""
    try:
        return summary(runs)
    except ValueError:
        return None


def measured_studies() -> dict[str, Summary]:
    """The figures of every study that has any, by name."""
    found = {name: summarised(study.runs) for name, study in studies().items()}
    return {name: summary_of for name, summary_of in found.items() if summary_of is not None}


def run_of(card: Card) -> SeedRun:
    """A checkpoint's run, as a study would hold it: what there is to show of a step that has no study."""
    return SeedRun(card.recipe.seed, card.history, card.device, card.versions.get("torch", "unknown"), card.created)


@lru_cache(maxsize=1000)
def compared(first: Study, second: Study) -> Comparison | None:
    """Whether the second is better, worked out once for each pair; None where they share no seed."""
    try:
        return compare(first.runs, second.runs)
    except ValueError:
        return None


# ------------------------------------------------------------------------- studies of an earlier recipe

EARLIER = "earlier recipe"  # how such a study is marked in tables


def recipe_now(name: str) -> Recipe | None:
    """The recipe that a study of that name would be trained with now; None for a name that is no step or variant."""
    return _recipes().get(name)


@lru_cache(maxsize=1)
def _recipes() -> dict[str, Recipe]:
    steps = {step.slug: step.measured_recipe for step in catalogue.LADDER}
    return {**steps, **{variant.name: variant.recipe for variant in catalogue.variants()}}


def outdated(study: Study) -> tuple[FieldDifference, ...]:
    """In what the recipe of a study's runs (before) differs from the one that its step or variant has now (after)."""
    now = recipe_now(study.name)
    return recipe_differences(study.recipe, now) if now else ()


def outdated_mark(study: Study | None) -> str:
    """` (earlier recipe)` behind the figures of a study whose recipe has changed since; else nothing."""
    return f" ({EARLIER})" if study and outdated(study) else ""


def outdated_words(study: Study) -> str:
    """What a study's runs were trained with, and what its step has now; "" where they are the same."""
    differences = outdated(study)
    if not differences:
        return ""
    told = "; ".join(f"{each.field}: {each.before} then, {each.after} now" for each in differences)
    now = recipe_now(study.name)
    shifts = [corner_shift(each.augmentation) for each in (study.recipe, now)] if now else []
    moved = ""
    if shifts and shifts[0] != shifts[1]:
        moved = (
            f" A perspective moved a corner by {shifts[0]:.2f} pixels on average then, by {shifts[1]:.2f} now; by the "
            "lab's rule it comes after the other changes, by torchvision's before them."
        )
    return f"These figures are of runs with an earlier recipe. What differs: {told}.{moved}"


def outdated_ones(found: Iterable[Study | None]) -> dict[str, list[str]]:
    """The names of those of an earlier recipe, by what has changed since."""
    told: dict[str, list[str]] = {}
    for study in found:
        if study and (words := outdated_words(study)):
            told.setdefault(words, []).append(study.name)
    return told


def alike(one: Study, other: Study) -> bool:
    """Whether two studies may be compared as their recipes are now: what is outdated of one is so of the other."""
    return outdated(one) == outdated(other)


# -------------------------------------------------------------------------------------------- what they say, in words


def judged(step: catalogue.Step, measured: Summary | None) -> str:
    """In words: does the step's claim hold? Of a step of our own, which claims nothing: does it meet the challenge?"""
    if measured is None:
        return "not measured"
    so_far = "" if measured.n > 1 else ", by one run"
    if step.claim:
        return verdict(step.claim.best_test_accuracy, measured) + so_far
    return ("meets the challenge" if meets_challenge(step, measured) else "misses the challenge") + so_far


def conditions(step: catalogue.Step, measured: Summary) -> tuple[bool, bool, bool]:
    """The challenge's three: the target held, few enough epochs, few enough parameters."""
    small = classifier(step.architecture).parameters <= MAX_PARAMETERS
    return holds(measured), step.recipe.epochs <= MAX_EPOCHS, small


def meets_challenge(step: catalogue.Step, measured: Summary) -> bool:
    """Whether all three conditions are met."""
    return all(conditions(step, measured))


def in_words(measured: Summary) -> str:
    """`99.34% ± 0.05 (n 5)`, the deviation in percentage points; `99.34% (n 1)`."""
    deviation = "" if measured.sd is None else f" ± {100 * measured.sd:.2f}"
    return f"{measured.mean:.2%}{deviation} (n {measured.n})"


def in_points(difference: float) -> str:
    """A difference of accuracies, as fractions, in percentage points: +0.06, −0.12; 0.00 whatever its sign."""
    text = f"{100 * difference:+.2f}".replace("-", "−")
    return text if float(text[1:]) else text[1:]


def p_in_words(p: float) -> str:
    """0.060, or a bound where more digits would say nothing: < 0.001, > 0.999."""
    return "< 0.001" if p < 0.001 else "> 0.999" if p > 0.999 else f"{p:.3f}"


def p_stated(p: float) -> str:
    """p = 0.060, or p < 0.001."""
    words = p_in_words(p)
    return f"p {words}" if words[0] in "<>" else f"p = {words}"


@lru_cache(maxsize=1)
def titles() -> dict[str, str]:
    """What a study's name stands for: the titles of the variants, and of the steps, as menus show them."""
    steps = (*catalogue.LADDER, *catalogue.EXTRAS)
    return {
        **{step.slug: f"{step.lineage.upper()}{step.order} · {step.title}" for step in steps},
        **{variant.name: variant.title for variant in catalogue.variants()},
    }
