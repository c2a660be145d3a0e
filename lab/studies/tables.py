"""Tables of README.md, docs/ladder-measured.md and docs/plan.md, which `python -m lab reproduce` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.analysis import evidence
from core.analysis.choices import attempts, goal_words, log_words
from core.analysis.plan import Plan
from core.analysis.study import Study, Summary, pareto_front, summary
from core.architecture.trace import classifier
from core.errors import CheckpointError
from core.files import replace_text
from core.ladder import catalogue
from core.ladder.comparisons import CLEAN_COMPARISONS
from core.ladder.model import Step
from core.ladder.ours import OURS
from core.training.recipe_words import recipe_words
from lab.settings import ROOT
from lab.studies import confirmation, results
from lab.studies.new_digits import new_digits
from lab.studies.plan import so_far
from lab.studies.robustness import table

PAGE, PLAN_PAGE = (ROOT / "docs" / name for name in ("ladder-measured.md", "plan.md"))
README = ROOT / "README.md"
START, END = "<!-- written by python -m lab reproduce: from here -->", "<!-- to here -->"


def ladder_table(studies: Mapping[str, Study]) -> str:
    """A row for each step: claim, last epoch over n seeds, held, best epoch, out of domain, device, verdict."""
    rows = [
        "| step | parameters | claimed, best epoch of one run | last epoch, mean ± sd (n) | runs that held 99.4% "
        "| mean curve, least of the last three | best epoch, mean (chosen on the test set) | other people's digits "
        "| device | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    beyond = table()
    for step in catalogue.LADDER:
        parameters = f"{classifier(step.architecture).parameters:,}"
        claimed = "—" if step.claim is None else f"{step.claim.best_test_accuracy:.2%}"
        study = studies.get(step.slug)
        if study is None:
            rows.append(f"| `{step.slug}` | {parameters} | {claimed} | — | — | — | — | — | — | not measured |")
            continue
        measured = summary(study.runs)
        devices = ", ".join(sorted({run.device for run in study.runs}))
        if study.recipe.precision != "fp32":
            devices += f", {study.recipe.precision}"
        others = f"{beyond[step.slug].embedded_accuracy:.1%}" if step.slug in beyond else "—"
        rows.append(
            f"| `{step.slug}` | {parameters} | {claimed} "
            f"| {results.in_words(measured, so_far(step.slug, measured.n))} "
            f"| {measured.holding} of {measured.n} | {measured.held:.2%} | {measured.best_mean:.2%} | {others} "
            f"| {devices} | {_judged(step, measured)}{results.outdated_mark(study)} |"
        )
    return "\n".join(rows)


def best_table(studies: Mapping[str, Study]) -> str:
    """The steps with several runs, of their present recipe, that no step with as many parameters or fewer beats."""
    measured = [
        (step, classifier(step.architecture).parameters, summary(study.runs))
        for step in catalogue.LADDER
        if (study := studies.get(step.slug)) and len(study.runs) > 1 and not results.outdated(study)
    ]
    rows = [
        "| parameters | step | after 15 epochs, mean ± sd (n) | lowest mean of the last three epochs "
        "| runs that held 99.4% |",
        "|---|---|---|---|---|",
    ]
    for index in pareto_front([(parameters, figures.held) for _, parameters, figures in measured]):
        step, parameters, figures = measured[index]
        rows.append(
            f"| {parameters:,} | {results.titles()[step.slug]} "
            f"| {results.in_words(figures, so_far(step.slug, figures.n))} | {figures.held:.2%} "
            f"| {figures.holding} of {figures.n} |"
        )
    return f"{START}\n\n" + "\n".join(rows) + f"\n\n{END}"


def _judged(step: Step, measured: Summary) -> str:
    """The verdict; on a claim with the interval that it follows from, and how sure it is."""
    found = evidence.judge_claim(step.claim.best_test_accuracy, measured) if step.claim else None
    if found is None or found.interval is None or found.p is None:
        return results.judged(step, measured)
    return f"{found.words} ({evidence.interval_in_percent(found.interval)}; {evidence.p_stated(found.p)})"


def comparison_table(studies: Mapping[str, Study]) -> str:
    """A row for each clean comparison: both means, the difference with its interval, n, p alone and among all."""
    rows = [
        "| question | before | after | difference, points | 95% interval | n pairs | p | p, adjusted | reading |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in results.clean_answers(studies):
        asked, found, reading = each.asked, each.found, results.reading_of(each)
        if each.before is None or each.after is None or found is None:
            rows.append(f"| {asked.question} | `{asked.before}` | `{asked.after}` | — | — | 0 | — | — | {reading} |")
            continue
        p, adjusted = ("—" if p is None else evidence.p_in_words(p) for p in (found.p, each.adjusted))
        rows.append(
            f"| {asked.question} | `{asked.before}` {results.in_words(summary(each.before.runs))} "
            f"| `{asked.after}` {results.in_words(summary(each.after.runs))} | {evidence.in_points(found.difference)} "
            f"| {evidence.interval_in_points(found.interval)} | {found.pairs} | {p} | {adjusted} | {reading} |"
        )
    return "\n".join(rows)


def what_five_can_show(studies: Mapping[str, Study]) -> str:
    """What so few seeds can show, and what not: the figures that a reader of the two tables needs."""
    answered = [each for each in results.clean_answers(studies) if each.found is not None and each.found.pairs > 1]
    if not answered:
        return ""
    pairs = min(each.found.pairs for each in answered if each.found)
    several = {name for name, study in studies.items() if len(study.runs) > 1}
    claims = sum(step.claim is not None and step.slug in several for step in catalogue.LADDER)
    return (
        f"What {pairs} seeds can show: differences of at least {_least_shown(pairs):.1f} standard deviations of a "
        f"paired difference, four times in five. What they cannot: a test that assumes nothing about how differences "
        f"are spread never gets below p = {evidence.least_exact_p(pairs):.4g} with {pairs} pairs, so each p here rests "
        f"on the assumption that they are spread normally. p is two-sided; the adjusted one is corrected for the "
        f"{answered[0].questions} questions of this table (Holm). A claim is consistent when it lies where 95 of 100 "
        f"further runs of ours would have their best epoch; of {claims} honest claims about "
        f"{claims * evidence.LEVEL:.1f} would lie outside by chance. {results.error_of_images()}"
    )


def _least_shown(pairs: int) -> float:
    """The least difference, in deviations of one, that so many pairs show four times in five; to a tenth."""
    return next(effect / 10 for effect in range(1, 1_000) if evidence.seeds_for(effect / 10) <= pairs)


def written(studies: Mapping[str, Study]) -> str:
    """Everything between the two marks of the page."""
    return (
        f"{START}\n\n{ladder_table(studies)}\n\n"
        f"What the confounded steps leave open, one difference at a time, over the same seeds:\n\n"
        f"{comparison_table(studies)}\n\n{what_five_can_show(studies)}\n\n{new_digits(studies)}"
        f"{confirmation.table(confirmation.confirmed())}\n\n"
        f"{earlier_recipes(studies)}{choices(studies)}"
        f"\n\n{END}"
    )


def earlier_recipes(studies: Mapping[str, Study]) -> str:
    """What has changed since in the recipes of studies; nothing where none has."""
    told = results.outdated_ones(studies.values()).items()
    return "".join(f"{', '.join(f'`{name}`' for name in names)}: {words}\n\n" for words, names in told)


def choices(studies: Mapping[str, Study]) -> str:
    """What was tried for the lab's own ladder, what was chosen otherwise, and whether its targets were reached."""
    goals = []
    for step in OURS:
        study = studies.get(step.slug)
        if step.goal and study:
            parameters = f"{classifier(step.architecture).parameters:,}"
            goals.append(f"`{step.slug}`, {parameters} parameters: {goal_words(step, study.runs)}")
    return (
        "What was tried for the lab's own ladder, on the 5,000 images held out, is in `checkpoints/choices/log.json`: "
        f"{log_words(attempts(), OURS)}\n\n"
        f"The targets set for it: {'; '.join(goals) or 'not measured yet'}."
    )


