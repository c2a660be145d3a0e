"""The studies that the ladder is measured by: the histories of all runs, a file for each network and recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from core.analysis.evidence import LEVEL, Evidence, evidence, holm, judge_claim
from core.analysis.proportion import standard_error
from core.analysis.study import SeedRun, Study, Summary, read_study, summary
from core.architecture.trace import classifier
from core.challenge import CHALLENGE, Challenge, Conditions, conditions
from core.checkpoints.card import Card
from core.data.mnist import IMAGES
from core.errors import CheckpointError
from core.files import reason
from core.ladder import catalogue
from core.ladder.comparisons import CLEAN_COMPARISONS, variants
from core.ladder.model import CleanComparison, Step
from core.ladder.relatives import EXTRAS
from core.training.recipe import Recipe
from core.training.recipe_difference import FieldDifference, recipe_differences
from core.training.recipe_words import corner_shift
from core.words import number_order
from lab.studies import own_ladder
from lab.studies.shelf import SHIPPED, Unreadable

STUDIES = SHIPPED / "studies"
PLAN = "PLAN"  # no study, but what is to be measured: `lab.studies.plan`


def path_of(name: str) -> Path:
    """Where the study of that name stands, or will."""
    return STUDIES / f"{name}.json"


def _files() -> list[Path]:
    """In the order of their names, D9 before D10."""
    found = (path for path in STUDIES.glob("*.json") if path.stem != PLAN)
    return sorted(found, key=lambda path: number_order(path.stem))


def studies() -> dict[str, Study]:
    """All that can be read, by name."""
    found = map(_readable, _files())
    return {study.name: study for study in found if isinstance(study, Study)}


def unreadable_studies() -> tuple[Unreadable, ...]:
    """Those that cannot be read, each with the reason."""
    found = map(_readable, _files())
    return tuple(study for study in found if isinstance(study, Unreadable))


def study_of(name: str) -> Study | None:
    """The study of a step, by its slug, or of a variant; None where there is none, or none that can be read."""
    found = _readable(path_of(name))
    return found if isinstance(found, Study) else None


def why_unreadable(name: str) -> str:
    """The reason why the study of that name cannot be read; "" where it can, or where there is none."""
    return next((each.reason for each in unreadable_studies() if each.reference == name), "")


def _readable(path: Path) -> Study | Unreadable | None:
    """The study in a file; None where there is no file."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None
    except CheckpointError as error:
        return Unreadable(path.stem, str(error).removeprefix(f"{path}: ").removeprefix("the study cannot be read: "))
    except OSError as error:
        return Unreadable(path.stem, f"{path.name} cannot be opened: {reason(error)}")


@lru_cache(maxsize=1000)
def _read(path: Path, modified: int) -> Study:
    """A study, read once for each time it is written."""
    return read_study(path)


def summarised(runs: Sequence[SeedRun], stop_early: bool = False, challenge: Challenge = CHALLENGE) -> Summary | None:
    """The runs' figures; None for no runs, or for runs of different lengths, which have none in common, unless their
    recipe lets them stop early."""
    try:
        return summary(runs, challenge, stop_early)
    except ValueError:
        return None


def measured_studies(challenge: Challenge = CHALLENGE) -> dict[str, Summary]:
    """The figures of every study that has any, by name."""
    found = {name: summarised(study.runs, challenge=challenge) for name, study in studies().items()}
    return {name: summary_of for name, summary_of in found.items() if summary_of is not None}


def run_of(card: Card) -> SeedRun:
    """A checkpoint's run, as a study would hold it: what there is to show of a step that has no study."""
    return SeedRun(card.recipe.seed, card.history, card.device, card.versions.get("torch", "unknown"), card.created)


@lru_cache(maxsize=1000)
def compared(first: Study, second: Study) -> Evidence | None:
    """What their runs say about the difference, worked out once for each pair; None where one has no run."""
    try:
        return evidence(first.runs, second.runs)
    except ValueError:
        return None


# ------------------------------------------------------------------------- studies of an earlier recipe

EARLIER = "earlier recipe"  # how such a study is marked in tables


@lru_cache(maxsize=1)
def _recipes() -> dict[str, tuple[Recipe, Recipe]]:
    """The recipe of each step and variant as it is now, and as `reproduce` trains it: without what has come since,
    where the studies are to be trained anew later."""
    steps = {
        step.slug: (replace(step.recipe, precision=step.measured_precision), step.measured_recipe)
        for step in catalogue.LADDER
    }
    return steps | {each.name: (each.recipe, each.measured_recipe) for each in variants()}


def outdated(study: Study) -> tuple[FieldDifference, ...]:
    """In what the recipe of a study's runs (before) differs from the one that its step or variant has now (after)."""
    return recipe_differences(study.recipe, _recipes().get(study.name, (study.recipe,))[0])


def outdated_mark(study: Study | None) -> str:
    """` (earlier recipe)` behind the figures of a study whose recipe has changed since; else nothing."""
    return f" ({EARLIER})" if study and outdated(study) else ""


