-- Iterations of a run at even distances, the first and the last among them. From the last one back to the first in equal
-- strides, and at each the next iteration that is stored: as many look-ups in the index as points, however long the run.
WITH RECURSIVE
    bounds (last, strides) AS (SELECT max(iteration), max(:at_most - 1, 1) FROM batches WHERE run = :run),
    point (number) AS (VALUES (0) UNION ALL SELECT number + 1 FROM point WHERE number < :at_most - 1)
SELECT * FROM batches WHERE run = :run AND iteration IN (
    SELECT (SELECT min(iteration) FROM batches
            WHERE run = :run AND iteration >= last - (last - :first) * number / strides)
    FROM point, bounds)
ORDER BY iteration
