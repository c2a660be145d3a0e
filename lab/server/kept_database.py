"""A database out of a backup, checked before anything is replaced by it: nothing in it is trusted.

It has to be whole, and laid out as this lab lays it out: the same tables, columns, types and indexes, and no trigger or
view, which would act by itself. A run's id becomes a folder's name, so it has the form that the lab gives it. Words are
made plain, as they are wherever they enter.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path

from core.errors import BackupError
from core.outside import plain
from core.record import short
from lab.classroom import handwriting
from lab.runs.damage import damaged_in
from lab.runs.database import APPLICATION_ID, FILE_NAME, MIGRATIONS
from lab.runs.rows import RUN_ID

STORE, DRAWINGS = FILE_NAME, handwriting.FILE_NAME
LAYOUTS: dict[str, Sequence[Sequence[str]]] = {STORE: MIGRATIONS, DRAWINGS: (handwriting.SCHEMA,)}
APPLICATIONS = {STORE: APPLICATION_ID, DRAWINGS: handwriting.APPLICATION_ID}
SQLITES_OWN = ("sqlite_sequence", "sqlite_stat1", "sqlite_stat4")  # tables that it makes itself
IDS = {"id", "parent", "seed_group", "search", "run"}  # each of a run, a group of seeds or a search
MAY_BE_EMPTY = {"parent", "seed_group"}
JSON = {"architecture", "recipe", "result", "prediction", "rate_changes", "text", "value", "tags", "spec", "choices"}
MOMENTS = {"created", "started", "ended", "heartbeat", "claimed", "paused_since", "moment", "written"}
LAST_MOMENT = 253_402_300_799  # the end of the year 9999: no calendar goes on

log = logging.getLogger("lab.server.kept_database")

Layout = dict[tuple[str, str], str]  # what makes each table and index, by its type and name


def check_database(file: Path) -> int:
    """How many runs or drawings it has, its words made plain. Raises BackupError, which names the fault."""
    place = f"{file.name} in the backup"
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.text_factory = lambda text: text.decode("utf-8", "replace")  # a flipped byte costs a letter
            connection.execute("PRAGMA trusted_schema = OFF")
            _check_layout(connection, file.name, place)
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise BackupError(f"{place} is damaged: {verdict}")
            if lone := connection.execute("PRAGMA foreign_key_check").fetchone():
                raise BackupError(f"{place}: the table {lone[0]} names a row of the table {lone[2]} that is not there")
            connection.execute("PRAGMA journal_mode = WAL")  # as the store has it: readers do not wait for the writer
            connection.execute("BEGIN IMMEDIATE")
            if file.name == STORE:
                for table in ("runs", "searches", "tries"):
                    _check_ids(connection, table, place)
                connection.execute("DELETE FROM workers")  # those of another machine
            for table in ("runs", "kept", "class", "searches", "tries") if file.name == STORE else ("drawings",):
                _check_values(connection, table, place)
            (count,) = connection.execute(f"SELECT count(*) FROM {_main(file.name)}").fetchone()
            connection.execute("COMMIT")
    except (sqlite3.Error, OverflowError) as error:
        raise BackupError(f"{place}: {error}") from error
    return int(count)


def notice_damage(connection: sqlite3.Connection, place: Path) -> None:
    """Say which runs of a store are damaged; the lab sets them aside when it reads them, and works with the others."""
    connection.row_factory = sqlite3.Row
    with suppress(sqlite3.OperationalError):  # a store of an older version has other columns
        for number, reason in damaged_in(connection):
            log.warning("%s: run number %d is damaged: %s", place, number, reason)
    connection.row_factory = None
    if (verdict := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
        log.warning("%s is damaged, and no lab will restore this backup: %s", place, verdict)


def _main(name: str) -> str:
    return "runs" if name == STORE else "drawings"


def _check_layout(connection: sqlite3.Connection, name: str, place: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATIONS[name]:
        raise BackupError(f"{place} is another program's database")
    if version > (latest := len(LAYOUTS[name])):
        raise BackupError(f"{place} has version {version}, and this lab reads up to {latest}; update it")
    found = _layout(connection)
    with closing(sqlite3.connect(":memory:")) as ours:
        for statement in chain(*LAYOUTS[name][: max(version, 0)]):
            ours.execute(statement)
        expected = _layout(ours)
    for kind, thing in sorted(found.keys() - expected.keys()):
        raise BackupError(f"{place} has the {short(kind)} {short(thing)}, which no backup of this lab has")
    for kind, thing in sorted(expected.keys() - found.keys()):
        raise BackupError(f"{place} lacks the {kind} {thing}")
    if changed := next((key for key in found if found[key] != expected[key]), None):
        raise BackupError(f"{place}: the {changed[0]} {changed[1]} has other columns than this lab's")
    if not expected:
        raise BackupError(f"{place} has version {version}, and nothing in it")


def _layout(connection: sqlite3.Connection) -> Layout:
    """Comments and blanks are no part of it."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    return {
        (str(kind), str(name)): re.sub(r"--[^\n]*|\s+", "", str(sql))
        for kind, name, sql in rows
        if name not in SQLITES_OWN
    }


def _check_ids(connection: sqlite3.Connection, table: str, place: str) -> None:
    for column in [name for name in _columns(connection, table) if name in IDS]:
        for (value,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}"):
            if not (RUN_ID.fullmatch(value) or (column in MAY_BE_EMPTY and value == "")):
                form = "it has 16 of the digits 0-9 and a-f"
                raise BackupError(f"{place}: {short(value)} is no {column} in the table {table}: {form}")


def _check_values(connection: sqlite3.Connection, table: str, place: str) -> None:
    """Make the words of a table plain, and refuse moments that are in no calendar."""
    columns = _columns(connection, table)
    for column in columns:
        if column in MOMENTS:
            number = f"typeof({column}) IN ('integer', 'real')"  # anything else is damage, which the store sets aside
            query = f"SELECT {column} FROM {table} WHERE {column} NOT BETWEEN 0 AND {LAST_MOMENT} AND {number} LIMIT 1"
            if outside := connection.execute(query).fetchone():
                raise BackupError(f"{place}: {column} is {outside[0]:g} s after 1970, at most {LAST_MOMENT:,} are read")
        elif columns[column] == "TEXT" and column not in IDS:
            for old, new in _unplain(connection, table, column):
                if new.count("\ufffd") > old.count("\ufffd".encode()):
                    log.warning(
                        "%s: %s in the table %s had bytes that are no UTF-8: %s", place, column, table, short(new)
                    )
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE CAST({column} AS BLOB) = ?", (new, old))


def _unplain(connection: sqlite3.Connection, table: str, column: str) -> Iterator[tuple[bytes, str]]:
    """The texts of a column that are not plain, as bytes, and what they become; JSON keeps what is not damaged."""
    for (raw,) in connection.execute(f"SELECT DISTINCT CAST({column} AS BLOB) FROM {table}").fetchall():
        text = (raw or b"").decode("utf-8", "replace")
        new = text if column in JSON else plain(text)
        if new.encode() != raw and raw is not None:
            yield raw, new


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The columns of a table, each with its type; none where the version has no such table."""
    return {row[1]: row[2] for row in connection.execute(f"PRAGMA table_xinfo({table})")}
