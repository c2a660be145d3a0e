"""What a file is, by its bytes first and by its name last, and what to do with one that the lab cannot take. No torch.

Nothing in a file is run, unpickled or followed: not a pickle's objects, not a path that it names.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from io import BytesIO
from pathlib import PurePath
from typing import Literal

from core.errors import ImportingError
from core.record import short

Kind = Literal["torch", "safetensors", "npz", "onnx", "architecture", "recipe", "code", "table"]
WEIGHTS: tuple[Kind, ...] = ("torch", "safetensors", "npz")

MAX_BYTES = 100_000_000  # of one file: the largest network of the ladder takes 26 MB, with Adam's state 77 MB
MAX_UNPACKED = 400_000_000  # of a ZIP file's parts together
MAX_PICKLE = 4_000_000  # bytes of the pickled names of a torch file; C1's are 6,000
MAX_TEXT = 2_000_000  # characters: a notebook with its pictures

LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, in files from before 2020

KERAS_DO = (
    "write its weights with `np.savez('weights.npz', *model.get_weights())`, or convert the model with tf2onnx "
    "(`python -m tf2onnx.convert --keras model.h5 --output model.onnx`), and bring that file"
)
SAVE_DO = "save the weights alone, with `torch.save(model.state_dict(), 'weights.pt')`, and bring that file"
JSON_DO = (
    "write a file of weights from it, with `torch.save({name: torch.tensor(each) for name, each in "
    "json.load(open(file)).items()}, 'weights.pt')`, and bring that file"
)
# What begins with these bytes is this, and can be brought in that way.
FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "a Keras file (HDF5)", KERAS_DO),
    (b"\x93NUMPY", "one NumPy array", "bring all arrays of the network in one .npz, written with `np.savez`"),
    (b"\x1f\x8b", "a file packed with gzip", "unpack it first"),
    (b"BZh", "a file packed with bzip2", "unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"%PDF", "a PDF document", "copy the code or the table out of it and paste that"),
    (b"\x89PNG", "a picture", "read its digit on the page Draw"),
    (b"\xff\xd8\xff", "a picture", "read its digit on the page Draw"),
)


def kind_of(content: bytes, name: str) -> Kind:
    """What the file is. Raises ImportingError for one that the lab cannot take: what it is, and what to do."""
    called = short(PurePath(name).name)
    if not content:
        raise ImportingError(f"{called} is empty: it has 0 bytes")
    if len(content) > MAX_BYTES:
        raise ImportingError(f"{called} has {len(content):,} bytes, at most {MAX_BYTES:,} are read; {SAVE_DO}")
    for begins, what, do in FOREIGN:
        if content.startswith(begins):
            raise ImportingError(f"{called} is {what}, which the lab does not read; {do}")
    if content[:4] == b"PK\x03\x04":
        return _in_zip(content, called)
    if content.startswith(LEGACY):
        return "torch"
    if content[4:8] == b"TFL3":
        raise ImportingError(f"{called} is a TensorFlow Lite file, which the lab does not read; {KERAS_DO}")
    if content[257:262] == b"ustar":
        raise ImportingError(f"{called} is a TAR archive, which the lab does not read; unpack it first")
    if _is_safetensors(content):  # before a pickle, which may begin as the length of a header does
        return "safetensors"
    if content[0] == 0x80 and len(content) > 1 and content[1] <= 5:
        raise ImportingError(f"{called} is a pickled Python object, and reading it would run what it says; {SAVE_DO}")
    if (text := text_of(content)) is not None:
        return _of_text(text, called)
    if name.lower().endswith(".onnx") or _looks_like_onnx(content):
        return "onnx"
    raise ImportingError(
        f"{called} is no file that the lab knows; it takes PyTorch code (.py, .ipynb), a network or recipe as JSON, "
        "weights (.pt, .pth, .safetensors, .npz) and ONNX"
    )


def text_of(content: bytes) -> str | None:
    """The file as text; None if it is none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def _is_safetensors(content: bytes) -> bool:
    """8 bytes for the header's length, then the header, which is JSON."""
    length = int.from_bytes(content[:8], "little")
    return len(content) > 9 and length <= len(content) - 8 and content[8:9] == b"{"


