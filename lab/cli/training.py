"""Commands that train: train, range-test, bench, reproduce."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from core.analysis.plan import read_plan
from core.analysis.spread import spread
from core.architecture.trace import classifier
from core.data.mnist import is_present
from core.errors import CheckpointError, LabError, RunError
from core.files import replace_bytes
from core.record import Json
from core.training.history import EpochRecord
from core.training.recipe import RangeTest, check_recipe
from core.words import loss_words, plural, rate_words
from lab.cli.data import fetch, obtain
from lab.cli.networks import with_recipe
from lab.cli.result import Incomplete
from lab.runs.actions import submit
from lab.runs.expectation import expected, iterations_of
from lab.runs.machine import FILE_NAME as MACHINE_FILE
from lab.runs.machine import most_side_by_side
from lab.runs.person import MACHINE
from lab.runs.rows import Run
from lab.runs.seed_list import parse_seeds
from lab.runs.store import RunStore
from lab.runs.turn_words import turn_in_words
from lab.runs.watching import watched
from lab.settings import lab_home, settings
from lab.studies.plan import path, renew, subjects
from lab.studies.results import studies, unreadable_studies
from lab.studies.shelf import SHIPPED
from lab.studies.tables import PLAN_PAGE, README, best_table, ladder_table, plan_written, rewrite, written


def train_command(options: argparse.Namespace) -> Json | Incomplete:
    """One training run, or one for each of many seeds: submitted to the queue and watched, with a progress bar."""
    if options.seeds is not None and options.seed is not None:
        raise LabError("--seeds: --seed is given too; give one of them")
    if options.seeds is not None and options.save is not None:
        raise LabError("--seeds: --save is given too, but each seed's run keeps its checkpoints in a folder of its own")
    if options.seeds is None and options.side_by_side is not None:
        raise LabError("--side-by-side: give --seeds too; one seed has none beside it")
    seeds = parse_seeds(options.seeds, "--seeds") if options.seeds is not None else ()
    name = _save_name(options.save) if options.save is not None else ""
    architecture, recipe, slug = with_recipe(options)
    recipe = check_recipe(recipe if options.epochs is None else replace(recipe, epochs=options.epochs))
    classifier(architecture)
    _check_device(options.device)
    beside, dataset = _side_by_side(options), obtain(options.data)
    store = RunStore(lab_home())
    runs = submit(
        store, architecture, recipe, slug=slug, dataset=dataset, device=options.device, seeds=seeds,
        side_by_side=beside, by=MACHINE,
    )  # fmt: skip
    started = time.perf_counter()
    runs = _follow(store, runs, options.json)
    if seeds:
        return _seeds_document(store, runs, time.perf_counter() - started, options.json)
    return _run_document(store, runs[0], name, options.json)


def _check_device(device: str) -> None:
    """Raises DeviceError for one that this machine does not have."""
    if device != "auto" and not settings().ray_address:
        from core.training.resident import choose_device

        choose_device(device)


def _follow(store: RunStore, runs: list[Run], quiet: bool) -> list[Run]:
    """Watch them to their end with one progress bar; a line for each epoch of a single run, or for each seed's end."""
    from tqdm import tqdm

    rate_told = False
    with tqdm(total=sum(map(iterations_of, runs)), unit=" iterations", file=sys.stderr, disable=None) as bar:
        for news in watched(store, runs):
            runs = news.runs
            bar.update(sum(store.iterations_done([run.id for run in runs]).values()) - bar.n)
            if all(run.status == "queued" for run in runs):
                bar.set_postfix_str(turn_in_words(expected(store).get(runs[0].id)))
            elif len(runs) > 1:
                bar.set_postfix_str(f"{sum(not run.unfinished for run in runs)} of {plural(len(runs), 'seed')}")
            elif batch := store.batches(runs[0].id, at_most=1):
                bar.set_postfix_str(f"loss {loss_words(batch[-1].loss)}, {batch[-1].images_per_second:,.0f} images/s")
            if len(runs) == 1 and (found := runs[0].learning_rate_found) and not rate_told:
                rate_told = True
                bar.write(f"learning rate {rate_words(found)}: {runs[0].rate_reason}", file=sys.stderr)
            ended = [_seed_line(run, store.epochs(run.id)) for run in news.ended]
            for line in ended if len(runs) > 1 else [_epoch_line(record) for _, record in news.epochs]:
                if not quiet:
                    bar.write(line, file=sys.stdout)
    return runs


