"""Backup and restore: the lab's home in one ZIP file, made while the app and its workers write, and put back anywhere.

It keeps the store of runs, the class's handwriting, designs and checkpoints, but no logs, and not what a worker found
out about this machine. A manifest holds each file's length and SHA-256; a file that it does not name is not put back.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, cast
from unicodedata import normalize

from core.errors import BackupError
from core.files import LOCK, ROOMS, reason, remove_inside
from core.outside import plain
from core.record import By, Json, Range, parse, read, short
from lab.classroom.handwriting import Handwriting
from lab.runs.damage import text_of
from lab.runs.database import GO_ON, is_gone, mark_of
from lab.runs.rows import RUN_ID
from lab.runs.store import RunStore
from lab.server.kept_database import APPLICATIONS, DRAWINGS, STORE, check_database, notice_damage

VERSION = 1  # of the archive
MANIFEST = "manifest.json"
REPLACED = "before-restore"  # the folder, in the home, that keeps what --replace puts aside
STAGE, ROOM = ROOMS
MARKS = (LOCK, *(mark_of(Path(name)).name for name in APPLICATIONS))  # hold nothing
MOUNTED = "lost+found"  # stands in the root of a file system of its own

# No name begins with a dot, climbs out of the home, or holds a drive or a control character.
_NAME = r"[^\x00-\x1f/\\:.][^\x00-\x1f/\\:]*"
_RUN = RUN_ID.pattern
WORDS = re.compile(rf"({_RUN}/(snapshots/)?|designs/)?{_NAME}\.json|(designs/)?{_NAME}\.owner")
WEIGHTS = re.compile(rf"({_RUN}/(snapshots/)?)?{_NAME}\.safetensors|{_RUN}/resume\.pt")


PAIR_TRIES, PAIR_SECONDS = 5, 0.05  # a worker replaces weights and card one after the other
MAX_FILES = 2_000_000
MAX_MANIFEST_BYTES = 400 * 10**6
CHUNK = 1 << 20


def _name(given: Json) -> str:
    """As it is: it is compared with those in the archive. Raises BackupError."""
    if not isinstance(given, str) or not 1 <= len(given) <= 1000:
        raise BackupError(f"expected a name of 1 to 1,000 characters, got {short(given)}")
    return given


@dataclass(frozen=True)
class Kept:
    """One file of a backup."""

    name: Annotated[str, By(_name, str)]  # relative to the home, with / between
    size: Annotated[int, Range(0, 2**63)]  # bytes
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds."""

    created: str  # UTC, ISO 8601
    runs: Annotated[int, Range(0, 2**63)]
    drawings: Annotated[int, Range(0, 2**63)]
    weights: bool  # whether weights and what resuming needs are among the files
    files: tuple[Kept, ...]

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(kept.size for kept in self.files)


# -------------------------------------------------------------------------------------------------------------- backup


def backup(home: Path, target: Path, weights: bool = True, now: float | None = None) -> tuple[Path, Manifest]:
    """Write a backup of the home; returns its file. `target`: a new file that ends in .zip, or a folder for it.

    Workers may continue: the store is copied at one moment, and files that are newer than it are what a run
    resumes from. Raises BackupError.
    """
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    file = target if target.suffix.lower() == ".zip" else target / f"lab-{moment:%Y%m%d-%H%M%S}.zip"
    if gone := next((name for name in APPLICATIONS if is_gone(home / name)), None):
        raise BackupError(f"{home / gone} is gone; {GO_ON}")
    if not home.is_dir() or not any(home.iterdir()):
        raise BackupError(f"{home}: there is nothing to back up yet")
    if file.exists():
        raise BackupError(f"{file}: this file exists already; a backup replaces no file")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=ROOM, dir=file.parent) as name:  # for its owner alone
            part = Path(name) / "part.zip"
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
                manifest = _fill(archive, home, Path(name), weights, f"{moment:%Y-%m-%dT%H:%M:%SZ}")
            with part.open("rb+") as written:
                os.fsync(written.fileno())
            part.chmod(0o600)  # nicknames and drawings are in it
            part.replace(file)
    except OSError as error:
        raise BackupError(f"{file}: could not be written: {reason(error)}") from error
    return file, manifest


def _fill(archive: zipfile.ZipFile, home: Path, room: Path, weights: bool, created: str) -> Manifest:
    """Put everything into the archive, the databases first; `room`: a folder for their copies."""
    counts, runs, files = {STORE: 0, DRAWINGS: 0}, set[str](), list[Kept]()
    for name in (STORE, DRAWINGS):
        if (home / name).is_file():
            copy = room / name
            counts[name], ids = _copy_database(home / name, copy)
            runs |= ids
            with copy.open("rb") as source:
                files.append(_add(archive, name, source))
            copy.unlink()
    for name in _names(home, runs, weights):
        with suppress(FileNotFoundError):  # deleted in the meantime
            if name.endswith(".safetensors"):
                _wait_for_pair(home / name)
            with (home / name).open("rb") as source:
                files.append(_add(archive, name, source))
    manifest = Manifest(created, counts[STORE], counts[DRAWINGS], weights, tuple(files))
    archive.writestr(_entry(MANIFEST), json.dumps({"version": VERSION, **asdict(manifest)}))
    return manifest


