"""What can be compared: a run of the store, the runs of a seed group, or a shipped study; each is one entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from core.analysis.study import SeedRun, Study, Summary, median_run
from core.architecture.spec import Architecture
from core.architecture.trace import trace
from core.challenge import CHALLENGE, Challenge
from core.checkpoints.card import Imported
from core.errors import RunError
from core.ladder.relatives import EXTRAS
from core.record import short
from core.training.history import stopped_early
from core.training.recipe import Recipe
from lab.runs.challenge import challenge_now
from lab.runs.rows import Run
from lab.runs.store import RunStore
from lab.studies import own_ladder
from lab.studies.results import run_of, studies, summarised, titles, why_unreadable
from lab.studies.shelf import IMPORTED, Shelved, own, piece_of, shipped
from lab.studies.shelf import find as find_checkpoint

MOST = 8  # entries in one comparison: more lines than that cannot be told apart


@dataclass(frozen=True)
class Entry:
    """One or several runs of one network and recipe that differ in their seeds only."""

    key: str  # what a URL calls it: a run's id, a seed group, or the name of a study
    name: str
    slug: str  # the step of the ladder, or ""
    architecture: Architecture
    recipe: Recipe  # of several runs, its seed is the first one's
    dataset: str
    parameters: int
    runs: tuple[SeedRun, ...]  # those that have an epoch, by seed
    members: tuple[Run, ...] = ()  # the store's rows; none of a study
    imported: Imported | None = None  # of weights from elsewhere: there are no runs, and the recipe is not known
    challenge: Challenge = CHALLENGE  # that its runs are held against

    @property
    def shipped(self) -> bool:
        return not self.members and self.imported is None

    @property
    def owner(self) -> str:
        """The nickname, or ""."""
        if self.imported:
            return self.imported.by
        return self.members[0].owner if self.members else ""

    @property
    def accuracy(self) -> float | None:
        """On the test set after the last epoch, the mean of the seeds; of imported weights their one figure."""
        if self.imported:
            return self.imported.test_accuracy
        return self.summary.mean if self.summary else None

    @property
    def tags(self) -> tuple[str, ...]:
        return self.members[0].tags if self.members else ()

    @property
    def unfinished(self) -> bool:
        """Whether any of its runs waits or trains."""
        return any(run.unfinished for run in self.members)

    @property
    def ended(self) -> tuple[SeedRun, ...]:
        """The runs that will have no more epochs: of these the longest ones and those that stopped early, which alone
        can be taken together."""
        under_way = {run.seed for run in self.members if run.unfinished}
        over = [run for run in self.runs if run.seed not in under_way]
        longest = max((len(run.history) for run in over), default=0)
        early = self.recipe.early_stopping
        return tuple(run for run in over if len(run.history) == longest or stopped_early(early, run.history))

    @property
    def summary(self) -> Summary | None:
        """The figures of the ended runs; of a lonely one that still trains, its figures so far."""
        runs = self.ended or (self.runs if len(self.runs) == 1 else ())
        return summarised(runs, self.recipe.early_stopping is not None, self.challenge)


def keys_in(wanted: str) -> list[str]:
    """The keys that ?runs=A,B,C names, each once. Raises RunError for more than can be compared."""
    keys = list(dict.fromkeys(key.strip() for key in wanted.split(",") if key.strip()))
    if len(keys) > MOST:
        raise RunError(f"?runs= names {len(keys):,} runs; at most {MOST} can be compared at once")
    return keys


def find(store: RunStore, key: str) -> Entry:
    """The entry of that key. Raises RunError for one that is neither here nor shipped, or is a range test."""
    members = list[Run]()
    with suppress(RunError):
        members = store.job(key)
    if members:
        if members[0].kind != "train":
            raise RunError(f"run {members[0].id} is a range test; only training runs can be compared")
        return of_runs(store, members, key)
    if entry := _of_shipped(key):
        return replace(entry, challenge=challenge_now(store))
    if key.startswith(IMPORTED):
        return replace(_of_imported(find_checkpoint(key)), challenge=challenge_now(store))
    if reason := why_unreadable(key):
        raise RunError(f"the study {short(key)} cannot be read: {reason}")
    raise RunError(f"there is no run, no group of runs and no shipped study {short(key)} here")


def of_runs(store: RunStore, members: Sequence[Run], key: str) -> Entry:
    """The entry of one run, or of the runs of a group. Raises LabError for one whose network or recipe is damaged."""
    first = members[0]
    return Entry(
        key=key,
        name=first.name,
        slug=first.slug,
        architecture=first.architecture,
        recipe=recipe_of(first),
        dataset=first.dataset,
        parameters=first.parameters,
        runs=tuple(run for member in members if (run := seed_run(store, member)).history),
        members=tuple(members),
        challenge=challenge_now(store),
    )


def seed_run(store: RunStore, run: Run) -> SeedRun:
    """A run of the store as a study would hold it; its history may be empty."""
    created = datetime.fromtimestamp(run.created, UTC).isoformat(timespec="seconds")
    return SeedRun(run.seed, tuple(store.epochs(run.id)), run.device_name, "unknown", created)


def recipe_of(run: Run) -> Recipe:
    """The recipe that was followed: where a range test found the learning rate, with that one."""
    found = run.learning_rate_found
    return replace(run.recipe, learning_rate=found) if found else run.recipe


def of_studies() -> list[Entry]:
    """The shipped studies, and the shipped checkpoints of the steps that have none, in the order of the ladder."""
    names = dict.fromkeys([*studies(), *(shelved.card.slug for shelved in shipped() if shelved.card.slug)])
    found = [entry for name in names if (entry := _of_shipped(name)) is not None]
    order = {step.slug: place for place, step in enumerate((*own_ladder.ladder(), *EXTRAS))}
    return sorted(found, key=lambda entry: (order.get(entry.key, len(order)), entry.key))


def _of_shipped(name: str) -> Entry | None:
    """The study of that name, or the run of the shipped checkpoint of that step; None where there is neither."""
    found = studies().get(name) or next((each.card for each in shipped() if name and each.card.slug == name), None)
    if found is None:
        return None
    runs, title = (found.runs, name) if isinstance(found, Study) else ((run_of(found),), found.name)
    parameters = trace(found.architecture).parameters
    title = titles().get(name, title)
    return Entry(name, title, name, found.architecture, found.recipe, found.dataset, parameters, runs)


def _of_imported(shelved: Shelved) -> Entry:
    card, parameters = shelved.card, shelved.card.parameters
    return Entry(
        shelved.reference,
        card.name,
        "",
        card.architecture,
        card.recipe,
        card.dataset,
        parameters,
        (),
        imported=card.imported,
    )


def menu(store: RunStore, limit: int = 300) -> dict[str, str]:
    """What can be chosen, by key, as a menu shows it: the latest runs first, then the shipped studies."""
    rows = [members for members in store.entries(limit) if members[0].kind == "train"]
    shown = {members[0].job: label_of(members) for members in rows}
    shown |= {each.reference: f"{each.card.name} · imported" for each in own() if each.card.imported}
    shown |= {entry.key: f"{entry.name} · shipped, n {len(entry.runs)}" for entry in of_studies()}
    said = Counter(shown.values())
    return {key: f"{text} · {piece_of(key)}" if said[text] > 1 else text for key, text in shown.items()}


def label_of(members: Sequence[Run]) -> str:
    """Runs in a menu that can be searched: name, whose, how many seeds, and tags."""
    first = members[0]
    many = f"{len(members)} seeds" if len(members) > 1 else f"seed {first.seed}"
    return " · ".join(part for part in (first.name, first.owner, many, *first.tags) if part)


def checkpoint_of(entry: Entry) -> str:
    """The reference of the weights that stand for the entry: of several runs, those of the median one."""
    if not entry.members:
        return entry.key
    if not entry.ended:
        return f"{entry.members[0].id}/last"
    seed = median_run(entry.ended).seed
    return next(f"{run.id}/last" for run in entry.members if run.seed == seed)
