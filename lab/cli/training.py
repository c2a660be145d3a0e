"""Commands that train: train, range-test, bench, reproduce."""

from __future__ import annotations

import argparse
import re
import sys
import time
from contextlib import closing
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.architecture.trace import classifier
from core.data.mnist import is_present
from core.errors import CheckpointError, LabError
from core.record import Json, short
from core.training.history import EpochRecord
from core.training.recipe import RangeTest, check_recipe
from core.words import loss_words, plural, rate_words
from lab.cli.data import fetch, obtain
from lab.cli.networks import with_recipe
from lab.cli.result import Incomplete
from lab.runs.machine import FILE_NAME as MACHINE_FILE
from lab.runs.store import Run, RunStore, spread
from lab.settings import lab_home
from lab.studies.results import studies, unreadable_studies
from lab.studies.shelf import SHIPPED
from lab.studies.tables import ladder_table, rewrite

if TYPE_CHECKING:
    import torch

    from lab.runs.many_seeds import Plan


MOST_SEEDS = 100
LAST_SEED = 2**31 - 1  # a recipe's


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

    architecture, recipe, slug = with_recipe(options)
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
    architecture, recipe, slug = with_recipe(options)
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

    architecture, recipe, slug = with_recipe(options)
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
            fetch("MNIST")
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
