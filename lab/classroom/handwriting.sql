-- Our handwriting: the digits that a class drew, each with its label.
CREATE TABLE drawings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: the same number is the same drawing
    label INTEGER NOT NULL CHECK (label BETWEEN 0 AND 9),
    nickname TEXT NOT NULL,
    author TEXT NOT NULL,  -- the key of the browser it was drawn in; once, of the session
    moment REAL NOT NULL,
    digit BLOB NOT NULL CHECK (length(digit) = 784),
    drawing BLOB NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE
) STRICT;
