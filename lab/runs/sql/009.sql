-- Searches for a network: each try is an ordinary run, and this says which try of which search it is.

CREATE TABLE searches (
    id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    owner TEXT NOT NULL,
    owner_key TEXT NOT NULL,
    teacher INTEGER NOT NULL,  -- whether a teacher started it, for whom no bounds hold
    architecture TEXT NOT NULL,  -- that it starts from, JSON
    recipe TEXT NOT NULL,
    spec TEXT NOT NULL,
    dataset TEXT NOT NULL,
    device TEXT NOT NULL,
    tries INTEGER NOT NULL,  -- as planned
    stopped INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''  -- why it has ended before
) STRICT, WITHOUT ROWID;

CREATE TABLE tries (
    search TEXT NOT NULL REFERENCES searches (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,  -- from 0
    run TEXT NOT NULL,  -- its id; the run may have been deleted
    choices TEXT NOT NULL,  -- JSON
    PRIMARY KEY (search, number)
) STRICT, WITHOUT ROWID;
