"""Models of rules of a GPU: it works after it was asked, to begin a recording breaks any other one, streams are few."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import core.training.loop
from core.training.loop import EpochEnd, Points, train
from core.training.network import build
from core.training.recipe import Recipe
from core.training.replay import WARM_UP, Replayed
from lab.runs.seeds import source_beside
from tests.patience import patient
from tests.tiny import PLAIN, tiny_data

pytestmark = pytest.mark.own_data

ASKING, ITERATION, EVALUATION = 0.0002, 0.010, 0.3  # seconds: to ask for work, and of the work itself


class Device:
    """A device that does what it is asked to do one after the other, while the host goes on. Its clock is made up."""

    def __init__(self) -> None:
        self.now = 100.0  # the host's clock, seconds
        self.free_at = 0.0  # when all that was asked for is done

    def ask(self, seconds: float) -> None:
        self.now += ASKING
        self.free_at = max(self.free_at, self.now) + seconds

    def wait(self) -> None:
        self.now = max(self.now, self.free_at)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """Training runs on this device: iterations and evaluations are asked for, and reading a tensor waits for them."""
    device = Device()

    def waiting(read: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def waits(tensor: Tensor) -> Any:
            device.wait()
            return read(tensor)

        return waits

    def asked(iterate: Callable[..., None], *_: object) -> Callable[..., None]:
        def iteration(*arguments: Tensor) -> None:
            device.ask(ITERATION)
            iterate(*arguments)

        return iteration

    evaluate = core.training.loop.evaluate

    def asked_evaluation(*arguments: Any) -> tuple[float, float]:
        device.ask(EVALUATION)
        return evaluate(*arguments)

    monkeypatch.setattr(torch.Tensor, "tolist", waiting(torch.Tensor.tolist))
    monkeypatch.setattr(torch.Tensor, "item", waiting(torch.Tensor.item))
    monkeypatch.setattr(core.training.loop, "time", SimpleNamespace(perf_counter=lambda: device.now))
    monkeypatch.setattr(core.training.loop, "Replayed", asked)
    monkeypatch.setattr(core.training.loop, "evaluate", asked_evaluation)
    return device


@pytest.mark.parametrize("held", [0.0, 7.0])
def test_seconds_and_images_per_second_are_those_of_a_clock_around_the_finished_work(
    device: Device, held: float
) -> None:
    data = tiny_data(validation=40)
    recipe = Recipe(epochs=3, batch_size=2)  # 75 iterations of 10 ms: points come at both ends and between them
    events = train(build(PLAIN, 1), data, recipe)
    seconds, images, told = 0.0, 0, 0
    while True:
        began = device.now
        event = next(events, None)
        device.wait()  # what was asked for must be over before the clock is read
        seconds += device.now - began
        if event is None:
            break
        if isinstance(event, Points):
            images += 2 * len(event.losses)
            assert event.images_per_second == pytest.approx(images / seconds, rel=0.02)
            told += 1
        if isinstance(event, EpochEnd):
            evaluations = 3 if event.record.epoch == 2 else 2  # validation, test, and training images at the run's end
            assert seconds == pytest.approx(75 * ITERATION + evaluations * EVALUATION, rel=0.05)
            assert event.record.seconds == pytest.approx(seconds, rel=0.02)
            seconds, images = 0.0, 0
        device.now += held  # whoever iterates takes time too, which is not the run's
    assert told >= 2 * 3


# ----------------------------------------------------------------------------------------------------------- recordings

THREADS, SHAPES = 12, 7


class Recordings:
    """CUDA's rules: to begin a recording waits for the device, and a wait for it breaks those that are under way."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way: dict[int, bool] = {}  # by thread: whether it is broken
        self.most = 0

    def graph(self, graph: object, stream: object, capture_error_mode: str) -> Recordings:
        assert capture_error_mode == "thread_local"  # in "global", what other threads allocate breaks it too
        return self

    def __enter__(self) -> None:
        with self.lock:
            self.under_way = dict.fromkeys(self.under_way, True) | {threading.get_ident(): False}
            self.most = max(self.most, len(self.under_way))

    def __exit__(self, *_: object) -> None:
        with self.lock:
            broken = self.under_way.pop(threading.get_ident())
        if broken:
            raise RuntimeError("operation failed due to a previous error during capture")


