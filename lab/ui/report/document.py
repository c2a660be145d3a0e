"""A run, a seed group or a comparison as one HTML page that needs nothing else, and as CSV that a spreadsheet may open.

The page has no script and loads nothing; every word in it goes through the template's escaping, and no path of the
machine that made it is in it.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.analysis.diagnosis.finding import Finding
from core.analysis.evidence import evidence
from core.analysis.prediction import answers, prediction_from_json
from core.architecture.pytorch_code import pytorch_code
from core.architecture.spec import describe
from core.architecture.trace import classifier, spell
from core.challenge import MAX_EPOCHS, MAX_PARAMETERS, TARGET_ACCURACY, conditions
from core.checkpoints.card import Card, card_to_dict
from core.errors import CheckpointError, PredictionError
from core.spreadsheet import Cell, csv_text
from core.training.history import EPOCH_COLUMNS, epoch_cells
from core.training.recipe_difference import recipe_differences, recipe_fields
from core.words import loss_words, plural
from lab.studies.entries import Entry
from lab.studies.reference import findings_of, held_against, how_measured, reference_of, test_images
from lab.studies.results import held_in_words, in_words
from lab.studies.shelf import find, unreadable
from lab.ui.caches import store
from lab.ui.comparison import evidence_words, op_rows, other_differences, single_words
from lab.ui.comparison_figure import QUANTITIES, Shown, line
from lab.ui.formats import VERDICTS
from lab.ui.report.figures import chart


@dataclass(frozen=True)
class Rows:
    """A table's words: names above, then the cells; `numeric` columns are set to the right."""

    names: Sequence[str]
    cells: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Condition:
    """One of the challenge's three, met or not."""

    met: bool
    words: str


@dataclass(frozen=True)
class Figure:
    """A chart and what it says."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class CardText:
    """A checkpoint's card as JSON."""

    name: str
    text: str


@dataclass(frozen=True)
class Part:
    """What the page says of one entry."""

    heading: str
    sentence: str
    conditions: Sequence[Condition]
    about: str
    predicted: Rows | None  # what was said before the run, and what came
    findings: Sequence[Finding]
    epochs: Rows
    layers: Rows
    totals: str
    recipe: Rows
    machines: Rows
    code: str
    cards: Sequence[CardText]


@dataclass(frozen=True)
class PairText:
    """What the page says of two entries."""

    heading: str
    sentences: Sequence[str]
    ops: Rows
    fields: Rows


@dataclass(frozen=True)
class ComparisonText:
    """All figures side by side, and every entry held against the first."""

    figures: Rows
    pairs: Sequence[PairText]


def report_html(shown: Sequence[Shown], made: datetime) -> str:
    """The page about one entry or several. `made`: when, in the reader's time zone."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    names = [each.entry.name for each in shown]
    title = f"Report: {names[0]}" if len(names) == 1 else f"Comparison of {', '.join(names[:-1])} and {names[-1]}"
    page: str = environment.get_template("report.html.jinja").render(
        title=title,
        made=f"Made {made:%d %B %Y, %H:%M} by the architecture lab.",
        parts=[_part(each) for each in shown],
        figures=_figures(shown),
        comparison=_comparison(shown) if len(shown) > 1 else None,
        versions=f"Written with Python {platform.python_version()}, torch {version('torch')}.",
    )
    return page


def report_name(shown: Sequence[Shown]) -> str:
    """The file's name: plain letters, whatever the runs are called."""
    kept = "-".join(each.entry.key for each in shown[:3])
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in kept)
    return f"report-{plain[:80]}.html"


# ------------------------------------------------------------------------------------------------------ of one entry


def _part(each: Shown) -> Part:
    entry, walked = each.entry, classifier(each.entry.architecture)
    cards = cards_of(entry)
    findings = _findings(entry)
    memory = f"{walked.activation_bytes / 1e3:,.1f} KB of activations an image in float32"
    return Part(
        heading=_heading(each),
        sentence=_sentence(entry),
        conditions=_conditions(entry),
        about=_about(entry),
        predicted=_predicted(entry, findings),
        findings=findings,
        epochs=_epochs(entry),
        layers=_layers(entry),
        totals=f"{walked.parameters:,} parameters, {walked.macs:,} multiply-adds an image, {memory}; receptive field "
        f"{walked.field.size} of {walked.architecture.input[1]} pixels.",
        recipe=Rows(("field", "value"), recipe_fields(entry.recipe)),
        machines=_machines(entry, cards),
        code=pytorch_code(entry.architecture),
        cards=[
            CardText(f"seed {card.recipe.seed}, {card.choice} epoch", json.dumps(card_to_dict(card), indent=1))
            for card in cards
        ]
        + unreadable_of(entry),
    )


def _heading(each: Shown) -> str:
    owner = f", by {each.entry.owner}" if each.entry.owner else ""
    return f"{each.letter} · {each.entry.name}{owner}"


