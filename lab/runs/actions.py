"""Submitting runs, acting on them, and keeping workers alive for them. The pages and the command line come here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from core.architecture.spec import Architecture, architecture_from_json, architecture_to_json
from core.architecture.trace import classifier
from core.data.mnist import DATASETS, data_root, is_present
from core.errors import RunError
from core.record import short
from core.training.recipe import Recipe, check_recipe, recipe_from_json, recipe_to_json
from lab.runs.bounds import check_bounds
from lab.runs.machine import read_machine
from lab.runs.person import Person, check_may_change
from lab.runs.store import Kind, Pause, Run, RunStore
from lab.runs.supervisor import ensure_workers
from lab.settings import settings

MOST_SNAPSHOT_PARAMETERS = 100_000  # 0.4 MB an epoch; those of large networks would fill a disk


def submit(
    store: RunStore,
    architecture: Architecture,
    recipe: Recipe,
    *,
    kind: Kind = "train",
    slug: str = "",
    dataset: str = "MNIST",
    device: str = "auto",
    by: Person,
    prediction: str = "",
    snapshots: bool = False,
) -> Run:
    """Check everything again, whatever a widget allowed, queue the run, and see to a worker. Raises LabError.

    A teacher's own run has no bounds, and while the teacher has lifted them nobody's has.
    """
    walked = classifier(architecture)
    if architecture.input != (1, 28, 28):
        raise RunError(f"input: the data sets have 1 x 28 x 28 images, the network takes {architecture.input}")
    check_recipe(recipe)
    if dataset not in DATASETS:
        raise RunError(f"there is no data set {dataset!r}; there are {', '.join(DATASETS)}")
    if not is_present(dataset):
        raise RunError(f"{dataset} is not in {data_root()}; download it first: python -m lab data --download {dataset}")
    if snapshots and walked.parameters >= MOST_SNAPSHOT_PARAMETERS:
        raise RunError(
            f"the weights of every epoch are kept for networks below {MOST_SNAPSHOT_PARAMETERS:,} parameters, "
            f"{short(architecture.name)} has {walked.parameters:,}"
        )
    _check_device(store, device)
    bounded = not by.teacher and not store.class_setting("bounds_lifted")
    if bounded:
        check_bounds(walked, recipe, dataset, settings(), kind == "range_test")
    _check_waiting(store, by)
    run = store.submit(
        kind=kind,
        slug=slug,
        name=architecture.name,
        architecture=architecture_to_json(architecture),
        recipe=recipe_to_json(recipe),
        dataset=dataset,
        device=device,
        parameters=walked.parameters,
        seed=recipe.seed,
        epochs=recipe.epochs if kind == "train" else 0,
        owner=by.nickname,
        owner_key=by.key,
        bounded=bounded,
        prediction=prediction,
        snapshots=snapshots,
    )
    ensure_workers(store, device)
    return run


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


def resume(store: RunStore, run_id: str, by: Person) -> Run:
    """Queue an unfinished run again, to go on after its last epoch. Raises RunError, ClassError."""
    _check_device(store, check_may_change(by, store.get(run_id)).device)
    _check_waiting(store, by)
    run = store.resume(run_id)
    ensure_workers(store, run.device)
    return run


def retry(store: RunStore, run_id: str, by: Person) -> Run:
    """Queue the same run anew, from its beginning, as a run of whoever asks. Raises LabError."""
    old = store.get(run_id)
    _check_device(store, old.device)
    bounded = not by.teacher and not store.class_setting("bounds_lifted")
    if bounded:
        recipe = recipe_from_json(old.recipe)
        walked = classifier(architecture_from_json(old.architecture))
        check_bounds(walked, recipe, old.dataset, settings(), old.kind == "range_test")
    _check_waiting(store, by)
    run = store.retry(run_id, owner=by.nickname, owner_key=by.key, bounded=bounded)
    ensure_workers(store, run.device)
    return run


def stop(store: RunStore, run_id: str, by: Person) -> Run:
    """Stop a waiting run at once, a running one at its next iteration. Raises RunError, ClassError."""
    check_may_change(by, store.get(run_id))
    return store.request_stop(run_id)


def set_pause(store: RunStore, run_id: str, pause: Pause, by: Person) -> Run:
    """Hold a run, now or at the end of its epoch, or, with "", let it go on. Raises RunError, ClassError."""
    check_may_change(by, store.get(run_id))
    return store.set_pause(run_id, pause)


def scale_rate(store: RunStore, run_id: str, factor: float, by: Person) -> Run:
    """Multiply the learning rates still to come by one more factor. Raises RunError, ClassError."""
    run = check_may_change(by, store.get(run_id))
    return store.set_rate_factor(run_id, run.rate_factor * factor)


def describe(store: RunStore, run_id: str, by: Person, name: str, owner: str, tags: Sequence[str]) -> Run:
    """Give a run its name, nickname and tags. Raises RunError, ClassError."""
    run = check_may_change(by, store.get(run_id))
    if name != run.name:
        run = store.rename(run_id, name)
    if owner != run.owner:
        run = store.set_owner(run_id, owner)
    if list(tags) != list(run.tags):
        run = store.set_tags(run_id, tags)
    return run


def delete(store: RunStore, run_id: str, by: Person) -> None:
    """Remove a run, its figures and its files. Raises ClassError, RunError while it runs, or for files that stay."""
    folder = store.folder / check_may_change(by, store.get(run_id)).id
    store.delete(run_id)
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise RunError(f"{folder}: the run is deleted, its files are not: {error.strerror}") from error
