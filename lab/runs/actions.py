"""Submitting runs, acting on them, and keeping workers alive for them. The pages and the command line come here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.architecture.spec import Architecture
from core.architecture.trace import Trace, classifier
from core.data.mnist import DATASETS, data_root, is_present
from core.errors import ChangedError, RunError
from core.record import short
from core.training.recipe import Recipe, check_recipe
from lab.runs.bounds import check_bounds
from lab.runs.machine import read_machine
from lab.runs.person import Person, check_may_change
from lab.runs.rows import RESUMABLE, Kind, NewRun, Pause, Run, new_run
from lab.runs.store import RunStore
from lab.runs.supervisor import ensure_workers
from lab.settings import settings

LABELS = {"name": "name", "owner": "nickname", "tags": "list of tags"}  # in sentences
MAX_SNAPSHOT_PARAMETERS = 100_000  # 0.4 MB an epoch; those of large networks would fill a disk


def submit(
    store: RunStore,
    architecture: Architecture,
    recipe: Recipe,
    *,
    kind: Kind = "train",
    slug: str = "",
    dataset: str = "MNIST",
    device: str = "auto",
    seeds: Sequence[int] = (),
    side_by_side: int = 0,
    by: Person,
    prediction: str = "",
    snapshots: bool = False,
) -> list[Run]:
    """Check everything again, whatever a widget allowed, queue the run, and start a worker. Raises LabError.

    `seeds`: one run for each of them, all of one group; none: one run with the recipe's own seed. A teacher's own run
    has no bounds, and while the teacher has lifted them nobody's has.
    """
    asked = checked(
        store, architecture, recipe, kind=kind, dataset=dataset, device=device, seeds=seeds, by=by, snapshots=snapshots
    )
    _check_waiting(store, by)
    runs = store.submit(replace(asked, slug=slug, prediction=prediction, side_by_side=side_by_side), seeds)
    ensure_workers(store, device)
    return runs


def checked(
    store: RunStore,
    architecture: Architecture,
    recipe: Recipe,
    *,
    kind: Kind = "train",
    dataset: str,
    device: str,
    seeds: Sequence[int] = (),
    by: Person,
    snapshots: bool = False,
) -> NewRun:
    """The run as it may be queued. Raises LabError for one that this server cannot train, or does not."""
    walked = classifier(architecture)
    if architecture.input != (1, 28, 28):
        raise RunError(f"input: the data sets have 1 x 28 x 28 images, the network takes {architecture.input}")
    for seed in seeds or (recipe.seed,):
        check_recipe(replace(recipe, seed=seed))
    if dataset not in DATASETS:
        raise RunError(f"there is no data set {dataset!r}; there are {', '.join(DATASETS)}")
    if not is_present(dataset):
        raise RunError(f"{dataset} is not in {data_root()}; download it first: python -m lab data --download {dataset}")
    if snapshots and walked.parameters >= MAX_SNAPSHOT_PARAMETERS:
        raise RunError(
            f"the weights of every epoch are kept for networks below {MAX_SNAPSHOT_PARAMETERS:,} parameters, "
            f"{short(architecture.name)} has {walked.parameters:,}"
        )
    _check_device(store, device)
    return replace(
        new_run(architecture, replace(recipe, seed=seeds[0]) if seeds else recipe, dataset, kind),
        device=device,
        owner=by.nickname,
        owner_key=by.key,
        bounded=_bounded(store, by, walked, recipe, dataset, kind, max(1, len(seeds))),
        snapshots=snapshots,
    )


def _admitted(store: RunStore, by: Person, walked: Trace, recipe: Recipe, dataset: str, kind: Kind, seeds: int) -> bool:
    """Whether such a run is bounded. Raises RunError for one beyond the bounds, or of somebody who has too many."""
    bounded = _bounded(store, by, walked, recipe, dataset, kind, seeds)
    _check_waiting(store, by)
    return bounded


def _bounded(store: RunStore, by: Person, walked: Trace, recipe: Recipe, dataset: str, kind: Kind, seeds: int) -> bool:
    """Whether such a run is bounded. Raises RunError for one beyond the bounds."""
    bounded = not by.teacher and not store.class_setting("bounds_lifted")
    if bounded:
        check_bounds(walked, recipe, dataset, settings(), kind == "range_test", seeds)
    return bounded


def _check_waiting(store: RunStore, by: Person) -> None:
    """Raises RunError for somebody who has as many runs in the queue as one may."""
    most = settings().most_waiting
    if not by.teacher and by.key and (mine := store.waiting_of(by.key)) >= most:
        raise RunError(f"{mine} of your runs wait already, and at most {most} may; stop one, or wait for one to start")


def _check_device(store: RunStore, device: str) -> None:
    machine = None if settings().ray_address else read_machine(store.folder)
    if device != "auto" and machine and device not in machine.devices:
        raise RunError(f"the device {device} was asked for; this machine has {', '.join(machine.devices)}")


# ---------------------------------------------------------------------- acts on a run: its owner's, or the teacher's


def resume(store: RunStore, job: str, by: Person) -> list[Run]:
    """Queue unfinished runs again, to go on after their last epochs. Raises RunError, ClassError."""
    members = _own(store, job, by)
    _check_device(store, members[0].device)
    _check_waiting(store, by)
    may_go_on = [run for run in members if run.status in RESUMABLE] or members[:1]  # which says why it cannot
    runs = [store.resume(run.id) for run in may_go_on]
    ensure_workers(store, members[0].device)
    return runs


def retry(store: RunStore, job: str, by: Person) -> list[Run]:
    """Queue the same run or group again from its beginning, as the run of the person who asks. Raises LabError."""
    members = store.job(job)
    old = members[0]
    _check_device(store, old.device)
    bounded = _admitted(store, by, classifier(old.architecture), old.recipe, old.dataset, old.kind, len(members))
    runs = store.retry(job, owner=by.nickname, owner_key=by.key, bounded=bounded)
    ensure_workers(store, old.device)
    return runs


def extend(store: RunStore, job: str, seeds: Sequence[int], by: Person) -> list[Run]:
    """Train more seeds of a run's network and recipe; returns all runs of the group. Raises LabError."""
    members = _own(store, job, by)
    first = members[0]
    if first.kind != "train":
        raise RunError(f"run {first.id} is a range test; only training runs can have more seeds")
    for seed in seeds:
        check_recipe(replace(first.recipe, seed=seed))
    total = len(members) + len(seeds)
    _admitted(store, by, classifier(first.architecture), first.recipe, first.dataset, first.kind, total)
    runs = store.extend(job, seeds)
    ensure_workers(store, first.device)
    return runs


