-- What did a process and its descendants start? Variables `workspace`, `pid` and `start`, as in a
-- line of the process. `start` is needed because process ids are used again.
WITH RECURSIVE below AS (
    SELECT DISTINCT boot, pid, start, 0 AS depth
    FROM execs
    WHERE workspace = getvariable('workspace')
        AND pid = getvariable('pid') AND start = getvariable('start')
    UNION
    SELECT child.boot, child.pid, child.start, depth + 1
    FROM execs AS child
    JOIN below ON child.boot = below.boot
        AND child.ppid = below.pid AND child.ppid_start = below.start
)
SELECT ts, depth, pid, start, shown(cmdline) AS cmdline
FROM execs JOIN below USING (boot, pid, start)
WHERE depth > 0
ORDER BY ts, run, line;
