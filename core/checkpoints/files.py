"""Small text files: read with an error that names the file, and replaced as a whole or not at all."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from core.errors import CheckpointError
from core.record import Json, short


def read_json(path: Path, missing: str, damaged: str) -> Json:
    """The JSON in a file. Raises CheckpointError, with the given words, for a file that is missing or damaged."""
    try:
        data: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: {missing}") from None
    except OSError as error:
        raise CheckpointError(
            f"{path}: {damaged}: {error.strerror}"
        ) from None  # its own message would name the path again
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CheckpointError(f"{path}: {damaged}: it is not valid JSON at {where}") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {damaged}: {error}") from None
    return data


def checked_version(data: Json, version: int, what: str, place: str) -> dict[str, Json]:
    """The object without its `version`. Raises CheckpointError for no object, or for another version."""
    found = data.get("version") if isinstance(data, dict) else None
    if not isinstance(data, dict) or isinstance(found, bool) or found != version:
        raise CheckpointError(f"{place}: {what} version is {short(found)}, this lab reads version {version}")
    return {name: value for name, value in data.items() if name != "version"}


def replace_text(path: Path, text: str) -> None:
    """Replace a file's text: readers see the old text or the new one, also after a power cut. Raises OSError."""
    replace_bytes(path, text.encode("utf-8"))


def replace_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content: readers see the old content or the new one, also after a power cut. Raises OSError.

    It is written under a temporary name and brought to the disk before it gets the name; then the folder is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk; where folders cannot be opened, as on Windows, the system does it by itself."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with suppress(OSError):  # some network folders refuse
            os.fsync(opened)
    finally:
        os.close(opened)
