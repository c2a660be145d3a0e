"""The tries for the lab's own ladder on 5,000 held-out images: checkpoints/choices/log.json, in numbers and words.

All sentences about these tries come from the log, so that they cannot contradict it. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import mean
from typing import cast

from core.analysis.study import SeedRun, summary
from core.architecture.json_form import architecture_from_dict
from core.architecture.spec import Architecture, Conv, Linear, LogSoftmax, MaxPool, Op
from core.challenge import Challenge, holds
from core.checkpoints.files import read_json
from core.errors import CheckpointError, LabError
from core.files import reason
from core.ladder.model import Step
from core.record import Json
from core.training.recipe import Recipe, recipe_from_dict
from core.training.recipe_difference import recipe_differences
from core.words import loss_words, percent, plural

LOG = Path(__file__).resolve().parents[2] / "checkpoints" / "choices" / "log.json"
ORDINALS = {2: "2nd", 3: "3rd"}
BESIDE = 0.2  # a step's page shows tries whose parameters differ by at most this share


@dataclass(frozen=True)
class Try:
    """One run of a network and a recipe, with its figures on the held-out images after the last epoch."""

    name: str
    seed: int
    accuracy: float
    loss: float
    train_accuracy: float
    parameters: int
    architecture: Architecture
    recipe: Recipe

    @property
    def split(self) -> int:
        """Which images were held out; 0: those of most tries."""
        return self.recipe.split_seed


@dataclass(frozen=True)
class Attempt:
    """The tries of one network and recipe, sorted by split and seed. Only those on one split are averaged."""

    tries: tuple[Try, ...]

    @property
    def name(self) -> str:
        return self.tries[0].name

    @property
    def architecture(self) -> Architecture:
        return self.tries[0].architecture

    @property
    def recipe(self) -> Recipe:
        """The recipe as in a step: on all training images, with the default seed."""
        return _of_a_step(self.tries[0].recipe)

    @property
    def parameters(self) -> int:
        return self.tries[0].parameters

    @property
    def alike(self) -> tuple[Try, ...]:
        """The tries on the split of the first, which most attempts share."""
        return tuple(each for each in self.tries if each.split == self.tries[0].split)

    @property
    def accuracy(self) -> float:
        return mean(each.accuracy for each in self.alike)

    @property
    def loss(self) -> float:
        return mean(each.loss for each in self.alike)


def attempts(path: Path = LOG) -> tuple[Attempt, ...]:
    """All attempts, the smallest loss first. Raises CheckpointError for a log that cannot be read."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise CheckpointError(f"{path}: the log of choices cannot be read: {reason(error)}") from None


@lru_cache(maxsize=4)
def _read(path: Path, modified: int) -> tuple[Attempt, ...]:
    rows = read_json(path, "there is no log of choices", "the log of choices cannot be read")
    try:
        if not isinstance(rows, list) or not rows:
            raise ValueError("a list of tries is expected")
        found = [_try(cast(dict[str, Json], row)) for row in rows]
    except (KeyError, TypeError, ValueError, LabError) as error:
        raise CheckpointError(f"{path}: this is no log of choices: {type(error).__name__}: {error}") from None
    groups: dict[tuple[object, Recipe], list[Try]] = {}
    for each in found:
        groups.setdefault((_layers(each.architecture), _of_a_step(each.recipe)), []).append(each)
    attempts = (Attempt(tuple(sorted(group, key=lambda each: (each.split, each.seed)))) for group in groups.values())
    return tuple(sorted(attempts, key=lambda each: each.loss))


def _try(row: dict[str, Json]) -> Try:
    return Try(
        name=str(row["name"]),
        seed=int(cast(int, row["seed"])),
        accuracy=float(cast(float, row["validation_accuracy"])),
        loss=float(cast(float, row["validation_loss"])),
        train_accuracy=float(cast(float, row["train_accuracy"])),
        parameters=int(cast(int, row["parameters"])),
        architecture=architecture_from_dict(row["architecture"]),
        recipe=recipe_from_dict(row["recipe"]),
    )


def _of_a_step(recipe: Recipe) -> Recipe:
    return replace(recipe, seed=Recipe.seed, validation_size=0, split_seed=0)


def _layers(architecture: Architecture) -> tuple[Op, ...]:
    """The ops without a log-softmax at the end: the loss contains one, so the network is the same without it."""
    ops = architecture.ops
    return ops[:-1] if ops and isinstance(ops[-1], LogSoftmax) else ops


# ------------------------------------------------------------------------------------------------------- of one step


def tried(step: Step, log: Sequence[Attempt]) -> Attempt | None:
    """The attempt with the step's own network and recipe, if there is one."""
    recipe = _of_a_step(step.measured_recipe)
    return next((each for each in of_its_network(step, log) if each.recipe == recipe), None)


def of_its_network(step: Step, log: Sequence[Attempt]) -> list[Attempt]:
    """All attempts with the step's network, the smallest loss first."""
    return [each for each in log if _layers(each.architecture) == _layers(step.architecture)]


def beside(step: Step, log: Sequence[Attempt], parameters: int) -> list[Attempt]:
    """The attempts with about as many parameters, the smallest loss first."""
    return [each for each in log if abs(each.parameters - parameters) <= BESIDE * parameters]


