"""MNIST's files: the real ones read right, and one clear sentence for every file that is not what it should be."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.data import mnist
from core.data.mnist import EMBEDDED, best_present, is_present, load, load_split
from core.errors import DataError

STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    """A data set of the right shape whose content no checksum guards, with its folder of files."""
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for images, labels, count in ((STEMS[0], STEMS[1], 60_000), (STEMS[2], STEMS[3], 10_000)):
        (folder / images).write_bytes(struct.pack(">IIII", 0x803, count, 28, 28) + bytes(count * 784))
        (folder / labels).write_bytes(struct.pack(">II", 0x801, count) + bytes(range(10)) * (count // 10))
    return folder


# ---------------------------------------------------------------------------------------------------------- real MNIST


def test_mnist_has_the_counts_and_the_first_labels_that_are_known(mnist_raw: Path) -> None:
    dataset = load("MNIST")
    assert dataset.train.images.shape == (60_000, 28, 28)
    assert dataset.test.images.shape == (10_000, 28, 28)
    assert np.bincount(dataset.train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(dataset.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert dataset.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert dataset.test.labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_mnist_is_what_torchvision_reads(mnist_raw: Path, tmp_path: Path) -> None:
    from core.data.vision import torchvision

    split, reads = load_split("MNIST", "test"), torchvision.datasets.mnist
    for stem, read, ours in (
        (STEMS[2], reads.read_image_file, split.images),
        (STEMS[3], reads.read_label_file, split.labels),
    ):
        (tmp_path / stem).write_bytes(uncompressed(mnist_raw, stem))
        assert (read(str(tmp_path / stem)).numpy() == ours).all()


def uncompressed(folder: Path, stem: str) -> bytes:
    if (folder / stem).exists():
        return (folder / stem).read_bytes()
    return gzip.decompress((folder / f"{stem}.gz").read_bytes())


def test_raw_and_gzipped_files_read_the_same(mnist_raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for stem in STEMS[2:]:
        (folder / f"{stem}.gz").write_bytes(gzip.compress(uncompressed(mnist_raw, stem), 1))
    zipped = load_split("MNIST", "test", tmp_path)
    for stem in STEMS[2:]:
        (folder / stem).write_bytes(gzip.decompress((folder / f"{stem}.gz").read_bytes()))
        (folder / f"{stem}.gz").unlink()
    plain = load_split("MNIST", "test", tmp_path)
    assert (zipped.images == plain.images).all()
    assert (zipped.labels == plain.labels).all()


def test_one_altered_bit_of_mnist_is_noticed_by_its_md5(mnist_raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for stem in STEMS[2:]:
        (folder / stem).write_bytes(uncompressed(mnist_raw, stem))
    content = bytearray((folder / STEMS[2]).read_bytes())
    content[5000] ^= 1
    (folder / STEMS[2]).write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-images.*MD5 is [0-9a-f]{32}, expected 2646ac647ad5339dbf082846283269ea"):
        load_split("MNIST", "test", tmp_path)


# ---------------------------------------------------------------------------------------------------------- bad files


def test_a_relative_of_mnist_is_read_by_the_same_road(fashion: Path) -> None:
    dataset = load("FashionMNIST", fashion.parents[1])
    assert (len(dataset.train), len(dataset.test)) == (60_000, 10_000)
    assert dataset.test.labels[:12].tolist() == [*range(10), 0, 1]


def test_a_missing_file_is_named(fashion: Path) -> None:
    (fashion / STEMS[3]).unlink()
    assert not is_present("FashionMNIST", fashion.parents[1])
    with pytest.raises(DataError, match=f"FashionMNIST is not there: .*{STEMS[3]} .*is missing"):
        load("FashionMNIST", fashion.parents[1])


@pytest.mark.parametrize(("left", "shown"), [(0, "0"), (3, "3"), (9_999, "9,999"), (10_007, "10,007")])
def test_a_raw_file_that_was_cut_short_is_named_with_both_sizes(fashion: Path, left: int, shown: str) -> None:
    path = fashion / STEMS[3]
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DataError, match=f"{STEMS[3]}: {shown} bytes, expected 10,008"):
        load_split("FashionMNIST", "test", fashion.parents[1])


def test_a_file_with_more_than_there_should_be_is_named_with_both_sizes(fashion: Path) -> None:
    path = fashion / STEMS[3]
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(DataError, match="10,009 bytes, expected 10,008"):
        load_split("FashionMNIST", "test", fashion.parents[1])


@pytest.mark.parametrize("damage", ["cut short", "empty", "no gzip", "altered"])
def test_a_gzipped_file_that_is_damaged_is_named(fashion: Path, damage: str) -> None:
    path = fashion / STEMS[3]
    content = bytearray(gzip.compress(path.read_bytes()))
    path.unlink()
    if damage == "altered":
        content[-6] ^= 1  # of the checksum
    damaged = {"cut short": content[:-9], "empty": b"", "no gzip": b"<html>404</html>", "altered": content}[damage]
    (fashion / f"{STEMS[3]}.gz").write_bytes(damaged)
    with pytest.raises(DataError, match=rf"{STEMS[3]}\.gz: ") as raised:
        load_split("FashionMNIST", "test", fashion.parents[1])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (struct.pack(">II", 0x803, 10_000), "0000080300002710"),
        (struct.pack(">II", 0x801, 9_999), "000008010000270f"),
        (b"<!DOCTYP", b"<!DOCTYP".hex()),
    ],
)
def test_a_wrong_header_is_named_beside_the_right_one(fashion: Path, header: bytes, shown: str) -> None:
    path = fashion / STEMS[3]
    path.write_bytes(header + path.read_bytes()[8:])
    with pytest.raises(DataError, match=f"{STEMS[3]}: its header is {shown}, expected 0000080100002710"):
        load_split("FashionMNIST", "test", fashion.parents[1])


def test_a_label_that_is_no_digit_is_named(fashion: Path) -> None:
    path = fashion / STEMS[3]
    path.write_bytes(path.read_bytes()[:-1] + b"\x0b")
    with pytest.raises(DataError, match=f"{STEMS[3]}: a label is 11, at most 9"):
        load_split("FashionMNIST", "test", fashion.parents[1])


def test_an_unknown_data_set_is_named_beside_the_known_ones() -> None:
    with pytest.raises(DataError, match="no data set 'CIFAR'; there are MNIST, FashionMNIST"):
        load_split("CIFAR", "test")


# -------------------------------------------------------------------------------------------------- where nothing is


@pytest.mark.parametrize(("given", "folder"), [("~/digits", "digits"), ("digits", "here/digits"), ("", None)])
def test_the_data_lie_at_an_absolute_path(
    given: str, folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAB_DATA", given)
    beside_the_app = Path(__file__).resolve().parents[1] / "data"
    assert mnist.data_root() == ((tmp_path / folder).resolve() if folder else beside_the_app.resolve())


def test_where_there_is_no_mnist_the_embedded_digits_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    assert mnist.data_root() == tmp_path
    assert not is_present("MNIST")
    assert best_present() == EMBEDDED
    dataset = load(best_present())
    assert dataset.name == EMBEDDED
    assert (len(dataset.train), len(dataset.test)) == (1_437, 360)
    assert dataset.train.images.shape[1:] == (28, 28)
    assert dataset.train.images.dtype == dataset.train.labels.dtype == np.uint8
    assert set(dataset.test.labels.tolist()) == set(range(10))
    with pytest.raises(DataError, match="MNIST is not there"):
        load("MNIST")


# ----------------------------------------------------------------------------------------------------- and these tests

TESTS = """
from core.data.mnist import is_present

def test_that_says_nothing():
    assert not is_present("MNIST")

def test_that_asks(mnist_raw):
    assert is_present("MNIST") and (mnist_raw / "train-labels-idx1-ubyte").is_file()

def test_that_says_nothing_afterwards():
    assert not is_present("MNIST")
"""


@pytest.mark.slow
def test_a_test_has_mnist_only_where_it_asks_for_it_or_where_all_are_to_have_it(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for stem in STEMS:
        (folder / stem).touch()  # whether they are whole is for the reader to say
    (tmp_path / "test_three.py").write_text(TESTS)
    here = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "PYTEST_"))}
    here |= {"LAB_DATA": str(tmp_path / "data"), "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "tests.conftest", "--rootdir", "."]

    def said(**more: str) -> str:
        return subprocess.run(
            command, cwd=tmp_path, env=here | more, capture_output=True, text=True, check=False
        ).stdout

    assert "3 passed" in said()
    assert "2 passed, 1 skipped" in said(LAB_DATA=str(tmp_path / "none"))
    assert "2 failed, 1 passed" in said(LAB_TESTS_REQUIRE="browser,mnist")
