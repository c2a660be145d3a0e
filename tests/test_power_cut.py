"""Power cuts: whatever had reached the disk, the store and the checkpoints open as before or after, never between.

A disk keeps what was brought to it (fsync), and of what came later any part. So the states it can be left in are made
here one by one: a log of the database cut at every place, and a pair of files between any two of their renames.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.checkpoints import checkpoint
from core.errors import CheckpointError, RunError
from core.files import replace_bytes, replace_text
from core.training.network import build
from lab.runs.rows import BatchRow, NewRun
from lab.runs.store import RunStore
from lab.runs.training_job import RESUME, load_state
from tests.test_checkpoint import card as made_card
from tests.tiny import TINY, same


def test_a_store_whose_log_is_cut_anywhere_opens_as_it_was_after_one_of_the_commits(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "home")
    run = store.submit(
        NewRun(
            kind="train",
            name="n",
            architecture_json="{}",
            recipe_json="{}",
            dataset="MNIST",
            device="cpu",
            parameters=1,
            seed=1,
            epochs=3,
        )
    )[0]
    assert store.claim(["cpu"], "w") is not None
    for number in range(12):  # two rows in one transaction: never one without the other
        rows = [BatchRow(2 * number + n, 0, 0.5, 0.9, 0.01, 100.0) for n in range(2)]
        assert store.add_batches(run.id, "w", rows)
    log = (tmp_path / "home" / "runs.sqlite3-wal").read_bytes()
    assert len(log) > 20_000, "nothing has been folded into the file yet"
    found = []
    for cut in [*range(0, len(log), 1_777), len(log)]:
        home = tmp_path / f"cut-{cut}"
        home.mkdir()
        shutil.copy(tmp_path / "home" / "runs.sqlite3", home)
        (home / "runs.sqlite3-wal").write_bytes(log[:cut])
        try:
            after = RunStore(home)
        except RunError as error:  # before the very first commit there was no store
            pytest.fail(f"cut at {cut}: {error}")
        there = [row.iteration for row in after.batches(run.id)]
        assert there == list(range(len(there)))
        assert len(there) % 2 == 0
        found.append(len(there))
        with closing(sqlite3.connect(after.file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        after.close()
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 24)
    store.close()


def test_garbage_in_the_place_of_the_last_page_of_the_log_is_left_out(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "home")
    for name in ("one", "two"):
        store.submit(
            NewRun(
                kind="train",
                name=name,
                architecture_json="{}",
                recipe_json="{}",
                dataset="MNIST",
                device="cpu",
                parameters=1,
                seed=1,
                epochs=3,
            )
        )[0]
    log = bytearray((tmp_path / "home" / "runs.sqlite3-wal").read_bytes())
    log[-3_000:] = os.urandom(3_000)
    (tmp_path / "after").mkdir()
    shutil.copy(tmp_path / "home" / "runs.sqlite3", tmp_path / "after")
    (tmp_path / "after" / "runs.sqlite3-wal").write_bytes(log)
    assert [run.name for run in RunStore(tmp_path / "after").runs()] == ["one"]


def test_a_pair_cut_between_its_two_renames_opens_as_the_old_one_or_the_new(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("old", "new")}
    for seed, (name, folder) in enumerate(folders.items()):
        checkpoint.save(folder, "last", build(TINY, seed).state_dict(), replace(made_card(), name=name))
    for weights, card, expected in (("old", "old", "old"), ("new", "old", "new"), ("new", "new", "new")):
        left = tmp_path / f"{weights}-{card}"
        left.mkdir()
        shutil.copy(folders[weights] / "last.safetensors", left)
        shutil.copy(folders[card] / "last.json", left)
        (left / ".last.json.123").write_text('{"name": "cut sh')  # a temporary file that the cut left behind
        network, read = checkpoint.load(left / "last")
        there, told = checkpoint.load(folders[expected] / "last")
        assert same(network.state_dict(), there.state_dict())
        assert read == told


def test_a_cut_before_the_name_is_given_leaves_the_old_file_and_after_it_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of what is asked of the disk: content, then name, then folder; a cut between any two is harmless."""
    asked: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        asked.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content")  # noqa: PTH112
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        assert self.read_bytes() == b"new", "all of it is there before it gets the name"
        asked.append("name")
        return rename(self, target)

    path = tmp_path / "file"
    replace_text(path, "old")
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    replace_bytes(path, b"new")
    assert asked == ["content", "name", "folder"]

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        replace_bytes(path, b"newer")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path], "nothing is left lying about"


def test_a_resume_file_is_whole_or_is_told_apart(tmp_path: Path) -> None:
    torch.save({"history": [], "network": {}}, tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    for cut in (0, 1, len(content) // 2, len(content) - 1):
        (tmp_path / RESUME).write_bytes(content[:cut])
        with pytest.raises(CheckpointError, match="the run cannot go on from it"):
            load_state(tmp_path)
