"""QMNIST's further digits, in files of its format, and the shipped checkpoints on them."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from core.analysis.proportion import wilson
from core.data.embedded_digits import embedded_digits
from core.data.qmnist import STEMS, is_here, load_further
from core.errors import CheckpointError, DataError
from lab.cli.parser import main
from lab.studies import confirmation
from lab.studies.confirmation import Confirmation, confirmed, table
from lab.studies.shelf import shipped

pytestmark = pytest.mark.own_data


def header(code: int, *shape: int) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)


@pytest.fixture(scope="module")
def files() -> tuple[bytes, bytes]:
    """Both files as QMNIST has them, gzipped: 60,000 digits, and eight figures about each, the first its class.

    They are blank but for the 1,797 embedded digits behind MNIST's 10,000.
    """
    images, labels = np.zeros((60_000, 28, 28), np.uint8), np.full((60_000, 8), 77, ">i4")
    labels[:, 0] = 9
    found, classes = embedded_digits()
    images[10_000 : 10_000 + len(found)], labels[10_000 : 10_000 + len(found), 0] = found, classes
    contents = header(8, 60_000, 28, 28) + images.tobytes(), header(12, 60_000, 8) + labels.tobytes()
    return gzip.compress(contents[0], 1), gzip.compress(contents[1], 1)


@pytest.fixture
def folder(files: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The two files in the folder of data."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    raw = tmp_path / "QMNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, content in zip(STEMS, files, strict=True):
        (raw / f"{stem}.gz").write_bytes(content)
    return raw


def content_of(raw: Path, number: int) -> bytearray:
    return bytearray(gzip.decompress((raw / f"{STEMS[number]}.gz").read_bytes()))


# ----------------------------------------------------------------------------------------------------------- the digits


def test_the_further_digits_are_those_behind_mnists_ten_thousand(folder: Path) -> None:
    found, (images, labels) = load_further(), embedded_digits()
    assert (found.images.shape, found.labels.shape) == ((50_000, 28, 28), (50_000,))
    assert found.images.dtype == found.labels.dtype == np.uint8
    assert (found.images[: len(images)] == images).all()
    assert (found.labels[: len(labels)] == labels).all()
    assert set(found.labels[len(labels) :].tolist()) == {9}


def test_torchvision_reads_the_same_from_these_files(folder: Path) -> None:
    from core.data.vision import torchvision

    for number, stem in enumerate(STEMS):
        (folder / stem).write_bytes(content_of(folder, number))
        (folder / f"{stem}.gz").unlink()
    theirs, ours = torchvision.datasets.QMNIST(str(folder.parents[1]), what="test50k"), load_further()
    assert (theirs.data.numpy() == ours.images).all()
    assert (theirs.targets[:, 0].numpy() == ours.labels).all()


def test_both_files_are_needed(folder: Path) -> None:
    assert is_here()
    (folder / f"{STEMS[1]}.gz").unlink()
    assert not is_here()
    with pytest.raises(DataError, match=f"QMNIST is not there: .*{STEMS[1]}"):
        load_further()


@pytest.mark.parametrize(
    ("number", "damage", "told"),
    [
        (0, lambda content: content[:-1], r"47,040,015 bytes, expected 47,040,016"),
        (0, lambda content: header(8, 28, 28, 60_000) + content[16:], "its header is"),
        (1, lambda content: content[:12] + content[12::4], "bytes, expected 1,920,012"),
        (1, lambda content: header(8, 60_000, 8) + content[12:], "its header is 00000802.*, expected 00000c02"),
        (1, lambda content: content[:-32] + struct.pack(">8i", 10, *range(7)), "a label is 10, only 0 to 9"),
        (1, lambda content: content[:-32] + struct.pack(">8i", -1, *range(7)), "a label is -1, only 0 to 9"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(number: int, damage: object, told: str, folder: Path) -> None:
    damaged = damage(content_of(folder, number))  # type: ignore[operator]
    (folder / f"{STEMS[number]}.gz").write_bytes(gzip.compress(damaged, 1))
    with pytest.raises(DataError, match=f"{STEMS[number]}.*{told}"):
        load_further()


def test_an_archive_that_was_cut_short_is_named(folder: Path) -> None:
    path = folder / f"{STEMS[1]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=rf"{STEMS[1]}\.gz: cannot be read"):
        load_further()


# ---------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of figures of the test's own."""
    monkeypatch.setattr(confirmation, "path", lambda: tmp_path / "confirmation.json")
    return tmp_path / "confirmation.json"


