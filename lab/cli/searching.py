"""The command that searches for a network."""

from __future__ import annotations

import argparse
import time
from dataclasses import fields, replace

from core.errors import LabError, RunError
from core.record import Json, short
from core.search.choice_words import choice_words
from core.search.space import SearchSpec, Space
from core.words import loss_words, percent, plural
from lab.cli.data import obtain
from lab.cli.networks import with_recipe
from lab.runs import supervisor
from lab.runs.person import MACHINE
from lab.runs.searches import Search, Try, front, is_under_way, search_of, tries_of
from lab.runs.searching import advance, start_search, stop_search
from lab.runs.store import RunStore
from lab.runs.watching import LOOK_SECONDS
from lab.settings import lab_home

MAY_VARY = tuple(field.name for field in fields(Space) if isinstance(field.default, bool))


def search_command(options: argparse.Namespace) -> Json:
    """Search, and print each try as it ends and at last the front. Raises LabError where no try has finished."""
    if unknown := [name for name in options.vary.split(",") if name not in MAY_VARY]:
        raise LabError(f"--vary: {short(unknown[0])} is none of {', '.join(MAY_VARY)}")
    space = Space(**{name: name in options.vary.split(",") for name in MAY_VARY})
    architecture, recipe, _ = with_recipe(options)
    store = RunStore(lab_home())
    search = start_search(
        store, architecture, replace(recipe, epochs=options.epochs), SearchSpec(space, options.budget, options.tries),
        dataset=obtain(options.data), device=options.device, by=MACHINE,
    )  # fmt: skip
    try:
        tries = _follow(store, search, options.json)
    except KeyboardInterrupt:
        stop_search(store, search.id, MACHINE)
        raise
    best = front(tries)
    if not best:
        raise RunError(f"search {search.id}: no try has finished. {search_of(store, search.id).error}")
    if not options.json:
        print("the Pareto front, the largest first:", *map(_line, reversed(best)), sep="\n")
    return {"search": search.id, "dataset": search.dataset, "front": [_document(each) for each in best]}


def _follow(store: RunStore, search: Search, quiet: bool) -> list[Try]:
    told: set[int] = set()
    while True:
        advance(store)
        now, tries = search_of(store, search.id), tries_of(store, search.id)
        for each in tries:
            if each.run and not each.unfinished and each.number not in told:
                told.add(each.number)
                if not quiet:
                    print(_line(each), flush=True)
        if not is_under_way(now, tries):
            return tries
        for run in [each.run for each in tries if each.run and each.unfinished][:1]:
            supervisor.watch(store, run)
            if run.status == "queued" and (why := supervisor.no_worker(store, run)):
                raise RunError(f"{why} The search goes on when the app runs.")
        time.sleep(LOOK_SECONDS)


def _line(each: Try) -> str:
    if each.loss is None or each.last is None:
        return f"try {each.number + 1}: {each.run.status if each.run else 'deleted'}"
    figures = f"loss {loss_words(each.loss)}, {percent(each.last.held_out_accuracy)}"
    return f"try {each.number + 1}: {plural(each.parameters, 'parameter')}, {figures}: {choice_words(each.choices)}"


def _document(each: Try) -> Json:
    return {
        "try": each.number,
        "run": each.run.id if each.run else "",
        "parameters": each.parameters,
        "held_out_loss": each.loss,
        "held_out_accuracy": each.last.held_out_accuracy if each.last else None,
        "choices": dict(each.choices),
    }