def _copy_database(source: Path, copy: Path) -> tuple[int, set[str]]:
    """Copy a database as it is at this moment; returns its number of rows, and the ids of its runs.

    In one step: with a write-ahead log nobody waits for it, and what is written meanwhile is not in the copy.
    """
    try:
        uri = f"{source.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=10.0)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
            new.text_factory = text_of
            if source.name == DRAWINGS:
                return int(new.execute("SELECT count(*) FROM drawings").fetchone()[0]), set()
            new.execute("DELETE FROM workers")  # those of this machine
            new.commit()
            notice_damage(new, source)
            ids = {row[0] for row in new.execute("SELECT id FROM runs")}
            return len(ids), ids
    except sqlite3.Error as error:
        raise BackupError(f"{source}: could not be copied: {error}") from error


def _names(home: Path, runs: set[str], weights: bool) -> Iterator[str]:
    """The files beside the databases: own checkpoints, designs, and the files of the runs in the store."""
    folders = [home, home / "designs", *(home / run for run in sorted(runs))]
    for folder in (*folders, *(home / run / "snapshots" for run in sorted(runs))):
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            name = path.relative_to(home).as_posix()
            if not path.is_file() or path.is_symlink():
                continue
            if folder == home and not path.with_suffix(".safetensors").is_file():
                continue  # such as machine.json: no pair, and not for another machine
            if _is_words(name) or (weights and _is_weights(name)):
                yield name


def _is_words(name: str) -> bool:
    """Whether a backup has such a file of text: nothing in its name is unseen, or obeyed by a terminal."""
    return bool(WORDS.fullmatch(name)) and plain(normalize("NFC", name)) == normalize("NFC", name)


def _is_weights(name: str) -> bool:
    return bool(WEIGHTS.fullmatch(name)) and plain(normalize("NFC", name)) == normalize("NFC", name)


def _wait_for_pair(weights: Path) -> None:
    """Wait a moment for a worker that is replacing a pair; after that it was probably killed, and the pair is kept.

    Such a pair is still complete: its weights carry their own card.
    """
    card = weights.with_suffix(".json")
    for _ in range(PAIR_TRIES):
        try:
            said = json.loads(card.read_text(encoding="utf-8")).get("weights_sha256")
        except (OSError, ValueError, AttributeError):
            return
        with weights.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == said:
                return
        time.sleep(PAIR_SECONDS)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # of 1980: a backup of the same files is the same
    entry.external_attr = (stat.S_IFREG | 0o600) << 16
    entry.compress_type = zipfile.ZIP_STORED if WEIGHTS.fullmatch(name) else zipfile.ZIP_DEFLATED
    return entry


def _add(archive: zipfile.ZipFile, name: str, source: BinaryIO) -> Kept:
    with archive.open(_entry(name), "w", force_zip64=True) as target:
        size, sha256 = _copy(source, cast(BinaryIO, target))
    return Kept(name, size, sha256)


