"""Bad input by the hundred thousand: `python -m tests.fuzz --inputs 100000`. A few hundred of the same in test_fuzz.py.

The law: whatever is given, a function answers or raises a LabError whose one sentence can be shown; the command line
answers or exits with status 2 and one line. It takes less than two seconds of the processor and 300 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import gc
import io
import json
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure

from core.errors import LabError
from tests import hostile
from tests.patience import patient

ROOT = Path(__file__).resolve().parents[1]
MAX_SECONDS = 2.0  # of the processor, for one input
MAX_BYTES = 300e6  # by which the process may grow meanwhile
HUNG = patient(60)  # seconds by the clock, after which an input counts as hanging
LONGEST_SENTENCE = 2_000  # characters of an error
CHUNK = 500  # inputs between which hypothesis forgets what it has tried


class BrokenLaw(AssertionError):
    """What an input did that none may do."""


@dataclass
class Tally:
    """What was measured of one target."""

    inputs: int = 0
    refused: int = 0  # with a LabError
    seconds: float = 0.0  # the longest
    bytes: int = 0  # the most
    total_seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    once: list[str] = field(default_factory=list)  # what broke it, and did not when it was put in again


@dataclass(frozen=True)
class Target:
    """A door of the lab: what is put in, and what takes it."""

    name: str
    inputs: st.SearchStrategy[Any]
    take: Callable[[Any], None]
    share: float = 1.0  # of the script's inputs, beside the others'; a slow door gets fewer


# ------------------------------------------------------------------------------------------------------------- the law


def obey(take: Callable[[Any], None], given: Any, tally: Tally) -> None:
    """Hand the input over. Raises BrokenLaw, with the reason, where something else than the law allows happens."""
    tally.inputs += 1
    before = _resident()
    _forget_peak()
    started = time.process_time()
    try:
        with _alarm():
            take(given)
    except LabError as error:
        tally.refused += 1
        check_sentence(error)
    except BrokenLaw:
        raise
    except BaseException as error:
        raise BrokenLaw(f"{type(error).__name__}: {error}"[:2_000]) from error
    seconds, grown = time.process_time() - started, _peak() - before
    tally.seconds, tally.bytes = max(tally.seconds, seconds), max(tally.bytes, grown)
    if seconds > MAX_SECONDS:
        raise BrokenLaw(f"took {seconds:.1f} s, at most {MAX_SECONDS:g} s are allowed")
    if grown > MAX_BYTES:
        raise BrokenLaw(f"took {grown / 1e6:,.0f} MB, at most {MAX_BYTES / 1e6:g} MB are allowed")


def check_sentence(error: LabError) -> None:
    """Raises BrokenLaw for an error that a page or a terminal could not show."""
    said = str(error)
    if not said.strip() or len(said) > LONGEST_SENTENCE:
        raise BrokenLaw(f"a {type(error).__name__} of {len(said):,} characters: {said[:100]!r}")
    sendable(said)


def sendable(text: str) -> None:
    """Raises BrokenLaw for a text that cannot go to a browser: half a surrogate pair is no Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BrokenLaw(f"a text that cannot be sent: {text[:100]!a}") from None


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    """Raises TimeoutError in what hangs, where the system can."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise BrokenLaw(f"hangs: it was not done after {HUNG:g} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    usual = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HUNG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)


def _status(name: str) -> int:
    """A line of Linux's /proc/self/status, in bytes; 0 on other systems."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def _resident() -> int:
    return _status("VmRSS:")


def _peak() -> int:
    return _status("VmHWM:")


