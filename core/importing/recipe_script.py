"""A training script's own lines as a recipe: `optimizer = optim.SGD(...)`, `EPOCHS = 15`. Read by `ast`, never run."""

from __future__ import annotations

import ast

from core.errors import SpecError
from core.reading.source import read_source
from core.record import Json
from core.training.recipe import Recipe, recipe_from_dict
from core.training.recipe_reading import IN_OPTIMIZER, LOSSES, RECIPE
from core.training.recipe_wrapping import call_as_part, constant
from core.training.spelling import Fields, put, squashed

PARTS = ("optimizer", "schedule", "augmentation", "loss")  # made by a call; all other fields are numbers
ENOUGH = {"optimizer", "schedule", "augmentation", "epochs"}  # one of these, or the text is no recipe
OFTEN_OTHER = ("target", "targetaccuracy", "epoch", "batch", "rate", "clip", "validation")  # a loop's own, in a script
NAMES = {
    **{name: field for name, field in RECIPE.items() if name not in OFTEN_OTHER},
    **{squashed(name): name for name in IN_OPTIMIZER},
    **dict.fromkeys(("transformtrain", "transformstrain", "datatransform", "datatransforms"), "augmentation"),
}
LINES = (ast.Assign, ast.AnnAssign, ast.Call)
METHODS = ("fit", "compile")  # of a Keras model: their arguments have the same names


def recipe_of_script(text: str, name: str = "") -> Recipe | None:
    """The recipe as a script or a notebook writes it; None without one. `name`: the file's, if it is one.

    Raises RecipeError for what the lab cannot follow, and for two lines that say one field differently.
    """
    try:
        found = _found(read_source(text, name).body)
    except (SpecError, RecursionError):  # no Python, or an expression that nests too deep
        return None
    return recipe_from_dict(found) if {NAMES.get(squashed(each)) for each in found} & ENOUGH else None


def _found(body: tuple[ast.stmt, ...]) -> Fields:
    found: Fields = {}
    known = _Known()
    lines = (each for statement in body for each in ast.walk(statement) if isinstance(each, LINES))
    for node in sorted(lines, key=lambda each: each.lineno):
        if isinstance(node, ast.Call):
            _from_call(found, node, known)
        elif node.value is not None and isinstance(target := _target(node), ast.Name):
            value = known.visit(node.value)
            _take(found, target.id, value)
            if isinstance(value, ast.Constant):
                known.constants[target.id] = value
    return found


class _Known(ast.NodeTransformer):
    """Puts in place of a name, or of such as args.lr, the constant that it was given before."""

    def __init__(self) -> None:
        self.constants: dict[str, ast.Constant] = {}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.constants.get(node.id, node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self.constants.get(node.attr, node) if isinstance(node.value, ast.Name) else node


def _target(node: ast.Assign | ast.AnnAssign) -> ast.expr | None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return targets[0] if len(targets) == 1 else None


def _from_call(found: Fields, call: ast.Call, known: _Known) -> None:
    """Arguments of model.fit and model.compile, of a training set and its DataLoader, and what argparse begins with."""
    name = ast.unparse(call.func).rpartition(".")[2]
    there = {NAMES.get(squashed(each)) for each in found}
    given = {each.arg: known.visit(each.value) for each in call.keywords if each.arg}
    if name in METHODS:
        for key, value in given.items():
            _take(found, key, value)
        if isinstance(listed := given.get("callbacks"), ast.List):
            put(found, "callbacks", constant(listed), "recipe", "callbacks")
    elif name in ("DataLoader", "dict") and "batch_size" not in there and constant(given.get("shuffle")) is True:
        _take(found, "batch_size", given.get("batch_size"))
    elif name.endswith("MNIST") and constant(given.get("train")) is True:
        _take(found, "transform", given.get("transform"))
    elif name == "add_argument" and call.args and isinstance(default := given.get("default"), ast.Constant):
        option = str(constant(call.args[-1])).lstrip("-").replace("-", "_")
        known.constants[option] = default
        _take(found, option, default)


def _take(found: Fields, name: str, value: ast.expr | None) -> None:
    """A line into what is found, if it is one of a recipe."""
    if value is None or (isinstance(value, ast.Constant) and value.value is None):
        return
    field = NAMES.get(squashed(name))
    if field == "loss" and isinstance(value, ast.Call) and not _makes_loss(value):
        return  # loss = criterion(output, target)
    if field in PARTS and isinstance(value, ast.Call | ast.Constant):
        made: Json = call_as_part(ast.unparse(value)) if isinstance(value, ast.Call) else constant(value)
    elif field is not None and isinstance(number := constant(value), int | float):
        made = number
    else:
        return
    put(found, name, made, "recipe", name)


def _makes_loss(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    return squashed(name) in LOSSES or (name[:1].isupper() and name.endswith("Loss"))
