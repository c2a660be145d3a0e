"""A real cluster of two nodes: runs end there as they do here, whoever stops, holds or kills whom."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from core.checkpoints import checkpoint
from core.data.mnist import EMBEDDED
from core.errors import ClusterError, SettingsError
from core.search.space import SearchSpec
from core.training.network import build
from core.training.range_test import range_test_points, summarise
from core.training.recipe import RangeTest, Recipe
from lab.runs import supervisor
from lab.runs.actions import submit
from lab.runs.cluster.connection import connected
from lab.runs.person import MACHINE
from lab.runs.searches import tries_of
from lab.runs.searching import advance, start_search
from lab.runs.store import RunStore
from lab.runs.supervisor import CLUSTER
from lab.runs.training_job import data_for
from lab.settings import Settings, settings
from tests.conftest import absent
from tests.patience import patient
from tests.test_worker import RECIPE, queued, undisturbed, wait, wait_for
from tests.tiny import TINY, same

ROOT = Path(__file__).resolve().parents[1]
ENDLESS = replace(RECIPE, epochs=1000)
LONG = replace(RECIPE, epochs=8)
CPU = torch.device("cpu")
RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ROTATION_MAX_BYTES": "1000000",  # of a log
    "RAY_ROTATION_BACKUP_COUNT": "1",
    "OMP_NUM_THREADS": "1",
    "RAY_DISABLE_MEMORY_MONITOR": "1",
    "RAY_worker_niceness": "0",  # as beside nothing else: here other tests keep the cores busy
}


@dataclass
class Nodes:
    """Nodes of a Ray cluster on this machine, each a group of processes of its own, with one core."""

    folder: Path
    port: int
    head: subprocess.Popen[bytes]
    others: list[subprocess.Popen[bytes]]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self) -> subprocess.Popen[bytes]:
        node = _start(self.folder / str(len(self.others) + 1), "--address", self.address)
        self.others.append(node)
        return node


def _start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    folder.mkdir()
    ray = Path(sys.executable).with_name("ray")
    command = [ray, "start", "--block", *options, "--num-cpus=1", "--object-store-memory=80000000"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LAB_")}
    with (folder / "log").open("wb") as output:
        return subprocess.Popen(
            [*command, f"--temp-dir={folder}", "--node-ip-address=127.0.0.1"],
            cwd=folder,  # not the repository: the code has to come from the driver
            env=environment | RAY_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """All of a node's processes, its trainers among them, as when the plug is pulled."""
    for pid in _processes(process):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _processes(node: subprocess.Popen[bytes]) -> Iterator[int]:
    """Those of the node's session: Ray puts trainers in groups of their own."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if os.getsid(int(folder.name)) == node.pid:
                yield int(folder.name)


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """Nodes are many processes: on a machine that has other things to do their start alone takes a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.test_worker.PATIENCE", 300.0)
        yield


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    if importlib.util.find_spec("ray") is None:
        absent("ray", "ray is not installed: pip install -r requirements-ray.txt")
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # sockets' paths have to be short
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    head = _start(folder / "0", "--head", f"--port={port}", "--include-dashboard=false")
    nodes = Nodes(folder, port, head, [])
    try:
        wait(lambda: _has_started(head, folder / "0"), "the head node had started")
        other = nodes.add()
        wait(lambda: _has_started(other, folder / "1"), "the other node had started")
        yield nodes
    finally:
        for node in (head, *nodes.others):
            if node.poll() is None:
                kill(node)
        shutil.rmtree(folder, ignore_errors=True)


def _has_started(node: subprocess.Popen[bytes], folder: Path) -> bool:
    said = (folder / "log").read_text(errors="replace")
    assert node.poll() is None, f"a node ended with status {node.returncode}: {said[-2000:]}"
    return "Ray runtime started" in said


@pytest.fixture
def store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))
    return RunStore(home)


