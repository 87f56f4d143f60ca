-- Which programs ran from memory, or from files that had been deleted?
SELECT
    ts, username, workspace,
    CASE WHEN memfd THEN 'memory' ELSE 'deleted' END AS "from",
    shown(program) AS program, shown(cmdline) AS cmdline
FROM execs
WHERE memfd OR deleted
ORDER BY ts, run, line;
