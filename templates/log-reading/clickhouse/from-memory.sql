-- Which programs ran from memory, or from files that had been deleted?
SELECT
    ts, username, workspace, if(memfd, 'memory', 'deleted') AS `from`,
    exectrail_shown(execs.program) AS program, exectrail_shown(execs.cmdline) AS cmdline
FROM exectrail.execs AS execs
WHERE memfd OR deleted
ORDER BY ts, run, line;
