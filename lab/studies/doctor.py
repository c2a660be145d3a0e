"""What torch sees on this machine, and whether training does there what it should: `python -m lab doctor`.

Each line is one check, done with the lab's own training on few images. Where a device has nothing to check, the line
says so. The whole is one JSON document, to be pasted into an issue.
"""

from __future__ import annotations

import logging
import platform
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from core.checkpoints.checkpoint import device_name
from core.data.mnist import Split, best_present, load
from core.errors import LabError
from core.ladder import catalogue
from core.record import Json
from core.training import replay
from core.training.cpu_kernels import accelerated
from core.training.loop import EpochEnd, State, train
from core.training.network import build
from core.training.recipe import Constant, Recipe
from core.training.resident import Resident, available_devices, choose_device, grey, normalised, resident
from lab.runs.probe import named_by_driver
from lab.studies.bench import iteration_seconds, our_loop, plain_loop

NETWORK = "a2-final-7758"  # it has dropout, and its images are turned and changed in perspective
BATCHES, TEST = 12, 200  # of an epoch, and images
THREADS = 4
SPEED_SECONDS = 1.5  # for which each loop is timed
SAME = 1e-4  # share of the largest logit by which one may differ
CLOCK = 0.10  # by which the lab's seconds may differ from a clock's


@dataclass(frozen=True)
class Check:
    """One line: `passed` is None where there is nothing to check."""

    device: str
    what: str
    passed: bool | None
    found: str


@dataclass(frozen=True)
class Run:
    """What a short run came to."""

    weights: Tensor  # all of them, flat, on the CPU
    states: tuple[State, ...]  # after each epoch
    seconds: float  # of the last epoch, by the lab
    clock: float  # and by a clock around the synchronised device
    unrecorded: tuple[str, ...]  # what the log says of recordings


def examine(device: str = "", say: Callable[[Check], None] = lambda check: None) -> list[Check]:
    """All checks of a kind of device, or of all that are here. Raises DeviceError for one that is not."""
    kinds = [choose_device(device).type] if device else available_devices()
    checks = []
    for check in _checks(kinds):
        say(check)
        checks.append(check)
    return checks


def to_document(checks: list[Check]) -> Json:
    """All of it, for an issue."""
    return {"checks": [asdict(check) for check in checks], "passed": all(each.passed is not False for each in checks)}


def _checks(kinds: list[str]) -> Iterator[Check]:
    yield from seen()
    for kind in kinds:
        device = choose_device(kind)
        for what, check in CHECKS.items():
            try:
                passed, found = check(device)
            except (RuntimeError, LabError, TypeError) as error:  # the next line may work
                passed, found = False, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            yield Check(kind, what, passed, found)
            if what == FIRST and not passed:
                break  # nothing else can


# --------------------------------------------------------------------------------------------------- what torch sees


def seen() -> Iterator[Check]:
    """What is installed and what torch finds, a line each."""
    libraries = f"torch {torch.__version__}, built for CUDA {torch.version.cuda or 'no'}"
    yield Check("", "installed", None, f"Python {platform.python_version()}, {libraries}, {platform.platform()}")
    names = [device_name(choose_device(kind)) for kind in available_devices()]
    yield Check("", "devices", None, ", ".join(names))
    card = nvidia_cards()
    if card and not torch.cuda.is_available():
        why = "is built without CUDA" if torch.version.cuda is None else "cannot use it: its driver may be too old"
        told = f"{card}, but torch {torch.__version__} {why}; docs/gpu.md says which torch to install"
        yield Check("", "NVIDIA", False, told)
    elif card:
        yield Check("", "NVIDIA", None, f"{card}; torch has kernels for {' '.join(torch.cuda.get_arch_list())}")


def nvidia_cards() -> str:
    """The NVIDIA cards of this machine with driver and memory; "" where its driver names none."""
    return "; ".join(named_by_driver("name", "driver_version", "memory.total"))


# ------------------------------------------------------------------------------------------------ what training does


def synchronise(device: torch.device) -> None:
    """Wait for all that the device was asked to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def few(device: torch.device, recipe: Recipe) -> Resident:
    """Some images of the best data set that is here."""
    dataset = load(best_present())
    count = recipe.batch_size * BATCHES - 9  # the last batch is smaller, as in a run
    train, test = (
        Split(split.images[:most], split.labels[:most])
        for split, most in ((dataset.train, count), (dataset.test, TEST))
    )
    return resident(replace(dataset, train=train, test=test), recipe, device)


def short_run(device: torch.device, epochs: int = 3, after: State | None = None, warm_up: int = replay.WARM_UP) -> Run:
    """A run of few images; `warm_up`: how often an iteration is called before it is recorded."""
    step = catalogue.by_slug(NETWORK)
    recipe = replace(step.recipe, epochs=epochs, range_test=None, schedule=Constant(), validation_size=0)
    network, data = build(step.architecture, 1).to(device), few(device, recipe)
    states, seconds, clock = list[State](), 0.0, 0.0
    with _said() as said, _recorded_after(warm_up):
        synchronise(device)
        began = time.perf_counter()
        for event in train(network, data, recipe, deepcopy(after)):
            if isinstance(event, EpochEnd):
                synchronise(device)
                seconds, clock = event.record.seconds, time.perf_counter() - began
                states.append(deepcopy(event.state))
                synchronise(device)
                began = time.perf_counter()
    weights = torch.cat([each.detach().flatten() for each in network.parameters()]).cpu()
    return Run(weights, tuple(states), seconds, clock, tuple(said))


@contextmanager
def _said() -> Iterator[list[str]]:
    """What is said of recordings meanwhile."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    replay.log.addHandler(handler)
    try:
        yield said
    finally:
        replay.log.removeHandler(handler)


