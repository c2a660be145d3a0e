"""What the store knows of searches: what was asked for, and which runs are their tries."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

from core.analysis.study import pareto_front
from core.architecture.json_form import architecture_to_json
from core.architecture.spec import Architecture
from core.errors import RunError, SearchError
from core.record import parse, read, short, to_json, write
from core.search.space import Choices, SearchSpec
from core.training.history import EpochRecord
from core.training.recipe import Recipe, recipe_to_json
from lab.runs.person import Person
from lab.runs.reasons import public
from lab.runs.rows import NewRun, Run, Trained
from lab.runs.store import RunStore, insert


@dataclass(frozen=True)
class Search(Trained):
    """A search, with the network and recipe that it starts from."""

    id: str
    created: float
    owner: str  # the nickname
    owner_key: str
    teacher: bool
    architecture_json: str
    recipe_json: str
    spec_json: str
    dataset: str
    device: str
    tries: int  # as planned
    stopped: bool
    error: str  # why it has ended before its last try, or ""

    @property
    def spec(self) -> SearchSpec:
        """What was asked for. Raises SearchError for a damaged row."""
        return read(SearchSpec, parse(self.spec_json, "the search", SearchError), "the search", SearchError)

    @property
    def person(self) -> Person:
        """Who started it."""
        return Person(self.owner_key, self.owner, self.teacher)


@dataclass(frozen=True)
class Try:
    """One network of a search."""

    number: int  # from 0
    choices: Choices
    run: Run | None  # None: deleted
    last: EpochRecord | None  # the run's last epoch so far

    @property
    def unfinished(self) -> bool:
        return self.run is not None and self.run.unfinished

    @property
    def parameters(self) -> int:
        return self.run.parameters if self.run else 0

    @property
    def loss(self) -> float | None:
        """After the last epoch of a finished run, on held-out images; None where there is no such figure."""
        if self.run is None or self.run.status != "finished" or self.last is None:
            return None
        return self.last.held_out_loss if math.isfinite(self.last.held_out_loss) else None


COLUMNS = ", ".join(field.name.removesuffix("_json") for field in fields(Search))
TRIED = "(SELECT count(*) FROM tries WHERE search = searches.id)"


def add_search(
    store: RunStore, architecture: Architecture, recipe: Recipe, spec: SearchSpec, dataset: str, device: str, by: Person
) -> Search:
    """Keeps a search; `searching` trains its tries."""
    values = (
        *(secrets.token_hex(8), time.time(), by.nickname, by.key, int(by.teacher), architecture_to_json(architecture)),
        *(recipe_to_json(recipe), to_json(write(spec)), dataset, device, spec.tries, 0, ""),
    )
    store.change(f"INSERT INTO searches ({COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)
    return search_of(store, str(values[0]))


def search_of(store: RunStore, search_id: str) -> Search:
    """The search with this id. Raises RunError."""
    if not (found := _searches(store, "id = ?", search_id)):
        raise RunError(f"there is no search {short(search_id)} here")
    return found[0]


def unfinished_searches(store: RunStore) -> list[Search]:
    """Those that still have tries to begin, the oldest first."""
    return _searches(store, f"NOT stopped AND error = '' AND {TRIED} < tries")


def searches_by(store: RunStore, owner_key: str) -> list[Search]:
    """Somebody's searches, the oldest first."""
    return _searches(store, "owner_key = ?", owner_key)


def _searches(store: RunStore, where: str, *values: object) -> list[Search]:
    rows = store.rows(f"SELECT {COLUMNS} FROM searches WHERE {where} ORDER BY created", values)
    return [Search(*row) for row in rows]


def tries_of(store: RunStore, search_id: str) -> list[Try]:
    """The tries so far, in order."""
    rows = store.rows("SELECT number, run, choices FROM tries WHERE search = ? ORDER BY number", (search_id,))
    theirs = store.rows("SELECT * FROM runs WHERE id IN (SELECT run FROM tries WHERE search = ?)", (search_id,))
    runs = {run.id: run for run in store.sound(theirs)}
    last = store.last_epochs(list(runs))
    return [Try(row["number"], _choices(row["choices"]), runs.get(row["run"]), last.get(row["run"])) for row in rows]


def _choices(text: str) -> Choices:
    """The choices that a row has; of a damaged one what is left."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    chosen = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in chosen if isinstance(value, str | int | float)}


def add_try(store: RunStore, search: Search, number: int, new: NewRun, choices: Choices) -> Run | None:
    """Queues the run of that number, with what it is; None where another process was first, or the search is over."""
    with store.writing() as connection:
        going_on = connection.execute(
            f"SELECT 1 FROM searches WHERE id = ? AND NOT stopped AND error = '' AND {TRIED} = ? AND tries > ?",
            (search.id, number, number),
        ).fetchone()
        if going_on is None:
            return None
        run = insert(connection, new, "")
        connection.execute("INSERT INTO tries VALUES (?, ?, ?, ?)", (search.id, number, run.id, json.dumps(choices)))
    return run


def set_stopped(store: RunStore, search_id: str, stopped: bool) -> None:
    """Ends a search, or lets it go on."""
    store.change("UPDATE searches SET stopped = ?, error = '' WHERE id = ?", (int(stopped), search_id))


def set_error(store: RunStore, search_id: str, error: str) -> None:
    """Ends a search that cannot go on, and says why."""
    store.change("UPDATE searches SET error = ? WHERE id = ?", (public(error), search_id))


def front(tries: Sequence[Try]) -> list[Try]:
    """The finished tries for which no other has at most as many parameters and a lower held-out loss, the smallest
    first."""
    done = [each for each in tries if each.loss is not None]
    return [done[index] for index in pareto_front([(each.parameters, -(each.loss or 0.0)) for each in done])]


def is_under_way(search: Search, tries: Sequence[Try]) -> bool:
    """Whether tries train, wait, or are still to come."""
    ended = search.stopped or bool(search.error) or len(tries) >= search.tries
    return not ended or any(each.unfinished for each in tries)
