-- Which execs failed most? Needs --failed-execs.
SELECT
    exectrail_shown(failed.filename) AS filename, error,
    count() AS times, uniqExact(username) AS users
FROM exectrail.failed_execs AS failed
GROUP BY failed.filename, error
ORDER BY times DESC, filename, error
LIMIT 20;
