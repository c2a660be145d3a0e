"""The command line, `python -m lab COMMAND`: the app's engine for servers and scripts, without Streamlit or plotly."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from core.analysis.mistakes import ORDERS, mistakes
from core.analysis.study import summary
from core.architecture.spec import Architecture, architecture_from_json
from core.architecture.trace import Trace, classifier, spell
from core.checkpoints.card import Card
from core.data.mnist import DATASETS, EMBEDDED, data_root, download, is_present, load_split
from core.errors import CheckpointError, ClassError, DataError, LabError, SpecError
from core.ladder import catalogue
from core.record import Json, short
from core.training.history import EpochRecord
from core.training.recipe import RangeTest, Recipe, check_recipe, recipe_from_json
from core.words import loss_words, plural, rate_words
from lab.runs.machine import FILE_NAME as MACHINE_FILE
from lab.runs.store import Run, RunStore, spread
from lab.settings import lab_home
from lab.studies.results import in_words, judged, outdated, outdated_mark, studies, unreadable_studies
from lab.studies.shelf import SHIPPED, find, own, shipped, unreadable
from lab.studies.tables import ladder_table, rewrite

if TYPE_CHECKING:
    import torch

    from lab.runs.many_seeds import Plan
    from lab.server.backup import Manifest

PREDICT_WITH = "c6-steplr-7416"  # of the shipped checkpoints it reads other people's digits best
MOST_SEEDS = 100
LAST_SEED = 2**31 - 1  # a recipe's


@dataclass(frozen=True)
class Incomplete:
    """A command's document, although part of what was asked for failed."""

    document: Json
    reason: str
    status: int = 2  # to exit with


