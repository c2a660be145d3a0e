-- What a table of runs shows, the latest first. A group of seeds is one entry and stands where its latest run does.
-- One scan from the latest run back until there are enough entries, with a look-up in the index for each run of a group.
-- ?1: the most entries.
WITH entries (latest, member) AS (
    SELECT number, seed_group FROM runs AS latest
    WHERE seed_group = '' OR number = (SELECT max(number) FROM runs WHERE seed_group = latest.seed_group)
    ORDER BY number DESC LIMIT ?1)
SELECT latest, runs.* FROM entries JOIN runs
    ON number = latest OR (seed_group = member AND member != '')  -- by the indices; a CASE would scan
ORDER BY latest DESC, seed
