"""The study of the ladder: every step trained with several seeds, its figures kept, its median seed's weights shipped.

`python -m lab reproduce` trains what is planned (`lab.studies.plan`) and goes on where it stopped, at the very epoch. A
study holds the histories of all its runs (`core.analysis.study`); the tables in docs/ladder-measured.md are written
from those.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from core.analysis.study import SeedRun, Study, median_run, mistakes_against, read_study, write_study
from core.checkpoints.card import Card, read_card
from core.checkpoints.checkpoint import load, normalisation_of, save
from core.data.mnist import load_split
from core.errors import CheckpointError, LabError
from core.training.evaluation import evaluate, predict
from core.training.recipe import Recipe
from core.training.resident import examples
from core.words import plural
from lab.runs.actions import submit
from lab.runs.person import MACHINE
from lab.runs.prune import ALL
from lab.runs.rows import RESUMABLE, Run
from lab.runs.store import RunStore
from lab.runs.watching import watched
from lab.settings import lab_home
from lab.studies.plan import Subject, path, seeds_of
from lab.studies.results import path_of, run_of
from lab.studies.shelf import SHIPPED

HALVED = 1_000_000  # parameters, from which on the shipped weights are halved, to keep the repository small
DATASET = "MNIST"
TAG = "reproduce"  # of the runs of a study: so that they are found again, and are never deleted as old
AGAIN = 3  # times that a median seed's weights are looked for by training it once more

Say = Callable[[str], None]


def reproduce(
    wanted: Sequence[Subject], device: torch.device, side_by_side: int, seeds: Sequence[int] | None, say: Say
) -> None:
    """Train what is missing, keep it, and ship the median seeds' weights.

    `seeds`: instead of all that are planned. Raises LabError for what is not planned, before anything is trained, when
    a run fails, or when another process is at it with the same files.
    """
    planned = {subject: seeds_of(subject) for subject in wanted}
    for subject, allowed in planned.items():
        if surplus := sorted(set(seeds or ()) - set(allowed)):
            raise LabError(
                f"{subject.name}: seed {surplus[0]} is not one of the {plural(len(allowed), 'seed')} planned, "
                f"1 to {allowed[-1]}; leave it out, or change the number in {path()} before the test set is read"
            )
    lab_home().mkdir(parents=True, exist_ok=True)
    lock = FileLock(lab_home() / "reproduce.lock", timeout=0)
    try:
        with lock:
            _reproduce({subject: seeds or all_of for subject, all_of in planned.items()}, device, side_by_side, say)
    except Timeout:
        raise LabError(f"{lock.lock_file}: another reproduce is at work here; wait for it or stop it") from None


def _reproduce(wanted: Mapping[Subject, Sequence[int]], device: torch.device, side_by_side: int, say: Say) -> None:
    failures: list[str] = []
    for subject, seeds in wanted.items():
        missing = study_of(subject).missing(seeds)
        failures += _train(subject, missing, device, side_by_side, say)
        for _ in range(AGAIN):
            if not subject.slug or not study_of(subject).runs or ship(subject, say):
                break
            median = median_run(study_of(subject).runs).seed
            failures += _train(subject, [median], device, side_by_side, say, anew=True)
    if failures:
        raise LabError(f"{plural(len(failures), 'run')} failed; the first: {failures[0]}")


def study_of(subject: Subject) -> Study:
    """Its study as far as it has come. Raises CheckpointError when the file is of another network or recipe."""
    path = path_of(subject.name)
    fresh = Study(subject.name, subject.architecture, replace(subject.recipe, seed=Recipe.seed), DATASET, 0)
    if not path.is_file():
        return fresh
    found = read_study(path)
    if (found.architecture, replace(found.recipe, seed=Recipe.seed)) != (fresh.architecture, fresh.recipe):
        raise CheckpointError(f"{path}: this study is of another network or recipe than {subject.name}; move it away")
    return found


def _runs_of(store: RunStore, subject: Subject) -> dict[int, Run]:
    """The runs that have been submitted for it, the newest of each seed."""
    found: dict[int, Run] = {}
    for run in (each for each in store.runs(limit=ALL) if TAG in each.tags):
        asked = replace(subject.recipe, seed=run.seed)
        if (run.architecture, run.recipe) == (subject.architecture, asked):
            found.setdefault(run.seed, run)
    return found


def folder_of(subject: Subject, seed: int) -> Path | None:
    """Where the files of its newest run with that seed are, the weights among them; None where there was none."""
    store = RunStore(lab_home())
    run = _runs_of(store, subject).get(seed)
    return store.folder / run.id if run else None


def _train(
    subject: Subject, seeds: Sequence[int], device: torch.device, side_by_side: int, say: Say, anew: bool = False
) -> list[str]:
    """Train the subject with these seeds, and add each run to its study as soon as it is done; returns what failed."""
    if not seeds:
        return []
    store = RunStore(lab_home())
    known = {
        seed: run
        for seed, run in _runs_of(store, subject).items()
        if seed in seeds and not anew and (run.status != "finished" or (store.folder / run.id / "last.json").is_file())
    }
    runs = [store.resume(run.id) if run.status in RESUMABLE else run for run in known.values()]
    if fresh := [seed for seed in seeds if seed not in known]:
        submitted = submit(
            store, subject.architecture, subject.recipe, slug=subject.slug, dataset=DATASET, device=device.type,
            seeds=fresh, side_by_side=side_by_side, by=MACHINE,
        )  # fmt: skip
        runs += [store.set_tags(run.id, [TAG]) for run in submitted]
    failures = list[str]()
    for news in watched(store, runs):
        for run, record in news.epochs:
            done = f"epoch {record.epoch + 1} of {run.epochs}, train {record.train_accuracy:.2%}"
            say(f"{subject.name}, seed {run.seed}: {done}")
        for run in news.ended:
            if run.status == "finished":
                say(f"{subject.name}, seed {run.seed}: {_add(subject, run.seed, store.folder / run.id, say):.2%}")
            else:
                failures.append(f"{subject.name}, seed {run.seed}: {run.error or run.status}")
                say(failures[-1])
    return failures


def _add(subject: Subject, seed: int, folder: Path, say: Say) -> float:
    """Add a run that is done to its study, with the images that it misreads; returns its last test accuracy."""
    card = read_card(folder / "last.json")
    study = replace(study_of(subject), train_images=card.train_images)
    run = replace(run_of(card), mistakes=misread(folder / "last"))
    if told := mistakes_against(run, card.test_images):
        say(f"{subject.name}, seed {seed}: its mistakes are not kept: {told}")
        run = replace(run, mistakes=None)
    write_study(study.with_run(run), path_of(subject.name))
    return run.last


def misread(stem: Path) -> tuple[int, ...]:
    """The test images that a checkpoint misreads, counted from 0, in rising order."""
    network, card = load(stem)
    found = predict(network, examples(load_split(card.dataset, "test"), torch.device("cpu")), normalisation_of(card))
    return tuple(np.flatnonzero(found.predicted != found.labels).tolist())


def ship(subject: Subject, say: Say) -> bool:
    """Put the median seed's checkpoint into checkpoints/; False when its weights are not here."""
    study = study_of(subject)
    median = median_run(study.runs)
    if _is_shipped(subject, median):
        return True
    folder = folder_of(subject, median.seed)
    if folder is None:
        return False
    try:
        card = read_card(folder / "last.json")
    except CheckpointError as error:
        if (folder / "last.json").exists():
            say(f"{subject.slug}, seed {median.seed}: its checkpoint cannot be read, so it is trained again: {error}")
        return False
    if not _is_of(card, median) or card.epoch != subject.recipe.epochs - 1:
        return False
    if card.parameters >= HALVED:
        halve(folder / "last", SHIPPED, subject.slug)
    else:
        for ending in ("safetensors", "json"):
            shutil.copyfile(folder / f"last.{ending}", SHIPPED / f"{subject.slug}.{ending}")
    say(f"{subject.slug}: seed {median.seed} is the median of {len(study.runs)} and ships, {median.last:.2%}")
    return True


