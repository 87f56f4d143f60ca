-- Which programs are new since this time? Variable `since`: a timestamp in UTC.
SELECT
    shown(program) AS program,
    min(ts) AS first_seen,
    count(*) AS execs,
    count(DISTINCT username) AS users
FROM execs
GROUP BY execs.program
HAVING first_seen >= getvariable('since')::TIMESTAMP_NS
ORDER BY first_seen, program;