def _forget_peak() -> None:
    """Let the highest resident size be counted anew, from now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


# ------------------------------------------------------------------------------------------------------------ networks


def take_architecture(text: str) -> None:
    """A JSON text as a design: all that a page shows of it before it is built."""
    from core.advice.advice import advice
    from core.architecture.fit import fit
    from core.architecture.json_form import architecture_from_json, architecture_to_json
    from core.architecture.link import from_code, to_code
    from core.architecture.pytorch_code import pytorch_code
    from core.architecture.sizes import shape_words
    from core.architecture.spec import op_words

    architecture = architecture_from_json(text)
    sendable(architecture.name)
    if (
        from_code(to_code(architecture)) != architecture
        or architecture_from_json(architecture_to_json(architecture)) != architecture
    ):
        raise BrokenLaw("the design is another one after a link or a file")
    found = fit(architecture)
    sendable(found.error)
    for each in advice(architecture):
        sendable(each.words)
    for op in architecture.ops:
        op_words(op)
    if found.trace:
        shape_words(found.trace.output)
    if not found.error:
        compile(pytorch_code(architecture), "code", "exec")


def take_shown_network(document: Any) -> None:
    """A design on the pages that draw it: its boxes, its field, every stage of the explorer."""
    from core.architecture.json_form import architecture_from_dict
    from lab.experiment.design.boxes import in_words
    from lab.experiment.design.figures import diagram
    from lab.learn.field.network import viewed

    architecture = architecture_from_dict(document)
    network = viewed(architecture, None)
    diagram(network.walked, (0,)).to_json()
    sendable(in_words(network.walked))
    json.dumps([vars(stage) for stage in network.stages])


def take_built_network(document: Any) -> None:
    """A design as the lab builds it for whoever asks: as an ONNX file, and to follow a gradient through it."""
    from core.architecture.json_form import architecture_from_dict, architecture_to_json
    from core.architecture.trace import trace
    from core.data.mnist import EMBEDDED
    from core.training.recipe import Recipe
    from lab.runs.affordable import affordable
    from lab.ui.export_menu import _content, of_network
    from lab.ui.predictions import effective_untrained

    architecture = architecture_from_dict(document)
    content = architecture_to_json(architecture)
    effective_untrained.clear()
    affordable(architecture)  # what it refuses cannot be asked for
    try:
        if str(ROOT).encode() in _content("onnx", of_network(architecture, Recipe()).leaving):
            raise BrokenLaw("a path of this machine is in the ONNX file")
    finally:
        gc.collect()
    if architecture.input == (1, 28, 28):
        effective_untrained(content, 0, len(trace(architecture).layers) - 1, EMBEDDED)


def take_code(code: str) -> None:
    from core.architecture.link import from_code

    sendable(from_code(code).name)


def take_edits(edits: list[tuple[str, tuple[Any, ...]]]) -> None:
    """Edits one after the other; one that is refused leaves the design as it was."""
    from core.architecture import edit, fresh
    from core.architecture.link import from_code, to_code
    from core.architecture.rows import rows
    from core.architecture.spec import Architecture

    history = edit.History(Architecture("edited", ()))
    for name, arguments in edits:
        if name in ("undo", "redo"):
            history = getattr(edit, name)(history)
            continue
        try:
            changed = getattr(fresh if name == "fresh" else edit, name)(history.present, *arguments)
        except LabError as error:
            check_sentence(error)
            continue
        if name == "fresh":
            changed = edit.insert(history.present, 0, changed)
        for row in rows(changed):
            sendable(f"{row.path} {row.op}")
        if from_code(to_code(changed)) != changed:
            raise BrokenLaw("an edit made a design that no link can carry")
        history = edit.record(history, changed)


EDITS = ("insert", "insert", "fresh", "remove", "move", "duplicate", "put", "with_field", "renamed", "group", "ungroup")
EDITS += ("undo", "redo")


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[str, tuple[Any, ...]]]:
    from core.architecture import edit
    from core.architecture.spec import OPS

    numbers = st.integers(-2, 12) | st.sampled_from([10**30, -(10**30)])
    inner = st.tuples(st.integers(0, 3), st.integers(-1, 2), st.integers(-1, 3))
    places = numbers | inner | st.builds(lambda outer, more: outer + more[1:], inner, inner)
    fields = st.sampled_from(["stride", "padding", "p", "bias"]) | hostile.texts
    made: list[tuple[str, tuple[Any, ...]]] = []
    for _ in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(EDITS))
        op = _op(draw(hostile.op_documents()), draw(st.none() | st.tuples(hostile.texts, hostile.numbers)))
        arguments: dict[str, tuple[Any, ...]] = {
            "insert": (draw(places), op),
            "group": (draw(places), draw(places), draw(st.sampled_from(sorted(edit.GROUPS.values(), key=str)))),
            "ungroup": (draw(places),),
            "fresh": (draw(st.integers(0, 12)), draw(st.sampled_from(sorted(OPS.values(), key=str)))),
            "remove": (draw(places),),
            "move": (draw(places), draw(places)),
            "duplicate": (draw(places),),
            "put": (draw(places), op),
            "with_field": (draw(places), draw(fields), draw(hostile.scalars)),
            "renamed": (draw(hostile.texts),),
            "undo": (),
            "redo": (),
        }
        made.append((name, arguments[name]))
    return made


def _op(document: dict[str, Any], wrong: tuple[str, Any] | None) -> Any:
    """The op of a document; with a value that no reader has seen, where one is given."""
    from core.architecture.spec import OPS, Op
    from core.errors import SpecError
    from core.record import read_tagged

    op: Op = read_tagged(OPS, document, "op", SpecError, tag="op")
    names = sorted(vars(op))
    if wrong is None or not names:
        return op
    object.__setattr__(op := replace(op), names[len(wrong[0]) % len(names)], wrong[1])
    return op


# ------------------------------------------------------------------------------------------- recipes, cards, settings


def take_recipe(text: str) -> None:
    from core.training.recipe import rate_at, recipe_from_json, recipe_to_json
    from core.training.recipe_words import recipe_words

    recipe = recipe_from_json(text)
    if recipe_from_json(recipe_to_json(recipe)) != recipe:
        raise BrokenLaw("the recipe is another one after its file")
    for iteration in (0, 1, 468, recipe.epochs * 469 - 1):
        rate_at(recipe, iteration, 469)
    sendable(recipe_words(recipe))


def take_card(document: Any) -> None:
    from core.checkpoints.card import card_from_dict, card_to_dict
    from lab.studies.shelf import Shelved

    card = card_from_dict(document, "card.json")
    json.dumps(card_to_dict(card), allow_nan=False)
    sendable(json.dumps(card_to_dict(card), ensure_ascii=False))
    sendable(Shelved("x", card, Path("x"), False).label)
    sendable(f"{card.first_reached} {card.held_from} {card.record}")


@functools.cache
def card_document() -> dict[str, Any]:
    """The card of the smallest shipped checkpoint, with one epoch."""
    from lab.studies.shelf import SHIPPED

    path = min(SHIPPED.glob("*.json"), key=lambda path: path.stat().st_size)
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    document["history"] = [document["history"][0] | {"epoch": 0}]
    document["epoch"] = 0
    return document


def take_prediction(text: str) -> None:
    from core.analysis.prediction import answers, prediction_from_json, prediction_to_json

    prediction = prediction_from_json(text)
    prediction_to_json(prediction)
    answers(prediction, 0.99, 10_000, [], "C3")


def take_settings(given: tuple[dict[str, str], dict[str, object]]) -> None:
    from lab.settings import read_settings

    read_settings(*given)


@st.composite
def settings_given(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, object]]:
    from dataclasses import fields

    from lab.settings import Settings

    names = st.sampled_from([each.name for each in fields(Settings)])
    numerals = st.integers(-2, 10**13).map(str) | st.floats().map(str)
    environment = draw(
        st.dictionaries(names.map(lambda name: f"LAB_{name.upper()}"), hostile.texts | numerals, max_size=4)
    )
    return environment, draw(st.dictionaries(names | hostile.texts, hostile.junk, max_size=3))


# --------------------------------------------------------------------------------------------------------------- files


def take_picture(content: bytes) -> None:
    from core.data.drawn_digit import STAGES, prepare, without
    from core.data.photograph import MOST_DIGITS, read_photograph

    photograph = read_photograph(content)
    if not 1 <= len(photograph.digits) <= MOST_DIGITS:
        raise BrokenLaw(f"{len(photograph.digits)} digits came of an upload")
    for picture in photograph.digits:
        if picture.ndim != 2 or max(picture.shape) > 480:
            raise BrokenLaw(f"a picture of {picture.shape} came of an upload")
        prepare(picture)
    for stage in STAGES:
        prepare(photograph.digits[0], without(stage))


def take_saved(given: tuple[str, bytes]) -> None:
    """A name for a saved design, and a file that somebody put there."""
    from core.architecture.spec import Architecture, ReLU
    from lab.classroom.designs import delete_design, save_design, saved_design, saved_names
    from lab.experiment.design.start import start_named
    from lab.settings import lab_home

    name, content = given
    folder = lab_home() / "designs"
    folder.mkdir(exist_ok=True)
    (folder / "given.json").write_bytes(content)
    for act in (
        lambda: saved_design("given"),
        lambda: start_named("saved:given"),
        lambda: start_named(name),
        lambda: saved_design(name),
    ):
        _refusable(act)
    before = set(lab_home().rglob("*"))
    _refusable(lambda: saved_design(save_design(Architecture(name, (ReLU(),)))))
    made = set(lab_home().rglob("*")) - before - {lab_home() / ".lock"}
    if any(path.parent != folder for path in made):
        raise BrokenLaw(f"a design went to {made}")
    for each in saved_names():
        sendable(each)
    _refusable(lambda: delete_design(name))


def _refusable(act: Callable[[], object]) -> None:
    """What may be refused, with more to come."""
    try:
        act()
    except LabError as error:
        check_sentence(error)


@functools.cache
def pair() -> tuple[bytes, bytes]:
    """The weights and the card of a checkpoint of an untrained network."""
    from tests.test_use_pages import save

    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), "tiny", "MNIST")
        return (Path(folder) / "tiny.safetensors").read_bytes(), (Path(folder) / "tiny.json").read_bytes()


def take_checkpoint(given: tuple[bytes, bytes]) -> None:
    """A pair of files that somebody changed."""
    from core.checkpoints.checkpoint import load
    from lab.settings import lab_home
    from lab.studies.shelf import find, own

    folder = lab_home()
    for ending, content in zip(("safetensors", "json"), given, strict=True):
        (folder / f"given.{ending}").write_bytes(content)
    for shelved in own():
        sendable(shelved.label)
    _refusable(lambda: find("given"))
    load(folder / "given")


def sealed(weights: bytes, document: Any) -> tuple[bytes, bytes]:
    """The pair whose card names the weights' hash, as it would stand after an attack on both."""
    import hashlib

    if isinstance(document, dict):
        document["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    try:
        return weights, json.dumps(document).encode()
    except ValueError:
        return weights, b"{}"


@functools.cache
def resume_file() -> bytes:
    """What a run of one epoch leaves to go on from."""
    import torch

    from core.training.recipe import Recipe
    from tests.tiny import tiny_data, trained

    _, ends = trained(Recipe(epochs=2), tiny_data())
    file = io.BytesIO()
    torch.save(ends[0].state, file)
    return file.getvalue()


def take_resume(content: bytes) -> None:
    from core.training.loop import history_of
    from lab.runs.training_job import RESUME, load_state
    from lab.settings import lab_home

    (lab_home() / RESUME).write_bytes(content)
    state = load_state(lab_home())
    if state is not None:
        history_of(state)


class Evil:
    """What a pickle that runs code on loading holds."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(Path(os.environ["LAB_HOME"]) / "broken-in"),)


def torch_files(value: Any) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


# -------------------------------------------------------------------------------------- what a class says and keeps


@functools.cache
def store(folder: str) -> Any:
    from lab.runs.store import RunStore

    return RunStore(Path(folder))


def take_words_of_runs(given: list[tuple[str, Any, Any]]) -> None:
    """Names, nicknames, tags and figures for a run, right or wrong."""
    from lab.settings import lab_home
    from tests.made_runs import made_run

    runs = store(str(lab_home()))
    run = made_run(runs, [0.5], status=None)
    for act, one, other in given:
        which = run.id if other is None else other[:60]
        match act:
            case "rename" | "set_owner":
                _refusable(lambda act=act, one=one, which=which: sendable(getattr(runs, act)(which, one).name))
            case "set_tags":
                _refusable(lambda one=one, which=which, other=other: runs.set_tags(which, [one, other or "x"]))
            case "get" | "job" | "put_first" | "put_last" | "request_stop" | "control":
                _refusable(lambda act=act, one=one: getattr(runs, act)(one))
            case "set_rate_factor":
                _refusable(lambda one=one: runs.set_rate_factor(run.id, one))
    for each in runs.runs():
        sendable(f"{each.name} {each.owner} {each.tags}")
    _refusable(lambda: runs.finish(run.id, "w", "finished"))
    _refusable(lambda: runs.delete(run.id))


ACTS_BY_ID = ("put_first", "put_last", "request_stop", "control")
words_of_runs = st.lists(
    st.tuples(
        st.sampled_from(["rename", "set_owner", "set_tags", "get", "job", *ACTS_BY_ID]),
        hostile.texts,
        st.none() | hostile.texts,
    )
    | st.tuples(st.just("set_rate_factor"), st.floats() | st.integers(), st.none()),
    max_size=6,
)


def take_handwriting(given: tuple[Any, ...]) -> None:
    import zipfile

    import numpy as np

    from lab.classroom.handwriting import Handwriting
    from lab.runs.person import Person
    from lab.settings import lab_home

    label, nickname, author, size, level = given
    kept = Handwriting(lab_home())
    drawing = np.full((size, size), level, np.uint8)
    number = None
    with contextlib.suppress(LabError):
        number = kept.keep(drawing[:28, :28], drawing, label, nickname, author)
    for each in kept.drawings():
        sendable(each.nickname)
    with zipfile.ZipFile(io.BytesIO(kept.export())) as archive:
        for row in csv.reader(io.StringIO(archive.read("labels.csv").decode(), newline="")):
            check_cells(row[2:3])
    _refusable(lambda: kept.delete(10**30, Person(author, nickname)))
    if number is None:
        return
    for stranger in (Person(f"{author}2", nickname), Person()):
        _refusable(lambda stranger=stranger: kept.delete(number, stranger))
        if not any(each.number == number for each in kept.drawings()):
            raise BrokenLaw("a stranger took a drawing out")
    _refusable(lambda: kept.delete(number, Person(author, nickname)))


def check_cells(row: list[str]) -> None:
    """Raises BrokenLaw for a cell of words that a spreadsheet would run."""
    for cell in row:
        if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
            raise BrokenLaw(f"a spreadsheet would run {cell[:40]!r}")


def take_votes(given: list[tuple[str, int]]) -> None:
    from lab.classroom.game import Question, Rooms

    rooms = Rooms()
    code, room = rooms.open()
    room.ask(Question("MNIST", "test", 0, 7, 7, 0.5, "x"))
    for text, digit in given:
        _refusable(lambda text=text: rooms.find(text))
        _refusable(lambda text=text, digit=digit: room.vote(text, digit))
    room.reveal()
    room.score()
    rooms.find(code)


def take_words(text: str) -> None:
    """What is shown as Markdown or goes into a table must not mark up and not run."""
    from core.spreadsheet import csv_text
    from lab.ui.words import escaped, plotted

    for shown in (escaped(text), plotted(text)):
        if len(shown.splitlines()) > 1 or shown != shown.strip():
            raise BrokenLaw(f"{shown[:40]!r} begins a line of its own")
    check_cells(next(csv.reader(io.StringIO(csv_text([text], []), newline="")), []))


# ---------------------------------------------------------------------------------------------------- the command line


def take_command(given: tuple[list[str], bytes]) -> None:
    from lab.cli.parser import main
    from lab.settings import lab_home

    arguments, content = given
    file = lab_home() / "given.json"
    file.write_bytes(content)
    arguments = [str(file) if each == "FILE" else each for each in arguments]
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    complained = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")  # as Python's own is
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            status = main(arguments)
        except SystemExit as end:  # argparse's own
            status = int(end.code or 0)
    complained.flush()
    complaint = complained.buffer.getvalue().decode() if isinstance(complained.buffer, io.BytesIO) else ""
    if status not in (0, 1, 2):
        raise BrokenLaw(f"exit status {status}")
    if "Traceback" in complaint:
        raise BrokenLaw(complaint)
    if status == 2 and len(complaint.strip().splitlines()) != 1:
        raise BrokenLaw(f"{len(complaint.strip().splitlines())} lines on standard error: {complaint[:500]}")


TRAINING_OPTIONS = ("--seed", "--epochs", "--save", "--seeds", "--side-by-side", "--data", "--recipe")
TEST_OPTIONS = ("--start", "--end", "--iterations", "--seed")


@st.composite
def commands(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """A command with hostile arguments, and a file that some of them name. Nothing among them trains."""
    words = hostile.texts.filter(lambda text: "\x00" not in text)  # no system hands those to a program
    content = draw(
        hostile.as_text(hostile.changed(hostile.networks)).map(lambda text: text.encode("utf-8", "replace"))
        | hostile.as_bytes(hostile.pictures())
    )
    name = draw(
        st.sampled_from(
            [
                "trace",
                "trace",
                "mistakes",
                "predict",
                "predict",
                "train",
                "range-test",
                "reproduce",
                "bench",
                "data",
                "restore",
            ]
        )
        | words
    )
    own: dict[str, list[str]] = {
        "trace": [draw(words | st.just("FILE"))],
        "mistakes": [draw(words), "--limit", draw(words | st.just("3"))],
        "predict": [draw(words | st.just("FILE")), "--checkpoint", draw(words | st.just("c6-steplr-7416"))],
        # What is to be trained is never there: what else is said must be refused, or come to nothing.
        "train": ["absent.json", draw(st.sampled_from(TRAINING_OPTIONS)), draw(words)],
        "range-test": ["absent.json", draw(st.sampled_from(TEST_OPTIONS)), draw(words)],
        "reproduce": [f"absent-{draw(words)}", "--seeds", draw(words)],
        "bench": ["--rounds", draw(st.sampled_from(["0", "-1", "101", "x", "9" * 400]))],
        "restore": [draw(words | st.just("FILE"))],
        "data": draw(st.lists(st.sampled_from(["--json", "--nothing", "--download=nothing"]), max_size=2)),
    }
    arguments = [name, *own.get(name, [draw(words)])]
    if draw(st.integers(0, 4)) == 0:
        arguments.insert(
            draw(st.integers(1, len(arguments))), draw(st.sampled_from(["--json", "--", "--help"]) | words)
        )
    if name == "bench" and "--rounds" not in arguments[:2]:
        arguments = [name, *own[name]]
    if name in ("reproduce", "bench") and any(each.startswith(("--t", "--p")) for each in arguments):  # they write
        arguments = [name, *own[name]]
    return arguments, content


# --------------------------------------------------------------------------------------------------------------- pages

PARAMETERS: dict[str, list[str]] = {
    "pages/learn/walkthroughs.py": ["lesson", "scene", "present"],
    "pages/learn/ladder.py": ["ladder", "view"],
    "pages/learn/step.py": ["step", "curve", "width", "bn", "drop"],
    "pages/learn/field.py": ["step", "design", "op", "unit", "view", "show", "digit"],
    "pages/experiment/design.py": ["design", "from", "view", "form"],
    "pages/experiment/train.py": ["step", "design", "from", "run", "group", "me"],
    "pages/experiment/learning_rate.py": ["step", "design", "from", "run", "show"],
    "pages/experiment/compare.py": ["runs", "show", "smoothing", "me"],
    "pages/experiment/board.py": ["me", "show", "view"],
    "pages/use/import.py": ["onto", "class", "normalisation"],
    "pages/use/mistakes.py": [
        "checkpoint",
        "other",
        "split",
        "order",
        "image",
        "true",
        "predicted",
        "show",
        "bins",
        "calibration_as",
    ],
    "pages/use/read.py": ["room", "lead", "checkpoint", "order", "true", "predicted"],
    "pages/use/draw.py": ["checkpoint", "source", "digit", "prepare", "alter", "keep"],
    "pages/use/handwriting.py": ["scores_as", "label"],
    "pages/use/inside.py": ["checkpoint", "epochs", "from", "image", "show", "layer", "channel", "unit", "label"],
}
VALUES = [
    "c3-batchnorm-7448",
    "a2-final-7758",
    "Code",
    "ONNX",
    "Diagram",
    "Effective field",
    "Formulas",
    "Picture",
    "Test digit",
    "test",
    "0",
    "7",
    "conv1",
]


def take_page(given: tuple[str, dict[str, str]]) -> None:
    """A page by its deep link: nothing but words for what is wrong with it."""
    from streamlit.testing.v1 import AppTest

    page, parameters = given
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=HUNG)
    app.switch_page(page)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.run()
    if app.exception:
        raise BrokenLaw(f"{page} {parameters}: {app.exception[0].value} {app.exception[0].stack_trace}")
    for each in (*app.error, *app.markdown, *app.caption):
        sendable(each.value)


@st.composite
def links(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    page = draw(st.sampled_from(sorted(PARAMETERS)))
    codes = hostile.large_networks().map(lambda document: hostile.code_of(json.dumps(document).encode()))
    values = st.sampled_from(VALUES) | hostile.texts.filter(_is_text)
    chosen = draw(st.lists(st.sampled_from(PARAMETERS[page]), unique=True, max_size=4))
    return page, {name: draw(codes | values if name == "design" else values) for name in chosen}


def _is_text(text: str) -> bool:
    """What a browser can send: a URL's bytes are decoded before they reach a page, and half a pair becomes a mark."""
    return len(text) < 30_000 and text.encode("utf-8", "replace").decode() == text


# ------------------------------------------------------------------------------------------------------------- the run


@functools.cache
def targets() -> dict[str, Target]:
    """All doors, by name."""
    texts_of = hostile.as_text
    large = hostile.changed(hostile.networks)
    weights, card = pair()
    document = json.loads(card)
    changed_card = hostile.changed(st.just(card_document()) | st.just(document))
    states = hostile.junk.filter(lambda value: not isinstance(value, Evil)).map(torch_files) | st.just(
        torch_files(Evil())
    )
    predictions = st.sampled_from([{"accuracy": 0.99, "fit": "overfits", "against": "better"}])
    files = texts_of(large).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=50)
    labels = st.integers(0, 9) | hostile.numbers.filter(lambda number: isinstance(number, int))
    sides = st.sampled_from([28, 30, 280, 1])
    drawings = st.tuples(labels, hostile.texts, hostile.texts, sides, st.integers(0, 255))
    told = (
        Target("architectures", texts_of(large), take_architecture, 4),
        Target("links", hostile.codes, take_code, 3),
        Target("networks shown", hostile.networks | large, take_shown_network, 0.5),
        Target("networks built", hostile.large_networks() | large, take_built_network, 0.2),
        Target("edits", edits(), take_edits, 2),
        Target("recipes", texts_of(hostile.changed(hostile.recipes)), take_recipe, 3),
        Target("cards", changed_card, take_card, 2),
        Target("predictions", texts_of(hostile.changed(predictions)), take_prediction, 1),
        Target("settings", settings_given(), take_settings, 2),
        Target("uploaded pictures", hostile.uploads, take_picture, 2),
        Target("saved designs", st.tuples(hostile.texts, files), take_saved, 1),
        Target("checkpoints", st.tuples(hostile.as_bytes(st.just(weights)), hostile.as_bytes(st.just(card)))
               | st.builds(sealed, hostile.as_bytes(st.just(weights)), changed_card), take_checkpoint, 0.5),
        Target("resume files", hostile.as_bytes(st.just(resume_file())) | states, take_resume, 0.5),
        Target("names, tags, nicknames", words_of_runs, take_words_of_runs, 0.5),
        Target("handwriting", drawings, take_handwriting, 0.1),
        Target("votes", st.lists(st.tuples(hostile.texts, st.integers()), max_size=5), take_votes, 0.5),
        Target("words", hostile.texts, take_words, 0.5),
        Target("command lines", commands(), take_command, 1),
        Target("pages", links(), take_page, 0.02),
    )  # fmt: skip
    return {target.name: target for target in told}


