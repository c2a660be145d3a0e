"""The command that fetches a data set."""

from __future__ import annotations

import argparse
import os
import sys

from core.data.mnist import DATASETS, EMBEDDED, data_root, download, is_present, load_split
from core.errors import DataError
from core.record import Json


def data_command(options: argparse.Namespace) -> Json:
    """The data sets that are here."""
    if options.download and not is_present(options.download):
        fetch(options.download)
    found: list[Json] = []
    for name in DATASETS:
        present = is_present(name)
        counts = {"train": len(load_split(name, "train")), "test": len(load_split(name, "test"))} if present else {}
        found.append({"name": name, "present": present, "train": counts.get("train"), "test": counts.get("test")})
        if not options.json:
            has = f"{counts['train']:,} + {counts['test']:,} images, checked" if present else "not here"
            print(f"{name:<16}{has}")
    if not options.json:
        print(f"data sets are looked for in {data_root()} (set LAB_DATA to look elsewhere)")
    return {"root": str(data_root()), "datasets": found}


def obtain(wanted: str | None) -> str:
    """The name of a data set that is there: the wanted one, or MNIST, downloaded if need be, or the embedded digits."""
    name = wanted or "MNIST"
    if is_present(name):
        return name
    try:
        fetch(name)
    except DataError as error:
        if wanted:
            raise
        print(f"{error}; training on the {EMBEDDED} instead", file=sys.stderr)
        return EMBEDDED
    return name


def fetch(name: str, part: str = "") -> None:
    """Download a data set, or that part of it, unless LAB_OFFLINE says never to. Raises DataError."""
    if os.environ.get("LAB_OFFLINE"):
        raise DataError(f"{name} is not in {data_root()}, and LAB_OFFLINE is set: nothing is downloaded")
    print(f"{name} is not in {data_root()}: downloading it", file=sys.stderr)
    download(name, part=part)
