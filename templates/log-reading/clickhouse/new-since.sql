-- Which programs are new since this time? Parameter `since`: a timestamp in UTC. A program whose
-- earlier lines have been dropped is not new: first_seen remembers it.
SELECT
    exectrail_shown(execs.program) AS program,
    min(ts) AS first_seen,
    count() AS execs,
    uniqExact(username) AS users
FROM exectrail.execs AS execs
WHERE ts >= parseDateTime64BestEffort({since:String}, 9, 'UTC')
    AND execs.program NOT IN (
        SELECT first_seen.program FROM exectrail.first_seen
        WHERE first_seen.first_seen < parseDateTime64BestEffort({since:String}, 9, 'UTC'))
GROUP BY execs.program
ORDER BY first_seen, program;