def choice_words(step: Step, log: Sequence[Attempt]) -> str:
    """Whether this network and recipe was tried on the held-out images, and with which result."""
    same = of_its_network(step, log)
    own = tried(step, log)
    if own:
        since = "; ".join(
            f"{row.field} {row.before}, now {row.after}"
            for row in recipe_differences(own.recipe, replace(step.recipe, precision=own.recipe.precision))
        )
        changed = f" The recipe has changed since: {since}." if since else ""
        return f"Tried on the held-out images with {_figures(own)}. {_rank(own, same)}{changed}"
    if not same:
        return "Neither this network nor this recipe was tried on the held-out images."
    differences = {each: recipe_differences(step.measured_recipe, each.recipe) for each in same}
    nearest = min(same, key=lambda each: len(differences[each]))
    told = "; ".join(f"{row.field} {row.after}, here {row.before}" for row in differences[nearest])
    return (
        f"**This recipe was not tried on the held-out images.** The nearest try differs in: {told}. It was tried with "
        f"{_figures(nearest)}."
    )


def _figures(attempt: Attempt) -> str:
    """`2 seeds: 99.46% and 99.48% right, loss 0.01710 and 0.01761`, for each split."""
    told = []
    for split in sorted({each.split for each in attempt.tries}):
        tries = [each for each in attempt.tries if each.split == split]
        right = " and ".join(percent(each.accuracy) for each in tries)
        losses = " and ".join(loss_words(each.loss) for each in tries)
        other = " on another split" if split else ""
        told.append(f"{plural(len(tries), 'seed')}{other}: {right} right, loss {losses}")
    return "; ".join(told)


def _rank(own: Attempt, same: Sequence[Attempt]) -> str:
    """Its rank by mean loss among the recipes tried for its network, on the same split."""
    same = [each for each in same if each.tries[0].split == own.tries[0].split]
    if len(same) == 1:
        return "No other recipe was tried for this network."
    others = [each.loss for each in same if each != own]
    place = 1 + sum(loss < own.loss for loss in others)
    rank = "the least" if place == 1 else f"the {ORDINALS.get(place, f'{place}th')} least"
    least, most = loss_words(min(others)), loss_words(max(others))
    theirs = f"the others have {least} to {most}" if len(others) > 1 else f"the other has {least}"
    return f"Of {len(same)} recipes tried for this network its loss is {rank}; {theirs}."


def seeds_apart(log: Sequence[Attempt]) -> float | None:
    """The largest difference between the losses of two seeds of one attempt; None if each has one seed."""
    spans = [max(t.loss for t in each.alike) - min(t.loss for t in each.alike) for each in log if len(each.alike) > 1]
    return max(spans, default=None)


def apart_words(log: Sequence[Attempt]) -> str:
    """What a single seed can tell, in words."""
    apart = seeds_apart(log)
    if apart is None:
        return "Each was tried with one seed, so nothing is known of how far two seeds lie apart."
    pairs = sum(len(each.alike) > 1 for each in log)
    return (
        f"Two seeds of one recipe lie up to {apart:.4f} apart in loss (n {pairs}): a smaller difference says nothing."
    )


def layout_words(architecture: Architecture) -> str:
    """The layers with weights in short: `8 8 8 | 8 (dilated 2)`, with `|` for a max pool."""
    words = []
    for op in architecture.ops:
        match op:
            case Conv(channels, kernel, dilation=dilation, groups=groups):
                kinds = [f"{kernel} x {kernel}"] if kernel != 3 else []
                kinds += [f"dilated {dilation}"] if dilation > 1 else []
                kinds += [f"{groups} groups"] if groups > 1 else []
                words.append(f"{channels}" + (f" ({', '.join(kinds)})" if kinds else ""))
            case MaxPool():
                words.append("|")
            case Linear(outputs):
                words.append(f"linear {outputs}")
            case _:
                pass
    return " ".join(words)


def goal_words(step: Step, runs: Sequence[SeedRun]) -> str:
    """How many of the runs hold the step's goal; "" without a goal."""
    if step.goal is None or not runs:
        return ""
    goal = Challenge(accuracy=step.goal)  # a step's own: the class may have another
    holding = sum(holds(run.test_accuracies, goal) for run in runs)
    mean_curve = summary(runs, goal).held
    return (
        f"{holding} of {plural(len(runs), 'run')} held {percent(step.goal)} in all of the last three epochs; the mean "
        f"curve's lowest there is {percent(mean_curve)}"
    )


# ------------------------------------------------------------------------------------------------------- of all of it


def log_words(log: Sequence[Attempt], steps: Sequence[Step]) -> str:
    """The log in a paragraph, for docs/ladder-measured.md."""
    count = sum(len(each.tries) for each in log)
    single = sum(len(each.tries) == 1 for each in log)
    best = log[0]
    marks = {step.slug: f"{step.lineage.upper()}{step.order}" for step in steps}
    untried = [marks[step.slug] for step in steps if tried(step, log) is None]
    by_test = [f"{marks[step.slug]}: {step.test_had_a_say}" for step in steps if step.test_had_a_say]
    first = of_its_network(steps[0], log)
    return (
        f"{plural(count, 'try', 'tries')} of {len(log)} networks and recipes, {single} of them with one seed and "
        f"split. {apart_words(log)} The least loss of all has a network of {best.parameters:,} parameters, "
        f"{loss_words(best.loss)}; the {len(first)} recipes tried for C3's network of {first[0].parameters:,} have "
        f"{loss_words(min(each.loss for each in first))} to {loss_words(max(each.loss for each in first))}. "
        f"Not every choice was made there. Not tried as they stand: {', '.join(untried) or 'none'}. Where the test "
        f"digits had a say: {' '.join(by_test) or 'nowhere.'}"
    )