def _looks_like_onnx(content: bytes) -> bool:
    """A protobuf whose first field is a small version number."""
    return content[0] == 0x08 and len(content) > 2 and content[1] < 32


def _in_zip(content: bytes, called: str) -> Kind:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise ImportingError(f"{called} is a damaged file: {error}; copy or save it again") from None
    if (size := sum(entry.file_size for entry in entries)) > MAX_UNPACKED:
        raise ImportingError(f"{called} unpacks to {size:,} bytes, at most {MAX_UNPACKED:,} are read")
    last = {entry.filename.rpartition("/")[2]: entry for entry in entries}
    if "data.pkl" in last:
        if "constants.pkl" in last:
            raise ImportingError(
                f"{called} is a TorchScript file, which is a program, and the lab runs none; {SAVE_DO}"
            )
        if (size := last["data.pkl"].file_size) > MAX_PICKLE:
            raise ImportingError(f"{called}: its list of names has {size:,} bytes, at most {MAX_PICKLE:,} are read")
        return "torch"
    if entries and all(name.endswith(".npy") for name in last):
        return "npz"
    if "model.weights.h5" in last or "config.json" in last:
        raise ImportingError(f"{called} is a Keras file, which the lab does not read; {KERAS_DO}")
    if "archive_format" in last:
        raise ImportingError(f"{called} is a torch.export file, which is a program, and the lab runs none; {SAVE_DO}")
    names = ", ".join(short(entry.filename) for entry in entries[:4]) or "nothing"
    raise ImportingError(f"{called} is a ZIP archive with {names}; unpack it and bring one file of it")


def inside(content: bytes, name: str) -> tuple[bytes, str]:
    """The file and its name; of a ZIP archive with one file alone, that file."""
    if content[:4] != b"PK\x03\x04" or len(content) > MAX_BYTES:
        return content, name
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = [each for each in archive.infolist() if not each.is_dir() and "__MACOSX/" not in each.filename]
            if len(entries) == 1 and entries[0].file_size <= MAX_BYTES and not entries[0].filename.endswith(".npy"):
                return archive.read(entries[0]), entries[0].filename
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, OSError, EOFError, zlib.error):
        pass  # what is wrong with it, its kind says
    return content, name


def _of_text(text: str, called: str) -> Kind:
    if len(text) > MAX_TEXT:
        raise ImportingError(f"{called} has {len(text):,} characters, at most {MAX_TEXT:,} are read")
    if not text.strip():
        raise ImportingError(f"{called} is empty: it has only blanks")
    if text.lstrip()[0] in "{[":
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return "code"  # such as a list in Python; its reader says what is wrong
        if isinstance(data, list):
            raise ImportingError(f"{called} is a JSON list; a network is an object with name, input and ops")
        if "weight_map" in data:
            raise ImportingError(f"{called} only lists files of weights; bring the .safetensors file itself")
        if is_code(text):
            return "code"
        if data and all(isinstance(value, list | int | float) for value in data.values()) and _is_nested(data):
            raise ImportingError(f"{called} holds numbers as JSON, under {short(str(next(iter(data))))}; {JSON_DO}")
        return "architecture" if "ops" in data else "recipe"
    return "table" if is_table(text) else "code"


def _is_nested(data: dict[str, object]) -> bool:
    """Whether lists stand within lists, as the numbers of a weight do."""
    first = [value[0] for value in data.values() if isinstance(value, list) and value]
    return any(isinstance(each, list) for each in first)


def is_code(text: str) -> bool:
    """Whether a JSON text is a notebook, or a network as Keras writes it."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and any(key in data for key in ("cells", "class_name", "nbformat"))


def is_table(text: str) -> bool:
    """Whether a text is what torchsummary or torchinfo prints, rather than code."""
    lines = [line for line in text.splitlines() if line.strip()]
    rows = sum(1 for line in lines if "[" in line and "-" in line.split("[")[0] and "=" not in line.split("[")[0])
    told = any("Param #" in line or "Total params" in line for line in lines)
    return told or (bool(lines) and rows == len(lines))
