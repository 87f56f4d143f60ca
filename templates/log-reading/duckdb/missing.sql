-- What is missing? `exectrail-log verify` also checks hashes, signatures and the numbers of events.
SELECT run, msg || ' ' || "of" AS what, since, until, count
FROM losses
UNION ALL
SELECT run, 'lines missing', previous, ts, line - previous_line - 1
FROM (
    SELECT run, line, ts, lag(line) OVER numbers AS previous_line, lag(ts) OVER numbers AS previous
    FROM lines
    WINDOW numbers AS (PARTITION BY run ORDER BY line)
)
WHERE line > previous_line + 1
UNION ALL
SELECT run, 'first lines missing', NULL, min(ts), min(line)
FROM lines GROUP BY run HAVING min(line) > 0
UNION ALL
SELECT run, 'not recorded before', previous_until, started, NULL
FROM runs WHERE gap_ns > 0
UNION ALL
SELECT run, 'no end: running, killed or cut', last_line, NULL, NULL
FROM runs WHERE ended IS NULL
ORDER BY run, since, what;