def _run_document(store: RunStore, run: Run, name: str, quiet: bool) -> Json:
    """The document of one run. Raises RunError for one that has not finished, CheckpointError for what is not kept."""
    if run.status != "finished":
        raise RunError(f"run {run.id} {run.status}: {run.error or 'it can go on later'}")
    path = store.folder / run.id / "last.safetensors"
    if name:
        for ending in ("safetensors", "json"):
            replace_bytes(store.folder / f"{name}.{ending}", path.with_suffix(f".{ending}").read_bytes())
        path = store.folder / f"{name}.safetensors"
    if not quiet:
        print(f"{run.parameters:,} parameters, trained on {run.dataset}; checkpoint {path}")
    return {
        "slug": run.slug,
        "run": run.id,
        "parameters": run.parameters,
        "device": device_kind(run),
        "dataset": run.dataset,
        "seed": run.seed,
        "epochs": [_epoch_document(asdict(record)) for record in store.epochs(run.id)],
        "checkpoint": str(path),
    }


def device_kind(run: Run) -> str:
    """The kind of device that a run trained on: cpu, cuda, mps or Ray."""
    return run.device_name.split(":")[0]


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


def _seeds_document(store: RunStore, runs: list[Run], seconds: float, quiet: bool) -> Json | Incomplete:
    """One figure of all seeds, and a document of each."""
    first = runs[0]
    results = [(run, store.epochs(run.id)) for run in runs]
    test = spread([records[-1].test_accuracy for run, records in results if run.status == "finished"])
    if not quiet:
        deviation = "" if test.sd is None else f" ± {test.sd:.2%}"
        mean = "no seed has finished" if test.mean is None else f"test, last epoch: {test.mean:.2%}{deviation}"
        print(f"{mean} (n = {test.n}); {seconds:.1f} s, {max(1, first.side_by_side)} side by side")
        where = f"{store.folder}/RUN/last.safetensors"
        print(f"{first.parameters:,} parameters, trained on {first.dataset}; checkpoints {where}")
    document: Json = {
        "slug": first.slug,
        "parameters": first.parameters,
        "device": device_kind(first),
        "dataset": first.dataset,
        "side_by_side": max(1, first.side_by_side),
        "group": first.seed_group,
        "seconds": seconds,
        "runs": [_seed_document(run, records) for run, records in results],
        "n": test.n,
        "test_accuracy_mean": test.mean,
        "test_accuracy_sd": test.sd,
    }
    reasons = [f"seed {run.seed}: {run.error or run.status}" for run, _ in results if run.status != "finished"]
    return Incomplete(document, "; ".join(reasons)) if reasons else document


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


def _side_by_side(options: argparse.Namespace) -> int:
    """How many seeds at a time: as asked for, or 0 for as many as the device takes. Raises LabError."""
    if options.side_by_side is None:
        return 0
    device = options.device
    if device == "auto":
        from lab.runs.worker import device_here

        device = device_here("auto", lab_home()).type
    most = most_side_by_side(device)
    if not 1 <= options.side_by_side <= most:
        raise LabError(f"--side-by-side: {options.side_by_side} is outside 1 to {most}, the most on this {device}")
    return int(options.side_by_side)