def _sentence(entry: Entry) -> str:
    figures = entry.summary
    if figures is None:
        return f"{entry.parameters:,} parameters; no epoch has ended yet."
    best = "Its best epoch" if figures.n == 1 else "The best epochs"
    compared = f" {how_measured(entry.runs[0].history[-1]).replace('**', '')}" if figures.n == 1 else ""
    return (
        f"Test accuracy after the last epoch: {in_words(figures)}, on {entry.dataset}. {held_in_words(figures)} "
        f"{best}, chosen on the test set: {figures.best_mean:.2%}.{compared}"
    )


def _conditions(entry: Entry) -> list[Condition]:
    """The challenge's three; nothing for data that it is not set on, or before an epoch has ended."""
    figures = entry.summary
    if figures is None or entry.dataset != "MNIST":
        return []
    met = conditions(entry.parameters, figures.epochs, figures.holding, figures.n)
    return [
        Condition(met.mostly_held, held_in_words(figures)),
        Condition(met.short, f"{plural(figures.epochs, 'epoch')}; at most {MAX_EPOCHS}"),
        Condition(met.small, f"{entry.parameters:,} parameters; at most {MAX_PARAMETERS:,}"),
    ]


def _about(entry: Entry) -> str:
    step = f"Step {entry.slug} of the ladder" if entry.slug else "A design of one's own"
    tags = f" Tags: {', '.join(entry.tags)}." if entry.tags else ""
    source = (
        "A study that is shipped with the lab" if entry.shipped else f"Run {', '.join(r.id for r in entry.members)}"
    )
    return f"{step}. {source}.{tags}"


def _findings(entry: Entry) -> tuple[Finding, ...]:
    """The diagnosis of a single run of the store; of several seeds, or a study, there is none."""
    if len(entry.members) != 1 or not entry.runs:
        return ()
    run = entry.members[0]
    return findings_of(run, entry.runs[0].history, store().batches(run.id, at_most=400))


def _predicted(entry: Entry, findings: Sequence[Finding]) -> Rows | None:
    """Prediction beside outcome; None where nothing was said, or nothing that can be read."""
    if len(entry.members) != 1 or not entry.members[0].prediction or not entry.runs:
        return None
    run = entry.members[0]
    try:
        prediction = prediction_from_json(run.prediction)
    except PredictionError:
        return None
    other = held_against(reference_of(run.slug, entry.architecture))
    kinds = [finding.kind for finding in findings]
    rows = answers(prediction, entry.runs[0].last, test_images(entry.dataset), kinds, other)
    cells = [(row.question, row.predicted, row.came, VERDICTS[row.right]) for row in rows]
    return Rows(("question", "predicted", "came", ""), cells)


def _epochs(entry: Entry) -> Rows:
    """Of one run every figure of every epoch; of several the test accuracy of each seed, and the mean."""
    if len(entry.runs) == 1:
        rows = [
            (
                f"{record.epoch + 1}", loss_words(record.train_loss), f"{record.train_accuracy:.2%}",
                _maybe(record.validation_loss, "#.4g"), _maybe(record.validation_accuracy, ".2%"),
                loss_words(record.test_loss), f"{record.test_accuracy:.2%}", f"{record.learning_rate:.4g}",
                f"{record.seconds:.1f}",
            )
            for record in entry.runs[0].history
        ]  # fmt: skip
        names = (
            "epoch", "train loss", "train accuracy", "validation loss", "validation accuracy", "test loss",
            "test accuracy", "learning rate", "seconds",
        )  # fmt: skip
        return Rows(names, rows, frozenset(range(9)))
    longest = max((len(run.history) for run in entry.runs), default=0)
    cells = []
    for epoch in range(longest):
        there = [run.history[epoch].test_accuracy if epoch < len(run.history) else None for run in entry.runs]
        mean = fmean(value for value in there if value is not None)
        cells.append((f"{epoch + 1}", *(_maybe(value, ".2%") for value in there), f"{mean:.2%}"))
    seeds = [f"seed {run.seed}" for run in entry.runs]
    return Rows(("epoch", *seeds, "mean"), cells, frozenset(range(len(seeds) + 2)))


def _maybe(value: float | None, form: str) -> str:
    return "—" if value is None else f"{value:{form}}"


def _layers(entry: Entry) -> Rows:
    cells = [
        (
            f"{layer.index}", describe(layer.op), spell(layer.output), f"{layer.parameters:,}", layer.arithmetic,
            f"{layer.macs:,}", f"{layer.field.size}", f"{layer.field.jump}",
        )
        for layer in classifier(entry.architecture).layers
    ]  # fmt: skip
    names = ("", "op", "output", "parameters", "how they come about", "MACs", "field", "jump")
    return Rows(names, cells, frozenset({0, 3, 5, 6, 7}))


def _machines(entry: Entry, cards: Sequence[Card]) -> Rows:
    by_seed = {card.recipe.seed: card for card in cards}
    cells = []
    for run in entry.runs:
        card = by_seed.get(run.seed)
        torch = card.versions.get("torch", run.torch) if card else run.torch
        cells.append(
            (
                f"{run.seed}", f"{run.last:.2%}", card.device if card else run.device, torch,
                f"{sum(record.seconds for record in run.history):,.0f}", run.created,
            )
        )  # fmt: skip
    return Rows(("seed", "last epoch", "device", "torch", "seconds", "begun (UTC)"), cells, frozenset({0, 1, 4}))


