"""How sure the ladder's figures are for other seeds and other digits: tables of docs/ladder-measured.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.analysis.bootstrap import interval_of_difference, interval_of_mean
from core.analysis.evidence import in_points, interval_in_percent, interval_in_points, interval_over_seeds
from core.analysis.proportion import standard_error
from core.analysis.study import Study, summary
from core.data.mnist import test_images
from lab.studies import results
from lab.studies.plan import so_far

Known = Mapping[str, Sequence[tuple[int, ...]]]  # by the study's name, the mistakes of each run


def new_digits(studies: Mapping[str, Study]) -> str:
    """The tables of those studies that know the mistakes of all their runs; nothing where there is none."""
    known = {name: found for name, study in studies.items() if (found := _mistakes(study))}
    if not known:
        return ""
    return (
        "How sure the figures are on new digits: a bootstrap over seeds and test images. In a difference both networks "
        f"read the same images.\n\n{_means(studies, known)}\n\n{_differences(studies, known)}"
    )


def _mistakes(study: Study) -> list[tuple[int, ...]]:
    """Those of each run; none if there are fewer than two runs, or one whose mistakes are not known."""
    known = [run.mistakes for run in study.runs if run.mistakes is not None]
    return known if len(known) == len(study.runs) > 1 else []


def _means(studies: Mapping[str, Study], known: Known) -> str:
    rows = [
        "| study | last epoch, mean (n) | 95% interval over seeds | sd, points | runs that held 99.4% "
        "| error of the test set, points | 95% interval over seeds and digits |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, mistakes in known.items():
        measured, images = summary(studies[name].runs), test_images(studies[name].dataset)
        assert measured.sd is not None  # of two or more runs
        seeds = interval_in_percent(interval_over_seeds(measured.mean, measured.sd, measured.n))
        both = interval_in_percent(interval_of_mean(mistakes, images))
        rows.append(
            f"| `{name}` | {measured.mean:.2%} (n {measured.n}{so_far(name, measured.n)}) | {seeds} "
            f"| {100 * measured.sd:.2f} | {measured.holding} of {measured.n} "
            f"| ±{100 * standard_error(measured.mean, images):.2f} | {both} |"
        )
    return "\n".join(rows)


def _differences(studies: Mapping[str, Study], known: Known) -> str:
    """A row for each clean comparison of two of them; nothing where there is none."""
    rows = []
    for each in results.clean_answers(studies):
        before, after = known.get(each.asked.before), known.get(each.asked.after)
        if each.found and each.before and before and after:
            both = interval_of_difference(before, after, test_images(each.before.dataset))
            rows.append(
                f"| `{each.asked.before}` | `{each.asked.after}` | {in_points(each.found.difference)} "
                f"| {interval_in_points(each.found.interval)} | {interval_in_points(both)} |\n"
            )
    head = (
        "| before | after | difference, points | 95% interval over seeds | 95% interval over seeds and digits |\n"
        "|---|---|---|---|---|\n"
    )
    return head + "".join(rows) + "\n" if rows else ""
