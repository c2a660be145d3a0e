"""Backup and restore: taken while others write, put back whole or not at all, and no archive is trusted."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import stat
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.architecture.json_form import architecture_to_json
from core.architecture.trace import classifier
from core.checkpoints import checkpoint
from core.data.mnist import EMBEDDED
from core.errors import BackupError
from core.search.space import SearchSpec
from core.training.recipe import OneCycle, Recipe, recipe_to_json
from lab.classroom.designs import save_design
from lab.classroom.handwriting import Handwriting
from lab.cli.parser import main
from lab.runs.database import FILE_NAME
from lab.runs.machine import Machine, write_machine
from lab.runs.person import Person
from lab.runs.rows import NewRun
from lab.runs.searches import add_search
from lab.runs.store import RunStore
from lab.runs.worker import Worker
from lab.server.backup import MANIFEST, REPLACED, backup, restore
from tests.made_runs import made_run, save_weights
from tests.patience import wait
from tests.tiny import TINY, same

NOW = 1_800_000_000.0


@pytest.fixture
def store(home: Path) -> RunStore:
    return RunStore(home)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another home, such as that of a new machine."""
    return tmp_path / "other home"


def drawn(home: Path) -> None:
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 12:16] = 255
    Handwriting(home).keep(digit, np.zeros((280, 280), np.uint8), 1, "Ada", "session")


