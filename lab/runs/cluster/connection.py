"""How this machine speaks with a Ray cluster. Ray is imported here alone, and only when a cluster is asked for."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from types import ModuleType
from typing import Any, cast

from core.architecture.spec import Architecture
from core.architecture.trace import classifier
from core.data.mnist import load
from core.errors import ClusterError, LabError, NodeLostError, SettingsError
from core.places import CODE
from core.training.history import RateChange
from core.training.loop import Event
from core.training.range_test import RangePoint
from core.training.recipe import RangeTest, Recipe
from core.words import plural
from lab.runs.cluster.node import Message, RangePoints, Trainer, Work
from lab.runs.training_job import Failed, Idle, Surroundings, TrainingJob, factor_of, load_state, save_checkpoints
from lab.settings import Settings

SHIPPED_CODE = ("core", "lab")  # what a node gets of this repository; no data, no checkpoints
SILENCE_SECONDS = 0.5  # after which it is said that nothing is said
ROOM_SECONDS = 5.0  # that nodes are waited for before it is said that there is no room
NOTICED_SECONDS = 60.0  # within which Ray notices that a node is dead
REACH_SECONDS = 5.0  # to answer a knock; Ray itself would try for minutes

log = logging.getLogger("lab.runs.cluster")


class Cluster:
    """A connection to a Ray cluster: guards it, and the data that have been shipped there."""

    def __init__(self, ray: ModuleType, settings: Settings) -> None:
        self._ray = ray
        self.gpus, self.cpus = settings.ray_gpus, settings.ray_cpus
        self._shipped: dict[str, object] = {}  # a reference by the data set's name
        self._shipping = threading.Lock()
        self._trainer = ray.remote(Trainer)

    # --------------------------------------------------------------------------------------------------------- room

    @property
    def kind(self) -> str:
        """The device that a run gets which does not ask for one."""
        return "cuda" if self.gpus else "cpu"

    def device(self, wanted: str) -> str:
        """The device for auto, cpu or cuda. Raises ClusterError."""
        if wanted == "cuda" and not self.gpus:
            raise ClusterError("the device cuda was asked for, but LAB_RAY_GPUS is 0: a run on the cluster gets no GPU")
        if wanted not in ("auto", "cpu", "cuda"):
            raise ClusterError(f"there is no device {wanted!r} on the cluster; choose auto, cpu or cuda")
        return self.kind if wanted == "auto" else wanted

    def room(self) -> int:
        """How many runs the nodes that are alive can train at a time."""
        return sum(self._room_of(node["Resources"]) for node in self._nodes())

    def check_room(self) -> None:
        """Raises ClusterError where no node could ever take a run; those that are just starting are waited for."""
        deadline = time.monotonic() + ROOM_SECONDS
        while not self.room():
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"no node of the cluster has room for a run, which takes {self.gpus:g} GPUs and {self.cpus:g} "
                    f"cores ({self.describe()}); see LAB_RAY_GPUS and LAB_RAY_CPUS"
                )
            time.sleep(0.2)

    def describe(self) -> str:
        """The cluster as a run names its device."""
        nodes = self._nodes()
        gpus = sum(int(node["Resources"].get("GPU", 0)) for node in nodes)
        cores = sum(int(node["Resources"].get("CPU", 0)) for node in nodes)
        return f"Ray: {plural(gpus, 'GPU')}, {plural(cores, 'core')}, {plural(len(nodes), 'node')}"

    def _nodes(self) -> list[dict[str, Any]]:  # Any: Ray's own description of a node
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _room_of(self, resources: dict[str, float]) -> int:
        rooms = []
        if self.cpus:
            rooms.append(int(resources.get("CPU", 0) / self.cpus + 1e-9))
        if self.gpus >= 1:
            rooms.append(int(resources.get("GPU", 0) / self.gpus))
        elif self.gpus:  # a run's fraction is of one GPU
            rooms.append(int(resources.get("GPU", 0)) * int(1 / self.gpus + 1e-9))
        return min(rooms)

    # ----------------------------------------------------------------------------------------------------------- runs

    def run_training(
        self, job: TrainingJob, dataset: str, device: str = "auto", rate_changes: Sequence[RateChange] = ()
    ) -> Generator[Event | Idle, None, None]:
        """As `lab.runs.training_job.run_training`, on a node; the files are written here. Idle goes between the events.

        Closing it ends the run there. Raises LabError, NodeLostError among them: then it can go on elsewhere.
        """
        classifier(job.architecture)
        state = load_state(job.folder) if job.resumable else None
        work = self._work(job.architecture, job.recipe, device)
        with closing(
            self._converse(work, "train", (self.ship(dataset), state), lambda: factor_of(rate_changes))
        ) as said:
            for message in said:
                if isinstance(message, Surroundings):  # the first; the rest are events
                    yield from save_checkpoints(job, message, state, cast(Iterator[Event | Idle], said), rate_changes)
                else:
                    yield Idle()  # no node has had room so far

    def range_test_points(
        self, architecture: Architecture, recipe: Recipe, settings: RangeTest, dataset: str, device: str = "auto"
    ) -> Generator[tuple[RangePoint, ...] | Idle, None, None]:
        """The points of a range test on a node, a few at a time. Closing it ends the test. Raises as `run_training`."""
        work = self._work(architecture, recipe, device)
        with closing(self._converse(work, "test_range", (self.ship(dataset), settings))) as said:
            for message in said:
                if isinstance(message, RangePoints):
                    yield message.points
                else:
                    yield Idle()

    def _work(self, architecture: Architecture, recipe: Recipe, device: str) -> Work:
        return Work(architecture, recipe, self.device(device), threads=max(1, int(self.cpus)))

    def _converse(
        self, work: Work, method: str, given: tuple[object, ...], rate_factor: Callable[[], float] = lambda: 1.0
    ) -> Generator[Message | Idle, None, None]:
        """What a trainer of its own says, once there is room for it; after each message it waits for `go_on`."""
        gpus = self.gpus if work.device == "cuda" else 0
        trainer = self._trainer.options(
            num_cpus=self.cpus, num_gpus=gpus, max_concurrency=2, scheduling_strategy="SPREAD"
        ).remote()
        asked = time.monotonic()
        try:
            said = getattr(trainer, method).options(num_returns="streaming").remote(work, *given)
            while True:
                ready, _ = self._ray.wait([said], timeout=SILENCE_SECONDS)
                if not ready:
                    yield Idle()
                    continue
                message: Message = self._ray.get(next(said))
                if isinstance(message, Failed):
                    raise LabError(message.error)
                if isinstance(message, Surroundings):
                    seconds = time.monotonic() - asked
                    log.info("%s, seed %s: taken up after %.1f s", work.architecture.name, work.recipe.seed, seconds)
                yield message
                trainer.go_on.remote(rate_factor())
        except StopIteration:
            return
        except self._ray.exceptions.RayError as error:
            if isinstance(error, self._ray.exceptions.ActorUnavailableError):
                yield from self._until_dead(trainer)
            raise self._in_words(error, work) from error
        finally:
            self._ray.kill(trainer)

    def _until_dead(self, trainer: Any) -> Iterator[Idle]:  # Any: Ray's handle of an actor
        """Wait for Ray to know that a trainer is lost: until then it would put the next one on the same dead node."""
        deadline = time.monotonic() + NOTICED_SECONDS
        while time.monotonic() < deadline:
            try:
                self._ray.get(trainer.go_on.remote(1.0), timeout=SILENCE_SECONDS)
                return  # only the connection was lost; its caller has given it up
            except self._ray.exceptions.ActorDiedError:
                return
            except self._ray.exceptions.RayError:
                time.sleep(SILENCE_SECONDS)
                yield Idle()

    def _in_words(self, error: Exception, work: Work) -> LabError:
        """Whether the run can go on elsewhere, and what has happened, in a sentence."""
        exceptions = self._ray.exceptions
        if isinstance(error, exceptions.RayTaskError):
            cause = getattr(error, "cause", error)
            words = f"{type(cause).__name__}: {short_line(str(cause))}"
            # An error of CUDA's makes all later calls of its process fail; a fresh one may well do better.
            return NodeLostError(words) if work.device == "cuda" else ClusterError(words)
        words = short_line(str(error))
        if isinstance(error, exceptions.RuntimeEnvSetupError):
            return ClusterError(f"the lab's code could not be brought to a node: {words}")
        if isinstance(error, exceptions.OutOfMemoryError):
            return NodeLostError(f"a node of the cluster ran out of memory: {words}")
        log.warning("%s: %s", type(error).__name__, words)
        return NodeLostError(f"the node that trained it was lost, or its process there ({type(error).__name__})")

    def ship(self, name: str) -> object:
        """A reference to the data set, which is put into the cluster once; a node gets it with its first run.

        Raises DataError.
        """
        with self._shipping:
            if name not in self._shipped:
                self._shipped[name] = self._ray.put(load(name))
            return self._shipped[name]


def short_line(text: str) -> str:
    """A long message of Ray's on one line, cut."""
    words = " ".join(text.split())
    return words if len(words) <= 200 else f"{words[:199]}…"


