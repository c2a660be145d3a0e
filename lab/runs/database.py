"""A file of the lab's: SQLite with a write-ahead log, brought up to date when it is opened; its errors in plain words.

Many threads of the app and several workers read and write it at once, so whatever must not happen twice, such as
claiming a run or taking a device's slot, is one statement that SQLite makes atomic.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from core.errors import LabError, RunError
from core.files import reason, replace_text, replacing
from lab.runs import full_disk
from lab.runs.damage import text_of

FILE_NAME = "runs.sqlite3"
GO_ON = "put a backup back with `python -m lab restore`, or start anew with `python -m lab new-store`"
APPLICATION_ID = 0x52554E53  # "RUNS", in the file's header: tells our file from any other SQLite database
SQL = Path(__file__).parent / "sql"
Values = Sequence[object] | Mapping[str, object]  # that stand for a statement's ? or :names


def statements_of(script: str) -> tuple[str, ...]:
    """The statements of a script, one by one: `executescript` would commit after each."""
    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current.strip())
            current = ""
    return tuple(statements)


# Each file brings a store to the next version, in one transaction. Add one; never change what has been released.
MIGRATIONS = tuple(statements_of(file.read_text(encoding="utf-8")) for file in sorted(SQL.glob("0*.sql")))


def mark_of(file: Path) -> Path:
    """The file that says that a database was made here."""
    return file.with_name(f".{file.name}.made")


def is_gone(file: Path) -> bool:
    """Whether a database was made here and is not there any more: by mistake, or on a disk that is not mounted.

    A file of 0 bytes is none: a database, once made, has at least a page.
    """
    return mark_of(file).exists() and not (file.exists() and file.stat().st_size)


def identity_of(file: Path) -> tuple[int, int] | None:
    """What tells the file from another one of the same name; None where there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Database:
    """The file of one folder. Safe to share between threads, and to open in several processes at once.

    It is the store of runs, unless a class says that it is another file: see `lab.classroom.handwriting`.
    """

    file_name, application_id, noun = FILE_NAME, APPLICATION_ID, "store of runs"
    error: type[LabError] = RunError

    @property
    def migrations(self) -> Sequence[Sequence[str]]:
        """The statements that bring the file to each next version."""
        return MIGRATIONS

    def __init__(self, folder: Path, patience: float = 10.0) -> None:
        """Opens the file; makes it or brings it up to date as needed. `patience`: seconds to wait for a lock."""
        self.folder = folder
        self.file = folder / self.file_name
        self.patience = patience
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.error(f"{folder}: the folder cannot be made: {reason(error)}") from error
        # Held open and idle: when a file's last connection closes, SQLite folds the log back into it, which costs a
        # sync to the disk. With this one open, those of single operations come and go in a tenth of a millisecond.
        with self.errors():
            if is_gone(self.file):
                raise self.error(f"{self.file}: {self._gone()}")
            self._anchor = self._connect(create=True)
            self._identity = identity_of(self.file)
            try:
                self._prepare(self._anchor)
                if not mark_of(self.file).exists():
                    replace_text(mark_of(self.file), "")
            except BaseException:
                self._anchor.close()
                raise

    def close(self) -> None:
        """Lets go of the file."""
        self._anchor.close()

    def _connect(self, create: bool = False) -> sqlite3.Connection:
        # mode=rw: a store that has been moved away is an error, not an empty new file; nor is another one in its place.
        if not create and identity_of(self.file) not in (self._identity, None):
            raise self.error(f"{self.file}: another file is now in its place; end the app and its workers, start again")
        uri = f"{self.file.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
        connection = sqlite3.connect(
            uri, timeout=self.patience, isolation_level=None, check_same_thread=False, uri=True
        )
        connection.row_factory = sqlite3.Row
        connection.text_factory = text_of
        connection.execute("PRAGMA foreign_keys = ON")
        # NORMAL syncs the log before it is folded into the file, not at each commit. After a power cut the store opens
        # whole and consistent, at worst without the last moments' commits; FULL would cost a disk sync for each.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection whose statements all see the store at one moment."""
        with self.errors(), closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield connection

    def rows(self, statement: str, values: Values = ()) -> list[sqlite3.Row]:
        """What one statement finds."""
        with self.reading() as connection:
            return connection.execute(statement, values).fetchall()

    def change(self, statement: str, values: Values = ()) -> int:
        """Carries out one statement that writes; returns how many rows it has changed."""
        with self.writing() as connection:
            return connection.execute(statement, values).rowcount

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection with the write lock: what is done with it is done whole, or, on an error, not at all."""
        with self.errors(), closing(self._connect()) as connection:  # closing without a COMMIT rolls back
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
            if connection.total_changes:
                full_disk.note_room(self.folder)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """SQLite's and the disk's errors as the lab's own, in a sentence."""
        try:
            yield
        except sqlite3.Error as error:
            code: int | None = getattr(error, "sqlite_errorcode", None)
            if code is None:  # a mistake in this file's use of sqlite3, not a fault of the store's file
                raise
            self._full(error)
            raise self.error(f"{self.file}: {self._reason(code & 0xFF, error)}") from error
        except OSError as error:
            self._full(error)
            raise self.error(f"{self.file}: {reason(error)}") from error
        except UnicodeDecodeError as error:  # SQLite quotes what it found in a message of its own
            raise self.error(f"{self.file}: the {self.noun} is damaged") from error
        except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON and URLs can carry
            raise self.error(f"{self.file}: {ascii(error.object)[:60]} is not valid Unicode text") from error
        except OverflowError as error:
            raise self.error(f"{self.file}: a whole number beyond 2**63 cannot be stored") from error

    def _full(self, error: Exception) -> None:
        """Says so where the disk is full or read-only: that is no fault of the file's, nor of who wanted to write."""
        failed = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR  # as SQLite says it of its log
        if full_disk.is_full(error) or (failed and not full_disk.has_room(self.folder)):
            full_disk.note_full(self.folder)
            raise self.error(full_disk.NOT_SAVED) from OSError(errno.ENOSPC, str(error))
        # The log of a file that nobody has open is made anew, which SQLite says as "unable to open".
        unopened = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN and self.file.is_file()
        if full_disk.is_read_only(error) or (unopened and full_disk.look(self.folder) == full_disk.READ_ONLY):
            full_disk.note_read_only(self.folder)
            raise self.error(full_disk.NOT_WRITTEN) from OSError(errno.EROFS, str(error))

    def _reason(self, code: int, error: sqlite3.Error) -> str:
        locked = f"another program has kept the {self.noun} locked for {self.patience:g} s"
        if code == sqlite3.SQLITE_CANTOPEN and is_gone(self.file):
            return self._gone()
        reasons = {
            sqlite3.SQLITE_CANTOPEN: f"the {self.noun} cannot be opened",
            sqlite3.SQLITE_NOTADB: f"this is not a {self.noun}, nor any SQLite database",
            sqlite3.SQLITE_CORRUPT: f"the {self.noun} is damaged",
            sqlite3.SQLITE_BUSY: locked,
            sqlite3.SQLITE_LOCKED: locked,
            sqlite3.SQLITE_IOERR: f"the disk failed, or is full, while the {self.noun} was used",
        }
        return reasons.get(code, str(error))

    def _gone(self) -> str:
        return f"the {self.noun} that was here is gone, and no empty one takes its place by itself; {GO_ON}"

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if self._version(connection) == len(self.migrations):
            return
        self._use_log(connection)
        connection.execute("BEGIN IMMEDIATE")
        version = self._version(connection)  # again: another process may have been first
        if 0 < version < len(self.migrations):
            self._keep_copy(version)
        for statements in self.migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self.application_id}")
        connection.execute(f"PRAGMA user_version = {len(self.migrations)}")
        connection.execute("COMMIT")

    def _version(self, connection: sqlite3.Connection) -> int:
        """The version of the schema, 0 for an empty file. Refuses what is not ours, and what is newer than we are."""
        # One statement, so that another process that is just making the store is seen before or after, not between.
        application, version, tables = connection.execute(
            "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),"
            " (SELECT count(*) FROM sqlite_master)"
        ).fetchone()
        if application != self.application_id and tables:
            raise self.error(f"{self.file}: this is a SQLite database, but not a {self.noun}")
        if version > len(self.migrations):
            raise self.error(
                f"{self.file}: this {self.noun} has version {version}, and this lab reads up to version "
                f"{len(self.migrations)}; update the lab, or set LAB_HOME to another folder"
            )
        return int(version)

    def _use_log(self, connection: sqlite3.Connection) -> None:
        """Turns on the write-ahead log, with which readers and the writer do not wait for each other."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:  # SQLite does not wait here by itself
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise self.error(f"{self.file}: no write-ahead log is possible here; set LAB_HOME to a local folder")

    def _keep_copy(self, version: int) -> None:
        """The store as it is, in a file beside it. The caller holds the write lock, so nothing slips in between."""
        kept = self.file.with_suffix(f".version{version}.sqlite3")
        # The caller's own connection would not do: SQLite copies from none that is in the middle of writing.
        with replacing(kept) as part, closing(self._connect()) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