class Parser(argparse.ArgumentParser):
    """argparse, with one line for an error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)} (--help says more)\n")


def one_line(text: str) -> str:
    """The text on one line, without what would move a terminal's cursor."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 for bad input, or a shell's for a signal."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        os.fsencode("".join(given))
    except UnicodeEncodeError:  # half of a surrogate pair: no name of a file, and no other text either
        parser.error(f"an argument is not valid text: {ascii(' '.join(given))[:100]}")
    options = parser.parse_args(given)
    command: Callable[[argparse.Namespace], Json | Incomplete] = options.command
    try:
        result = command(options)
        document = result.document if isinstance(result, Incomplete) else result
        if options.json:
            print(json.dumps(document, indent=1))
        sys.stdout.flush()
        if isinstance(result, Incomplete):
            print(f"python -m lab {options.name}: {one_line(result.reason)}", file=sys.stderr)
            return result.status
    except BrokenPipeError:  # whoever read it has enough, as in `steps | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the interpreter's end
        return 141  # what a shell says of a process that SIGPIPE ended
    except LabError as error:
        print(f"python -m lab {options.name}: {one_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> Parser:
    parser = Parser(prog="python -m lab", description="The architecture lab on the command line.")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, command: Callable[[argparse.Namespace], Json | Incomplete], about: str) -> Parser:
        added = commands.add_parser(name, help=about, description=about)
        added.add_argument(
            "--json", action="store_true", help="print one JSON document; in it, as in all files, epochs count from 0"
        )
        added.set_defaults(command=command)
        return added

    add("steps", steps, "The ladder: every step with its parameters, multiply-adds, receptive field and claim.")

    tracing = add("trace", trace_command, "Shapes, parameters, multiply-adds and receptive field, op by op.")
    tracing.add_argument("network", metavar="SLUG|SPEC.json")

    training = add("train", train_command, "Train a step, or an architecture of your own, and save its checkpoint.")
    _add_training_options(training)
    training.add_argument("--epochs", type=int, help="instead of the recipe's")
    training.add_argument("--save", metavar="NAME", help="the checkpoint's name, in the lab's home")
    training.add_argument("--seeds", metavar="LIST", help="a run for each of these, such as 0-4,9, side by side")
    training.add_argument("--side-by-side", type=int, metavar="N", help="seeds at a time, instead of one for each core")

    testing = add("range-test", range_test_command, "The learning-rate range test, and what it suggests.")
    _add_training_options(testing)
    testing.add_argument("--start", type=float, default=RangeTest.start)
    testing.add_argument("--end", type=float, default=RangeTest.end)
    testing.add_argument("--iterations", type=int, default=RangeTest.iterations)

    mistaking = add("mistakes", mistakes_command, "What a checkpoint gets wrong, the least confident first.")
    mistaking.add_argument("checkpoint", metavar="CHECKPOINT", help="a shipped slug, a saved name, or a path")
    mistaking.add_argument("--split", choices=["train", "test"], default="test")
    mistaking.add_argument("--order", choices=ORDERS, default=ORDERS[0])
    mistaking.add_argument("--limit", type=int, default=40, help="at most this many; all are counted")
    mistaking.add_argument("--data", choices=DATASETS, help="instead of the checkpoint's own data set")

    add("checkpoints", checkpoints_command, "Every checkpoint, and of one that cannot be opened the reason.")

    predicting = add("predict", predict_command, "Read the digit in a picture.")
    predicting.add_argument("image", metavar="IMAGE", type=Path)
    predicting.add_argument("--checkpoint", default=PREDICT_WITH)

    benching = add("bench", bench_command, "How fast training is, against the write-ups' way and plain PyTorch.")
    benching.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    benching.add_argument("--rounds", type=int, default=5)
    benching.add_argument("--side-by-side", action="store_true", help="how many runs at a time do most, for the queue")
    benching.add_argument("--seconds", type=float, default=8.0, help="that each number of runs is trained for")

    again = add("reproduce", reproduce_command, "Train every step with several seeds, and write what comes of it.")
    again.add_argument("names", metavar="SLUG", nargs="*", help="steps or variants; all, if none is given")
    again.add_argument("--seeds", metavar="SEEDS", help="such as 1-5; by default as many as the device affords")
    again.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    again.add_argument("--side-by-side", type=int, metavar="N", help="runs in training at a time")
    again.add_argument("--tables", action="store_true", help="train nothing: only write the README's tables anew")

    checking = add(
        "health", health_command, "Whether app, store, worker, device and data are well; exits with 1 if not."
    )
    checking.add_argument("--app", metavar="URL", help="where the app listens, instead of where its configuration says")

    keeping = add("backup", backup_command, "Keep runs, checkpoints, designs and drawings in one file; work may go on.")
    keeping.add_argument("target", metavar="FILE.zip|FOLDER", type=Path, help="a new file, or a folder for one")
    keeping.add_argument("--without-weights", action="store_true", help="figures and cards only")

    restoring = add("restore", restore_command, "Put a backup back, checked first, into an empty home of the lab.")
    restoring.add_argument("file", metavar="FILE.zip", type=Path)
    restoring.add_argument("--replace", action="store_true", help="put what is in the home aside")

    pruning = add("prune", prune_command, "Delete ended runs without a tag, by LAB_KEEP_DAYS and LAB_KEEP_RUNS.")
    pruning.add_argument("--dry-run", action="store_true", help="only say which")

    locking = add("passphrase", passphrase_command, "Make the hash of the teacher's passphrase, which is a setting.")
    locking.add_argument("--stdin", action="store_true", help="read it from standard input, instead of asking twice")

    fetching = add("data", data_command, "Which data sets are here, and where; with --download, fetch one.")
    fetching.add_argument("--download", metavar="NAME", nargs="?", const="MNIST", choices=DATASETS[:3])
    return parser


def _add_training_options(parser: Parser) -> None:
    parser.add_argument("network", metavar="SLUG|SPEC.json")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe as JSON, instead of the step's own")
    parser.add_argument("--data", choices=DATASETS, help="instead of MNIST")


# ------------------------------------------------------------------------------------------------------------ commands


def steps(options: argparse.Namespace) -> Json:
    """The ladder, in order."""
    document: list[Json] = []
    found = studies()
    for damaged in unreadable_studies():
        print(f"the study {damaged.reference} cannot be read: {damaged.reason}", file=sys.stderr)
    for step in catalogue.LADDER:
        walked, study = classifier(step.architecture), found.get(step.slug)
        claim = step.claim.best_test_accuracy if step.claim else None
        measured = summary(study.runs) if study else None
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
    architecture, _, _ = network(options.network)
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
            f"{layer.index:>3} {layer.name:<16}{spell(layer.output):<16}{layer.parameters:>11,}{layer.macs:>12,}"
            f"{field.size:>6}{field.jump:>5}{field.start:>7g}"
        )
    print(f"{'':>3} {'total':<32}{walked.parameters:>11,}{walked.macs:>12,}{walked.field.size:>6}")


