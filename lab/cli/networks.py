"""Commands that count: steps, trace; and reading a network from a step's name or a file."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from core.analysis.study import summary
from core.architecture.json_form import architecture_from_json
from core.architecture.sizes import shape_words
from core.architecture.spec import Architecture
from core.architecture.trace import Trace, classifier
from core.errors import LabError, SpecError
from core.importing.kind import is_code
from core.importing.recipe_script import recipe_of_script
from core.record import Json
from core.training.recipe import Recipe, recipe_from_json
from lab.cli.bringing import architecture_in, is_there, opened
from lab.runs.challenge import challenge_here
from lab.studies import own_ladder
from lab.studies.results import in_words, judged, outdated, outdated_mark, studies, unreadable_studies


def steps(options: argparse.Namespace) -> Json:
    """The ladder, in order."""
    document: list[Json] = []
    found, challenge = studies(), challenge_here()
    for damaged in unreadable_studies():
        print(f"the study {damaged.reference} cannot be read: {damaged.reason}", file=sys.stderr)
    for fault in own_ladder.own_ladder().faults:
        print(fault, file=sys.stderr)
    for step in own_ladder.ladder():
        walked, study = classifier(step.architecture), found.get(step.slug)
        claim = step.claim.best_test_accuracy if step.claim else None
        measured = summary(study.runs, challenge) if study else None
        document.append(
            {
                "slug": step.slug,
                "lineage": step.lineage,
                "title": step.title,
                "parameters": walked.parameters,
                "macs": walked.macs,
                "receptive_field": walked.field.size,
                "claimed_test_accuracy": claim,
                "test_accuracy_mean": measured.mean if measured else None,
                "test_accuracy_sd": measured.sd if measured else None,
                "n": measured.n if measured else 0,
                "held_test_accuracy": measured.held if measured else None,
                "runs_that_held": measured.holding if measured else 0,
                "verdict": judged(step, measured),
                "earlier_recipe": [each.field for each in outdated(study)] if study else [],
            }
        )
        if not options.json:
            claimed = "no claim      " if claim is None else f"claimed {claim:.2%}"
            ours = in_words(measured) if measured else "not measured"
            print(
                f"{step.slug:22}{walked.parameters:>11,} parameters {walked.macs / 1e6:>7.2f} M MACs   "
                f"field {walked.field.size:>2}   {claimed}   {ours:<23}   {step.title}{outdated_mark(study)}"
            )
    return document


def trace_command(options: argparse.Namespace) -> Json:
    """The walk over one network."""
    architecture, _, _ = network(options.network, options.network_class or "", options.onto or "")
    walked = classifier(architecture)
    if not options.json:
        _print_trace(walked)
    return {
        "parameters": walked.parameters,
        "macs": walked.macs,
        "receptive_field": walked.field.size,
        "layers": [
            {
                "index": layer.index,
                "op": type(layer.op).__name__,
                "output": list(layer.output),
                "parameters": layer.parameters,
                "macs": layer.macs,
                "receptive_field": dict[str, Json](asdict(layer.field)),
            }
            for layer in walked.layers
        ],
    }


def _print_trace(walked: Trace) -> None:
    print(f"{'':>3} {'layer':<16}{'output':<16}{'parameters':>11}{'MACs':>12}{'field':>6}{'jump':>5}{'start':>7}")
    for layer in walked.layers:
        field = layer.field
        print(
            f"{layer.index:>3} {layer.name:<16}{shape_words(layer.output):<16}{layer.parameters:>11,}{layer.macs:>12,}"
            f"{field.size:>6}{field.jump:>5}{field.start:>7g}"
        )
    print(f"{'':>3} {'total':<32}{walked.parameters:>11,}{walked.macs:>12,}{walked.field.size:>6}")


def network(given: str, wanted: str = "", onto: str = "") -> tuple[Architecture, Recipe, str]:
    """The architecture, recipe and slug of a step, or the architecture in a file with the default recipe.

    `wanted`: of several classes in code, the one; `onto`: of weights alone, the network that they belong to.
    """
    path = Path(given)
    if not path.suffix and not is_there(path):
        step = own_ladder.by_slug(given)
        return step.architecture, step.recipe, step.slug
    if path.suffix == ".json" and not is_code(text := text_of(path, SpecError)):
        return architecture_from_json(text), Recipe(), ""
    return architecture_in(opened(path), wanted, onto), Recipe(), ""


def with_recipe(options: argparse.Namespace) -> tuple[Architecture, Recipe, str]:
    """The network that is named, the recipe that --recipe and --seed make of its own, and its slug. Raises LabError."""
    architecture, recipe, slug = network(options.network)
    if architecture.input != (1, 28, 28):
        raise SpecError(
            f"input: the data sets have 1 x 28 x 28 images, the network takes {shape_words(architecture.input)}"
        )
    if options.recipe:
        recipe = recipe_in(options.recipe)
    if options.seed is not None:
        recipe = replace(recipe, seed=options.seed)
    return architecture, recipe, slug


def recipe_in(path: Path) -> Recipe:
    """The recipe in a file: JSON, or the lines of a training script or notebook. Raises LabError."""
    text = text_of(path, LabError)
    if path.suffix == ".json":
        return recipe_from_json(text)
    from core.importing.opened import open_file  # with torch, which takes two seconds to import

    found = open_file(text.encode(), path.name)
    recipe = recipe_of_script(found.code.code) if found.code else found.recipe
    if recipe is None:
        raise LabError(f"{path}: there is no recipe in it; a script has lines such as optimizer = optim.SGD(...)")
    return recipe


def text_of(path: Path, kind: type[LabError]) -> str:
    """A small text file. Raises an error of that kind for one that cannot be read."""
    try:
        if path.stat().st_size > 1_000_000:
            raise kind(f"{path}: {path.stat().st_size:,} bytes, at most 1,000,000 are read")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise kind(f"{path}: cannot be read: {error}") from None