def stop(store: RunStore, job: str, by: Person) -> list[Run]:
    """Stop what waits at once, and what trains at its next iteration. Raises RunError, ClassError."""
    return [store.request_stop(run.id) for run in _own(store, job, by)]


def set_pause(store: RunStore, job: str, pause: Pause, by: Person) -> list[Run]:
    """Pause a run, now or at the end of its epoch, or continue it with "". Raises RunError, ClassError."""
    return [store.set_pause(run.id, pause) for run in _own(store, job, by)]


def scale_rate(store: RunStore, job: str, factor: float, by: Person) -> list[Run]:
    """Multiply the learning rates still to come by one more factor. Raises RunError, ClassError."""
    return [store.set_rate_factor(run.id, run.rate_factor * factor) for run in _own(store, job, by)]


def _own(store: RunStore, job: str, by: Person) -> list[Run]:
    return [check_may_change(by, run) for run in store.job(job)]


@dataclass(frozen=True)
class Labels:
    """What people say of a run."""

    name: str
    owner: str  # the nickname
    tags: tuple[str, ...]


def labels_of(run: Run) -> Labels:
    """The labels that a run has now."""
    return Labels(run.name, run.owner, run.tags)


def describe(store: RunStore, run_ids: Sequence[str], by: Person, wanted: Labels, seen: Labels) -> list[Run]:
    """Change the labels of a run, or of the runs of a group, that differ from those that were seen.

    Raises RunError, ClassError, and ChangedError for a label that another tab has changed meanwhile.
    """
    runs = [check_may_change(by, store.get(run_id)) for run_id in run_ids]
    there = labels_of(runs[0])
    acts = {"name": store.rename, "owner": store.set_owner, "tags": store.set_tags}
    changed = {name: getattr(wanted, name) for name in acts if getattr(wanted, name) != getattr(seen, name)}
    for name, value in changed.items():
        if (now := getattr(there, name)) not in (getattr(seen, name), value):
            raise ChangedError(
                f"the {LABELS[name]} was changed to {_told(now)} in another tab; yours, {_told(value)}, is still in "
                "the form: press Save again to replace the other one"
            )
    for run in runs:
        for name, value in changed.items():
            acts[name](run.id, value)
    return [store.get(run.id) for run in runs]


def _told(value: str | tuple[str, ...]) -> str:
    return short(value if isinstance(value, str) else ", ".join(value))


def delete(store: RunStore, run_id: str, by: Person) -> None:
    """Remove a run, its figures and its files. Raises ClassError, RunError while it runs, or for files that stay."""
    run = check_may_change(by, store.get(run_id))
    store.delete(run_id)
    store.delete_files(run.id)
