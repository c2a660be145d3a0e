"""The challenge board: every finished run against the three conditions, the best first. No Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from core.analysis.study import SeedRun, Summary, pareto_front
from core.architecture.trace import classifier
from core.challenge import CHALLENGE, Challenge, Conditions
from core.errors import LabError
from core.ladder import catalogue
from core.ladder.catalogue import mark
from core.training.history import EpochRecord
from lab.runs.rows import Run
from lab.studies.results import EARLIER, outdated, standing, studies, summarised

LIMIT = 2_000  # rows of the store that are looked at: more than a class makes in a term

Histories = Callable[[Run], Sequence[EpochRecord]]


@dataclass(frozen=True)
class Standing:
    """One finished run, or the finished runs of a seed group, before the challenge."""

    key: str  # what the URL of Compare calls it
    run: str  # the id of its first run, for Train
    name: str
    owner: str
    tags: tuple[str, ...]
    dataset: str
    parameters: int
    epochs: int
    figures: Summary
    ended: float  # seconds since 1970
    note: str = ""  # what else one should know

    @property
    def challenge(self) -> Conditions:
        """The challenge's three conditions, for its runs."""
        return standing(self.parameters, self.figures)

    @property
    def passed(self) -> bool:
        """Whether the run meets the challenge; of several seeds, whether more than half of them do."""
        return self.challenge.mostly_met

    @property
    def who(self) -> str:
        """The nickname, or where there is none the network's name."""
        return self.owner or self.name


def standings(
    rows: Iterable[Sequence[Run]], history: Histories, challenge: Challenge = CHALLENGE
) -> tuple[Standing, ...]:
    """The finished training runs among the rows of a table, ranked: who meets more conditions, then the smaller.

    Of two that miss the challenge by as many conditions, the one that holds more.
    """
    found = [each for members in rows if (each := _standing(members, history, challenge)) is not None]
    return tuple(sorted(found, key=_rank))


def _rank(each: Standing) -> tuple[float, ...]:
    if each.passed:
        return (0, each.parameters, -each.figures.held, each.ended)
    return (3 - each.challenge.met, -each.figures.held, each.parameters, each.ended)


def _standing(members: Sequence[Run], history: Histories, challenge: Challenge) -> Standing | None:
    finished = [run for run in members if run.kind == "train" and run.status == "finished"]
    runs = [SeedRun(run.seed, tuple(history(run)), run.device_name, "", "") for run in finished]
    first = next(iter(finished), None)
    early = first is not None and _stops_early(first)
    figures = summarised([run for run in runs if run.history], early, challenge)
    if figures is None or first is None:
        return None
    return Standing(
        key=first.job,
        run=first.id,
        name=first.name,
        owner=first.owner,
        tags=first.tags,
        dataset=first.dataset,
        parameters=first.parameters,
        epochs=max(len(run.history) for run in runs),
        figures=figures,
        ended=max(run.ended or 0.0 for run in finished),
        note=_note(finished),
    )


def _note(finished: Sequence[Run]) -> str:
    """What a figure on the board should not hide."""
    told = ["its recipe watches the test figures, which flatters"] if _watches_test(finished[0]) else []
    if any(run.rate_changes for run in finished):
        told.append("its rate was changed by hand")
    return "; ".join(told)


def _stops_early(run: Run) -> bool:
    """Whether its recipe lets it end before its last epoch; of a damaged one that is not known."""
    with suppress(LabError):
        return run.recipe.early_stopping is not None
    return False


def _watches_test(run: Run) -> bool:
    """Whether its recipe lets the test set have a say; of a damaged one that is not known."""
    with suppress(LabError):
        return run.recipe.watches_test
    return False


def front(ranked: Sequence[Standing]) -> list[Standing]:
    """Those that no other beats, which costs no more parameters and holds more; by rising parameters."""
    return [ranked[index] for index in pareto_front([(each.parameters, each.figures.held) for each in ranked])]


def chosen(ranked: Sequence[Standing], nickname: str = "", tag: str = "") -> tuple[Standing, ...]:
    """Those of one nickname and with one tag; "" takes all."""
    return tuple(each for each in ranked if nickname in ("", each.owner) and (not tag or tag in each.tags))


def ladder(challenge: Challenge = CHALLENGE) -> tuple[Standing, ...]:
    """The ladder's measured steps as they would stand here, for orientation."""
    steps, found = {step.slug: mark(step) for step in catalogue.LADDER}, studies()
    measured = [
        (study, figures) for study in found.values() if (figures := summarised(study.runs, challenge=challenge))
    ]
    return tuple(
        Standing(
            study.name, "", steps[study.name], "", (), study.dataset, classifier(study.architecture).parameters,
            len(study.runs[0].history), figures, 0.0, EARLIER if outdated(study) else "",
        )
        for study, figures in measured
        if study.name in steps
    )  # fmt: skip