def outdated_words(study: Study) -> str:
    """What a study's runs were trained with, and what its step has now; "" where they are the same."""
    differences = outdated(study)
    if not differences:
        return ""
    told = "; ".join(f"{each.field}: {each.before} then, {each.after} now" for each in differences)
    then, now = (corner_shift(each.augmentation) for each in (study.recipe, _recipes()[study.name][0]))
    moved = ""
    if then != now:
        moved = (
            f" A perspective moved a corner by {then:.2f} pixels on average then, by {now:.2f} now; by the "
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
    """Whether two studies may be compared: what has changed in one's recipe since it was measured has in the other's.

    What both `reproduce` and the study leave out, such as the average's warm-up, does not come between them.
    """
    stale = [
        recipe_differences(study.recipe, _recipes().get(study.name, (study.recipe,))[-1]) for study in (one, other)
    ]
    return stale[0] == stale[1]


# -------------------------------------------------------------------------------------------- what they say, in words


@dataclass(frozen=True)
class CleanAnswer:
    """What the studies answer to a question in which one thing differs."""

    asked: CleanComparison
    before: Study | None
    after: Study | None
    found: Evidence | None  # None until both are measured, and where only one of them has an earlier recipe
    adjusted: float | None  # its p, adjusted for all the questions, also those without an answer yet (Holm)
    questions: int  # how many those are


def clean_answers(found: Mapping[str, Study]) -> list[CleanAnswer]:
    """Every clean comparison, in the catalogue's order, each p adjusted for all of them."""
    asked = [(each, found.get(each.before), found.get(each.after)) for each in CLEAN_COMPARISONS]
    told = [
        compared(before, after) if before and after and alike(before, after) else None for _, before, after in asked
    ]
    adjusted = holm([1.0 if each is None or each.p is None else each.p for each in told])
    return [
        CleanAnswer(each, before, after, evident, p if evident and evident.p is not None else None, len(asked))
        for (each, before, after), evident, p in zip(asked, told, adjusted, strict=True)
    ]


def reading(found: Evidence, adjusted: float | None = None, questions: int = 1) -> str:
    """What the difference may be taken for; where it was one question of many, also among those."""
    n = f"n {found.pairs or f'{found.first} and {found.second}'}"
    if found.p is None:
        return f"cannot be told: the runs have no spread ({n})"
    if found.told == "cannot be told":
        return f"cannot be told ({n})"
    if adjusted is not None and adjusted >= LEVEL:
        return f"{found.told} if asked alone; not told among {questions} questions ({n})"
    return f"{found.told} ({n})"


def reading_of(answer: CleanAnswer) -> str:
    """The same of a clean comparison, or why there is none."""
    if answer.found is not None:
        return reading(answer.found, answer.adjusted, answer.questions)
    if answer.before is None or answer.after is None:
        return "not measured yet"
    return "no clean comparison: one side has an earlier recipe"


def held_in_words(measured: Summary) -> str:
    """How many of the runs hold the target, and the least of the last epochs on the mean curve."""
    asked = measured.challenge
    target, least = asked.target, asked.held_epochs
    if measured.epochs < least:
        return f"With {measured.epochs} of at least {least} epochs it cannot hold {target} yet."
    if measured.n == 1:
        verb = "holds" if measured.holding else "does not hold"
        return f"It {verb} {target}: {asked.lowest_of('its')} is {measured.held:.2%}."
    return (
        f"{measured.holding} of {measured.n} runs hold {target} in {asked.all_of('their')}; the mean curve "
        f"does not go below {measured.held:.2%} there."
    )


def standing(parameters: int, measured: Summary) -> Conditions:
    """The conditions for runs of a network with so many parameters, of the challenge that they were summarised for."""
    return conditions(parameters, measured.epochs, measured.holding, measured.n, measured.challenge)


def challenge_of(step: Step, measured: Summary) -> Conditions:
    """The challenge's three conditions for the runs of a step."""
    return standing(classifier(step.architecture).parameters, measured)


def met_in_words(met: Conditions) -> str:
    """How many of the runs meet the challenge: `3 of 5 runs meet the challenge`; of one run, whether it does."""
    if met.n == 1:
        return f"{'meets' if met.meeting else 'misses'} the challenge, by one run"
    return f"{met.meeting} of {met.n} runs meet the challenge"


def judged(step: Step, measured: Summary | None) -> str:
    """In words: what our runs say about the step's claim; of a step of our own, how many meet the challenge."""
    if measured is None:
        return "not measured"
    if step.claim is None:
        return met_in_words(challenge_of(step, measured))
    verdict = judge_claim(step.claim.best_test_accuracy, measured)
    return verdict.words if verdict.p is not None else f"{verdict.words} (n {measured.n})"


def in_words(measured: Summary, so_far: str = "") -> str:
    """`99.34% ± 0.05 (n 5)`, the deviation in percentage points; `99.34% (n 1)`; `so_far` as in `n 5 of 20 planned`."""
    deviation = "" if measured.sd is None else f" ± {100 * measured.sd:.2f}"
    return f"{measured.mean:.2%}{deviation} (n {measured.n}{so_far})"


def error_of_images(images: int = IMAGES["test"], accuracy: float = CHALLENGE.accuracy) -> str:
    """What the deviation over seeds must not be taken for: how far the test images themselves may be off."""
    error = standard_error(accuracy, images)
    return (
        f"The deviation is that of the seeds; {images:,} other test images would move each figure by about "
        f"±{100 * error:.2f} points more ({round(error * images)} images)."
    )


def titles() -> dict[str, str]:
    """What a study's name stands for: the titles of the variants, and of the steps, as menus show them."""
    return _titles(own_ladder.ladder())


@lru_cache(maxsize=2)
def _titles(ladder: tuple[Step, ...]) -> dict[str, str]:
    steps = (*ladder, *EXTRAS)
    return {
        **{step.slug: f"{step.lineage.upper()}{step.order} · {step.title}" for step in steps},
        **{variant.name: variant.title for variant in variants()},
    }
