"""Commands that ask a checkpoint: checkpoints, mistakes, predict, answers, confirm."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.analysis.mistakes import mistakes
from core.data.mnist import EMBEDDED, data_root, is_present, load_split
from core.errors import DataError
from core.files import reason
from core.record import Json
from core.words import plural
from lab.cli.bringing import brought_from, is_there
from lab.cli.data import fetch
from lab.studies.shelf import find, own, shipped, unreadable

if TYPE_CHECKING:
    from torch import nn

    from core.training.resident import Normalisation

PREDICT_WITH = "c6-steplr-7416"  # of the shipped checkpoints it reads other people's digits best


def mistakes_command(options: argparse.Namespace) -> Json:
    """What a checkpoint gets wrong on a split, evaluated without augmentation."""
    from core.training.evaluation import predict
    from core.training.resident import choose_device, examples

    if options.limit < 0:
        raise DataError(f"--limit: {options.limit} is below 0")
    asked = _asked(options)
    split = load_split(options.data or _here(asked.dataset), options.split)
    predictions = predict(asked.network, examples(split, choose_device("cpu")), asked.normalisation)
    wrong = mistakes(predictions, options.order)
    items: list[Json] = [
        {
            "index": int(index),
            "true": int(predictions.labels[index]),
            "predicted": int(predictions.predicted[index]),
            "confidence": float(predictions.confidence[index]),
        }
        for index in wrong[: options.limit]
    ]
    if not options.json:
        print(f"{len(wrong):,} of {len(split):,} wrong: accuracy {predictions.accuracy:.2%}")
        for index in wrong[: options.limit]:
            said, confidence = predictions.predicted[index], predictions.confidence[index]
            print(f"  image {index:>5}  is {predictions.labels[index]}, read as {said} with {confidence:.1%}")
    return {
        "checkpoint": asked.reference,
        "split": options.split,
        "total": len(split),
        "wrong": len(wrong),
        "items": items,
    }


@dataclass(frozen=True)
class _Asked:
    """What a command asks: a checkpoint, or the weights in a file."""

    network: nn.Sequential
    normalisation: Normalisation
    dataset: str
    reference: str


def _asked(options: argparse.Namespace) -> _Asked:
    """The checkpoint of that name; else the file of that name, as its own card or `import` would have it."""
    from core.checkpoints.checkpoint import load, normalisation_of

    path = Path(options.checkpoint)
    if is_there(path) and path.is_file() and path.suffix != ".json" and not path.with_suffix(".json").is_file():
        brought, chosen = brought_from(path, options.onto or "", options.normalisation)
        return _Asked(brought.network, chosen.normalisation, "MNIST", path.name)
    shelved = find(options.checkpoint)
    trained, card = load(shelved.stem)
    return _Asked(trained, normalisation_of(card), card.dataset, shelved.reference)


def _here(dataset: str) -> str:
    """The checkpoint's data set; without MNIST's files, its digits are tried on the embedded ones, and that is said."""
    if is_present(dataset) or dataset != "MNIST":
        return dataset
    print(f"MNIST is not in {data_root()}: using the {EMBEDDED}", file=sys.stderr)
    return EMBEDDED


def answers_command(options: argparse.Namespace) -> Json:
    """The answers that are shipped, so that no page waits for a large network."""
    from lab.studies.answers import measure_answers

    written = measure_answers()
    print(f"wrote the answers of {plural(len(written), 'checkpoint')}", file=sys.stderr)
    return list[Json](written)


def confirm_command(options: argparse.Namespace) -> Json:
    """The shipped checkpoints on digits that had no say in anything."""
    from core.data.qmnist import PART, QMNIST, STEMS, is_here
    from lab.studies.confirmation import confirm, path

    if not is_here():
        if not options.download:
            folder, files = data_root() / QMNIST / "raw", " and ".join(f"{stem}.gz" for stem in STEMS)
            raise DataError(f"{QMNIST} is not here: put {files} into {folder}, or give --download")
        fetch(QMNIST, PART)
    found = confirm(lambda text: print(text, file=sys.stderr))
    print(f"wrote {path()}; `python -m lab reproduce --tables` puts it into the docs", file=sys.stderr)
    return {each.checkpoint: each.accuracy for each in found}


def checkpoints_command(options: argparse.Namespace) -> Json:
    """The checkpoints, shipped ones first, and then those that cannot be opened."""
    document: list[Json] = []
    for shelved in (*shipped(), *own()):
        card = shelved.card
        document.append(
            {
                "reference": shelved.reference,
                "name": card.name,
                "parameters": card.parameters,
                "dataset": card.dataset,
                "epochs": len(card.history) and card.epoch + 1,
                "test_accuracy": card.record.test_accuracy,
                "choice": card.choice,
                "shipped": shelved.shipped,
            }
        )
        if not options.json:
            print(f"{shelved.reference:<26} {shelved.label}")
    for damaged in unreadable():
        document.append({"reference": damaged.reference, "cannot_be_opened": damaged.reason})
        if not options.json:
            print(f"{damaged.reference:<26} cannot be opened: {damaged.reason}")
    return document


def predict_command(options: argparse.Namespace) -> Json:
    """The digits in a picture, each prepared as a drawing is."""
    import numpy as np
    import torch

    from core.data.drawn_digit import prepare
    from core.data.photograph import read_photograph
    from core.training.evaluation import log_probabilities

    asked = _asked(options)
    try:
        content = options.image.read_bytes()
    except OSError as error:
        raise DataError(f"{options.image}: cannot be read: {reason(error)}") from None
    photograph = read_photograph(content)
    digits = torch.tensor(np.stack([prepare(picture).digit for picture in photograph.digits]))
    read: list[list[float]] = log_probabilities(asked.network, digits, asked.normalisation).exp().tolist()
    answers = [max(range(len(values)), key=values.__getitem__) for values in read]
    if not options.json:
        for answer, values in zip(answers, read, strict=True):
            print(f"{answer}  ({values[answer]:.1%}, {asked.reference})")
        if photograph.remark:
            print(photograph.remark, file=sys.stderr)
    return {
        "checkpoint": asked.reference,
        "digit": answers[0],
        "probabilities": list[Json](read[0]),
        "digits": [
            {"digit": answer, "probabilities": list[Json](values)} for answer, values in zip(answers, read, strict=True)
        ],
        "remark": photograph.remark,
    }