def _copy(source: BinaryIO, target: BinaryIO, most: int | None = None) -> tuple[int, str]:
    """Copy bytes, of which more than `most` are an error; returns their number and SHA-256. Raises BackupError."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if most is not None and size > most:
            raise BackupError(f"more than the {most:,} bytes that its manifest names")
        digest.update(chunk)
        target.write(chunk)
    return size, digest.hexdigest()


# ------------------------------------------------------------------------------------------------------------- restore


def restore(
    file: Path, home: Path, replace_old: bool = False, now: float | None = None
) -> tuple[Manifest, Path | None]:
    """Put a backup back into the home; returns what it held, and where the old files have been put.

    Everything is unpacked and checked before anything that is there is touched. A run that was running is resumed, or
    interrupted, like one whose worker died. Raises BackupError.
    """
    old = sorted(path for path in home.iterdir() if path.name not in (REPLACED, MOUNTED)) if home.is_dir() else []
    if (kept_ones := [path.name for path in old if path.name not in MARKS]) and not replace_old:
        raise BackupError(
            f"{home}: the folder is not empty, {short(kept_ones[0])} is there; "
            f"--replace puts them into its folder {REPLACED}"
        )
    _see_that_nobody_uses(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=STAGE, dir=home) as stage:
            unpacked = Path(stage) / "new"
            unpacked.mkdir()
            with _opened(file) as archive:
                manifest = _unpack(archive, unpacked)
            _check_databases(unpacked, manifest)
            kept = _put_aside(old, home, time.time() if now is None else now) if old else None
            _move_in(unpacked, home)
            os.sync()
    except OSError as error:
        raise BackupError(f"{home}: {reason(error)}; what was there is there, or in {REPLACED}") from error
    return manifest, kept


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; an error about it has its name."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except BackupError as error:
        raise BackupError(f"{file}: {error}") from error
    except FileNotFoundError:
        raise BackupError(f"{file}: there is no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BackupError(f"{file}: this is no backup, or a damaged one: {error}") from error


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        entry = archive.getinfo(MANIFEST)
    except KeyError:
        raise BackupError(f"this is no backup of a lab: {MANIFEST} is missing") from None
    if entry.file_size > MAX_MANIFEST_BYTES:
        raise BackupError(f"its {MANIFEST} has {entry.file_size:,} bytes, at most {MAX_MANIFEST_BYTES:,} are read")
    with archive.open(entry) as source:
        text = source.read(entry.file_size + 1)
    place = f"its {MANIFEST} cannot be read"
    found = parse(text.decode("utf-8", "replace"), f"{place}: it", BackupError)
    if isinstance(found, dict) and (version := found.pop("version", None)) != VERSION:
        raise BackupError(f"a backup of version {short(version)}, and this lab reads version {VERSION}")
    return read(Manifest, found, place, BackupError)


def _unpack(archive: zipfile.ZipFile, folder: Path) -> Manifest:
    """Unpack what the manifest names, each file compared with its length and hash. Raises BackupError."""
    manifest = _manifest(archive)
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise BackupError(f"{len(entries):,} files, at most {MAX_FILES:,} are unpacked")
    named = {kept.name: kept for kept in manifest.files}
    free = shutil.disk_usage(folder).free
    if manifest.size > free:
        raise BackupError(f"unpacked it has {manifest.size:,} bytes, {free:,} are free")
    if len(named) != len(manifest.files) or sorted([*named, MANIFEST]) != sorted(entry.filename for entry in entries):
        raise BackupError(f"its {MANIFEST} does not name the files that are in it, each once")
    for entry in entries:
        if entry.filename == MANIFEST:
            continue
        kept = _checked(entry, named[entry.filename])
        path = folder / kept.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, path.open("xb") as target:
            found = _copy(cast(BinaryIO, source), target, most=kept.size)
        if found != (kept.size, kept.sha256):
            raise BackupError(f"{short(kept.name)}: {found[0]:,} bytes that are not those of its {MANIFEST}")
    return manifest


def _checked(entry: zipfile.ZipInfo, kept: Kept) -> Kept:
    """What the manifest says of an entry that may be unpacked. Raises BackupError."""
    name = entry.filename
    if not (name in APPLICATIONS or _is_words(name) or _is_weights(name)):
        raise BackupError(f"{short(name)}: no backup has a file of that name")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or entry.is_dir() or entry.flag_bits & 1:
        raise BackupError(f"{short(name)}: no plain file")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BackupError(f"{short(name)}: packed in a way that no backup uses")
    if entry.file_size != kept.size:
        raise BackupError(f"{short(name)}: {entry.file_size:,} bytes, its {MANIFEST} says {kept.size:,}")
    return kept


def _check_databases(folder: Path, manifest: Manifest) -> None:
    """Each that was unpacked, and that it holds as much as the manifest says. Raises BackupError."""
    for name, count in ((STORE, manifest.runs), (DRAWINGS, manifest.drawings)):
        found = check_database(folder / name) if (folder / name).exists() else 0
        if found != count:
            raise BackupError(f"{name} in the backup has {found:,} rows, its {MANIFEST} says {count:,}")
        if name == STORE and found:
            with closing(sqlite3.connect(folder / name)) as connection:
                connection.text_factory = text_of
                notice_damage(connection, folder / name)


def _see_that_nobody_uses(home: Path) -> None:
    """Raises BackupError where the app or a worker has a database open: it would go on writing to the old one."""
    for name in APPLICATIONS:
        if not (home / name).is_file():
            continue
        try:
            with closing(sqlite3.connect(home / name, timeout=0.5)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE")  # possible only for a file's single user
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise BackupError(f"{home / name} is in use: stop the app and its workers first") from error
        except sqlite3.DatabaseError:
            continue  # damaged: all the more reason to replace it


def _put_aside(old: list[Path], home: Path, now: float) -> Path:
    kept = home / REPLACED / f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}"
    kept.mkdir(parents=True)
    for path in old:
        path.replace(kept / path.name)
    return kept


def _move_in(unpacked: Path, home: Path) -> None:
    """The store comes last: without it, no page shows a half-restored run."""
    for path in sorted(unpacked.iterdir(), key=lambda path: path.name == STORE):
        path.replace(home / path.name)


def start_anew(home: Path) -> tuple[str, ...]:
    """Make each database that is gone anew, empty; returns their names. Raises BackupError where none is gone."""
    gone = tuple(name for name in APPLICATIONS if is_gone(home / name))
    if not gone:
        raise BackupError(f"{home}: nothing is gone, so nothing is made anew")
    try:
        for name in gone:
            remove_inside(home, mark_of(home / name))
    except OSError as error:
        raise BackupError(f"{home}: {reason(error)}") from error
    for name in gone:
        (RunStore if name == STORE else Handwriting)(home).close()
    return gone