def run(target: Target, inputs: int, first_seed: int, tally: Tally) -> None:
    """Put that many inputs in, some at a time; what breaks the law is kept, and the chunk ends with it."""
    chunk = 0
    while tally.inputs < inputs:
        count = min(CHUNK, inputs - tally.inputs)
        before = tally.inputs

        @seed(first_seed * 1_000_003 + chunk)
        @settings(
            max_examples=count, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
        )  # fmt: skip
        @given(target.inputs)
        def put_in(given: Any) -> None:
            obey(target.take, given, tally)

        try:
            put_in()
        except FlakyFailure as error:
            tally.once.append(" ".join(str(each) for each in error.exceptions)[:1_500])
        except BrokenLaw as error:
            where = traceback.extract_tb((error.__cause__ or error).__traceback__)
            place = next(
                (
                    f"{frame.filename.removeprefix(str(ROOT))}:{frame.lineno}"
                    for frame in reversed(where)
                    if str(ROOT) in frame.filename and "tests" not in frame.filename
                ),
                "",
            )
            note = " ".join(getattr(error, "__notes__", []))[:1_500]
            tally.broken.append(f"{error} {place}\n{note}")
            return  # what comes after it in the same place would only hide what is behind
        chunk += 1
        if tally.inputs == before:  # there are no more inputs of this kind
            return