def train_command(options: argparse.Namespace) -> Json | Incomplete:
    """One training run, or one for each of many seeds, with a progress bar on standard error."""
    if options.seeds is not None:
        return _train_seeds(options)
    if options.side_by_side is not None:
        raise LabError("--side-by-side: give --seeds too; one seed has none beside it")
    return _train_one(options)


def _train_one(options: argparse.Namespace) -> Json:
    """One training run; its checkpoint stands in the lab's home, and the store knows nothing of it."""
    from tqdm import tqdm

    from core.data.mnist import load
    from core.training.loop import EpochEnd, Points, RateFound
    from core.training.resident import choose_device, resident
    from lab.runs.order import Order, carry_out

    architecture, recipe, slug = _with_recipe(options)
    recipe = check_recipe(recipe if options.epochs is None else replace(recipe, epochs=options.epochs))
    parameters = classifier(architecture).parameters
    device = choose_device(options.device)
    name = _save_name(options.save) if options.save is not None else _free_name(f"{slug or 'own'}-seed{recipe.seed}")
    dataset = obtain(options.data)
    order = Order(architecture.name, slug, architecture, recipe, lab_home(), last=name, best="", resumable=False)
    records: list[Json] = []
    with tqdm(total=None, unit=" iterations", file=sys.stderr, disable=None) as bar:
        for event in carry_out(order, resident(load(dataset), recipe, device)):
            if isinstance(event, RateFound):
                bar.write(f"learning rate {rate_words(event.learning_rate)}: {event.reason}", file=sys.stderr)
            elif isinstance(event, Points):
                bar.total = event.iterations
                bar.update(event.iteration + len(event.losses) - bar.n)
                bar.set_postfix_str(f"loss {loss_words(event.losses[-1])}, {event.images_per_second:,.0f} images/s")
            elif isinstance(event, EpochEnd):
                records.append(_epoch_document(asdict(event.record)))
                if not options.json:
                    bar.write(_epoch_line(event.record), file=sys.stdout)
    path = lab_home() / f"{name}.safetensors"
    if not options.json:
        print(f"{parameters:,} parameters, trained on {dataset}; checkpoint {path}")
    return {
        "slug": slug,
        "parameters": parameters,
        "device": device.type,
        "dataset": dataset,
        "seed": recipe.seed,
        "epochs": records,
        "checkpoint": str(path),
    }


def _epoch_line(record: EpochRecord) -> str:
    """An epoch's figures, counted from 1 as the pages do."""
    return (
        f"epoch {record.epoch + 1:>2}  train {loss_words(record.train_loss)} {record.train_accuracy:.2%}  "
        f"test {loss_words(record.test_loss)} {record.test_accuracy:.2%}  rate {rate_words(record.learning_rate)}  "
        f"{record.seconds:.1f} s"
    )


def _epoch_document(record: dict[str, Json]) -> Json:
    """An epoch's figures, without the validation's where nothing was held out; counted from 0, as in all files."""
    return {name: value for name, value in record.items() if value is not None}


def _train_seeds(options: argparse.Namespace) -> Json | Incomplete:
    """A run in the store for each seed, and one figure of them all."""
    plan = _plan(options)
    store = RunStore(lab_home())
    started = time.perf_counter()
    group = _follow_seeds(store, plan, options.json)
    seconds = time.perf_counter() - started
    results = [(run, store.epochs(run.id)) for run in store.seed_group(group)]
    test = spread([records[-1].test_accuracy for run, records in results if run.status == "finished"])
    parameters = classifier(plan.architecture).parameters
    if not options.json:
        deviation = "" if test.sd is None else f" ± {test.sd:.2%}"
        mean = "no seed has finished" if test.mean is None else f"test, last epoch: {test.mean:.2%}{deviation}"
        print(f"{mean} (n = {test.n}); {seconds:.1f} s, {plan.side_by_side} side by side")
        print(f"{parameters:,} parameters, trained on {plan.dataset}; checkpoints {store.folder}/RUN/last.safetensors")
    document: Json = {
        "slug": plan.slug,
        "parameters": parameters,
        "device": plan.device.type,
        "dataset": plan.dataset,
        "threads": plan.pool.threads,
        "side_by_side": plan.side_by_side,
        "group": group,
        "seconds": seconds,
        "runs": [_seed_document(run, records) for run, records in results],
        "n": test.n,
        "test_accuracy_mean": test.mean,
        "test_accuracy_sd": test.sd,
    }
    reasons = [f"seed {run.seed}: {run.error}" for run, _ in results if run.status == "failed"]
    return Incomplete(document, "; ".join(reasons)) if reasons else document


