"""Every cache of the app: one copy for all sessions, each bounded."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import numpy as np
import streamlit as st

from core.challenge import CHALLENGE, Challenge
from core.data.mnist import EMBEDDED, Pixels, Split, SplitName, best_present, is_present, load_split
from core.errors import LabError
from core.training.history import EpochRecord
from lab.classroom.answers import ClassAnswers
from lab.classroom.class_lock import ClassLock
from lab.classroom.game import Rooms
from lab.classroom.handwriting import Handwriting
from lab.classroom.leading import Leading
from lab.classroom.locks import Locks
from lab.runs import supervisor
from lab.runs.challenge import challenge_now
from lab.runs.expectation import LATEST, Expected, expected, on
from lab.runs.queue_now import QueueNow, queue_now
from lab.runs.rows import RunName, Speed
from lab.runs.store import RunStore
from lab.settings import lab_home, settings
from lab.studies.ranking import LIMIT, Standing, standings


@st.cache_resource
def store() -> RunStore:
    """The run store of this lab's home."""
    return RunStore(lab_home())


@st.cache_resource(max_entries=6)
def split(dataset: str, name: SplitName) -> Split:
    """One split of a data set, shared and read-only."""
    return load_split(dataset, name)


@st.cache_resource
def downloads() -> dict[str, subprocess.Popen[bytes]]:
    """The downloads of this server, by data set."""
    return {}


def dataset_here(wanted: str = "MNIST") -> str:
    """The wanted data set where it is present, else the embedded digits."""
    return wanted if is_present(wanted) else EMBEDDED


def sample_digit(label: int) -> Pixels:
    """A clear digit of that label, (28, 28), of the best data set that is here by now."""
    return _clear_digit(best_present(), label)


@st.cache_resource(max_entries=32)
def _clear_digit(dataset: str, label: int) -> Pixels:
    """The one of the first 200 that is nearest to their mean."""
    digits = split(dataset, "test")
    own = digits.images[digits.labels == label][:200].astype(np.float32)
    distance = ((own - own.mean(0)) ** 2).sum((1, 2))
    return np.asarray(own[int(distance.argmin())], np.uint8)


@st.cache_resource
def rooms() -> Rooms:
    """The class games of this server; they are gone when it ends."""
    return Rooms()


@st.cache_resource(ttl=1.0, max_entries=1, show_spinner=False)
def challenge() -> Challenge:
    """What runs are held against here, read once for all who ask within a second.

    Where the store or the settings cannot be read, which pages say elsewhere, it is what still can be.
    """
    with suppress(LabError):
        return challenge_now(store())
    with suppress(LabError):
        return settings().challenge
    return CHALLENGE


@st.cache_resource(max_entries=4000, show_spinner=False)
def finished_epochs(run_id: str, ended: float) -> tuple[EpochRecord, ...]:
    """The epochs of a run that has ended, read once: none is added unless it goes on, and then it ends anew."""
    return tuple(store().epochs(run_id))


@st.cache_resource(ttl=1.0, max_entries=1, show_spinner=False)
def ranking() -> tuple[Standing, ...]:
    """Every finished run before the challenge, worked out once for all who look at the board within a second."""
    return standings(store().entries(LIMIT), lambda run: finished_epochs(run.id, run.ended or 0.0), challenge())


@st.cache_resource
def class_lock() -> ClassLock:
    """Which browsers are the teacher's."""
    return ClassLock(settings().class_passphrase)


@st.cache_resource
def leading() -> Leading:
    """Who leads the class, and where to."""
    return Leading(class_lock().is_teacher)


@st.cache_resource
def class_answers() -> ClassAnswers:
    """What the class has answered in lessons, since the app was started."""
    return ClassAnswers()


@st.cache_resource
def locks() -> Locks:
    """What teachers' links have taken away, by browser."""
    return Locks()


@st.cache_resource(ttl=1.0, max_entries=1, show_spinner=False)
def the_queue() -> QueueNow:
    """Who is under way and who waits, worked out once for all who look within a second."""
    return queue_now(store(), expectations())


@st.cache_resource(ttl=5.0, max_entries=1, show_spinner=False)
def speeds() -> list[Speed]:
    """How fast the latest runs on this machine were."""
    return on(supervisor.device_of(store(), "auto"), store().speeds(LATEST))


@st.cache_resource(ttl=1.0, max_entries=1, show_spinner=False)
def run_names() -> dict[str, RunName]:
    """What a menu says of each run and whose it is, by its id."""
    return {run.id: run for run in store().names()}


@st.cache_resource(ttl=1.0, max_entries=1, show_spinner=False)
def expectations() -> dict[str, Expected]:
    """When the waiting runs will start, worked out once for all who look within a second."""
    return expected(store())


@st.cache_resource
def handwriting() -> Handwriting:
    """The class's own digits, in this lab's home."""
    return Handwriting(lab_home())