def main(arguments: list[str] | None = None) -> int:
    """Fuzz every door, and print a row of a table for each; 1 where the law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="over all doors")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="NAME", help="one door")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lab-fuzz-") as home:
        os.environ.update(LAB_HOME=home, LAB_OFFLINE="1", LAB_WORKER_IDLE="2")
        quiet()
        chosen = {name: each for name, each in targets().items() if options.only in (None, name)}
        if not chosen:
            parser.error(f"there is no door {options.only!r}; there are {', '.join(targets())}")
        warm(chosen)
        tallies: dict[str, Tally] = {}
        shares = sum(target.share for target in chosen.values())
        for name, target in chosen.items():
            tallies[name] = tally = Tally()
            started = time.perf_counter()
            run(target, max(1, round(options.inputs * target.share / shares)), options.seed, tally)
            tally.total_seconds = time.perf_counter() - started
            print(
                f"| {name} | {tally.inputs:,} | {tally.refused:,} | {1000 * tally.seconds:,.0f} ms | "
                f"{tally.bytes / 1e6:,.0f} MB | {tally.total_seconds:,.0f} s | {len(tally.broken)} |",
                flush=True,
            )
            for broken in tally.broken:
                print(f"    {broken}", file=sys.stderr, flush=True)
            for once in tally.once:
                print(f"    once, and not again: {once}", file=sys.stderr, flush=True)
        if (Path(home) / "broken-in").exists():
            print("a pickle ran code", file=sys.stderr)
            return 1
    print(in_one_row(list(tallies.values()), options.seed))
    return 1 if any(tally.broken for tally in tallies.values()) else 0


def in_one_row(tallies: list[Tally], first_seed: int) -> str:
    """All doors as one row for docs/measurements.md, with versions and machine."""
    import hypothesis
    import streamlit
    import torch

    inputs, broken = sum(each.inputs for each in tallies), sum(len(each.broken) for each in tallies)
    once = sum(len(each.once) for each in tallies)
    again = f", {once} did once and not when put in again" if once else ""
    return (
        f"| {inputs:,} fuzzed inputs at {len(tallies)} doors, seed {first_seed} | {broken} broke the law{again} | "
        f"slowest {max(each.seconds for each in tallies):.2f} s, "
        f"most {max(each.bytes for each in tallies) / 1e6:,.0f} MB | "
        f"{sum(each.total_seconds for each in tallies):,.0f} s, Python {platform.python_version()}, "
        f"hypothesis {hypothesis.__version__}, Streamlit {streamlit.__version__}, torch {torch.__version__}, "
        f"{os.cpu_count()} cores |"
    )


def quiet() -> None:
    """No words of Streamlit's about running without a browser; torch on one thread, as on a busy server."""
    import logging
    import warnings

    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)


def warm(chosen: dict[str, Target]) -> None:
    """Import what the doors import, which no input is to be blamed for."""
    import lab.__main__
    import lab.experiment.design.figures
    import lab.learn.field.network
    import lab.ui.caches
    import lab.ui.tables

    assert lab
    from core.architecture.json_form import architecture_to_dict, architecture_to_json
    from tests.tiny import TINY

    if "architectures" in chosen:
        take_architecture(architecture_to_json(TINY))
    if "networks built" in chosen:
        take_built_network(architecture_to_dict(TINY))
    if "pages" in chosen:
        for page in PARAMETERS:
            take_page((page, {}))
    if "command lines" in chosen:
        take_command((["predict", "FILE"], b""))
    if "networks shown" in chosen:
        take_shown_network(architecture_to_dict(TINY))


if __name__ == "__main__":
    sys.exit(main())