@pytest.fixture
def on_cluster(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process and its children have the cluster set."""
    for name, value in {"ADDRESS": nodes.address, "GPUS": "0", "CPUS": "1"}.items():
        monkeypatch.setenv(f"LAB_RAY_{name}", value)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def log(store: RunStore, on_cluster: None) -> Iterator[Path]:
    """The log of a driver that is at work, a process as `lab.runs.actions` starts it."""
    path = store.folder / "driver.log"
    with path.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "lab.runs.cluster", "--idle", "60"], cwd=ROOT, stderr=output)
    yield path
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(patient(30)) == 0
        assert store.slot(CLUSTER) is None
    finally:
        process.kill()


# ------------------------------------------------------------------------------------------------------------ the queue


@pytest.mark.slow
def test_runs_on_the_cluster_are_trained_side_by_side_held_slowed_stopped_and_tested(
    store: RunStore, log: Path
) -> None:
    """One driver, for the start of processes is what takes the time."""
    held, stopped = queued(store, ENDLESS, device="auto"), queued(store, ENDLESS, device="auto")
    for run in (held, stopped):
        wait(lambda run=run: store.epochs(run.id), "an epoch was done")
    assert {store.get(run.id).status for run in (held, stopped)} == {"running"}, "each on its own node"
    assert store.get(held.id).device_name == "Ray: cpu"
    assert supervisor.slots_of(store) == 2, "by which the pages say when a waiting run starts"

    store.set_pause(held.id, "epoch")
    wait(lambda: store.get(held.id).paused_since, "the run was held")
    epochs = store.epochs(held.id)
    store.set_rate_factor(held.id, 0.5)
    asked = time.monotonic()
    store.request_stop(stopped.id)
    wait_for(store, stopped, "stopped")
    assert time.monotonic() - asked < patient(5)
    assert checkpoint.load(store.folder / stopped.id / "last")[1].device.split(":")[0] == "cpu"
    assert store.epochs(held.id) == epochs, "nothing has been trained meanwhile"

    ranged = queued(store, replace(RECIPE, range_test=RangeTest(iterations=40)), kind="range_test", device="auto")
    ranged = wait_for(store, ranged, "finished", "failed")
    assert (ranged.status, ranged.error) == ("finished", "")
    assert json.loads(ranged.result)["points"] == [
        json.loads(json.dumps(vars(point)))
        for point in _range_points(replace(RECIPE, range_test=RangeTest(iterations=40)))
    ]

    store.set_pause(held.id, "")
    wait(lambda: len(store.epochs(held.id)) > len(epochs), "it went on")
    store.request_stop(held.id)
    wait_for(store, held, "stopped")
    (change,) = store.get(held.id).rate_changes
    assert (change.iteration, change.factor) == (len(epochs) * -(-1437 // 64), 0.5)

    failed = queued(store, replace(RECIPE, learning_rate=0.05), device="cuda")
    failed = wait_for(store, failed, "finished", "failed")
    assert "LAB_RAY_GPUS is 0" in failed.error


def _range_points(recipe: Recipe) -> list[object]:
    assert recipe.range_test is not None
    network = build(TINY, recipe.seed)
    points = range_test_points(network, data_for(EMBEDDED, recipe, CPU), recipe, recipe.range_test)
    return list(summarise(list(points), recipe.range_test).points)


# ----------------------------------------------------------------------------------------------------------- many seeds


@pytest.mark.slow
def test_seeds_on_the_cluster_are_bit_for_bit_as_alone_even_where_a_process_is_killed(
    store: RunStore, on_cluster: None, nodes: Nodes, tmp_path: Path
) -> None:
    recipe = replace(LONG, epochs=6)
    runs = submit(store, TINY, recipe, dataset=EMBEDDED, seeds=(4, 7), by=MACHINE)
    wait(lambda: any(store.epochs(run.id) for run in runs), "an epoch was done")
    os.kill(_a_trainer(nodes), signal.SIGKILL)
    for run in runs:
        ended = wait_for(store, run, "finished", "failed")
        assert (ended.status, ended.device, ended.device_name) == ("finished", "auto", "Ray: cpu")
        weights = checkpoint.load(store.folder / run.id / "last")[0].state_dict()
        assert same(weights, undisturbed(replace(recipe, seed=run.seed), tmp_path / run.id))


def _a_trainer(nodes: Nodes) -> int:
    """The process of a trainer on one of these nodes."""
    for node in (nodes.head, *nodes.others):
        for pid in _processes(node):
            if (Path("/proc") / str(pid) / "cmdline").read_bytes().startswith(b"ray::Trainer"):
                return pid
    raise AssertionError("no trainer is at work")


@pytest.mark.slow
def test_the_tries_of_a_search_are_trained_on_the_cluster(store: RunStore, on_cluster: None) -> None:
    search = start_search(store, TINY, replace(RECIPE, epochs=1), SearchSpec(tries=3), dataset=EMBEDDED, by=MACHINE)

    def is_over() -> bool:
        advance(store)
        tries = tries_of(store, search.id)
        return len(tries) == 3 and not any(each.unfinished for each in tries)

    wait(is_over, "all had been tried")
    runs = [each.run for each in tries_of(store, search.id) if each.run]
    assert [(run.status, run.device_name) for run in runs] == [("finished", "Ray: cpu")] * 3
    assert len({run.architecture.ops for run in runs}) == 3


# ---------------------------------------------------------------------------------- a node less, from here to the end


@pytest.mark.slow
def test_a_killed_nodes_run_goes_on_elsewhere_to_the_weights_of_an_undisturbed_one(
    store: RunStore, log: Path, nodes: Nodes, tmp_path: Path
) -> None:
    runs = [queued(store, replace(LONG, seed=seed), device="auto") for seed in (1, 2)]
    for run in runs:
        store.set_pause(run.id, "epoch")
    for run in runs:  # held after an epoch until both are under way, however slow this machine
        wait(lambda run=run: store.get(run.id).paused_since, "the run was held")
    for run in runs:
        store.set_pause(run.id, "")
    kill(nodes.others[-1])
    for run in runs:
        ended = wait_for(store, run, "finished", "failed")
        assert (ended.status, ended.error) == ("finished", "")
        assert [epoch.epoch for epoch in store.epochs(run.id)] == list(range(8))
        iterations = [batch.iteration for batch in store.batches(run.id, at_most=10_000)]
        assert iterations == list(range(8 * -(-1437 // 64)))
        network, card = checkpoint.load(store.folder / run.id / "last")
        assert [replace(e, seconds=0) for e in card.history] == [replace(e, seconds=0) for e in store.epochs(run.id)]
        assert same(network.state_dict(), undisturbed(replace(LONG, seed=run.seed), tmp_path / run.id))
    assert log.read_text().count("the node that trained it was lost") == 1


# ---------------------------------------------------------------------------------------------- what cannot be reached


def connect(address: str, **given: float) -> None:
    with connected(Settings(ray_address=address, **{"ray_gpus": 0.0, **given})):  # type: ignore[arg-type]
        pass


def test_what_is_wrong_with_the_settings_is_said_before_anything_is_tried() -> None:
    for given, words in (
        ({"ray_gpus": 1.5}, "LAB_RAY_GPUS: 1.5 is neither"),
        ({"ray_cpus": 0.0}, "both 0"),
    ):
        with pytest.raises(SettingsError, match=words):
            connect("127.0.0.1:1", **given)
    with pytest.raises(SettingsError, match="address for Ray's client"):
        connect("ray://127.0.0.1:10001")


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as Python marks what cannot be imported
    with pytest.raises(ClusterError, match=r"ray is not installed: pip install -r requirements-ray\.txt"):
        connect("127.0.0.1:1")


def test_a_cluster_that_does_not_answer_is_said_at_once() -> None:
    if importlib.util.find_spec("ray") is None:
        absent("ray", "ray is not installed: pip install -r requirements-ray.txt")
    with pytest.raises(ClusterError, match=r"no Ray cluster answers at 127\.0\.0\.1:1"):
        connect("127.0.0.1:1")


@pytest.mark.slow
def test_the_lab_imports_no_ray_unless_a_cluster_is_set() -> None:
    ours = "lab.runs.actions, lab.runs.worker, lab.runs.seeds, lab.studies.reproduce, lab.__main__"
    code = f"import sys, {ours}; sys.exit('ray' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LAB_RAY")}
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False).returncode == 0
