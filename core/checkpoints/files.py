"""Small JSON files, read with an error that names the file."""

from __future__ import annotations

import json
from pathlib import Path

from core.errors import CheckpointError
from core.files import reason
from core.record import Json, short, too_much


def read_json(path: Path, missing: str, damaged: str) -> Json:
    """The JSON in a file. Raises CheckpointError, with the given words, for a file that is missing or damaged."""
    try:
        data: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: {missing}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: {damaged}: {reason(error)}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CheckpointError(f"{path}: {damaged}: it is not valid JSON at {where}") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {damaged}: {too_much(error)}") from None
    return data


def checked_version(data: Json, version: int, what: str, place: str) -> dict[str, Json]:
    """The object without its `version`. Raises CheckpointError for no object, or for another version."""
    found = data.get("version") if isinstance(data, dict) else None
    if not isinstance(data, dict) or isinstance(found, bool) or found != version:
        raise CheckpointError(f"{place}: {what} version is {short(found)}, this lab reads version {version}")
    return {name: value for name, value in data.items() if name != "version"}