def _follow_seeds(store: RunStore, plan: Plan, quiet: bool) -> str:
    """Train them with one progress bar, and a line for each that ends unless `quiet`; returns their group."""
    from tqdm import tqdm

    from core.training.loop import Points
    from lab.runs.many_seeds import Ended, train_seeds

    done = dict.fromkeys(plan.seeds, 0)  # iterations of each seed
    ended, group = 0, ""
    with (
        tqdm(total=None, unit=" iterations", file=sys.stderr, disable=None) as bar,
        closing(train_seeds(store, plan)) as saying,
    ):
        for run, said in saying:
            group = run.seed_group
            if isinstance(said, Points):
                bar.total = said.iterations * len(plan.seeds)
                bar.update(said.iteration + len(said.losses) - done[run.seed])
                done[run.seed] = said.iteration + len(said.losses)
            elif isinstance(said, Ended):
                ended += 1
                bar.set_postfix_str(f"{ended} of {plural(len(plan.seeds), 'seed')}")
                if not quiet:
                    bar.write(_seed_line(store.get(run.id), store.epochs(run.id)), file=sys.stdout)
    return group


def _seed_line(run: Run, records: list[EpochRecord]) -> str:
    """How one seed ended."""
    line = f"seed {run.seed:>3}  {run.status}"
    if records:
        best, seconds = max(record.test_accuracy for record in records), sum(record.seconds for record in records)
        line += f"  test {records[-1].test_accuracy:.2%}, best {best:.2%}  {seconds:.1f} s"
    return line


def _seed_document(run: Run, records: list[EpochRecord]) -> Json:
    checkpoint = lab_home() / run.id / "last.safetensors"
    return {
        "seed": run.seed,
        "run": run.id,
        "status": run.status,
        "error": run.error,
        "epochs": [_epoch_document(asdict(record)) for record in records],
        "checkpoint": str(checkpoint) if checkpoint.is_file() else None,
    }


def _plan(options: argparse.Namespace) -> Plan:
    """What to train, from options that go together. Raises LabError."""
    from core.training.resident import choose_device
    from lab.runs.many_seeds import Plan

    if options.seed is not None:
        raise LabError("--seeds: --seed is given too; give one of them")
    if options.save is not None:
        raise LabError("--seeds: --save is given too, but each seed's run keeps its checkpoints in a folder of its own")
    seeds = parse_seeds(options.seeds)
    architecture, recipe, slug = _with_recipe(options)
    recipe = check_recipe(recipe if options.epochs is None else replace(recipe, epochs=options.epochs))
    classifier(architecture)
    device = choose_device(options.device)
    side_by_side = min(_side_by_side(options, device), len(seeds))
    return Plan(architecture, slug, recipe, seeds, obtain(options.data), device, side_by_side)


def _side_by_side(options: argparse.Namespace, device: torch.device) -> int:
    """How many runs at a time: as asked for, or as many as the device takes. Raises LabError."""
    from lab.runs.many_seeds import most_side_by_side

    most = most_side_by_side(device)
    if options.side_by_side is None:
        return most
    if not 1 <= options.side_by_side <= most:
        raise LabError(f"--side-by-side: {options.side_by_side} is outside 1 to {most}, the most on this {device.type}")
    return int(options.side_by_side)


def range_test_command(options: argparse.Namespace) -> Json:
    """The range test on a fresh network."""
    from core.data.mnist import load
    from core.training.network import build
    from core.training.range_test import range_test, recommended
    from core.training.resident import choose_device, resident

    architecture, recipe, slug = _with_recipe(options)
    settings = RangeTest(options.start, options.end, options.iterations)
    recipe = check_recipe(replace(recipe, range_test=settings))
    classifier(architecture)
    device = choose_device(options.device)
    data = resident(load(obtain(options.data)), recipe, device)
    result = range_test(build(architecture, recipe.seed).to(device), data, recipe, settings)
    if not options.json:
        best = recommended(result.suggestions)
        for suggestion in result.suggestions:
            against = ["at the edge of the range: widen it"] if suggestion.at_edge else []
            against += [suggestion.doubt] if suggestion.doubt else []
            told = f"  ({'; '.join(against)})" if against else "  (recommended)" if suggestion == best else ""
            print(f"{suggestion.name:<15}{rate_words(suggestion.learning_rate)}  {suggestion.why}{told}")
        print(
            result.reason
            or f"{plural(len(result.points), 'point')}; the loss {'diverged' if result.diverged else 'held'}"
        )
    return {"slug": slug, "dataset": data.name, **asdict(result)}