@contextmanager
def _recorded_after(calls: int) -> Iterator[None]:
    before = replay.WARM_UP
    replay.WARM_UP = calls
    try:
        yield
    finally:
        replay.WARM_UP = before


Found = tuple[bool | None, str]
NEVER = 10**9


def _a_step(device: torch.device) -> Found:
    run = short_run(device, epochs=1)
    return bool(torch.isfinite(run.weights).all()), f"{len(run.weights):,} weights after {BATCHES} iterations"


@torch.no_grad()
def _kernels(device: torch.device) -> Found:
    if device.type != "cpu":
        return None, "they are for a CPU"
    step = catalogue.by_slug(NETWORK)
    network, data = build(step.architecture, 1)[:-1].eval(), few(device, step.recipe)  # to the logits
    compute, images = accelerated(network), normalised(grey(data.test.images), data.normalisation)
    if compute is None:
        return None, "they are not compiled here, so torch computes every network: pip install ziglang"
    logits = network(images)
    apart = ((compute(images) - logits).abs().max() / logits.abs().max()).item()
    return apart < SAME, f"the logits of {len(images)} images differ by {apart:.1e} of the largest, at most"


def _recording(device: torch.device) -> Found:
    if device.type != "cuda":
        return None, f"{device.type} has no recordings"
    recorded, called = short_run(device), short_run(device, warm_up=NEVER)
    if recorded.unrecorded:
        return False, recorded.unrecorded[0]
    return torch.equal(recorded.weights, called.weights), _apart(recorded, called)


def _same_seed(device: torch.device) -> Found:
    one, other = short_run(device), short_run(device)
    return torch.equal(one.weights, other.weights), _apart(one, other)


def _resumed(device: torch.device) -> Found:
    whole = short_run(device)
    rest = short_run(device, after=whole.states[0])
    return torch.equal(whole.weights, rest.weights), _apart(whole, rest)


def _apart(one: Run, other: Run) -> str:
    return f"the largest difference of a weight is {(one.weights - other.weights).abs().max().item():.3g}"


def _clock(device: torch.device) -> Found:
    run = short_run(device)
    apart = abs(run.seconds - run.clock) / run.clock
    return apart < CLOCK, f"{run.seconds:.4f} s by the lab, {run.clock:.4f} s by the clock: {apart:.1%} apart"


def _waits(device: torch.device) -> Found:
    if device.type != "cuda":
        return None, "torch tells of waits on CUDA only"
    short_run(device, warm_up=NEVER)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            short_run(device, epochs=1, warm_up=NEVER)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    places = Counter(f"{each.filename.rsplit('/', 1)[-1]}:{each.lineno}" for each in found)
    most = max(places.values(), default=0)
    told = ", ".join(f"{place} {count}" for place, count in places.most_common(6))
    return most < BATCHES, f"an epoch of {BATCHES} iterations waits at {told or 'no line'}"


def _memory(device: torch.device) -> Found:
    if device.type != "cuda":
        return None, "torch counts memory on CUDA only"
    short_run(device)
    before = torch.cuda.memory_allocated(device)
    short_run(device)
    left = (torch.cuda.memory_allocated(device) - before) / 2**20
    peak = torch.cuda.max_memory_allocated(device) / 2**20
    return left < 1, f"{left:.1f} MB are left after a run; at most {peak:,.0f} MB"


def _seeds(device: torch.device) -> Found:
    if device.type != "cuda":
        return None, f"on {device.type} seeds do not share a process"
    alone = short_run(device)

    def in_a_stream(_: int) -> Run:
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.default_stream(device))
        with torch.cuda.stream(stream):
            return short_run(device)

    with ThreadPoolExecutor(THREADS) as threads:
        runs = list(threads.map(in_a_stream, range(THREADS)))
    recorded = sum(not run.unrecorded for run in runs)
    same = sum(torch.equal(run.weights, alone.weights) for run in runs)
    return recorded == same == THREADS, f"of {THREADS} at once {recorded} are recorded, {same} are as alone"


def _speed(device: torch.device) -> Found:
    step = catalogue.by_slug(NETWORK)
    dataset = load(best_present())
    data = resident(dataset, step.recipe, device)
    ours = iteration_seconds(our_loop(NETWORK, data), device, SPEED_SECONDS)
    plain = iteration_seconds(plain_loop(NETWORK, data), device, SPEED_SECONDS)
    epoch = ours * 60_000 / step.recipe.batch_size
    return None, (
        f"{1000 * ours:.2f} ms an iteration of batches of {step.recipe.batch_size}, {epoch:.2f} s an epoch of 60,000 "
        f"images; {plain / ours:.2f} times a plain loop's speed"
    )


FIRST = "a training run works"
CHECKS: dict[str, Callable[[torch.device], Found]] = {
    FIRST: _a_step,
    "the lab's kernels give what torch gives": _kernels,
    "a recorded iteration is the called one, bit for bit": _recording,
    "the same seed gives the same weights, bit for bit": _same_seed,
    "a resumed run gives the same weights, bit for bit": _resumed,
    f"the lab's seconds are the clock's, within {CLOCK:.0%}": _clock,
    "no line waits for the device in every iteration": _waits,
    "a run gives its memory back": _memory,
    "seeds side by side are all recorded, and as alone": _seeds,
    "speed": _speed,
}
