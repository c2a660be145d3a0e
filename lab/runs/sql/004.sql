-- Whose a run is, the bounds, and the fair queue.

ALTER TABLE runs ADD COLUMN owner_key TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN bounded INTEGER NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN claimed REAL;

-- So that a run that is under way now goes on.
UPDATE runs SET claimed = started WHERE seed_group = '';

CREATE INDEX runs_by_owner ON runs (owner_key, claimed);

-- A device has several slots now. The new ones are empty: a worker of the older version leaves by itself.
DROP TABLE workers;

CREATE TABLE workers (
    device TEXT NOT NULL,
    slot INTEGER NOT NULL,
    worker TEXT NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    started REAL NOT NULL,
    heartbeat REAL NOT NULL,
    run TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (device, slot)
) STRICT, WITHOUT ROWID;

-- What the teacher has decided for everybody: `ClassSetting` in rows.py.
CREATE TABLE class (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
