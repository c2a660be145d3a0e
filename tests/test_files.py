"""Files: written whole under names that nobody shares, removed only inside their folder, and said to be gone."""

from __future__ import annotations

import ast
import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.architecture.edit import renamed
from core.data.mnist import EMBEDDED
from core.errors import ClassError, LabError, RunError
from core.files import STALE_SECONDS, alone_in, reason, remove_inside, replace_bytes, replacing, sweep
from core.ladder.catalogue import LADDER
from core.training.recipe import Recipe
from lab.classroom import designs
from lab.cli.parser import main
from lab.runs.database import identity_of, mark_of
from lab.runs.person import Person
from lab.runs.reasons import without_folders
from lab.runs.rows import new_run
from lab.runs.store import RunStore
from lab.server import health
from tests.test_safe_code import ROOT, calls
from tests.tiny import TINY

pytestmark = pytest.mark.own_data

# Who may remove and replace, and why; everything else goes through core/files.py.
MAY_REMOVE = {"core/files.py", "lab/server/backup.py"}  # the second: a copy in its own temporary folder
MAY_WRITE = {
    "core/files.py",
    "lab/server/backup.py",  # whole folders move aside and into place; files into a folder that nobody reads yet
    "lab/server/health.py",  # a probe
    "lab/runs/full_disk.py",  # another
    "lab/runs/adoption.py",  # a claim's files get their own names, in the store's transaction
    "lab/runs/supervisor.py",  # a worker's log goes on
    "lab/ui/frame.py",  # a download's log
}


def places(found: Callable[[str, ast.Call], bool]) -> set[str]:
    return {place.rpartition(":")[0] for called, call, place in calls() if found(called, call)}


def removes(called: str, call: ast.Call) -> bool:
    return called.rpartition(".")[2] in ("rmtree", "unlink", "rmdir", "removedirs") or called == "os.remove"


def writes(called: str, call: ast.Call) -> bool:
    name = called.rpartition(".")[2]
    if (
        name in ("replace", "rename") and "." in called and called != "os.rename"
    ):  # of a path: a text's takes two, a date's are named
        return len(call.args) == 1 and not call.keywords
    mode = next((str(each.value) for each in call.args if isinstance(each, ast.Constant)), "") if name == "open" else ""
    return (
        name in ("write_text", "write_bytes")
        or called == "os.rename"
        or bool(mode and set(mode) <= set("rwxabt+") - set("r"))
    )


def test_nothing_but_one_function_removes_files() -> None:
    assert places(removes) <= MAY_REMOVE


def test_nothing_but_one_function_replaces_files() -> None:
    assert places(writes) <= MAY_WRITE


def test_the_laws_see_what_they_forbid() -> None:
    seen = [ast.parse(code, mode="eval").body for code in ("path.unlink()", "shutil.rmtree(p)", "os.remove(p)")]
    assert all(isinstance(each, ast.Call) and removes(ast.unparse(each.func), each) for each in seen)
    codes = ("part.replace(path)", "path.write_text('x')", "path.open('wb')", "open(path, 'w')", "os.rename(a, b)")
    for code in codes:
        call = ast.parse(code, mode="eval").body
        assert isinstance(call, ast.Call)
        assert writes(ast.unparse(call.func), call), code
    for code in ("text.replace('a', 'b')", "path.open('rb')", "moment.replace(tzinfo=UTC)", "replace(record, a=1)"):
        call = ast.parse(code, mode="eval").body
        assert isinstance(call, ast.Call)
        assert not writes(ast.unparse(call.func), call), code


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A home, and beside it what is somebody else's."""
    home = tmp_path / "home"
    for folder in (home / "a run", tmp_path / "victim"):
        folder.mkdir(parents=True)
        (folder / "last.json").write_text("{}")
    yield home
    assert (tmp_path / "victim" / "last.json").exists()


def test_what_is_inside_is_removed_and_what_is_not_there_is_gone_already(tree: Path) -> None:
    for _ in range(2):
        remove_inside(tree, tree / "a run")
    assert list(tree.iterdir()) == []


