"""Searches under way: the supervisor comes here each second, and queues the next tries.

All that is known stands in the store, so a search goes on after a restart as if nothing had happened: each try is one
row beside its run, written in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.architecture.spec import Architecture
from core.errors import LabError, SearchError
from core.search.proposing import GUESSING, Told, propose
from core.search.space import SearchSpec, check_search, searched
from core.training.recipe import Recipe
from lab.runs import actions
from lab.runs.person import Person, owns
from lab.runs.searches import (
    Search,
    Try,
    add_search,
    add_try,
    search_of,
    set_error,
    set_stopped,
    tries_of,
    unfinished_searches,
)
from lab.runs.store import RunStore
from lab.runs.supervisor import ensure_workers, slots_of
from lab.settings import settings

AT_ONCE = 4  # tries, at most: each is chosen by what those before it came to
HOPELESS = 5  # first tries that have all failed: the search ends


def start_search(
    store: RunStore,
    architecture: Architecture,
    recipe: Recipe,
    spec: SearchSpec,
    *,
    dataset: str = "MNIST",
    device: str = "auto",
    by: Person,
) -> Search:
    """Check everything again, keep the search, and queue its first tries. Raises LabError."""
    recipe = searched(recipe)
    check_search(spec, architecture, recipe)
    first = propose(spec, architecture, recipe, ())
    actions.checked(store, first.architecture, first.recipe, dataset=dataset, device=device, by=by)
    search = add_search(store, architecture, recipe, spec, dataset, device, by)
    _advance(store, search)
    return search


def stop_search(store: RunStore, search_id: str, by: Person) -> None:
    """End a search: its waiting tries at once, those that train at their next iteration. Raises RunError."""
    search = _own(store, search_id, by)
    set_stopped(store, search.id, True)
    for each in tries_of(store, search.id):
        if each.run and each.unfinished:
            store.request_stop(each.run.id)


def go_on(store: RunStore, search_id: str, by: Person) -> None:
    """Let a search that has ended early go on, with the tries that were stopped. Raises RunError."""
    search = _own(store, search_id, by)
    for each in tries_of(store, search.id):
        if each.run and each.run.status in ("stopped", "interrupted"):
            store.resume(each.run.id)
    set_stopped(store, search.id, False)
    ensure_workers(store, search.device)


def _own(store: RunStore, search_id: str, by: Person) -> Search:
    search = search_of(store, search_id)
    if not owns(by, search.owner_key):
        raise SearchError(f"search {search.id} is somebody else's: only its owner, or the teacher, can change it")
    return search


def advance(store: RunStore) -> None:
    """Queue the next tries of all searches. Raises RunError where the store cannot be written."""
    for search in unfinished_searches(store):
        _advance(store, search)


def _advance(store: RunStore, search: Search) -> None:
    tries = tries_of(store, search.id)
    for _ in range(at_once(store, search.owner_key, search.device) - sum(each.unfinished for each in tries)):
        if len(tries) >= search.tries or store.waiting_of(search.owner_key) >= settings().most_waiting:
            return
        try:
            _check_hope(tries)
            told = [_told(each) for each in tries]
            found = propose(search.spec, search.architecture, search.recipe, told)
            new = actions.checked(
                store,
                found.architecture,
                found.recipe,
                dataset=search.dataset,
                device=search.device,
                by=search.person,
            )
        except LabError as error:
            set_error(store, search.id, str(error))
            return
        run = add_try(store, search, len(tries), new, found.choices)
        if run is None:
            return
        tries.append(Try(len(tries), found.choices, run, None))
        ensure_workers(store, search.device)


def at_once(store: RunStore, owner_key: str, device: str = "auto") -> int:
    """How many tries train at a time: as many as the device and the person's share of it allow, at most AT_ONCE."""
    share = settings().runs_a_person if owner_key else AT_ONCE
    return max(1, min(AT_ONCE, share, slots_of(store, device)))


def _check_hope(tries: Sequence[Try]) -> None:
    failed = [each.run for each in tries if each.run and each.run.status == "failed"]
    if len(tries) == len(failed) >= HOPELESS:
        raise SearchError(f"the first {len(failed)} tries have all failed, the last one so: {failed[-1].error}")


def _told(each: Try) -> Told:
    """What the sampler is told: a failed try is as bad as guessing, one that is stopped counts as still training."""
    ended = each.run is not None and each.run.status in ("finished", "failed")
    return Told(each.choices, each.parameters, (each.loss or GUESSING) if ended else None)