def mistakes_command(options: argparse.Namespace) -> Json:
    """What a checkpoint gets wrong on a split, evaluated without augmentation."""
    from core.analysis.evaluation import predict
    from core.checkpoints.checkpoint import load, normalisation_of
    from core.training.resident import choose_device, examples

    if options.limit < 0:
        raise DataError(f"--limit: {options.limit} is below 0")
    shelved = find(options.checkpoint)
    trained, card = load(shelved.stem)
    split = load_split(options.data or _dataset_of(card), options.split)
    predictions = predict(trained, examples(split, choose_device("cpu")), normalisation_of(card))
    wrong = mistakes(predictions, options.order)
    items: list[Json] = [
        {
            "index": int(index),
            "true": int(predictions.labels[index]),
            "predicted": int(predictions.predicted[index]),
            "confidence": float(predictions.confidence[index]),
        }
        for index in wrong[: options.limit]
    ]
    if not options.json:
        print(f"{len(wrong):,} of {len(split):,} wrong: accuracy {predictions.accuracy:.2%}")
        for index in wrong[: options.limit]:
            said, confidence = predictions.predicted[index], predictions.confidence[index]
            print(f"  image {index:>5}  is {predictions.labels[index]}, read as {said} with {confidence:.1%}")
    return {
        "checkpoint": shelved.reference,
        "split": options.split,
        "total": len(split),
        "wrong": len(wrong),
        "items": items,
    }


def _dataset_of(card: Card) -> str:
    """The checkpoint's data set; without MNIST's files, its digits are tried on the embedded ones, and that is said."""
    if is_present(card.dataset) or card.dataset != "MNIST":
        return card.dataset
    print(f"MNIST is not in {data_root()}: using the {EMBEDDED}", file=sys.stderr)
    return EMBEDDED


def checkpoints_command(options: argparse.Namespace) -> Json:
    """The checkpoints, shipped ones first, and then those that cannot be opened."""
    document: list[Json] = []
    for shelved in (*shipped(), *own()):
        card = shelved.card
        document.append(
            {
                "reference": shelved.reference,
                "name": card.name,
                "parameters": card.parameters,
                "dataset": card.dataset,
                "epochs": card.epoch + 1,
                "test_accuracy": card.record.test_accuracy,
                "choice": card.choice,
                "shipped": shelved.shipped,
            }
        )
        if not options.json:
            print(f"{shelved.reference:<26} {shelved.label}")
    for damaged in unreadable():
        document.append({"reference": damaged.reference, "cannot_be_opened": damaged.reason})
        if not options.json:
            print(f"{damaged.reference:<26} cannot be opened: {damaged.reason}")
    return document


def predict_command(options: argparse.Namespace) -> Json:
    """The digit in a picture, prepared as a drawing is."""
    import torch

    from core.analysis.evaluation import log_probabilities
    from core.checkpoints.checkpoint import load, normalisation_of
    from core.data.drawn_digit import from_picture, prepare

    shelved = find(options.checkpoint)
    try:
        content = options.image.read_bytes()
    except OSError as error:
        raise DataError(f"{options.image}: cannot be read: {error.strerror}") from None
    trained, card = load(shelved.stem)
    digit = torch.tensor(prepare(from_picture(content)).digit).unsqueeze(0)
    probabilities = log_probabilities(trained, digit, normalisation_of(card)).exp()[0].tolist()
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    if not options.json:
        print(f"{best}  ({probabilities[best]:.1%}, {shelved.reference})")
    return {"checkpoint": shelved.reference, "digit": best, "probabilities": probabilities}


