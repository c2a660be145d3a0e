"""The small text files beside the weights: read with an error that names them, replaced whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

from core.errors import CheckpointError
from core.record import Json


def read_json(path: Path, missing: str, damaged: str) -> Json:
    """What the file holds. Raises CheckpointError, in the words given, for one that is missing or cannot be read."""
    try:
        data: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: {missing}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {damaged}: {error}") from None
    return data


def replace_text(path: Path, text: str) -> None:
    """Write under a temporary name, then rename: a reader sees the old file or the new one. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
