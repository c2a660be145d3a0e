"""What people have around a recipe: a file's section, wandb's values, texts of calls and numbers, a script's own keys.

No torch, and nothing is run: a call in a text is taken apart by `ast`.
"""

from __future__ import annotations

import ast
import re

from core.errors import RecipeError
from core.record import Json, short
from core.training.spelling import Fields, put, squashed

MAX_CALL = 4_000  # characters
MAX_DEPTH = 12  # of objects within objects; deeper ones stay as they are
_SECTIONS = "recipe training train trainer trainconfig config cfg hparams hyperparameters hyperparams params"
SECTIONS = _SECTIONS.split()
_SCRIPT = (
    "device usecuda nocuda cuda gpu gpus accelerator devices numworkers workers pinmemory loginterval logevery verbose "
    "savemodel savepath outputdir dryrun testbatchsize valbatchsize evalbatchsize metrics wandbversion wandb project"
)
SCRIPT = _SCRIPT.split()  # how a script runs, not what it trains with
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
PLACES: dict[str, tuple[str, ...]] = {  # of arguments without a name, by the call's squashed name
    "randomrotation": ("degrees",),
    "randomaffine": ("degrees", "translate", "scale", "shear"),
    "randomcrop": ("size", "padding"),
    "randomerasing": ("p", "scale", "ratio"),
    "randomperspective": ("distortion_scale", "p"),
    "randomresizedcrop": ("size", "scale", "ratio"),
    "elastictransform": ("alpha", "sigma"),
    "colorjitter": ("brightness", "contrast", "saturation", "hue"),
    "normalize": ("mean", "std"),
    "steplr": ("step_size", "gamma"),
    "multisteplr": ("milestones", "gamma"),
    "exponentiallr": ("gamma",),
    "linearlr": ("start_factor", "end_factor"),
    "reducelronplateau": ("mode", "factor", "patience"),
    "cosineannealinglr": ("T_max", "eta_min"),
    "cosineannealingwarmrestarts": ("T_0", "T_mult", "eta_min"),
    "cycliclr": ("base_lr", "max_lr", "step_size_up"),
    "onecyclelr": ("max_lr",),
    "sgd": ("lr", "momentum"),
    "adam": ("lr",),
    "adamw": ("lr",),
    "rmsprop": ("lr",),
    "adadelta": ("lr", "rho"),
}
LISTS = ("compose", "sequential", "augmentationsequential")  # of changes, one after the other
_PICKS = "the lab makes each change by itself, with a probability of its own: list them without {}"
_MIXES = "the lab does not mix images; the usual changes are rotation, translation and erasing"
OTHERS: dict[str, str] = {  # what a recipe does not have: what to do, one part of a sentence
    **dict.fromkeys(("mixup", "cutmix", "mixupalpha", "cutmixalpha"), _MIXES),
    **dict.fromkeys(("amp", "useamp", "mixedprecision", "fp16"), 'write {"precision": "bf16"}, or leave it out'),
    **dict.fromkeys(("swa", "useswa", "swastart"), "the lab averages weights with ema_decay, such as 0.99"),
    **dict.fromkeys(
        ("dropout", "dropoutrate", "dropoutvalue", "drop", "batchnorm", "usebn"), "it is one of the network's ops"
    ),
    **dict.fromkeys(("model", "network", "arch", "architecture"), "the network is a file of its own"),
    **dict.fromkeys(
        ("iterations", "maxsteps", "totalsteps", "maxiter", "numsteps"),
        "the lab counts in epochs: one is the training images over batch_size iterations",
    ),
    **dict.fromkeys(
        ("gradientaccumulationsteps", "accumulategradbatches", "gradaccum", "accumulationsteps"),
        "write the product as batch_size",
    ),
    **dict.fromkeys(
        ("cutout", "erasing", "randomerasing", "rotation", "randomrotation", "rotate", "shear", "translation"),
        'it changes the images: write it within "augmentation"',
    ),
    "warmupepochs": "the schedules that warm up are OneCycle and LinearLR",
}
NEEDLESS: tuple[Json, ...] = (None, False, 0, 1)  # off, or of no effect
CALLBACKS = {"earlystopping": "early_stopping", "reducelronplateau": "schedule"}


def unwrapped(data: Fields, depth: int = 0) -> Fields:
    """The recipe without what stands around it. Raises RecipeError where two sections say a field differently."""
    found: Fields = {}
    for key, value in data.items():
        inner = value["value"] if isinstance(value, dict) and set(value) in ({"value"}, {"desc", "value"}) else value
        if isinstance(inner, dict) and squashed(key) in SECTIONS and depth < MAX_DEPTH:
            for name, each in unwrapped(inner, depth + 1).items():
                put(found, name, each, "recipe", name)
        elif squashed(key) in OTHERS:
            if inner not in NEEDLESS or inner is True:
                raise RecipeError(f"recipe: {short(key)} is no field of a recipe here: {OTHERS[squashed(key)]}")
        elif squashed(key) not in SCRIPT and not (squashed(key) == "shuffle" and inner is True):
            put(found, key, _plain(inner), "recipe", key)
    _callbacks(found)
    _bare_schedule(found)
    return found


