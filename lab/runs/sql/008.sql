-- Fenced files, and damaged rows.

-- The token of a run's latest claim: what is written under an older one is refused.

ALTER TABLE runs ADD COLUMN claim TEXT NOT NULL DEFAULT '';

-- Runs whose rows are damaged, as JSON: out of the way of all others, and kept. Their epochs and batches stay.
CREATE TABLE set_aside (
    number INTEGER PRIMARY KEY,  -- as it had in `runs`
    run TEXT NOT NULL,  -- its id
    reason TEXT NOT NULL,
    found REAL NOT NULL,  -- when
    row TEXT NOT NULL
) STRICT;
