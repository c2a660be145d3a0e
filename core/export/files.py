"""What is in the files by which a network or a run leaves the lab."""

from __future__ import annotations

import json

from core.architecture.json_form import json_lines
from core.architecture.pytorch_code import pytorch_code
from core.checkpoints.card import card_to_dict
from core.checkpoints.checkpoint import load
from core.checkpoints.onnx_export import to_onnx
from core.errors import CheckpointError
from core.export.kinds import KINDS, KindName, Leaving
from core.export.notebook import training_notebook
from core.export.script import training_script
from core.export.weights import safetensors_file, state_dict_file
from core.training.network import build

UNTRAINED_SEED = 0  # of the weights in the ONNX file of a network that has none


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