def text_of_recipe(text: str) -> Fields | None:
    """The fields of a recipe written as Python: a dict, `dict(...)`, or what argparse prints. None for other text."""
    try:
        node = ast.parse(text.strip(), mode="eval").body if len(text) < 20_000 else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Namespace", "dict"):
        found: Json = {each.arg: constant(each.value) for each in node.keywords if each.arg}
    else:
        found = constant(node) if isinstance(node, ast.Dict) else None
    return found if isinstance(found, dict) and found else None


def _plain(value: Json, depth: int = 0) -> Json:
    """Texts that are a number, a share or a call as these; within lists and objects too."""
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, dict):
        named = {("name" if key == "_target_" else key): _plain(each, depth + 1) for key, each in value.items()}
        return {key: each for key, each in named.items() if not key.startswith("_")}
    if isinstance(value, list):
        return [_plain(each, depth + 1) for each in value]
    if not isinstance(value, str):
        return value
    text = value.strip()
    if NUMBER.fullmatch(text):
        return float(text) if set(text.lower()) & set(".e") else int(text)
    if text.endswith("%") and NUMBER.fullmatch(text[:-1].strip()):
        return float(text[:-1]) / 100
    return call_as_part(text) if text.endswith(")") and len(text) <= MAX_CALL else value


def call_as_part(text: str) -> Json:
    """`optim.SGD(model.parameters(), lr=0.01)` as an object with a name. Raises RecipeError for what cannot be read."""
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    try:
        return _part(node, text) if isinstance(node, ast.Call) else text
    except RecursionError:
        raise RecipeError(f"recipe: {short(text)}: its calls nest too deep") from None


def _part(node: ast.Call, text: str) -> Json:
    name = ast.unparse(node.func).rpartition(".")[2]
    if squashed(name) in (*LISTS, "randomapply", "oneof", "randomchoice", "randomorder", "someof"):
        return _several(name, node)
    given = [each for each in node.args if not isinstance(each, ast.Call | ast.Name | ast.Attribute | ast.Starred)]
    places = PLACES.get(squashed(name), tuple(f"argument {number}" for number in range(len(given))))
    if len(given) > len(places):
        raise RecipeError(f"recipe: {short(text)}: write the names of its arguments, such as {name}(name=value)")
    found: Fields = {"name": name}
    for place, each in zip(places, given, strict=False):
        found[place] = constant(each)
    for keyword in node.keywords:
        if keyword.arg:
            found[keyword.arg] = constant(keyword.value)
    if squashed(name) == "sgd":
        found.setdefault("momentum", 0.0)  # torch's default, and Keras's
    if squashed(name) == "randomaffine" and found.get("degrees") == 0:
        del found["degrees"]  # torchvision wants it said that nothing is turned
    return found if len(found) > 1 else name


def _several(name: str, node: ast.Call) -> Json:
    """The changes in `Compose([...])`, or the one in `RandomApply([...], p=0.1)` with its probability."""
    first = node.args[0] if node.args else None
    listed = first.elts if isinstance(first, ast.List | ast.Tuple) else node.args
    found: list[Json] = []
    for each in listed:
        read = call_as_part(ast.unparse(each))
        found += read if isinstance(read, list) else [read]
    if squashed(name) in LISTS:
        return found
    if squashed(name) != "randomapply" or len(found) != 1:
        raise RecipeError(f"recipe: {short(ast.unparse(node))}: {_PICKS.format(name)}")
    given = [*node.args[1:2], *(each.value for each in node.keywords if each.arg == "p")]
    inner: Fields = dict(found[0]) if isinstance(found[0], dict) else {"name": found[0]}
    return [inner | {"p": constant(given[0]) if given else 0.5}]


def constant(node: ast.expr | None) -> Json:
    """A constant, list, tuple or dict of constants; a name as a text."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [constant(each) for each in parts]
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {str(key.value): constant(each) for key, each in pairs if isinstance(key, ast.Constant)}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.BinOp(
            op=ast.Div(), left=ast.Constant(value=int() | float() as a), right=ast.Constant(value=int() as b)
        ):
            return a / b if b else None
        case ast.expr():
            return ast.unparse(node)
    return None


def _callbacks(found: Fields) -> None:
    """Keras's callbacks that a recipe has too; those that only save or draw are left out."""
    listed = found.get("callbacks")
    if not isinstance(listed, list):
        return
    del found["callbacks"]
    for each in listed:
        given: Fields = dict(each) if isinstance(each, dict) else {"name": each}
        field = CALLBACKS.get(squashed(str(given.get("name", given.get("class_name")))))
        if field == "early_stopping":
            del given["name"]
        value: Json = given or True
        if field:
            put(found, field, value, "recipe", field)


def _bare_schedule(found: Fields) -> None:
    """Milestones or a step size beside the rest, without the schedule's name."""
    keys = {squashed(key): key for key in found}
    if any(key in keys for key in ("schedule", "scheduler", "lrscheduler", "lrschedule", "learningrateschedule")):
        return
    name = "MultiStepLR" if "milestones" in keys else "StepLR" if {"stepsize", "gamma"} <= keys.keys() else ""
    if name:
        own = [keys[each] for each in ("milestones", "stepsize", "gamma") if each in keys]
        found["schedule"] = {"name": name, **{key: found.pop(key) for key in own}}
