-- What somebody works on, by the browser's key, so that a new tab and a reload go on with it.

CREATE TABLE work (
    owner_key TEXT PRIMARY KEY,
    written REAL NOT NULL,
    parameters TEXT NOT NULL
) STRICT, WITHOUT ROWID;
