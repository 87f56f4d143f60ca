-- What is missing? `exectrail-log verify` also checks hashes, signatures and the numbers of events.
SELECT run, what, since, until, count
FROM (
    SELECT run, concat(msg, ' ', of) AS what, since, until, toNullable(count) AS count
    FROM exectrail.losses
    UNION ALL
    SELECT run, 'lines missing', previous, ts, line - previous_line - 1
    FROM (
        SELECT
            run, line, ts,
            lagInFrame(toNullable(line)) OVER numbers AS previous_line,
            lagInFrame(toNullable(ts)) OVER numbers AS previous
        FROM exectrail.lines FINAL
        WINDOW numbers AS (
            PARTITION BY run ORDER BY line ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
    WHERE line > previous_line + 1
    UNION ALL
    SELECT run, 'first lines missing', NULL, min(ts), min(line)
    FROM exectrail.lines GROUP BY run HAVING min(line) > 0
    UNION ALL
    SELECT run, 'not recorded before', previous_until, started, NULL
    FROM exectrail.runs WHERE gap_ns > 0
    UNION ALL
    SELECT run, 'no end: running, killed or cut', last_line, NULL, NULL
    FROM exectrail.runs WHERE ended IS NULL
)
ORDER BY run, since, what;
