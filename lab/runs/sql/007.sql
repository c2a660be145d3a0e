-- What a browser's visitor works on, and their answers in the lessons, so that a new tab and a reload go on with them.

CREATE TABLE kept (
    owner_key TEXT NOT NULL,
    name TEXT NOT NULL,  -- `work` or `answers`
    written REAL NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (owner_key, name)
) STRICT, WITHOUT ROWID;
