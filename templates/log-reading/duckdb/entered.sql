-- What entered from outside, such as by kubectl exec? started-by.sql shows what it started.
SELECT ts, username, workspace, pid, start, shown(cmdline) AS cmdline
FROM execs
WHERE entered
ORDER BY ts, run, line;