def _bench_side_by_side(options: argparse.Namespace) -> Json:
    from core.training.resident import choose_device
    from lab.runs.machine import write_side_by_side
    from lab.runs.side_by_side import best_of, measure

    if not 0.5 <= options.seconds <= 600:
        raise LabError(f"--seconds: {options.seconds:g} is outside 0.5 to 600")
    found = measure(options.device, options.seconds, say=lambda text: print(text, file=sys.stderr))
    best = best_of(found).runs
    device = choose_device(options.device).type
    RunStore(lab_home()).close()  # makes the folder, or says why it cannot
    write_side_by_side(lab_home(), device, best)
    if not options.json:
        print(f"{device}: {best} at a time; the queue keeps to it, unless LAB_SIDE_BY_SIDE says otherwise")
    return {"device": device, "best": best, "measured": [asdict(each) for each in found]}


def bench_command(options: argparse.Namespace) -> Json:
    """The speed of training, in three variants."""
    import torch

    if options.side_by_side:
        return _bench_side_by_side(options)
    from lab.studies.bench import bench

    if not 1 <= options.rounds <= 100:
        raise LabError(f"--rounds: {options.rounds} is outside 1 to 100")
    done = bench(options.device, options.rounds, say=lambda text: print(text, file=sys.stderr))
    rows: list[Json] = []
    for timing in done.timings:
        rows.append(
            {
                "network": timing.network,
                "variant": timing.variant,
                "images_per_second": timing.images_per_second,
                "images_per_second_median": timing.median_images_per_second,
                "seconds_per_epoch": timing.seconds_per_epoch,
            }
        )
        if not options.json:
            print(
                f"{timing.network:<20}{timing.variant:<10}{timing.images_per_second:>10,.0f} images/s "
                f"(median {timing.median_images_per_second:,.0f}){timing.seconds_per_epoch:>9.1f} s an epoch"
            )
    ratios: list[Json] = []
    for slug, (write_up, plain) in done.ratios.items():
        ratios.append({"network": slug, "ours_over_write_up": write_up, "ours_over_plain": plain})
        if not options.json:
            print(f"{slug:<20}ours is {write_up:.2f} times the write-up's way and {plain:.2f} times the plain loop")
    if not options.json:
        shares = ", ".join(f"{part} {share:.0%}" for part, share in done.parts.items())
        print(f"one of our iterations: {shares}; at a matrix product's speed an epoch takes {done.floor_seconds:.1f} s")
        loader = f"{done.workers} DataLoader workers at best"
        print(f"{done.device}, torch {torch.__version__}, {loader}, peak {done.peak_bytes / 1e6:,.0f} MB beyond torch")
    return {
        "device": done.device,
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "dataloader_workers": done.workers,
        "rows": rows,
        "ratios": ratios,
        "parts": dict[str, Json](done.parts),
        "floor_seconds": done.floor_seconds,
        "peak_bytes": done.peak_bytes,
    }


def reproduce_command(options: argparse.Namespace) -> Json:
    """The study of the ladder: it goes on where it stopped."""
    from core.training.resident import choose_device
    from lab.studies.reproduce import reproduce, subjects, unfinished
    from lab.studies.robustness import measure_shipped

    wanted = subjects(options.names)
    device = choose_device(options.device)
    seeds = parse_seeds(options.seeds) if options.seeds else None
    beside = _side_by_side(options, device)
    if not options.tables:
        if not is_present("MNIST"):
            _fetch("MNIST")
        reproduce(wanted, device, beside, seeds, lambda text: print(text, file=sys.stderr))
        measure_shipped(lambda text: print(text, file=sys.stderr))  # after the weights: others may ship now
    for damaged in unreadable_studies():  # its rows would be written as not measured
        raise CheckpointError(f"the study {damaged.reference} cannot be read: {damaged.reason}; move it away")
    found = studies()
    rewrite(found)
    left = list(unfinished(wanted, device))
    if not options.json:
        print(ladder_table(found))
        for line in left:
            print(f"still to train: {line}")
    return {"studies": {name: len(study.runs) for name, study in found.items()}, "unfinished": list(left)}