def test_it_reads_them_with_the_shipped_checkpoints_and_keeps_the_figures(
    folder: Path, figures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.checkpoints.checkpoint import load
    from core.training.evaluation import predict
    from core.training.resident import Examples, Normalisation

    small = min(shipped(), key=lambda each: each.card.parameters)
    monkeypatch.setattr("lab.studies.confirmation.shelf.shipped", lambda: (small,))
    assert main(["confirm", "--json"]) == 0
    accuracy = json.loads(capsys.readouterr().out)[small.reference]
    (found,) = confirmed().values()
    assert (found.checkpoint, found.weights_sha256) == (small.reference, small.card.weights_sha256)
    assert accuracy == found.accuracy == found.right / 50_000
    import torch

    network, card = load(small.stem)
    images, labels = embedded_digits()
    images, labels = np.concatenate([images, images[:1] * 0]), np.append(labels, 9)
    normalisation = Normalisation(card.normalisation_mean, card.normalisation_sd)
    alone = predict(network, Examples(torch.tensor(images), torch.tensor(labels).long()), normalisation)
    right = alone.predicted == alone.labels
    assert found.right == right[:-1].sum() + right[-1] * (50_000 - len(labels) + 1)


def test_without_the_digits_it_says_what_to_do_and_offline_that_it_downloads_nothing(
    tmp_path: Path, figures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    assert main(["confirm"]) == 2
    said = capsys.readouterr().err
    assert f"QMNIST is not here: put {STEMS[0]}.gz and {STEMS[1]}.gz into {tmp_path}/QMNIST/raw, or give --d" in said
    monkeypatch.setenv("LAB_OFFLINE", "1")
    assert main(["confirm", "--download"]) == 2
    assert "LAB_OFFLINE is set: nothing is downloaded" in capsys.readouterr().err
    assert not figures.exists()


def test_a_download_asks_torchvision_for_the_further_digits(
    tmp_path: Path, figures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.data.vision import torchvision

    asked: list[tuple[str, object, object]] = []

    def refused(root: str, what: str = "", download: bool = False) -> None:
        asked.append((root, what, download))
        raise OSError("no network")

    monkeypatch.setattr(torchvision.datasets, "QMNIST", refused)
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.delenv("LAB_OFFLINE", raising=False)
    assert main(["confirm", "--download"]) == 2
    assert f"QMNIST could not be downloaded into {tmp_path}: no network" in capsys.readouterr().err
    assert asked == [(str(tmp_path), "test50k", True)]


# ------------------------------------------------------------------------------------------------------------ the table


def test_the_table_has_the_interval_and_the_difference_or_says_that_it_was_not_run() -> None:
    each = shipped()[0]
    (row,) = [
        line
        for line in table({each.reference: Confirmation(each.reference, "a" * 64, 49_500)}).splitlines()
        if line.startswith(f"| `{each.reference}`")
    ]
    low, high = wilson(49_500, 50_000)
    assert f"| 99.00% | {low:.2%} to {high:.2%} |" in row
    assert "not run here; `python -m lab confirm --download` does it" in table({})


def test_figures_of_earlier_weights_do_not_count_and_a_damaged_file_is_named(figures: Path) -> None:
    each = shipped()[0]
    rows = [{"checkpoint": each.reference, "weights_sha256": "a" * 64, "right": 49_000}]
    figures.write_text(json.dumps({"version": 1, "checkpoints": rows}))
    assert confirmed() == {}
    rows[0]["weights_sha256"] = each.card.weights_sha256
    figures.write_text(json.dumps({"version": 1, "checkpoints": rows}))
    assert confirmed()[each.reference].right == 49_000
    rows[0]["right"] = 50_001
    figures.write_text(json.dumps({"version": 1, "checkpoints": rows}))
    with pytest.raises(CheckpointError, match=r"confirmation\.json: checkpoints\[0\]: right: 50,001 is outside"):
        confirmed()
    figures.write_text(json.dumps({"version": 1, "checkpoints": {}}))
    with pytest.raises(CheckpointError, match=r"confirmation\.json: checkpoints: expected a list"):
        confirmed()
