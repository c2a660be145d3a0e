"""What several runs say that one cannot: the protocol by which the ladder is measured.

Choices are made on 5,000 images held out of the 60,000. A recipe that is frozen is then trained on all 60,000, once for
each of n seeds, and tested. The figure is the *last* epoch's test accuracy, its mean and standard deviation over the
seeds. The best epoch of a run is chosen on the test set, so it stands apart and is called that. Whether a run holds the
target is asked of each run (`core.challenge`), so of n runs k hold it. Whether two studies differ is asked of
`core.analysis.evidence`.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, cast

from core.architecture.json_form import architecture_from_dict, architecture_to_dict
from core.architecture.spec import Architecture
from core.challenge import CHALLENGE, DIGITS, Challenge, holds
from core.checkpoints.files import checked_version, read_json
from core.data.mnist import test_images
from core.errors import CheckpointError
from core.files import replace_text
from core.record import By, Json, Range, read, write
from core.training.history import EpochRecord
from core.training.recipe import Recipe, recipe_from_dict, recipe_to_dict
from core.words import plural

TIES = 2  # images that another device or number of threads may read otherwise, with the same weights
VERSION = 1  # figures are stored with challenge.DIGITS digits after the point


NAMES = tuple(field.name for field in fields(EpochRecord) if field.name != "epoch")


def _columns(history: Sequence[EpochRecord]) -> Json:
    """A list for each field, a third as long as a list of records; one that is None throughout is left out."""
    columns = {name: [_rounded(getattr(record, name)) for record in history] for name in NAMES}
    return {name: [*column] for name, column in columns.items() if any(value is not None for value in column)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _records(columns: Json) -> tuple[EpochRecord, ...]:
    """The inverse of `_columns`. Raises CheckpointError."""
    accuracies = columns.get("test_accuracy") if isinstance(columns, dict) else None
    epochs = len(accuracies) if isinstance(accuracies, list) else 0
    if (
        not isinstance(columns, dict)
        or not epochs
        or not all(
            name in NAMES and isinstance(column, list) and len(column) == epochs for name, column in columns.items()
        )
    ):
        raise CheckpointError(f"columns of {plural(epochs, 'epoch')} expected, of the fields {', '.join(NAMES)}")
    empty: dict[str, list[Json]] = dict.fromkeys(NAMES, [None] * epochs)
    rows = zip(*(empty | cast(dict[str, list[Json]], columns)).values(), strict=True)
    return tuple(
        read(EpochRecord, {"epoch": epoch, **dict(zip(NAMES, row, strict=True))}, f"[{epoch}]", CheckpointError)
        for epoch, row in enumerate(rows)
    )


def without_seed(recipe: Recipe) -> dict[str, Json]:
    """The recipe's JSON form, with the default seed, which is left out."""
    return recipe_to_dict(replace(recipe, seed=Recipe.seed))


def _indices(data: Json) -> tuple[int, ...]:
    """Indices of images, each once, in order. Raises CheckpointError."""
    if not isinstance(data, list) or not all(type(index) is int and index >= 0 for index in data):
        raise CheckpointError("a list of the images' indices, counted from 0, expected")
    indices = cast(tuple[int, ...], tuple(data))
    if falling := [after for before, after in pairwise(indices) if after <= before]:
        raise CheckpointError(f"index {falling[0]:,} does not come in rising order, each once")
    return indices


@dataclass(frozen=True)
class SeedRun:
    """One run of a study."""

    seed: Annotated[int, Range(0, 2**31 - 1)]
    history: Annotated[tuple[EpochRecord, ...], By(_records, _columns)]
    device: str
    torch: str  # its version
    created: str  # UTC, ISO 8601
    mistakes: Annotated[tuple[int, ...] | None, By(_indices, list)] = None  # test images that the last weights misread

    @property
    def test_accuracies(self) -> list[float]:
        """After each epoch."""
        return [record.test_accuracy for record in self.history]

    @property
    def last(self) -> float:
        """The last epoch's test accuracy."""
        return self.history[-1].test_accuracy

    @property
    def best(self) -> float:
        """The best epoch's: chosen on the test set."""
        return max(self.test_accuracies)