def data_command(options: argparse.Namespace) -> Json:
    """The data sets that are here."""
    if options.download and not is_present(options.download):
        _fetch(options.download)
    found: list[Json] = []
    for name in DATASETS:
        present = is_present(name)
        counts = {"train": len(load_split(name, "train")), "test": len(load_split(name, "test"))} if present else {}
        found.append({"name": name, "present": present, "train": counts.get("train"), "test": counts.get("test")})
        if not options.json:
            has = f"{counts['train']:,} + {counts['test']:,} images, checked" if present else "not here"
            print(f"{name:<16}{has}")
    if not options.json:
        print(f"data sets are looked for in {data_root()} (set LAB_DATA to look elsewhere)")
    return {"root": str(data_root()), "datasets": found}


def health_command(options: argparse.Namespace) -> Json | Incomplete:
    """What is well and what is not, a sentence for each part."""
    from lab.server.health import app_address, examine, look_at_app

    health = examine(look_at_app(options.app or app_address()), lab_home(), time.time())
    if not options.json:
        for finding in health.findings:
            print(f"{finding.part:<8}{'well' if finding.well else 'NOT WELL':<10}{finding.sentence}")
    document = health.to_json()
    unwell = [finding.part for finding in health.findings if not finding.well]
    return Incomplete(document, f"not well: {', '.join(unwell)}", status=1) if unwell else document


def backup_command(options: argparse.Namespace) -> Json:
    """A backup of the lab's home."""
    from lab.server.backup import backup

    file, manifest = backup(lab_home(), options.target, weights=not options.without_weights)
    if not options.json:
        print(f"{file}: {_in_words(manifest)}, {file.stat().st_size / 1e6:,.1f} MB")
    return {"file": str(file), "bytes": file.stat().st_size, **_manifest_document(manifest)}


def restore_command(options: argparse.Namespace) -> Json:
    """A backup put back into the lab's home."""
    from lab.server.backup import restore

    manifest, aside = restore(options.file, lab_home(), replace_old=options.replace)
    if not options.json:
        print(f"{lab_home()}: {_in_words(manifest)}, as of {manifest.created}")
        if aside:
            print(f"what was there is now in {aside}")
    return {"home": str(lab_home()), "aside": str(aside) if aside else None, **_manifest_document(manifest)}


def _in_words(manifest: Manifest) -> str:
    counts = {"run": manifest.runs, "drawing": manifest.drawings, "file": len(manifest.files)}
    words = ", ".join(f"{count:,} {what}{'' if count == 1 else 's'}" for what, count in counts.items())
    return words if manifest.weights else f"{words}, without weights"


def _manifest_document(manifest: Manifest) -> dict[str, Json]:
    names = ("created", "runs", "drawings", "weights")
    return {name: getattr(manifest, name) for name in names} | {"files": len(manifest.files)}


def passphrase_command(options: argparse.Namespace) -> Json:
    """The hash of a passphrase, and where it goes; the passphrase itself is neither shown nor kept."""
    from lab.classroom.class_lock import hash_of
    from lab.settings import SECRETS, TABLE

    found = hash_of(_piped_passphrase() if options.stdin else _asked_passphrase())
    if not options.json:
        print(found)
        print(f"it goes into {SECRETS}:", file=sys.stderr)
        print(f'\n[{TABLE}]\nclass_passphrase = "{found}"\n', file=sys.stderr)
        print("or into the environment, as LAB_CLASS_PASSPHRASE; then start the app again", file=sys.stderr)
    return {"class_passphrase": found}


def _piped_passphrase() -> str:
    """The first line of standard input; more of it would be a mistake that nobody sees."""
    try:
        lines = sys.stdin.read().splitlines()
    except UnicodeDecodeError as error:
        raise ClassError(f"the passphrase on standard input is no text: {error.reason}") from None
    if len(lines) != 1:
        raise ClassError(f"standard input has {len(lines):,} lines; the passphrase is 1")
    return lines[0]


def _asked_passphrase() -> str:
    import warnings
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)  # where it would be shown as it is typed
            first, second = getpass("Passphrase: "), getpass("And again: ")
    except (EOFError, GetPassWarning):
        raise ClassError("there is no terminal to ask at; --stdin reads it from standard input") from None
    if first != second:
        raise ClassError("the two are not the same")
    return first


