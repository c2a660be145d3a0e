"""The lab's settings: one dataclass, from the environment and from .streamlit/secrets.toml, the environment first.

Each field is LAB_<NAME> in the environment, such as LAB_MOST_EPOCHS=30, and <name> in the table [lab] of secrets.toml.
Where data and runs lie is not among them: `core.data.mnist.data_root` reads LAB_DATA, `lab_home` LAB_HOME.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_type_hints

from core.challenge import CHALLENGE, Accuracy, Challenge, Data, Epochs, HeldEpochs, Parameters, checked
from core.errors import SettingsError
from core.places import APP, IS_CHECKOUT, OWN
from core.record import By, Json, Range, read_value, short

ROOT = APP
SECRETS = OWN / ".streamlit" / "secrets.toml"
TABLE = "lab"
PREFIX = "LAB_"
HASH = re.compile(r"scrypt:[0-9a-f]{32}:[0-9a-f]{64}")  # see lab.classroom.class_lock; the empty string locks nothing


def _folder(given: Json) -> str:
    """A folder's name as the system has it: not made plain, or it would not be found. Raises SettingsError."""
    if not isinstance(given, str) or len(given) > MAX_FOLDER:
        raise SettingsError(f"expected the name of a folder, up to {MAX_FOLDER:,} characters, got {short(given)}")
    return given


MAX_FOLDER = 4096
Folder = Annotated[str, By(_folder, str)]
Count = Annotated[int, Range(1, 10**12)]
OrNone = Annotated[int, Range(0, 10**6)]  # 0 stands for what the comment says


@dataclass(frozen=True)
class Settings:
    """The settings of a lab. The bounds are those of a run, checked at the server; a teacher may lift them."""

    most_parameters: Count = 10_000_000  # the largest of the ladder has 6.4 million
    most_macs: Count = 400_000_000  # for one image; the largest of the ladder takes 159 million
    most_megabytes: Count = 8_000  # of a batch's maps and their gradients in training; C1's take 379
    most_epochs: Count = 100
    most_iterations: Count = 200_000  # 28 times what 15 epochs of batches of 128 are
    most_minutes: Count = 180  # of training, after which a run is stopped; it can go on later
    most_waiting: Count = 20  # runs of one person in the queue
    runs_a_person: Count = 1  # at a time
    side_by_side: OrNone = 0  # runs on a device at a time; 0: as `bench --side-by-side` has measured, or else 1
    keep_days: OrNone = 0  # after which an ended run without a tag is deleted; 0: never
    keep_runs: OrNone = 0  # ended runs without a tag that are kept, the latest; 0: all
    class_passphrase: str = ""  # its hash, from `python -m lab passphrase`; empty: there is no teacher
    ray_address: str = ""  # of a Ray cluster that trains instead of this machine, such as "auto" or "10.0.0.1:6379"
    ray_gpus: Annotated[float, Range(0, 64)] = 1.0  # of a GPU for each run; 0.25 lets four share one, 0 takes none
    ray_cpus: Annotated[float, Range(0, 1024)] = 1.0  # cores for each run
    challenge_dataset: Data = CHALLENGE.dataset  # the challenge, unless the teacher sets another in the app
    challenge_accuracy: Accuracy = CHALLENGE.accuracy
    challenge_held_epochs: HeldEpochs = CHALLENGE.held_epochs
    challenge_epochs: Epochs = CHALLENGE.epochs
    challenge_parameters: Parameters = CHALLENGE.parameters
    ladder: Folder = ""  # a folder of JSON steps: a ladder of the class's own, see `core.ladder.brought`

    @property
    def challenge(self) -> Challenge:
        """The challenge as the settings have it."""
        return Challenge(
            self.challenge_dataset,
            self.challenge_accuracy,
            self.challenge_held_epochs,
            self.challenge_epochs,
            self.challenge_parameters,
        )


@lru_cache(maxsize=1)
def settings() -> Settings:
    """What holds for this process, read once. Raises SettingsError."""
    return read_settings(os.environ, secrets_table())


def secrets_table(path: Path = SECRETS) -> dict[str, object]:
    """The table [lab] of the file; empty where there is none. Raises SettingsError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(TABLE, {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # a TOML error names its line and column
        raise SettingsError(f"{path}: {error}") from None
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [{TABLE}] has to be a table, got {short(table)}")
    return table


def read_settings(environment: Mapping[str, str], table: Mapping[str, object]) -> Settings:
    """The settings of an environment and a table. Raises SettingsError, naming the place and the range."""
    names = {field.name for field in fields(Settings)}
    if unknown := [name for name in table if name not in names]:
        raise SettingsError(f"[{TABLE}] {short(unknown[0])}: there is no such setting; there are {', '.join(names)}")
    hints = get_type_hints(Settings, include_extras=True)
    values: dict[str, Any] = {}
    for name in names:
        variable = PREFIX + name.upper()
        if given := environment.get(variable, "").strip():
            values[name] = read_value(hints[name], _number(hints[name], given), variable, SettingsError)
        elif name in table:
            values[name] = read_value(hints[name], cast(Json, table[name]), f"[{TABLE}] {name}", SettingsError)
    found = Settings(**values)
    if found.class_passphrase and not HASH.fullmatch(found.class_passphrase):
        raise SettingsError(
            f"{PREFIX}CLASS_PASSPHRASE: {len(found.class_passphrase)} characters that are no hash of a passphrase; "
            "`python -m lab passphrase` prints one, and the passphrase itself stands nowhere"
        )
    checked(found.challenge, f"{PREFIX}CHALLENGE")
    return found


def _number(hint: object, text: str) -> Json:
    """A number given as text, for a setting that is one; else the text itself, which the reader judges."""
    for kind in (int, float):
        if kind in get_args(hint):
            with suppress(ValueError):
                return kind(text)
    return text


def lab_home() -> Path:
    """The folder of the user's own runs: LAB_HOME, or checkpoints/runs in a checkout, ~/architecture-lab/runs else."""
    home = os.environ.get("LAB_HOME")
    return Path(home).expanduser() if home else OWN / ("checkpoints/runs" if IS_CHECKOUT else "runs")