@pytest.mark.parametrize("name", ["../victim", "a run/../../victim", "..", ".", "", "out/last.json", "out", "a run/.."])
def test_nothing_outside_is_removed_by_any_name(tree: Path, name: str) -> None:
    (tree / "out").symlink_to(tree.parent / "victim")
    for path in (tree / name, Path(f"{tree}/{name}")):
        with pytest.raises(OSError, match=r"outside|link"):
            remove_inside(tree, path)
    assert (tree / "a run" / "last.json").exists()


def test_a_run_with_another_id_than_the_labs_loses_no_files(home: Path) -> None:
    store = RunStore(home)
    (home / "designs").mkdir()
    for name in ("designs", "../victim", "", "."):
        with pytest.raises(RunError, match="is no run's id: no files are deleted"):
            store.delete_files(name)
    assert (home / "designs").is_dir()


def test_an_error_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    replace_bytes(tmp_path / "a", b"old")
    with suppress(KeyboardInterrupt), replacing(tmp_path / "a") as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_two_writers_of_one_file_have_two_temporary_names(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert (tmp_path / "a").read_bytes() == b"1"  # the one that ended last


def test_what_kills_have_left_is_swept_once_it_is_old_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    left = [tmp_path / "run" / ".last.json.0123456789abcdef.part", tmp_path / ".machine.json.4711"]
    stays = [tmp_path / "run" / "last.json", tmp_path / ".lock", tmp_path / ".runs.sqlite3.made"]
    for path in (*left, *stays):
        path.write_text("half")
    (tmp_path / ".restoring-abc").mkdir()
    moment = left[0].stat().st_mtime
    assert sweep(tmp_path, moment + 1) == []
    assert sorted(sweep(tmp_path, moment + STALE_SECONDS + 60)) == sorted(left)
    assert sweep(tmp_path, moment + 25 * STALE_SECONDS) == [tmp_path / ".restoring-abc"]
    assert all(path.exists() for path in stays)


def test_one_at_a_time_is_in_a_folder(tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(OSError, match="locked") as found, alone_in(tmp_path, patience=0.0):
        pass
    assert reason(found.value) == "another program keeps it busy"
    with alone_in(tmp_path):  # let go of
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_of_two_who_save_under_one_name_at_one_moment_one_is_told(home: Path) -> None:
    network = LADDER[0].architecture, LADDER[1].architecture
    for number in range(12):
        told, start = dict[int, object](), threading.Barrier(2)

        def save(
            place: int, number: int = number, told: dict[int, object] = told, start: threading.Barrier = start
        ) -> None:
            start.wait()
            try:
                told[place] = designs.save_design(renamed(network[place], f"net {number}"), Person(f"person {place}"))
            except ClassError as error:
                told[place] = error

        people = [threading.Thread(target=save, args=(place,)) for place in (0, 1)]
        for person in people:
            person.start()
        for person in people:
            person.join()
        (saved,) = [place for place, said in told.items() if isinstance(said, str)]
        assert "is somebody else's" in str(told[1 - saved])
        assert designs.saved_design(f"net {number}").ops == network[saved].ops
        assert designs.owner_of(f"net {number}") == f"person {saved}"


def test_a_reason_is_in_words_and_says_no_place() -> None:
    assert reason(OSError(errno.ENOSPC, "No space left on device", "/srv/lab/x")) == "the disk is full"
    assert reason(OSError(errno.EXDEV, "Invalid cross-device link", "/srv/lab/x")) == "Invalid cross-device link"


def test_no_error_that_a_student_sees_names_a_place_on_the_server(home: Path) -> None:
    (home / "designs").write_text("a file where the folder of designs would be")
    with pytest.raises(LabError) as found:
        designs.save_design(LADDER[0].architecture, Person("anna"))
    assert str(found.value) == "the design could not be saved: it is there already"
    (home / "runs.sqlite3").mkdir()
    with pytest.raises(LabError) as found:
        RunStore(home)
    for said in (str(found.value), f"{home}: the folder cannot be made", f"see {ROOT}/core", f"{home.resolve()}/a: b"):
        assert str(home) not in without_folders(said)
        assert str(ROOT) not in without_folders(said)


PLACES = (
    *("/srv/lab/runs.sqlite3", "/usr/lib/python3/dist-packages/torch/serialization.py", "/tmp/x/"),
    *("C:\\Users\\Anna\\lab\\x.pt", "D:/lab/x", "\\\\server\\share\\x"),
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("said", ["{}", "x: {}: y", "'{}' is not there", '("{}")', "File {}, line 3\n  more"])
def test_whatever_is_written_as_the_reason_of_a_run_names_no_place_and_is_one_line(
    home: Path, place: str, said: str
) -> None:
    store, reasons = RunStore(home), []
    writers = (
        lambda run, error: store.finish(run.id, "w", "failed", error),
        lambda run, error: store.put_back(run.id, "w", error),
        lambda run, error: store.put_back(run.id, "w") and store.refuse(run.id, error),
    )
    for write in writers:
        (run,) = store.submit(new_run(TINY, Recipe(), EMBEDDED))
        assert store.claim(["auto"], "w", a_person=9) is not None
        assert write(run, said.format(place))
        reasons.append(store.get(run.id).error)
        store.request_stop(run.id)
    assert set(reasons) == {said.partition("\n")[0].replace("'{}'", "…").replace('"{}"', "…").replace("{}", "…")}


@pytest.mark.parametrize("text", ["op 7: 1/2 of 3/4", "see https://example.org/a/b/c", "train/validation/test", "/"])
def test_what_is_no_place_stays(text: str) -> None:
    assert without_folders(text) == text


def test_errors_and_reasons_come_to_a_page_through_one_function() -> None:
    """st.error with something computed, or anything called a reason, an error or a fault: `told`, or `show_error`."""
    for path in [*(ROOT / "lab").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "escaped":
                names = {ast.unparse(each).rpartition(".")[2] for each in ast.walk(call) if isinstance(each, NAMED)}
                assert not names & REASONS, f"{path.relative_to(ROOT)}:{call.lineno}: escaped where told belongs"


NAMED = (ast.Name, ast.Attribute)
REASONS = {"error", "reason", "sentence", "last_line", "problem", "faults"}


# ------------------------------------------------------------------------------------------- a store that is gone


def gone(home: Path) -> None:
    RunStore(home).close()
    for file in home.glob("runs.sqlite3*"):
        file.unlink()


@pytest.mark.parametrize("emptied", [False, True])
def test_a_store_that_is_gone_is_said_and_no_empty_one_takes_its_place(
    home: Path, capsys: pytest.CaptureFixture[str], emptied: bool
) -> None:
    gone(home)
    if emptied:
        (home / "runs.sqlite3").touch()
    finding, seen = health.look_at_store(home, 0.0)
    assert not finding.well
    assert seen is None
    assert finding.sentence.endswith("or start anew with `python -m lab new-store`")
    with pytest.raises(RunError, match="the store of runs that was here is gone"):
        RunStore(home)
    assert (home / "runs.sqlite3").exists() == emptied
    assert main(["backup", str(home.parent / "a.zip")]) == 2
    assert main(["new-store"]) == 0
    assert main(["new-store"]) == 2  # a store that is there is never made anew
    assert "nothing is gone" in capsys.readouterr().err
    assert health.look_at_store(home, 0.0)[0].well
    RunStore(home).close()


def test_a_store_that_goes_while_it_is_open_is_said_too(home: Path) -> None:
    store = RunStore(home)
    (home / "runs.sqlite3").unlink()
    with pytest.raises(RunError, match=r"is gone.*python -m lab restore"):
        store.runs()
    store.close()


def test_another_file_in_the_stores_place_is_not_written_to(home: Path, tmp_path: Path) -> None:
    store = RunStore(home)
    assert not health.is_replaced(store.file)
    RunStore(tmp_path / "other").close()
    (tmp_path / "other" / "runs.sqlite3").replace(store.file)
    with pytest.raises(RunError, match="another file is now in its place"):
        store.runs()
    assert health.is_replaced(store.file)
    store.close()
    assert identity_of(tmp_path / "nowhere") is None
    assert mark_of(store.file).exists()