def halve(stem: Path, folder: Path, name: str) -> Card:
    """Save a checkpoint again with its weights in half precision; the card tells what those do on the test set."""
    network, card = load(stem)
    weights = {key: each.half() if each.is_floating_point() else each for key, each in network.state_dict().items()}
    network.load_state_dict(weights)  # rounded, and float32 again
    test = examples(load_split(card.dataset, "test"), torch.device("cpu"))
    loss, accuracy = evaluate(network, test, normalisation_of(card))
    record = replace(card.record, test_loss=loss, test_accuracy=accuracy)
    history = (*card.history[: card.epoch], record, *card.history[card.epoch + 1 :])
    return save(folder, name, weights, replace(card, history=history, stored="float16"))


def _is_shipped(subject: Subject, median: SeedRun) -> bool:
    try:
        card = read_card(SHIPPED / f"{subject.slug}.json")
    except CheckpointError:
        return False
    return _is_of(card, median)


def _is_of(card: Card, run: SeedRun) -> bool:
    """Whether the card is of this run, whose figures are rounded. Half precision changes those of its last epoch."""
    same = [
        math.isclose(one, other, abs_tol=1e-5)
        for epoch, (one, other) in enumerate(zip(card.test_accuracies, run.test_accuracies, strict=False))
        if card.stored == "float32" or epoch != card.epoch
    ]
    return card.recipe.seed == run.seed and len(card.history) == len(run.history) and all(same)


def unfinished(wanted: Sequence[Subject]) -> Iterator[str]:
    """What is still to be trained, in words; of a study of an earlier recipe or plan, why it cannot go on."""
    for subject in wanted:
        try:
            planned = seeds_of(subject)
            missing = study_of(subject).missing(planned)
        except CheckpointError as error:
            yield str(error)
            continue
        if missing:
            yield f"{subject.name}: {len(missing)} of {plural(len(planned), 'seed')}"
