"""What a report is written from: one record of facts about one entry or several. `page` only puts it into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean

from core.architecture.pytorch_code import pytorch_code
from core.architecture.trace import Trace, classifier
from core.training.recipe_difference import recipe_fields
from lab.studies.entries import Entry
from lab.ui.checkpoints import Kept, kept_of
from lab.ui.comparison import Differences, differences, verdict
from lab.ui.comparison_figure import QUANTITIES, Shown, line
from lab.ui.outcome import Condition, Outcome, conditions_of, how_measured_of, outcome_of
from lab.ui.report.figures import chart


@dataclass(frozen=True)
class Part:
    """The facts of one entry."""

    shown: Shown
    walked: Trace
    conditions: Sequence[Condition]
    how_measured: str
    outcome: Outcome
    means: tuple[float, ...]  # test accuracy after each epoch, over the seeds
    recipe: Sequence[tuple[str, str]]
    code: str
    kept: Sequence[Kept]

    @property
    def entry(self) -> Entry:
        return self.shown.entry

    def kept_of(self, seed: int) -> Kept | None:
        """The checkpoint of that seed's run."""
        return next((each for each in self.kept if each.card and each.card.recipe.seed == seed), None)


@dataclass(frozen=True)
class Chart:
    """A quantity against the epochs, of all entries."""

    svg: str
    alt: str


@dataclass(frozen=True)
class Pair:
    """An entry compared with the first one."""

    first: Shown
    second: Shown
    verdict: Sequence[str]
    differences: Differences


@dataclass(frozen=True)
class Facts:
    """All that a report says."""

    parts: Sequence[Part]
    charts: Sequence[Chart]
    pairs: Sequence[Pair]

    @property
    def banded(self) -> bool:
        """Whether a chart has the band of several seeds."""
        return any(len(part.entry.runs) > 1 for part in self.parts)


def facts_of(shown: Sequence[Shown]) -> Facts:
    """The facts about these entries, of which the first is what the others are compared with."""
    pairs = [Pair(shown[0], each, verdict(shown[0], each), differences(shown[0], each)) for each in shown[1:]]
    return Facts([_part(each) for each in shown], _charts(shown), pairs)


def _part(shown: Shown) -> Part:
    entry = shown.entry
    by_epoch = zip_longest(*([record.test_accuracy for record in run.history] for run in entry.runs))
    return Part(
        shown=shown,
        walked=classifier(entry.architecture),
        conditions=conditions_of(entry),
        how_measured=how_measured_of(entry),
        outcome=outcome_of(entry),
        means=tuple(fmean(value for value in values if value is not None) for values in by_epoch),
        recipe=recipe_fields(entry.recipe),
        code=pytorch_code(entry.architecture),
        kept=kept_of(entry),
    )


def _charts(shown: Sequence[Shown]) -> list[Chart]:
    """Test accuracy and train accuracy, whole and from 98% on, and test loss, as far as there are values."""
    found = []
    for name in ("test accuracy", "train accuracy", "test loss"):
        quantity = QUANTITIES[name]
        lines = [
            line(each.letter, each.entry.name, each.look, [run.history for run in each.entry.runs], quantity)
            for each in shown
        ]
        for close in (False, True) if quantity.accuracy else (False,):
            part = ", from 98 to 100%" if close else ""
            alt = f"{name.capitalize()}{part} against the epochs of {', '.join(each.letter for each in shown)}"
            if svg := chart(lines, quantity, alt, close, shown[0].entry.challenge.accuracy):
                found.append(Chart(svg, alt))
    return found
