-- Runs, their figures, and the workers that train them.

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,  -- the order of submission, whatever the clock says
    place INTEGER NOT NULL,  -- the order in the queue
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('train', 'range_test')),
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'stopped', 'failed', 'interrupted')),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    architecture TEXT NOT NULL,
    recipe TEXT NOT NULL,
    dataset TEXT NOT NULL,
    device TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    epochs INTEGER NOT NULL,
    owner TEXT NOT NULL,
    parent TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    heartbeat REAL,
    worker TEXT NOT NULL DEFAULT '',
    device_name TEXT NOT NULL DEFAULT '',
    stop_requested INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX runs_in_line ON runs (status, place);
CREATE INDEX runs_by_place ON runs (place);

-- A figure may be NULL: SQLite keeps a float that is not a number as NULL.
CREATE TABLE epochs (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    train_loss REAL,
    train_accuracy REAL,
    validation_loss REAL,
    validation_accuracy REAL,
    test_loss REAL,
    test_accuracy REAL,
    learning_rate REAL,
    seconds REAL,
    PRIMARY KEY (run, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    iteration INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    loss REAL,
    accuracy REAL,
    learning_rate REAL,
    images_per_second REAL,
    PRIMARY KEY (run, iteration)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    device TEXT PRIMARY KEY,
    worker TEXT NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    started REAL NOT NULL,
    heartbeat REAL NOT NULL,
    run TEXT NOT NULL DEFAULT ''
) STRICT;
