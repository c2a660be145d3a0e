"""MNIST, FashionMNIST and KMNIST from torchvision's folders, checked; and the embedded digits.

Files are read as numpy arrays, without torch, so that teaching pages can show a digit at once.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.data.embedded_digits import embedded_digits
from core.errors import DataError
from core.places import OWN

Pixels = NDArray[np.uint8]
T = TypeVar("T", np.uint8, np.int32)
SplitName = Literal["train", "test"]

EMBEDDED = "embedded digits"  # 1,797 real digits of 8 x 8 pixels, brought to 28 x 28
DATASETS = ("MNIST", "FashionMNIST", "KMNIST", EMBEDDED)
MNIST_MEAN, MNIST_SD = 0.1307, 0.3081  # of the 60,000 training images, grey levels 0 to 1
IMAGES = {"train": 60_000, "test": 10_000}
DOWNLOAD_BYTES = {"MNIST": 11_594_722, "FashionMNIST": 30_878_645, "KMNIST": 21_031_231}  # gzipped, all four files
EMBEDDED_TRAIN, EMBEDDED_TEST = 1_437, 360  # the last fifth is the test set

_STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_IDX_CODES = {"uint8": 8, "int32": 12}  # the third byte of the file says the kind of its values
# MD5 of the uncompressed files; torchvision checks the other data sets' archives as it downloads them.
_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@dataclass(frozen=True)
class Split:
    """Images and labels of one split."""

    images: Pixels  # (N, 28, 28), white on black
    labels: NDArray[np.uint8]  # (N,), 0 to 9

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """Both splits of a data set."""

    name: str
    train: Split
    test: Split


def test_images(dataset: str) -> int:
    """How many test images an accuracy on that data set is measured on."""
    return EMBEDDED_TEST if dataset == EMBEDDED else IMAGES["test"]


def data_root() -> Path:
    """Where the data sets are, as an absolute path: LAB_DATA, or data/ in the checkout or in the user's own folder."""
    return Path(os.environ.get("LAB_DATA") or OWN / "data").expanduser().resolve()


def is_present(name: str, root: Path | None = None) -> bool:
    """Whether all four files exist. Their content is checked when they are read."""
    if name == EMBEDDED:
        return True
    folder = (root or data_root()) / name / "raw"
    return all(find(folder, stem) is not None for stems in _STEMS.values() for stem in stems)


def best_present(root: Path | None = None) -> str:
    """MNIST if it is present, else the embedded digits."""
    return "MNIST" if is_present("MNIST", root) else EMBEDDED


def load(name: str, root: Path | None = None) -> Dataset:
    """Both splits. Raises DataError for a file that is missing, incomplete or changed."""
    return Dataset(name, load_split(name, "train", root), load_split(name, "test", root))


def load_split(name: str, split: SplitName, root: Path | None = None) -> Split:
    """One split: images (N, 28, 28) and labels (N,), uint8. Raises DataError."""
    if name == EMBEDDED:
        return _embedded(split)
    if name not in DATASETS:
        raise DataError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}")
    folder = (root or data_root()) / name / "raw"
    images_stem, labels_stem = _STEMS[split]
    images = read_idx(folder, images_stem, (IMAGES[split], 28, 28), name, np.uint8)
    labels = read_idx(folder, labels_stem, (IMAGES[split],), name, np.uint8)
    if labels.max() > 9:
        raise DataError(f"{folder / labels_stem}: a label is {labels.max()}, at most 9 is possible")
    return Split(images, labels)


def download(name: str = "MNIST", root: Path | None = None, part: str = "") -> None:
    """Download a data set with torchvision, which shows its progress on standard error. Raises DataError.

    `part`: which of a data set's parts, where it has several.
    """
    from core.data.vision import torchvision  # takes two seconds to import

    folder = root or data_root()
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # a network that loses packets must not block the lab
    try:
        getattr(torchvision.datasets, name)(str(folder), download=True, **({"what": part} if part else {}))
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{name} could not be downloaded into {folder}: {reason}") from error
    finally:
        socket.setdefaulttimeout(timeout)


def _embedded(split: SplitName) -> Split:
    images, labels = embedded_digits()
    part = slice(None, -EMBEDDED_TEST) if split == "train" else slice(-EMBEDDED_TEST, None)
    return Split(images[part], labels[part].astype(np.uint8))


def find(folder: Path, stem: str) -> Path | None:
    """The file of that name, or its gzipped form; None where there is neither."""
    return next((path for path in (folder / stem, folder / f"{stem}.gz") if path.is_file()), None)


def read_idx(folder: Path, stem: str, shape: tuple[int, ...], name: str, kind: type[T]) -> NDArray[T]:
    """The array in an idx file (http://yann.lecun.com/exdb/mnist/): a header, then the values, all big-endian.

    Raises DataError for a file that is missing, damaged, or of another shape or kind.
    """
    value = np.dtype(kind).newbyteorder(">")
    path = find(folder, stem)
    if path is None:
        raise DataError(f"{name} is not there: {folder / stem} (or .gz) is missing")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it and download {name} again") from error
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, _IDX_CODES[value.name], len(shape), *shape)
    if len(content) != (wanted := len(header) + int(np.prod(shape)) * value.itemsize):
        raise DataError(f"{path}: {len(content):,} bytes, expected {wanted:,}; delete it and download {name} again")
    if content[: len(header)] != header:
        found = content[: len(header)].hex()
        raise DataError(f"{path}: its header is {found}, expected {header.hex()}; it is not the idx file it should be")
    if name == "MNIST" and hashlib.md5(content, usedforsecurity=False).hexdigest() != _MD5[stem]:
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        raise DataError(f"{path}: its MD5 is {found}, expected {_MD5[stem]}; delete it and download {name} again")
    return np.frombuffer(content, value, offset=len(header)).reshape(shape)
