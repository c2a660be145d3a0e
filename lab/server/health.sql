-- How many runs there are, wait and run; since when the first waits; the oldest sign of life.
SELECT
  count(*),
  total(status = 'queued'),
  total(status = 'running'),
  min(CASE status WHEN 'queued' THEN created END),
  min(CASE status WHEN 'running' THEN heartbeat END)
FROM runs