def plan_written(plan: Plan) -> str:
    """Everything between the two marks of the plan's page: the test, the studies, the comparisons."""
    questions = {(each.before, each.after): each.question for each in CLEAN_COMPARISONS}
    studies = ["| study | parameters | recipe | seeds |", "|---|---|---|---|"]
    for each in plan.studies:
        parameters = classifier(each.architecture).parameters
        recipe = recipe_words(each.recipe).removesuffix(f" · seed {each.recipe.seed}")
        studies.append(f"| `{each.name}` | {parameters:,} | {recipe} | {each.seeds} |")
    comparisons = ["| question | before | after |", "|---|---|---|"]
    for pair in plan.comparisons:
        question = questions.get((pair.before, pair.after), "—")
        comparisons.append(f"| {question} | `{pair.before}` | `{pair.after}` |")
    return (
        f"{START}\n\nThe test: {plan.test}. Correction: {plan.correction}. Level: {plan.level:g}.\n\n"
        + "\n".join(studies)
        + f"\n\nThe {len(plan.comparisons)} comparisons:\n\n"
        + "\n".join(comparisons)
        + f"\n\n{END}"
    )


def rewrite(written: str, page: Path = PAGE) -> None:
    """Put the tables into the page. Raises CheckpointError where its two marks are missing."""
    text = page.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise CheckpointError(f"{page}: the marks {START!r} and {END!r} are not there")
    replace_text(page, before + written + after)