def prune_command(options: argparse.Namespace) -> Json:
    """Old runs, deleted or only named."""
    from lab.runs.prune import ALL, ENDED, due, prune
    from lab.settings import settings

    kept, now = settings(), time.time()
    store = RunStore(lab_home())
    runs = due(store.runs(ALL, ENDED), kept, now) if options.dry_run else prune(store, kept, now)
    store.close()
    if not options.json:
        for run in runs:
            print(f"{run.id}  {datetime.fromtimestamp(run.ended or run.created):%Y-%m-%d %H:%M}  {run.name}")
        bounds = f"LAB_KEEP_DAYS={kept.keep_days}, LAB_KEEP_RUNS={kept.keep_runs}; 0 keeps all"
        print(f"{'to be deleted' if options.dry_run else 'deleted'}: {len(runs):,} ({bounds})")
    return {"deleted": not options.dry_run, "runs": [run.id for run in runs]}


# ------------------------------------------------------------------------------------------------------------- reading


def network(given: str) -> tuple[Architecture, Recipe, str]:
    """The architecture, recipe and slug of a step, or the architecture in a JSON file with the default recipe."""
    if not given.endswith(".json"):
        step = catalogue.by_slug(given)
        return step.architecture, step.recipe, step.slug
    return architecture_from_json(_text(Path(given), SpecError)), Recipe(), ""


def _with_recipe(options: argparse.Namespace) -> tuple[Architecture, Recipe, str]:
    architecture, recipe, slug = network(options.network)
    if architecture.input != (1, 28, 28):
        raise SpecError(f"input: the data sets have 1 x 28 x 28 images, the network takes {spell(architecture.input)}")
    if options.recipe:
        recipe = recipe_from_json(_text(options.recipe, LabError))
    if options.seed is not None:
        recipe = replace(recipe, seed=options.seed)
    return architecture, recipe, slug


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds that a list such as 0-4,9 names, in order. Raises LabError."""
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,50})(?:-([0-9]{1,50}))?\s*", part)
        if found is None:
            raise LabError(f"--seeds: {short(part)} is neither a seed nor a range of seeds; give such as 0-4,9")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise LabError(f"--seeds: {short(part)} counts down; give {last}-{first}")
        if last > LAST_SEED:
            raise LabError(f"--seeds: {short(part)} is outside 0 to {LAST_SEED:,}")
        if len(seeds) + last - first + 1 > MOST_SEEDS:
            raise LabError(f"--seeds: {short(text)} names more than {MOST_SEEDS} seeds")
        seeds += range(first, last + 1)
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise LabError(f"--seeds: {short(text)} names {seed} more than once")
    return tuple(sorted(seeds))


def _text(path: Path, kind: type[LabError]) -> str:
    try:
        if path.stat().st_size > 1_000_000:
            raise kind(f"{path}: {path.stat().st_size:,} bytes, at most 1,000,000 are read")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise kind(f"{path}: cannot be read: {error}") from None


def obtain(wanted: str | None) -> str:
    """The name of a data set that is there: the wanted one, or MNIST, downloaded if need be, or the embedded digits."""
    name = wanted or "MNIST"
    if is_present(name):
        return name
    try:
        _fetch(name)
    except DataError as error:
        if wanted:
            raise
        print(f"{error}; training on the {EMBEDDED} instead", file=sys.stderr)
        return EMBEDDED
    return name


def _fetch(name: str) -> None:
    """Download a data set, unless LAB_OFFLINE says never to. Raises DataError."""
    if os.environ.get("LAB_OFFLINE"):
        raise DataError(f"{name} is not in {data_root()}, and LAB_OFFLINE is set: nothing is downloaded")
    print(f"{name} is not in {data_root()}: downloading it", file=sys.stderr)
    download(name)


def _save_name(name: str) -> str:
    if (
        not name.strip()
        or f"{name}.json" == MACHINE_FILE
        or Path(name).name != name
        or name.startswith(".")
        or len(name) > 100
    ):
        raise LabError(f"--save: {name!r} cannot be a file's name; use letters, digits, dots and dashes")
    if Path(name).suffix in (".json", ".safetensors"):
        raise LabError(f"--save: give {name!r} without its ending: two files are written, .safetensors and .json")
    if (SHIPPED / f"{name}.json").exists():
        raise LabError(f"--save: {name!r} is the name of a shipped checkpoint; choose another")
    return name


def _free_name(name: str) -> str:
    """The name, with the time behind it when it is taken."""
    taken = (lab_home() / f"{name}.json").exists()
    return f"{name}-{datetime.now():%Y%m%d-%H%M%S}" if taken else name


if __name__ == "__main__":
    sys.exit(main())