@dataclass(frozen=True)
class Study:
    """The runs of one network and one recipe, which differ only in their seed."""

    name: str  # a step's slug, or the name of a variant of one
    architecture: Annotated[Architecture, By(architecture_from_dict, architecture_to_dict)]
    recipe: Annotated[Recipe, By(recipe_from_dict, without_seed)]  # its seed does not count
    dataset: str
    train_images: Annotated[int, Range(0, 10**9)]
    runs: tuple[SeedRun, ...] = ()

    def with_run(self, run: SeedRun) -> Study:
        """The study with this run added, or in place of the run with its seed; runs are sorted by seed."""
        others = [each for each in self.runs if each.seed != run.seed]
        return replace(self, runs=tuple(sorted([*others, run], key=lambda each: each.seed)))

    def missing(self, seeds: Iterable[int]) -> list[int]:
        """The seeds that have no run yet."""
        return sorted(set(seeds) - {run.seed for run in self.runs})


@dataclass(frozen=True)
class Summary:
    """The figures of n runs with different seeds. Standard deviations are of a sample; None for a single run."""

    n: int
    epochs: int
    mean: float  # of the last epoch's test accuracy
    sd: float | None
    held: float  # the lowest mean of the challenge's last epochs: a point of the mean curve
    holding: int  # how many runs hold the target: each of their last epochs reaches it
    best_mean: float  # of each run's best epoch, chosen on the test set
    best_sd: float | None
    challenge: Challenge = CHALLENGE  # that says what to hold, and for how long


def summary(runs: Sequence[SeedRun], challenge: Challenge = CHALLENGE, stop_early: bool = False) -> Summary:
    """The figures of at least one run. Raises ValueError for none, or for histories of different lengths.

    Runs that `stop_early` have as many epochs as each took; their last epochs are taken together.
    """
    if not runs:
        raise ValueError("there are no runs to summarise")
    lengths = {len(run.history) for run in runs}
    if len(lengths) > 1 and not stop_early:
        raise ValueError(f"runs of {min(lengths)} and of {max(lengths)} epochs cannot be summarised together")
    ends = [run.test_accuracies[-min(challenge.held_epochs, *lengths) :] for run in runs]
    last, best = [run.last for run in runs], [run.best for run in runs]
    return Summary(
        n=len(runs),
        epochs=max(lengths),
        mean=statistics.mean(last),
        sd=_sd(last),
        held=min(map(statistics.mean, zip(*ends, strict=True))),
        holding=sum(holds(run.test_accuracies, challenge) for run in runs),
        best_mean=statistics.mean(best),
        best_sd=_sd(best),
        challenge=challenge,
    )


def epoch_means(runs: Sequence[SeedRun]) -> list[float]:
    """The runs' mean test accuracy after each epoch."""
    return [statistics.mean(epoch) for epoch in zip(*(run.test_accuracies for run in runs), strict=True)]


def median_run(runs: Sequence[SeedRun]) -> SeedRun:
    """The middle run by last test accuracy; for an even number the lower of two. Equal ones are sorted by seed."""
    return sorted(runs, key=lambda run: (run.last, run.seed))[(len(runs) - 1) // 2]


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points (cost, gain) for which no other costs at most as much and gains more. By rising cost."""
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda each: (points[each][0], -points[each][1])):
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front


def _sd(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


# ------------------------------------------------------------------------------------------------------------- files


def study_to_dict(study: Study) -> dict[str, Json]:
    """The study's JSON form."""
    return {"version": VERSION, **write(study)}


def study_from_dict(data: Json, place: str) -> Study:
    """The study that a JSON object describes. Raises CheckpointError, its message beginning with `place`."""
    study = read(Study, checked_version(data, VERSION, "the study's", place), place, CheckpointError)
    for number, run in enumerate(study.runs):
        if told := mistakes_against(run, test_images(study.dataset)):
            raise CheckpointError(f"{place}: runs[{number}]: mistakes: {told}")
    return study


def mistakes_against(run: SeedRun, images: int) -> str:
    """Why a run's mistakes cannot be those of its last epoch, on so many test images; "" where they can, or if none
    are known."""
    if run.mistakes is None:
        return ""
    if run.mistakes and run.mistakes[-1] >= images:
        return f"index {run.mistakes[-1]:,} is outside 0 to {images - 1:,}"
    wrong = round((1 - run.last) * images)
    if abs(len(run.mistakes) - wrong) > TIES:
        return f"{plural(len(run.mistakes), 'image')}, but a test accuracy of {run.last:.2%} leaves {wrong:,} misread"
    return ""


def read_study(path: Path) -> Study:
    """The study in a file. Raises CheckpointError for a file that is missing or not a study."""
    return study_from_dict(read_json(path, "there is no such study", "the study cannot be read"), str(path))


def write_study(study: Study, path: Path) -> None:
    """Replace the study in a file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps(study_to_dict(study), separators=(",", ":")) + "\n")
