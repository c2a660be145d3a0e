-- Tags (commas between them), predictions, weights of every epoch; a running run is paused or given another rate.

ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN prediction TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN snapshots INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN pause TEXT NOT NULL DEFAULT '' CHECK (pause IN ('', 'now', 'epoch'));
ALTER TABLE runs ADD COLUMN paused_since REAL;
ALTER TABLE runs ADD COLUMN rate_factor REAL NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN rate_changes TEXT NOT NULL DEFAULT '';
