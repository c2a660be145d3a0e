-- Runs that differ in their seeds only belong to one group.

ALTER TABLE runs ADD COLUMN seed_group TEXT NOT NULL DEFAULT '';

CREATE INDEX runs_by_seed_group ON runs (seed_group);
