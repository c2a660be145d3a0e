-- How many seeds of a group train at a time: 0 until a worker decides it, then fixed, because sums depend on the
-- number of threads in their last bits.

ALTER TABLE runs ADD COLUMN side_by_side INTEGER NOT NULL DEFAULT 0;