def cards_of(entry: Entry) -> list[Card]:
    """The cards of the checkpoints that are here, of a run's last epochs; none where none was kept."""
    found = []
    for reference in _references(entry):
        try:
            found.append(find(reference).card)
        except CheckpointError:
            continue
    return found


def unreadable_of(entry: Entry) -> list[CardText]:
    """Those of its checkpoints that are here and cannot be opened, each with the reason."""
    own = _references(entry)
    found = [each for each in unreadable() if each.reference in own]
    return [CardText(f"{each.reference}, which cannot be opened", each.reason) for each in found]


def _references(entry: Entry) -> list[str]:
    return [f"{run.id}/last" for run in entry.members] or [entry.key]


# -------------------------------------------------------------------------------------------------------- of several


def _figures(shown: Sequence[Shown]) -> list[Figure]:
    """Test accuracy and train accuracy, whole and from 98% on, and test loss, of all of them."""
    found = []
    for name in ("test accuracy", "train accuracy", "test loss"):
        quantity = QUANTITIES[name]
        lines = [
            line(each.letter, each.entry.name, each.look, [run.history for run in each.entry.runs], quantity)
            for each in shown
        ]
        target = 100 * TARGET_ACCURACY if name == "test accuracy" else None
        for close in (False, True) if quantity.accuracy else (False,):
            part = ", from 98 to 100%" if close else ""
            alt = f"{name.capitalize()}{part} against the epochs of {', '.join(each.letter for each in shown)}"
            svg = chart(lines, quantity, alt, target, close)
            if svg:  # an XML writer's: its words are escaped
                found.append(Figure(Markup(svg), f"{alt}: {_legend(shown)}."))
    return found


def _legend(shown: Sequence[Shown]) -> str:
    bands = any(len(each.entry.runs) > 1 for each in shown)
    return "; ".join(f"{each.letter} {each.entry.name}" for each in shown) + (
        "; of several seeds the mean, and the band from the least to the best" if bands else ""
    )


def _comparison(shown: Sequence[Shown]) -> ComparisonText:
    cells = []
    for each in shown:
        walked, figures = classifier(each.entry.architecture), each.entry.summary
        cells.append(
            (
                each.letter, each.entry.name, each.entry.owner, f"{walked.parameters:,}", f"{walked.macs:,}",
                f"{walked.field.size}", f"{each.entry.recipe.epochs}", in_words(figures) if figures else "—",
                f"{figures.held:.2%}" if figures else "—", f"{figures.best_mean:.2%}" if figures else "—",
            )
        )  # fmt: skip
    names = (
        "", "run", "nickname", "parameters", "MACs", "field", "epochs", "last epoch", "held", "best, on the test set",
    )  # fmt: skip
    rows = Rows(names, cells, frozenset({3, 4, 5, 6}))
    return ComparisonText(rows, [_pair(shown[0], each) for each in shown[1:]])


def _pair(first: Shown, second: Shown) -> PairText:
    a, b = first.entry, second.entry
    ops = [row for row in op_rows(a, b, first.letter, second.letter) if row["what"] != "same"]
    names = (first.letter, second.letter, "what", "parameters", "MACs", "field")
    return PairText(
        heading=f"{second.letter} against {first.letter}",
        sentences=[each.replace("**", "") for each in _said(first, second)],
        ops=Rows(names, [[_difference(row[name]) for name in names] for row in ops], frozenset({3, 4, 5})),
        fields=Rows(
            ("field", first.letter, second.letter),
            [(row.field, row.before, row.after) for row in recipe_differences(a.recipe, b.recipe)],
        ),
    )


def _said(first: Shown, second: Shown) -> list[str]:
    """Is it real, and what else was not the same."""
    notes = other_differences(first, second)
    if first.entry.dataset != second.entry.dataset or not (first.entry.ended and second.entry.ended):
        return notes
    found = evidence(first.entry.ended, second.entry.ended)
    words = [evidence_words(found, first.letter, second.letter)]
    if found.test == "single runs":
        words.append(single_words(first, second, found.difference))
    return [*words, *notes]


def _difference(value: object) -> str:
    return f"{value:+,}".replace("-", "−") if isinstance(value, int) and value else "" if value is None else str(value)


# --------------------------------------------------------------------------------------------------------------- CSV


def figures_csv(shown: Sequence[Shown]) -> str:
    """A row for each epoch, counted from 1, of each seed of each entry; safe to open in a spreadsheet."""
    names = ["letter", "key", "name", "nickname", "data", "parameters", "seed", *EPOCH_COLUMNS]
    rows: list[list[Cell]] = []
    for each in shown:
        entry = each.entry
        head: list[Cell] = [each.letter, entry.key, entry.name, entry.owner, entry.dataset, entry.parameters]
        rows += [[*head, run.seed, *epoch_cells(record)] for run in entry.runs for record in run.history]
    return csv_text(names, rows)
