-- The token of a run's latest claim: what is written under an older one is refused.

ALTER TABLE runs ADD COLUMN claim TEXT NOT NULL DEFAULT '';