def range_test_command(options: argparse.Namespace) -> Json:
    """The range test on a fresh network."""
    from core.data.mnist import load
    from core.training.network import build
    from core.training.range_test import range_test, recommended
    from core.training.resident import resident
    from lab.runs.worker import device_here

    architecture, recipe, slug = with_recipe(options)
    settings = RangeTest(options.start, options.end, options.iterations)
    recipe = check_recipe(replace(recipe, range_test=settings))
    classifier(architecture)
    device = device_here(options.device, lab_home())
    data = resident(load(obtain(options.data)), recipe, device)
    result = range_test(build(architecture, recipe.seed).to(device), data, recipe, settings)
    if not options.json:
        best = recommended(result.suggestions)
        for suggestion in result.suggestions:
            against = ["at the edge of the range: widen it"] if suggestion.at_edge else []
            against += [suggestion.doubt] if suggestion.doubt else []
            told = f"  ({'; '.join(against)})" if against else "  (recommended)" if suggestion == best else ""
            print(f"{suggestion.name:<15}{rate_words(suggestion.learning_rate)}  {suggestion.why}{told}")
        ended = f"{plural(len(result.points), 'point')}; the loss {'diverged' if result.diverged else 'held'}"
        print(result.reason or ended)
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
    """The study of the ladder, as planned: it goes on where it stopped. With --plan, only write the plan."""
    if options.plan:
        return _plan(options)
    from lab.runs.worker import device_here
    from lab.studies.reproduce import reproduce, unfinished
    from lab.studies.robustness import measure_shipped

    wanted = subjects(options.names)
    device = device_here(options.device, lab_home())
    seeds = parse_seeds(options.seeds, "--seeds") if options.seeds else None
    beside = _side_by_side(options)
    if not options.tables:
        if not is_present("MNIST"):
            fetch("MNIST")
        reproduce(wanted, device, beside, seeds, lambda text: print(text, file=sys.stderr))
        measure_shipped(lambda text: print(text, file=sys.stderr))  # after the weights: others may ship now
    for damaged in unreadable_studies():  # its rows would be written as not measured
        raise CheckpointError(f"the study {damaged.reference} cannot be read: {damaged.reason}; move it away")
    found = studies()
    rewrite(written(found))
    rewrite(best_table(found), README)
    left = list(unfinished(wanted))
    if not options.json:
        print(ladder_table(found))
        for line in left:
            print(f"still to train: {line}")
    return {"studies": {name: len(study.runs) for name, study in found.items()}, "unfinished": list(left)}


def _plan(options: argparse.Namespace) -> Json:
    """Write the plan of the whole catalogue, and its page."""
    if options.names or options.seeds or options.tables:
        raise LabError("--plan: it plans the whole ladder; give no steps, --seeds or --tables with it")
    told = renew()
    plan = read_plan(path())
    rewrite(plan_written(plan), PLAN_PAGE)
    if not options.json:
        for line in told or ["nothing has changed"]:
            print(line)
        print(f"{path()}: {plural(len(plan.studies), 'study', 'studies')}; commit it before the test set is read")
    return {"plan": str(path()), "changes": list(told)}


def doctor_command(options: argparse.Namespace) -> Json | Incomplete:
    """Checks of the devices, a line each; exits with 1 if one of them fails."""
    from lab.studies.doctor import Check, examine, to_document

    marks = {True: "ok", False: "FAILED", None: "--"}

    def line(check: Check) -> None:
        if not options.json:
            print(f"{marks[check.passed]:<7} {check.device:<5} {check.what}: {check.found}", flush=True)

    checks = examine(options.device, line)
    document = to_document(checks)
    failed = sum(check.passed is False for check in checks)
    return Incomplete(document, f"{failed} of {plural(len(checks), 'check')} failed", 1) if failed else document


def _save_name(name: str) -> str:
    plain = name.strip() and Path(name).name == name and not name.startswith(".") and len(name) <= 100
    if not plain or f"{name}.json" == MACHINE_FILE:
        raise LabError(f"--save: {name!r} cannot be a file's name; use letters, digits, dots and dashes")
    if Path(name).suffix in (".json", ".safetensors"):
        raise LabError(f"--save: give {name!r} without its ending: two files are written, .safetensors and .json")
    if (SHIPPED / f"{name}.json").exists():
        raise LabError(f"--save: {name!r} is the name of a shipped checkpoint; choose another")
    return name
