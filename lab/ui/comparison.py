"""Two entries in words: what differs, whether the difference is real, and what the images show."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from core.analysis.evidence import (
    LEVEL,
    Evidence,
    evidence,
    in_points,
    interval_in_points,
    least_exact_p,
    p_stated,
    seeds_needed,
)
from core.analysis.pairs import Pair, mcnemar, paired_standard_error
from core.analysis.proportion import standard_error
from core.architecture.difference import Change, difference
from core.data.mnist import test_images
from core.training.history import stopped_early
from core.training.recipe_difference import FieldDifference, recipe_differences
from core.words import plural, points_words, rounded, significant
from lab.studies.results import outdated_words, reading, studies, summarised
from lab.ui.comparison_figure import Shown


@dataclass(frozen=True)
class Differences:
    """What was done differently in two entries."""

    ops: tuple[Change, ...]
    fields: tuple[FieldDifference, ...]  # of the recipe
    notes: tuple[str, ...]  # what neither of the two shows


def differences(first: Shown, second: Shown) -> Differences:
    """What is different in the second entry."""
    a, b = first.entry, second.entry
    ops = tuple(row for row in difference(a.architecture, b.architecture) if row.kind != "same")
    fields = () if a.imported or b.imported else recipe_differences(a.recipe, b.recipe)
    return Differences(ops, fields, tuple(other_differences(first, second)))


def verdict(first: Shown, second: Shown) -> list[str]:
    """Whether the difference in accuracy is real, in sentences; nothing where the two cannot be compared."""
    a, b = first.entry, second.entry
    if a.dataset != b.dataset or not (a.ended and b.ended):
        return []
    found = evidence(a.ended, b.ended)
    words = [evidence_words(found, first.letter, second.letter)]
    return [*words, single_words(first, second, found.difference)] if found.test == "single runs" else words


def other_differences(first: Shown, second: Shown) -> list[str]:
    """What neither the network nor the recipe tells: data, seeds, devices, rates that were changed by hand, endings."""
    told = []
    a, b = first.entry, second.entry
    if a.dataset != b.dataset:
        told.append(f"The data differ: {first.letter} {a.dataset}, {second.letter} {b.dataset}.")
    if a.imported or b.imported:
        return told
    seeds = [sorted(run.seed for run in each.runs) for each in (a, b)]
    if seeds[0] != seeds[1]:
        told.append(f"The seeds differ: {first.letter} {_listed(seeds[0])}, {second.letter} {_listed(seeds[1])}.")
    devices = [sorted({run.device for run in each.runs}) for each in (a, b)]
    if devices[0] != devices[1]:
        told.append(f"The devices differ: {first.letter} {_listed(devices[0])}, {second.letter} {_listed(devices[1])}.")
    for each in (first, second):
        if any(run.rate_changes for run in each.entry.members):
            told.append(f"The learning rate of {each.letter} was changed by hand while it ran.")
        ran = max((len(run.history) for run in each.entry.runs), default=0)
        early = each.entry.recipe.early_stopping
        if 0 < ran < each.entry.recipe.epochs and all(stopped_early(early, run.history) for run in each.entry.runs):
            told.append(f"{each.letter} stopped early, after {plural(ran, 'epoch')} of {each.entry.recipe.epochs}.")
        elif ran != each.entry.recipe.epochs:
            told.append(f"{each.letter} has {plural(ran, 'epoch')} of {each.entry.recipe.epochs} so far.")
        study = studies().get(each.entry.key) if each.entry.shipped else None
        if study and (earlier := outdated_words(study)):
            told.append(f"{each.letter}: {earlier}")
        if each.entry.recipe.watches_test:
            told.append(f"The recipe of {each.letter} watches the test figures, which so flatter.")
    return told


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "none"


def evidence_words(found: Evidence, a: str, b: str) -> str:
    """The comparison in two sentences and its reading."""
    size = f"{rounded(abs(100 * found.difference), 2)} points {'better' if found.difference >= 0 else 'worse'}"
    if found.test == "single runs":
        return f"**One run each.** {b} is {size} than {a} in this one."
    how = {
        "paired": f"Over the {found.pairs} seeds that both have (n {found.pairs} pairs), **{b} is {size}** than {a} on "
        "average",
        "unpaired": f"No two seeds are shared, so whole groups are compared: the mean of {found.second} runs of "
        f"**{b} is {size}** than that of {found.first} runs of {a}",
        "one run against several": f"One run against {max(found.first, found.second)}: **{b} is {size}** than {a}, "
        "compared with how far single runs of the larger group lie apart",
    }[found.test]
    interval = ""
    if found.interval:
        interval = f" (95% interval {interval_in_points(found.interval)} points)"
    if found.p is None:
        return f"{how}. The runs of each group are all equal, so no p can be computed."
    name = {"paired": "paired t-test", "unpaired": "Welch's t-test"}.get(found.test, "t-test of one more run")
    chance = (
        f"If there were no difference, one at least this large, up or down, would occur with "
        f"**{p_stated(found.p)}** (two-sided, {name})."
    )
    more = ""
    if found.told == "cannot be told" and (needed := seeds_needed(found)):
        more = f" To show a difference of this size, four times in five, it would take about {needed:,} seeds each."
    if found.pairs and (least := least_exact_p(found.pairs)) > LEVEL:
        more += (
            f" The test assumes normally distributed differences; a test without that assumption could not get below "
            f"p = {significant(least, 4)} with {found.pairs} pairs."
        )
    return f"{how}{interval}. {chance} **Reading: {reading(found)}.**{more}"


def single_words(first: Shown, second: Shown, difference: float) -> str:
    """What one run each can say: the images' noise, and how far seeds lie apart elsewhere."""
    images = test_images(first.entry.dataset)
    errors = [standard_error(each.entry.ended[0].last, images) for each in (first, second)]
    apart = seeds_apart()
    seeds = (
        f" In the shipped studies the runs of one recipe have a standard deviation of {points_words(apart)} "
        "points over "
        f"their seeds; two single runs then differ by {rounded(100 * apart * 2**0.5, 2)} points without any reason."
        if apart
        else ""
    )
    return (
        f"That is {plural(round(abs(difference) * images), 'image')} of {images:,}. Other test images of the same kind "
        f"would move each figure by about ±{points_words(max(errors))} points (binomial standard error).{seeds} "
        "**One run each cannot tell a better recipe from a luckier seed**: train both with several seeds."
    )


def seeds_apart() -> float | None:
    """The median standard deviation over the seeds, of the shipped studies with at least three."""
    figures = [summarised(study.runs) for study in studies().values() if len(study.runs) > 2]
    deviations = [each.sd for each in figures if each and each.sd is not None]
    return statistics.median(deviations) if deviations else None


def image_words(found: Pair, a: str, b: str) -> str:
    """What the images say of two sets of weights."""
    fixed, broken = len(found.fixed), len(found.broken)
    error = paired_standard_error(fixed, broken, found.images)
    return (
        f"**On the images.** {b} corrects {plural(fixed, 'image')} that {a} gets wrong, and gets {broken} wrong that "
        f"{a} gets right: "
        f"{in_points(found.difference)} ± {points_words(error)} points. If each change were as likely to correct as to "
        f"break, a split this uneven would occur with **{p_stated(mcnemar(fixed, broken))}** (two-sided, McNemar's "
        "exact test). This is about these two sets of weights on such images, not about other seeds."
    )
