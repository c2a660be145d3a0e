"""A file that somebody brought, opened: code, a network, a recipe, weights, ONNX, or a table of layers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePath

from core.architecture.json_form import architecture_from_json
from core.architecture.spec import Architecture
from core.errors import ImportingError, SpecError
from core.importing.kind import MAX_TEXT, WEIGHTS, Kind, inside, is_code, is_table, kind_of, text_of
from core.importing.onnx_import import OnnxNetwork, read_onnx
from core.importing.recipe_script import recipe_of_script
from core.importing.tensors import Tensors, read_tensors
from core.outside import cut
from core.reading.code import read_code
from core.reading.record import CodeRead
from core.training.recipe import Recipe, recipe_from_json
from core.training.recipe_wrapping import text_of_recipe


@dataclass(frozen=True)
class Opened:
    """What is in the file: one of the fields is set."""

    file: str  # its name, without folders
    kind: Kind
    code: CodeRead | None = None
    architecture: Architecture | None = None
    recipe: Recipe | None = None
    tensors: Tensors | None = None
    onnx: OnnxNetwork | None = None
    table: str = ""


def open_file(content: bytes, name: str) -> Opened:
    """Open a file by its bytes. Raises LabError for one that the lab cannot take: what it is, and what to do."""
    content, name = inside(content, name)
    kind = kind_of(content, name)
    file = file_name(name)
    if kind in WEIGHTS:
        return Opened(file, kind, tensors=read_tensors(content, kind, file))
    if kind == "onnx":
        return Opened(file, kind, onnx=read_onnx(content, file))
    return _of_text(text_of(content) or "", file, kind)


def open_text(text: str) -> Opened:
    """Open a pasted text: code, a table, or JSON. Raises LabError."""
    if len(text) > MAX_TEXT:
        raise ImportingError(f"the text has {len(text):,} characters, at most {MAX_TEXT:,} are read")
    if is_table(text):
        return Opened("", "table", table=text)
    return _of_text(text, "", kind_of(text.encode("utf-8", "replace"), "the text"))


def _of_text(text: str, file: str, kind: Kind) -> Opened:
    if kind == "architecture":
        return Opened(file, kind, architecture=architecture_from_json(text))
    if kind == "recipe":
        return Opened(file, kind, recipe=recipe_from_json(text))
    if kind == "table":
        return Opened(file, kind, table=text)
    if not is_code(text) and (fields := text_of_recipe(text)) is not None:  # JSON is nearly always Python too
        return Opened(file, "recipe", recipe=recipe_from_json(json.dumps(fields)))
    try:
        return Opened(file, "code", code=read_code(text, file))
    except SpecError:  # no network; a script that trains one says how
        if (recipe := recipe_of_script(text, file)) is None:
            raise
        return Opened(file, "recipe", recipe=recipe)


def file_name(name: str) -> str:
    """The name without folders, of either system, and without what a line cannot show."""
    return cut(PurePath(name.replace("\\", "/")).name, 100) or "a file"