def files(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_what_was_kept_comes_back_in_another_home(home: Path, store: RunStore, tmp_path: Path, other: Path) -> None:
    run = made_run(store, [0.9, 0.95], owner="Ada", tags=("best",))
    stem = save_weights(run, [0.9, 0.95], weights_seed=1)
    (home / run.id / "resume.pt").write_bytes(b"what resuming needs")
    (home / run.id / "snapshots").mkdir()
    for ending in ("safetensors", "json"):
        shutil.copy(stem.with_suffix(f".{ending}"), home / run.id / "snapshots" / f"epoch-000.{ending}")
        shutil.copy(stem.with_suffix(f".{ending}"), home / f"mine.{ending}")
    save_design(TINY)
    drawn(home)
    file, manifest = backup(home, tmp_path / "lab.zip")
    assert (manifest.runs, manifest.drawings) == (1, 1)

    restore(file, other)
    there = RunStore(other)
    assert there.get(run.id) == store.get(run.id)
    assert there.epochs(run.id) == store.epochs(run.id)
    assert Handwriting(other).count() == 1
    assert {name for name in files(other) if "sqlite" not in name} == {
        *(f"{run.id}/last.{ending}" for ending in ("safetensors", "json")),
        *(f"{run.id}/snapshots/epoch-000.{ending}" for ending in ("safetensors", "json")),
        *("mine.safetensors", "mine.json", f"{run.id}/resume.pt", "designs/tiny.json", "designs/tiny.owner"),
    }
    for name, content in files(other).items():
        assert "sqlite" in name or content == files(home)[name]
    _, card = checkpoint.load(other / run.id / "last")
    assert card.name == "tiny"


def test_what_is_of_this_machine_or_of_no_run_stays_behind(
    home: Path, store: RunStore, tmp_path: Path, other: Path
) -> None:
    store.take_slot("cpu", "w", os.getpid(), 15.0)
    write_machine(Machine(("cpu",), ("cpu",), "2.13.0", 2), home)
    (home / "worker-auto.log").write_text("what it did")
    (home / "0123456789abcdef").mkdir()  # of a run that has been deleted
    (home / "0123456789abcdef" / "last.json").write_text("{}")
    (home / "designs").mkdir()
    (home / "designs" / "passwords.json").symlink_to("/etc/passwd")
    restore(backup(home, tmp_path / "lab.zip")[0], other)
    assert set(files(other)) == {"runs.sqlite3"}
    assert RunStore(other).slot("cpu") is None


def test_the_store_keeps_the_log_with_which_readers_do_not_wait(
    home: Path, store: RunStore, tmp_path: Path, other: Path
) -> None:
    restore(backup(home, tmp_path / "lab.zip")[0], other)
    with closing(sqlite3.connect(other / "runs.sqlite3")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_backup_taken_while_runs_are_written_is_the_store_at_one_moment(
    home: Path, store: RunStore, tmp_path: Path, other: Path
) -> None:
    first, second = made_run(store, [0.9], status=None), made_run(store, [0.9], status=None)
    done, written = threading.Event(), [0]

    def write() -> None:
        while not done.is_set():
            written[0] += 1
            store.set_result(first.id, "w", str(written[0]))
            store.set_result(second.id, "w", str(written[0]))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        kept = [backup(home, tmp_path / f"{n}.zip")[0] for n in range(5)]
    finally:
        done.set()
        writer.join()
    numbers = []
    for n, file in enumerate(kept):
        restore(file, other / str(n))
        with closing(RunStore(other / str(n))) as there:
            numbers.append(int(there.get(first.id).result or 0))
            assert 0 <= numbers[-1] - int(there.get(second.id).result or 0) <= 1  # at no moment was it otherwise
    assert numbers == sorted(numbers)
    assert numbers[0] < written[0]


def test_a_run_that_was_running_waits_again_by_the_ordinary_rules(
    home: Path, store: RunStore, tmp_path: Path, other: Path
) -> None:
    made_run(store, [0.9], status=None)
    queued = store.resume(made_run(store, [0.9], status="stopped").id)
    store.claim({"cpu"}, "worker")
    restore(backup(home, tmp_path / "lab.zip")[0], other)
    there = RunStore(other)
    there.recover(15.0, now=NOW * 2)
    assert sorted(run.status for run in there.runs()) == ["queued", "queued"]
    assert there.get(queued.id).status == "queued"


@pytest.mark.slow
def test_a_run_that_was_backed_up_while_it_trained_comes_to_the_same_weights_on_another_machine(
    home: Path, store: RunStore, tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "no data"))
    recipe = Recipe(epochs=20, batch_size=128, learning_rate=0.05, schedule=OneCycle(), ema_decay=0.9)
    run = store.submit(
        NewRun(
            kind="train",
            name="tiny",
            architecture_json=architecture_to_json(TINY),
            recipe_json=recipe_to_json(recipe),
            dataset=EMBEDDED,
            device="cpu",
            parameters=classifier(TINY).parameters,
            seed=1,
            epochs=20,
        )
    )[0]
    worker = threading.Thread(target=Worker(store, "cpu").work, args=(0.5,))
    worker.start()
    wait(lambda: store.epochs(run.id), "an epoch was done", pause=0.005)
    file, _ = backup(home, tmp_path / "lab.zip")
    worker.join()
    assert store.get(run.id).status == "finished"

    restore(file, other)
    there = RunStore(other)
    assert there.get(run.id).status == "running"
    assert 1 <= len(there.epochs(run.id)) < 20
    there.recover(15.0, dead=[there.get(run.id).worker])
    Worker(there, "cpu").work(0.5)
    assert there.get(run.id).status == "finished"
    assert [epoch.epoch for epoch in there.epochs(run.id)] == list(range(20))
    weights = [checkpoint.load(folder / run.id / "last")[0].state_dict() for folder in (home, other)]
    assert same(*weights)


def test_without_weights_the_figures_and_cards_are_kept(
    home: Path, store: RunStore, tmp_path: Path, other: Path
) -> None:
    run = made_run(store, [0.9])
    save_weights(run, [0.9], weights_seed=1)
    file, manifest = backup(home, tmp_path / "lab.zip", weights=False)
    assert not manifest.weights
    restore(file, other)
    assert set(files(other)) == {"runs.sqlite3", f"{run.id}/last.json"}


def test_a_folder_gets_a_file_named_by_the_moment_that_its_owner_alone_can_read(
    home: Path, store: RunStore, tmp_path: Path
) -> None:
    file, manifest = backup(home, tmp_path / "backups", now=NOW)
    assert file == tmp_path / "backups" / "lab-20270115-080000.zip"
    assert manifest.created == "2027-01-15T08:00:00Z"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_backup_replaces_no_file_and_an_empty_home_has_none(home: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="there is nothing to back up yet"):
        backup(home, tmp_path / "lab.zip")
    RunStore(home).close()
    (tmp_path / "lab.zip").write_text("important")
    with pytest.raises(BackupError, match=r"lab\.zip: this file exists already"):
        backup(home, tmp_path / "lab.zip")
    assert (tmp_path / "lab.zip").read_text() == "important"


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(home: Path, store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackupError, match="could not be written"):
        backup(home, tmp_path / "file" / "lab.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# ------------------------------------------------------------------------------------------------------------- restore


def test_a_home_with_anything_in_it_is_left_alone_unless_it_is_to_be_replaced(
    home: Path, store: RunStore, tmp_path: Path, other: Path
) -> None:
    file, _ = backup(home, tmp_path / "lab.zip")
    there = RunStore(other)
    mine = made_run(there, [0.9])
    there.close()
    with pytest.raises(BackupError, match=r"the folder is not empty, 'runs\.sqlite3' is there; --replace"):
        restore(file, other)
    _, aside = restore(file, other, replace_old=True, now=NOW)
    assert aside == other / REPLACED / "20270115-080000"
    with closing(RunStore(aside)) as old, closing(RunStore(other)) as new:
        assert old.get(mine.id) == mine
        assert new.runs() == []
    restore(file, other, replace_old=True)  # what was put aside is not put aside again
    with closing(RunStore(aside)) as old:
        assert old.get(mine.id) == mine


def test_a_home_in_use_is_not_replaced(home: Path, store: RunStore, tmp_path: Path, other: Path) -> None:
    file, _ = backup(home, tmp_path / "lab.zip")
    there = RunStore(other)
    mine = made_run(there, [0.9])
    with pytest.raises(BackupError, match="is in use: stop the app and its workers first"):
        restore(file, other, replace_old=True)
    assert there.get(mine.id) == mine


def repacked(file: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The archive with other files, and a manifest that has not followed."""
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    with zipfile.ZipFile(file, "w") as archive:
        for name, written in content.items():
            archive.writestr(name, written)
    return file


def claiming(content: dict[str, bytes], name: str, written: bytes) -> None:
    """Adds a file that the manifest names."""
    manifest = json.loads(content[MANIFEST])
    manifest["files"].append({"name": name, "size": len(written), "sha256": hashlib.sha256(written).hexdigest()})
    content[MANIFEST] = json.dumps(manifest).encode()
    content[name] = written


def with_manifest(content: dict[str, bytes], **values: object) -> None:
    content[MANIFEST] = json.dumps(json.loads(content[MANIFEST]) | values).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update({"extra.json": b"{}"}), "does not name the files that are in it"),
        (lambda content: content.pop("runs.sqlite3"), "does not name the files that are in it"),
        (lambda content: content.pop(MANIFEST), r"manifest\.json is missing"),
        (lambda content: content.update({MANIFEST: b"["}), r"manifest\.json cannot be read"),
        (lambda content: with_manifest(content, version=2), "version 2, and this lab reads version 1"),
        (lambda content: with_manifest(content, files=7), r"manifest\.json cannot be read"),
        (lambda content: content.update({"runs.sqlite3": b"x" * 10}), r"'runs\.sqlite3': 10 bytes, its manifest"),
        (
            lambda content: content.update({"runs.sqlite3": content["runs.sqlite3"][:-1] + b"!"}),
            "bytes that are not those of its manifest",
        ),
        *(
            (lambda content, name=name: claiming(content, name, b"{}"), "no backup has a file of that name")
            for name in (
                "../out.json", "/tmp/out.json", "designs/../../out.json", "C:\\out.json", "..\\out.json", "C:out.json",
                ".hidden.json", "run.py", "designs/deep/er.json", "0123456789abcdef/last.py", "machine.json/x",
                "0123456789abcdef/../../out.json", "designs//out.json", "./out.json", "before-restore/old.json",
                "a\nb.json",
            )
        ),
    ],
)  # fmt: skip
def test_what_a_backup_cannot_hold_is_not_put_back_and_the_home_is_as_it_was(
    home: Path, store: RunStore, tmp_path: Path, other: Path, change: Callable[[dict[str, bytes]], None], message: str
) -> None:
    there = RunStore(other)
    mine = made_run(there, [0.9])
    there.close()
    file = repacked(backup(home, tmp_path / "lab.zip")[0], change)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(BackupError, match=message):
        restore(file, other, replace_old=True)
    assert RunStore(other).get(mine.id) == mine
    assert {path for path in tmp_path.rglob("*") if "sqlite3-" not in path.name} == before


def test_a_link_in_a_backup_is_refused(home: Path, store: RunStore, tmp_path: Path, other: Path) -> None:
    file, _ = backup(home, tmp_path / "lab.zip")
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    claiming(content, "designs/link.json", b"/etc/passwd")
    with zipfile.ZipFile(file, "w") as archive:
        for name, written in content.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK if "link" in name else stat.S_IFREG) << 16
            archive.writestr(entry, written)
    with pytest.raises(BackupError, match=r"'designs/link\.json': no plain file"):
        restore(file, other)


def test_a_file_that_unpacks_to_more_than_it_says_is_cut_short(
    home: Path, store: RunStore, tmp_path: Path, other: Path
) -> None:
    file, _ = backup(home, tmp_path / "lab.zip")
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    claiming(content, "designs/bomb.json", b" " * 1000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, written in content.items():
            archive.writestr(name, b" " * 50_000_000 if "bomb" in name else written)
    lying = packed.getvalue().replace((50_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    file.write_bytes(lying)
    with pytest.raises(BackupError):
        restore(file, other)
    assert not other.exists() or not any(other.iterdir())


def test_more_than_fits_on_the_disk_is_not_begun(home: Path, store: RunStore, tmp_path: Path, other: Path) -> None:
    def huge(content: dict[str, bytes]) -> None:
        manifest = json.loads(content[MANIFEST])
        manifest["files"][0]["size"] = 10**18
        content[MANIFEST] = json.dumps(manifest).encode()

    file = repacked(backup(home, tmp_path / "lab.zip")[0], huge)
    with pytest.raises(BackupError, match="unpacked it has 1,000,000,000,000,000,000 bytes, "):
        restore(file, other)


@pytest.mark.parametrize("damage", ["text", "cut short", "missing", "a byte"])
def test_a_damaged_archive_is_said_with_its_name(
    home: Path, store: RunStore, tmp_path: Path, other: Path, damage: str
) -> None:
    made_run(store, [0.9] * 10)
    file, _ = backup(home, tmp_path / "lab.zip")
    content = file.read_bytes()
    match damage:
        case "text":
            file.write_text("hello")
        case "cut short":
            file.write_bytes(content[: len(content) // 2])
        case "missing":
            file.unlink()
        case "a byte":
            file.write_bytes(content[:500] + bytes([content[500] ^ 255]) + content[501:])
    with pytest.raises(BackupError, match=r"lab\.zip: "):
        restore(file, other)


@pytest.mark.parametrize(
    ("statement", "message"),
    [("PRAGMA user_version = 99", "has version 99"), ("PRAGMA application_id = 1", "another program's database")],
)
def test_a_store_that_this_lab_does_not_read_is_refused(
    home: Path, store: RunStore, tmp_path: Path, other: Path, statement: str, message: str
) -> None:
    with closing(sqlite3.connect(store.file)) as connection:
        connection.execute(statement)
    with pytest.raises(BackupError, match=message):
        restore(backup(home, tmp_path / "lab.zip")[0], other)


def test_the_commands_say_what_they_did(
    home: Path, store: RunStore, tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made_run(store, [0.9])
    assert main(["backup", str(tmp_path / "lab.zip"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == str(tmp_path / "lab.zip")
    assert (document["runs"], document["files"], document["weights"]) == (1, 1, True)
    monkeypatch.setenv("LAB_HOME", str(other))
    assert main(["restore", str(tmp_path / "lab.zip")]) == 0
    assert capsys.readouterr().out.startswith(f"{other}: 1 run, 0 drawings, 1 file, as of ")
    assert main(["restore", str(tmp_path / "lab.zip")]) == 2
    assert "--replace" in capsys.readouterr().err


# ------------------------------------------------------------------------------- a database that means no good


def unpacked(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def restored(tmp_path: Path, home: Path, statement: str, values: tuple[object, ...] = ()) -> Path:
    """A home put back from a backup whose store was changed, and whose manifest fits the change."""
    content = unpacked(backup(home, tmp_path / "good.zip")[0])
    changed = tmp_path / "changed.sqlite3"
    changed.write_bytes(content[FILE_NAME])
    with closing(sqlite3.connect(changed, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(statement, values)
    content[FILE_NAME] = changed.read_bytes()
    manifest = json.loads(content[MANIFEST])
    for each in manifest["files"]:
        if each["name"] == FILE_NAME:
            each |= {"size": len(content[FILE_NAME]), "sha256": hashlib.sha256(content[FILE_NAME]).hexdigest()}
    content[MANIFEST] = json.dumps(manifest).encode()
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    restore(tmp_path / "bad.zip", tmp_path / "restored")
    return tmp_path / "restored"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "UPDATE runs SET id = '../victim'",
            r"'\.\./victim' is no id in the table runs: it has 16 of the digits 0-9 and a-f",
        ),
        ("UPDATE runs SET seed_group = 'designs'", "'designs' is no seed_group in the table runs"),
        ("UPDATE runs SET parent = '..'", "is no parent in the table runs"),
        ("UPDATE tries SET run = '../victim'", "is no run in the table tries"),
        ("UPDATE searches SET created = -1", "created is -1 s after 1970"),
        (
            "UPDATE tries SET search = 'ffffffffffffffff'",
            "the table tries names a row of the table searches that is not",
        ),
        ("UPDATE runs SET created = 1e308", r"created is 1e\+308 s after 1970"),
        ("CREATE TRIGGER t AFTER UPDATE ON runs BEGIN DELETE FROM runs; END", "the 'trigger' 't', which no backup"),
        ("CREATE VIEW v AS SELECT 1", "the 'view' 'v', which no backup of this lab has"),
        ('CREATE TABLE "x\x1b[31m" (a)', r"the 'table' 'x\\x1b\[31m', which no backup"),
        ("ALTER TABLE runs ADD COLUMN more TEXT", "the table runs has other columns than this lab's"),
        ("DROP INDEX runs_by_place", "lacks the index runs_by_place"),
        ("PRAGMA user_version = 0", "which no backup of this lab has"),
        ("DELETE FROM runs", r"has 0 rows, its manifest\.json says 1"),
    ],
)
def test_a_store_that_is_not_laid_out_as_the_labs_is_not_put_back(
    home: Path, store: RunStore, tmp_path: Path, statement: str, says: str
) -> None:
    run = made_run(store, [], status="stopped")
    search = add_search(store, TINY, Recipe(), SearchSpec(), "MNIST", "cpu", Person("key", "Ada", teacher=False))
    store.change("INSERT INTO tries VALUES (?, 0, ?, '{}')", (search.id, run.id))
    with pytest.raises(BackupError, match=says):
        restored(tmp_path, home, statement)
    assert list((tmp_path / "restored").iterdir()) == []


def test_words_of_a_backup_are_made_plain_and_a_flipped_byte_costs_a_letter(
    home: Path, store: RunStore, tmp_path: Path
) -> None:
    run = made_run(store, [0.9], owner="Ada")
    there = restored(
        tmp_path, home, "UPDATE runs SET name = ?, owner = CAST(? AS TEXT)", ("a\x1b[31mb\u202e", b"Ad\xff")
    )
    found = RunStore(there).get(run.id)
    assert (found.name, found.owner) == ("ab", "Ad\ufffd")
    assert found.architecture_json == run.architecture_json


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "1" * 5000, "1" * 300, "[[[[1]]]]"])
@pytest.mark.parametrize("field", ["runs", "drawings", "version", "created", "size"])
def test_no_number_in_a_manifest_is_more_than_one_sentence(
    home: Path, store: RunStore, tmp_path: Path, field: str, number: str
) -> None:
    content = unpacked(backup(home, tmp_path / "good.zip")[0])
    text, count = re.subn(rf'"{field}": ("[^"]*"|\w+)', f'"{field}": {number}', content[MANIFEST].decode(), count=1)
    assert count == 1
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for name, data in (content | {MANIFEST: text.encode()}).items():
            archive.writestr(name, data)
    with pytest.raises(BackupError) as found:
        restore(tmp_path / "bad.zip", tmp_path / "other")
    assert len(str(found.value).splitlines()) == 1
    assert "sys." not in str(found.value)
