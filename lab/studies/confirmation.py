"""The shipped checkpoints on QMNIST's 50,000 further digits, which had no say in anything: `python -m lab confirm`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from core.analysis.evidence import in_points, interval_in_percent
from core.analysis.proportion import wilson
from core.checkpoints.files import checked_version, read_json
from core.data.qmnist import FURTHER
from core.errors import CheckpointError
from core.files import reason, replace_text
from core.record import Length, Range, read, write
from lab.studies import shelf

FILE_NAME = "confirmation.json"
VERSION = 1


@dataclass(frozen=True)
class Confirmation:
    """How many of the further digits a checkpoint reads."""

    checkpoint: str
    weights_sha256: Annotated[str, Length(64, 64)]
    right: Annotated[int, Range(0, FURTHER)]

    @property
    def accuracy(self) -> float:
        return self.right / FURTHER


def path() -> Path:
    """Where the figures stand, beside the checkpoints."""
    return shelf.SHIPPED / FILE_NAME


def confirm(say: Callable[[str], None]) -> list[Confirmation]:
    """Read the further digits with every shipped checkpoint of MNIST, and keep the figures.

    Raises DataError without the digits, CheckpointError for a checkpoint that cannot be loaded or a file not written.
    """
    import torch

    from core.checkpoints.checkpoint import load, normalisation_of
    from core.data.qmnist import load_further
    from core.training.evaluation import predict
    from core.training.resident import examples

    digits, found = examples(load_further(), torch.device("cpu")), list[Confirmation]()
    for shelved in shelf.shipped():
        if shelved.card.dataset == "MNIST":
            network, card = load(shelved.stem)
            answers = predict(network, digits, normalisation_of(card))
            right = int((answers.predicted == answers.labels).sum())
            found.append(Confirmation(shelved.reference, card.weights_sha256, right))
            say(f"{shelved.reference}: {found[-1].accuracy:.2%} of {FURTHER:,} further digits")
    lines = ",\n".join(json.dumps(write(each)) for each in found)
    try:
        replace_text(path(), f'{{"version": {VERSION}, "checkpoints": [\n{lines}\n]}}\n')
    except OSError as error:
        raise CheckpointError(f"{path()}: the figures could not be written: {reason(error)}") from error
    return found


def confirmed() -> dict[str, Confirmation]:
    """The figures of the shipped checkpoints, by reference; those of earlier weights are left out.

    Raises CheckpointError for a damaged file.
    """
    if not path().is_file():
        return {}
    data = read_json(path(), "there is no such file of figures", "the figures cannot be read")
    rows = checked_version(data, VERSION, "the figures'", str(path())).get("checkpoints")
    if not isinstance(rows, list):
        raise CheckpointError(f"{path()}: checkpoints: expected a list")
    hashes = {shelved.reference: shelved.card.weights_sha256 for shelved in shelf.shipped()}
    entries = [read(Confirmation, row, f"{path()}: checkpoints[{at}]", CheckpointError) for at, row in enumerate(rows)]
    return {each.checkpoint: each for each in entries if hashes.get(each.checkpoint) == each.weights_sha256}


def table(found: Mapping[str, Confirmation]) -> str:
    """A row for each checkpoint: its accuracy on MNIST's test digits and on the further ones, with the interval."""
    head = f"The shipped weights on QMNIST's {FURTHER:,} further test digits, on which nothing was trained or chosen: "
    if not found:
        return head + "not run here; `python -m lab confirm --download` does it."
    rows = [
        "| checkpoint | MNIST's 10,000 | the further digits | 95% interval | difference, points |",
        "|---|---|---|---|---|",
    ]
    for shelved in shelf.shipped():
        if each := found.get(shelved.reference):
            there = shelved.card.record.test_accuracy
            rows.append(
                f"| `{each.checkpoint}` | {there:.2%} | {each.accuracy:.2%} "
                f"| {interval_in_percent(wilson(each.right, FURTHER))} | {in_points(each.accuracy - there)} |"
            )
    return head.removesuffix(": ") + ":\n\n" + "\n".join(rows)
