"""The kinds of file by which a network or a run leaves the lab, and what is in each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.architecture.json_form import architecture_to_json
from core.architecture.pytorch_code import pytorch_code
from core.architecture.spec import Architecture
from core.checkpoints.card import Card, card_to_dict
from core.checkpoints.checkpoint import load
from core.checkpoints.onnx_export import to_onnx
from core.errors import CheckpointError
from core.export.notebook import training_notebook
from core.export.script import training_script
from core.export.section import Subject, file_stem
from core.export.weights import safetensors_file, state_dict_file
from core.training.network import build

KindName = Literal["code", "json", "onnx", "state_dict", "safetensors", "card", "script", "notebook"]
UNTRAINED_SEED = 0  # of the weights in the ONNX file of a network that has none


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    label: str  # what a menu calls it
    ending: str  # of its name, after the network's or the run's
    mime: str
    about: str  # what it is for
    of_a_run: bool = False  # there is none without trained weights


KINDS: dict[KindName, Kind] = {
    "code": Kind("Python code", ".py", "text/x-python", "The network in PyTorch. It runs as it stands."),
    "json": Kind("JSON", ".json", "application/json", "For Open a JSON file under Design, and for the command line."),
    "onnx": Kind("ONNX", ".onnx", "application/octet-stream", "For Netron, and for any ONNX runtime."),
    "state_dict": Kind(
        "state_dict (.pth)", ".pth", "application/octet-stream",
        "The weights, for network.load_state_dict(torch.load(FILE)) after the Python code.", of_a_run=True,
    ),
    "safetensors": Kind(
        "safetensors", ".safetensors", "application/octet-stream",
        "The same weights, for safetensors.torch.load_file(FILE).", of_a_run=True,
    ),
    "card": Kind(
        "Card", "-card.json", "application/json", "Network, recipe, figures of each epoch, versions.", of_a_run=True
    ),
    "script": Kind(
        "Training script", "-train.py", "text/x-python", "Network, data, recipe and evaluation in one file: run it."
    ),
    "notebook": Kind(
        "Notebook", "-train.ipynb", "application/x-ipynb+json", "The training script in cells, with a few words each."
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Leaving:
    """What leaves the lab: a network and a recipe, and where its trained weights stand, if there are any."""

    subject: Subject
    weights: Path | None = None  # the checkpoint's pair, without its endings

    def name(self, kind: KindName) -> str:
        """The name of the file."""
        return f"{self.subject.file_stem}{KINDS[kind].ending}"


def stem_of(reference: str, card: Card) -> str:
    """What the files of a checkpoint are called: its slug or name, and of a run's which run it is."""
    run, _, which = reference.rpartition("/")
    if not run:
        return file_stem(Path(reference).stem)
    parts = [card.slug or file_stem(card.name), run, *([] if which == "last" else [which])]
    return file_stem("-".join(parts))


def file_of(kind: KindName, leaving: Leaving) -> bytes:
    """The file's content. Raises LabError: for weights that are not there, and for what the kind cannot hold."""
    subject, architecture = leaving.subject, leaving.subject.architecture
    if KINDS[kind].of_a_run and (leaving.weights is None or subject.card is None):
        raise CheckpointError(f"{KINDS[kind].label} is of a trained network, and this one has no checkpoint; train it")
    match kind:
        case "code":
            return pytorch_code(architecture).encode()
        case "json":
            return json_lines(architecture).encode()
        case "script":
            return training_script(subject).encode()
        case "notebook":
            return training_notebook(subject)
        case "card":
            assert subject.card is not None
            return json.dumps(card_to_dict(subject.card), indent=1).encode()
        case "onnx":
            network = load(leaving.weights)[0] if leaving.weights else build(architecture, UNTRAINED_SEED)
            return to_onnx(network, architecture)
        case "state_dict" | "safetensors":
            assert leaving.weights is not None
            write = state_dict_file if kind == "state_dict" else safetensors_file
            return write(load(leaving.weights)[0], architecture)


def json_lines(architecture: Architecture) -> str:
    """The architecture's JSON with a line for each op."""
    text = architecture_to_json(architecture)
    return re.sub(r'(?<=[\[,])(?=\{"op")', "\n  ", text).replace("}]}", "}\n]}") + "\n"
