-- Which execs failed most? Needs --failed-execs.
SELECT shown(filename) AS filename, error, count(*) AS times, count(DISTINCT username) AS users
FROM failed_execs
GROUP BY failed_execs.filename, error
ORDER BY times DESC, filename, error
LIMIT 20;