@contextmanager
def connected(settings: Settings) -> Iterator[Cluster]:
    """The cluster of the settings, for as long as it is needed. Raises ClusterError, SettingsError."""
    _check(settings)
    ray = _ray()
    _knock(settings.ray_address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address=settings.ray_address,
            runtime_env={"py_modules": [str(CODE / name) for name in SHIPPED_CODE]},
            log_to_driver=False,  # what a run has to say comes as its events
            logging_level=logging.ERROR,
        )
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        raise ClusterError(f"the Ray cluster at {settings.ray_address}: {short_line(str(error))}") from error
    try:
        yield Cluster(ray, settings)
    finally:
        ray.shutdown()


def _check(settings: Settings) -> None:
    if settings.ray_gpus > 1 and settings.ray_gpus % 1:
        raise SettingsError(f"LAB_RAY_GPUS: {settings.ray_gpus:g} is neither a fraction of a GPU nor a whole number")
    if not settings.ray_gpus and not settings.ray_cpus:
        raise SettingsError("LAB_RAY_GPUS and LAB_RAY_CPUS are both 0: a run has to take something")
    if "://" in settings.ray_address:
        raise SettingsError(
            f"LAB_RAY_ADDRESS: {settings.ray_address} is an address for Ray's client; give auto or HOST:PORT, "
            "and let the machine of the lab be a node of the cluster"
        )


def _ray() -> ModuleType:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise ClusterError(
            "LAB_RAY_ADDRESS is set, but ray is not installed: pip install -r requirements-ray.txt"
        ) from None
    return cast(ModuleType, ray)


def _knock(address: str) -> None:
    """Raises ClusterError where nobody listens."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return  # auto: Ray looks for a cluster on this machine, and says at once when there is none
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"LAB_RAY_ADDRESS: no Ray cluster answers at {address}: {error}") from None
