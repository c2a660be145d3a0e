"""The tables of the README that the studies speak in. They are written by `python -m lab reproduce`, never by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core import catalogue
from core.choices import attempts, goal_words, log_words
from core.errors import CheckpointError
from core.study import Study, summary
from core.trace import classifier
from lab.robustness_table import table
from lab.studies import alike, compared, in_points, in_words, judged, outdated_mark, outdated_ones, p_in_words

README = Path(__file__).resolve().parents[1] / "README.md"
START, END = "<!-- written by python -m lab reproduce: from here -->", "<!-- to here -->"


def ladder_table(studies: Mapping[str, Study]) -> str:
    """A row for each step: claim, last epoch over n seeds, held, best epoch, out of domain, device, verdict."""
    rows = [
        "| step | parameters | claimed, best epoch of one run | last epoch, mean ± sd (n) | held in the last three "
        "| best epoch, mean (chosen on the test set) | other people's digits | device | verdict |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    beyond = table()
    for step in catalogue.LADDER:
        parameters = f"{classifier(step.architecture).parameters:,}"
        claimed = "—" if step.claim is None else f"{step.claim.best_test_accuracy:.2%}"
        study = studies.get(step.slug)
        if study is None:
            rows.append(f"| `{step.slug}` | {parameters} | {claimed} | — | — | — | — | — | not measured |")
            continue
        measured = summary(study.runs)
        devices = ", ".join(sorted({run.device for run in study.runs}))
        if study.recipe.precision != "fp32":
            devices += f", {study.recipe.precision}"
        others = f"{beyond[step.slug].embedded_accuracy:.1%}" if step.slug in beyond else "—"
        rows.append(
            f"| `{step.slug}` | {parameters} | {claimed} | {in_words(measured)} | {measured.held:.2%} "
            f"| {measured.best_mean:.2%} | {others} | {devices} | {judged(step, measured)}{outdated_mark(study)} |"
        )
    return "\n".join(rows)


def comparison_table(studies: Mapping[str, Study]) -> str:
    """A row for each clean comparison: both means, the difference, n pairs and p."""
    rows = [
        "| question | before | after | difference, points | n pairs | p, one-sided |",
        "|---|---|---|---|---|---|",
    ]
    for each in catalogue.CLEAN_COMPARISONS:
        before, after = studies.get(each.before), studies.get(each.after)
        found = compared(before, after) if before and after else None
        if before is None or after is None or found is None:
            rows.append(f"| {each.question} | `{each.before}` | `{each.after}` | — | 0 | not measured |")
            continue
        p = "—" if found.p is None else p_in_words(found.p)
        if not alike(before, after):
            p = "no clean comparison: one side has an earlier recipe"
        rows.append(
            f"| {each.question} | `{each.before}` {in_words(summary(before.runs))} "
            f"| `{each.after}` {in_words(summary(after.runs))} | {in_points(found.difference)} | {found.n} | {p} |"
        )
    return "\n".join(rows)


def written(studies: Mapping[str, Study]) -> str:
    """All that stands between the README's two marks."""
    return (
        f"{START}\n\n{ladder_table(studies)}\n\n"
        f"What the confounded steps leave open, one difference at a time, over the same seeds:\n\n"
        f"{comparison_table(studies)}\n\n{earlier_recipes(studies)}{choices(studies)}\n\n{END}"
    )


def earlier_recipes(studies: Mapping[str, Study]) -> str:
    """What has changed since in the recipes of studies; nothing where none has."""
    told = outdated_ones(studies.values()).items()
    return "".join(f"{', '.join(f'`{name}`' for name in names)}: {words}\n\n" for words, names in told)


def choices(studies: Mapping[str, Study]) -> str:
    """What was tried for the lab's own ladder, what was chosen otherwise, and whether its targets were reached."""
    goals = []
    for step in catalogue.OURS:
        study = studies.get(step.slug)
        if step.goal and study:
            parameters = f"{classifier(step.architecture).parameters:,}"
            reached = goal_words(step, summary(study.runs))
            goals.append(f"`{step.slug}`: {step.goal:.2%} with {parameters} parameters, {reached}")
    return (
        "What was tried for the lab's own ladder, on the 5,000 images held out, is in `checkpoints/choices/log.json`: "
        f"{log_words(attempts(), catalogue.OURS)}\n\n"
        f"The targets set for it: {'; '.join(goals) or 'not measured yet'}."
    )


def rewrite(studies: Mapping[str, Study], readme: Path = README) -> None:
    """Put the tables into the README. Raises CheckpointError where it has no place for them."""
    text = readme.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise CheckpointError(f"{readme}: the marks {START!r} and {END!r} are not there")
    readme.write_text(before + written(studies) + after, encoding="utf-8")
