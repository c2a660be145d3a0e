"""The kinds of file by which a network or a run leaves the lab, and their names. No torch: `files` has the content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.checkpoints.card import Card
from core.export.section import Subject, file_stem

KindName = Literal["code", "json", "onnx", "state_dict", "safetensors", "card", "script", "notebook"]


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
