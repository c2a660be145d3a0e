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
from pathlib import Path
from typing import Annotated, cast

from core.architecture.spec import Architecture, architecture_from_dict, architecture_to_dict
from core.challenge import DIGITS, LAST, TARGET_ACCURACY, holds
from core.checkpoints.files import read_json, replace_text
from core.errors import CheckpointError
from core.record import Json, Range, read, short
from core.training.history import EpochRecord
from core.training.recipe import Recipe, recipe_from_dict, recipe_to_dict
from core.words import plural

VERSION = 1  # figures are stored with challenge.DIGITS digits after the point


@dataclass(frozen=True)
class SeedRun:
    """One run of a study."""

    seed: int
    history: tuple[EpochRecord, ...]
    device: str
    torch: str  # its version
    created: str  # UTC, ISO 8601

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
    """The runs of one network and one recipe that differ in their seed only."""

    name: str  # a step's slug, or the name of a variant of one
    architecture: Architecture
    recipe: Recipe  # its own seed does not count
    dataset: str
    train_images: int
    runs: tuple[SeedRun, ...] = ()

    def with_run(self, run: SeedRun) -> Study:
        """The study with one more run, or with the one of its seed replaced; by seed."""
        others = [each for each in self.runs if each.seed != run.seed]
        return replace(self, runs=tuple(sorted([*others, run], key=lambda each: each.seed)))

    def missing(self, seeds: Iterable[int]) -> list[int]:
        """Those of the seeds that have no run yet."""
        return sorted(set(seeds) - {run.seed for run in self.runs})


@dataclass(frozen=True)
class Summary:
    """The figures of n runs that differ in their seed. Standard deviations are a sample's, None for a single run."""

    n: int
    epochs: int
    mean: float  # of the last epoch's test accuracy
    sd: float | None
    held: float  # the least of the last three epochs' means: a point of the mean curve, no run's own figure
    holding: int  # how many of the n runs hold the target: all of their last three epochs reach it
    best_mean: float  # of each run's best epoch, chosen on the test set
    best_sd: float | None


def summary(runs: Sequence[SeedRun], target: float = TARGET_ACCURACY) -> Summary:
    """The figures of at least one run. Raises ValueError for none, or for histories of different lengths."""
    if not runs:
        raise ValueError("there are no runs to summarise")
    lengths = {len(run.history) for run in runs}
    if len(lengths) > 1:
        raise ValueError(f"runs of {min(lengths)} and of {max(lengths)} epochs cannot be summarised together")
    last, best = [run.last for run in runs], [run.best for run in runs]
    return Summary(
        n=len(runs),
        epochs=min(lengths),
        mean=statistics.mean(last),
        sd=_sd(last),
        held=min(epoch_means(runs)[-LAST:]),
        holding=sum(holds(run.test_accuracies, target) for run in runs),
        best_mean=statistics.mean(best),
        best_sd=_sd(best),
    )


def epoch_means(runs: Sequence[SeedRun]) -> list[float]:
    """The runs' mean test accuracy after each epoch."""
    return [statistics.mean(epoch) for epoch in zip(*(run.test_accuracies for run in runs), strict=True)]


def median_run(runs: Sequence[SeedRun]) -> SeedRun:
    """The run in the middle, by last test accuracy; of an even number the lower one. Equal ones go by seed."""
    return sorted(runs, key=lambda run: (run.last, run.seed))[(len(runs) - 1) // 2]


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points (cost, gain) that no other beats: none costs no more and gains more. By rising cost."""
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda each: (points[each][0], -points[each][1])):
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front


def _sd(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


# ------------------------------------------------------------------------------------------------------------- files


def study_to_dict(study: Study) -> dict[str, Json]:
    """The study's JSON form; histories as columns, which are a third as long."""
    return {
        "version": VERSION,
        "name": study.name,
        "architecture": architecture_to_dict(study.architecture),
        "recipe": recipe_to_dict(replace(study.recipe, seed=Recipe.seed)),
        "dataset": study.dataset,
        "train_images": study.train_images,
        "runs": [
            {
                "seed": run.seed,
                "device": run.device,
                "torch": run.torch,
                "created": run.created,
                "history": cast(Json, _columns(run.history)),
            }
            for run in study.runs
        ],
    }


def study_from_dict(data: Json, place: str) -> Study:
    """The study that a JSON object describes. Raises CheckpointError, its message beginning with `place`."""
    if not isinstance(data, dict) or data.get("version") != VERSION:
        found = data.get("version") if isinstance(data, dict) else None
        raise CheckpointError(f"{place}: the study's version is {short(found)}, this lab reads version {VERSION}")
    try:
        runs = cast(list[dict[str, Json]], data["runs"])
        return Study(
            name=str(data["name"]),
            architecture=architecture_from_dict(data["architecture"]),
            recipe=recipe_from_dict(data["recipe"]),
            dataset=str(data["dataset"]),
            train_images=int(cast(int, data["train_images"])),
            runs=tuple(_run(run, f"{place}: run {number}") for number, run in enumerate(runs)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{place}: this is no study: {type(error).__name__}: {error}") from None


def read_study(path: Path) -> Study:
    """The study in a file. Raises CheckpointError for one that is missing or no study."""
    return study_from_dict(read_json(path, "there is no such study", "the study cannot be read"), str(path))


def write_study(study: Study, path: Path) -> None:
    """Replace the study in a file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps(study_to_dict(study), separators=(",", ":")) + "\n")


def _columns(history: Sequence[EpochRecord]) -> dict[str, list[float | None]]:
    """A list for each field; one that is None throughout is left out, and so are the epochs' numbers."""
    columns: dict[str, list[float | None]] = {
        field.name: [_rounded(getattr(record, field.name)) for record in history]
        for field in fields(EpochRecord)
        if field.name != "epoch"
    }
    return {name: column for name, column in columns.items() if any(value is not None for value in column)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


@dataclass(frozen=True)
class _Seed:
    seed: Annotated[int, Range(0, 2**31 - 1)]


def _run(data: dict[str, Json], place: str) -> SeedRun:
    columns = cast(dict[str, list[Json]], data["history"])
    epochs = len(columns["test_accuracy"])
    names = [field.name for field in fields(EpochRecord) if field.name != "epoch"]
    if any(name not in names or len(column) != epochs for name, column in columns.items()) or not epochs:
        raise CheckpointError(
            f"{place}: history: columns of {plural(epochs, 'epoch')} expected, of the fields {', '.join(names)}"
        )
    records = [
        {"epoch": epoch, **{name: columns[name][epoch] if name in columns else None for name in names}}
        for epoch in range(epochs)
    ]
    return SeedRun(
        seed=read(_Seed, {"seed": data["seed"]}, place, CheckpointError).seed,
        history=tuple(
            read(EpochRecord, cast(Json, record), f"{place}: history[{record['epoch']}]", CheckpointError)
            for record in records
        ),
        device=str(data["device"]),
        torch=str(data["torch"]),
        created=str(data["created"]),
    )