class Graph:
    """A recording that takes no device."""

    def register_generator_state(self, generator: torch.Generator) -> None:
        pass

    def replay(self) -> None:
        pass


class OnGpu(Replayed):
    """As on a GPU, but for the streams."""

    def __init__(self) -> None:
        super().__init__(lambda values: time.sleep(0.002), torch.device("cpu"), torch.Generator())
        self.reason = ""

    def __call__(self, *arguments: Tensor) -> None:
        self.call(*arguments)


def test_recordings_of_many_threads_do_not_break_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = Recordings()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recordings.graph)
    together = threading.Barrier(THREADS)

    def seed(_: int) -> str:
        iteration = OnGpu()
        for size in range(1, SHAPES + 1):
            together.wait(patient(60))
            for _ in range(WARM_UP + 1):
                iteration(torch.zeros(size))
        return iteration.reason

    with ThreadPoolExecutor(THREADS) as threads:
        reasons = list(threads.map(seed, range(THREADS)))
    assert reasons == [""] * THREADS
    assert recordings.most == 1


# -------------------------------------------------------------------------------------------------------------- streams

GPU, SEEDS, RUNS, POOL = torch.device("cuda", 0), 8, 6, 32


@dataclass(frozen=True)
class Stream:
    """One of a device's streams; 0 is the default one."""

    number: int
    device: torch.device = GPU
    waited_for: list[int] = field(default_factory=list, compare=False)

    def wait_stream(self, other: Stream) -> None:
        self.waited_for.append(other.number)


class Streams:
    """CUDA's rules: each thread has a current stream, at first the default one; torch gives out 32, round and round."""

    def __init__(self) -> None:
        self.default, self.given = Stream(0), count()
        self.here = threading.local()

    def new(self, device: torch.device) -> Stream:
        return Stream(1 + next(self.given) % POOL)

    def current(self, device: torch.device) -> Stream:
        return getattr(self.here, "stream", self.default)

    def set(self, stream: Stream) -> None:
        self.here.stream = stream

    @contextmanager
    def within(self, stream: Stream) -> Iterator[None]:
        before = self.current(GPU)
        self.set(stream)
        yield
        self.set(before)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    streams = Streams()
    for name, does in (
        ("Stream", streams.new),
        ("current_stream", streams.current),
        ("default_stream", lambda device: streams.default),
        ("set_stream", streams.set),
        ("stream", streams.within),
    ):
        monkeypatch.setattr(torch.cuda, name, does)
    return streams


def test_seeds_that_train_together_have_a_stream_each_for_all_of_their_runs(streams: Streams) -> None:
    together, seen = threading.Barrier(SEEDS), list[set[int]]()

    def lane(_: int) -> set[int]:
        used = set[int]()
        with source_beside(GPU, SEEDS, threading.Event()):
            for _ in range(RUNS):
                together.wait(patient(60))  # each of them begins its next run
                run = Replayed(lambda: used.add(streams.current(GPU).number), GPU, torch.Generator())
                run()
                used.add(streams.current(GPU).number)
        return used

    for _ in range(POOL // SEEDS + 1):  # groups, one after the other, until streams are given out again
        with ThreadPoolExecutor(SEEDS) as threads:
            seen = list(threads.map(lane, range(SEEDS)))
        assert [len(used) for used in seen] == [1] * SEEDS
        assert len(set.union(*seen)) == SEEDS
        assert 0 not in set.union(*seen), "on the default stream they would wait for each other"


def test_a_run_alone_is_recorded_beside_the_default_stream_and_each_waits_for_the_other(streams: Streams) -> None:
    used: list[Stream] = []
    run = Replayed(lambda: used.append(streams.current(GPU)), GPU, torch.Generator())
    run()
    assert [stream.number for stream in used] == [1]
    assert used[0].waited_for == [0]
    assert streams.default.waited_for == [1]
