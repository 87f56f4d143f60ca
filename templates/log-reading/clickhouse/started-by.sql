-- What did a process and its descendants start? Parameters `workspace`, `pid` and `start`, as in a
-- line of the process. `start` is needed because process ids are used again.
WITH RECURSIVE
    of_node AS (
        SELECT run FROM exectrail.runs
        WHERE boot IN (SELECT boot FROM exectrail.runs WHERE workspace = {workspace:String})
    ),
    below AS (
        SELECT DISTINCT pid, start, toUInt32(0) AS depth
        FROM exectrail.execs
        WHERE workspace = {workspace:String}
            AND pid = {pid:UInt32} AND start = {start:UInt64}
        UNION ALL
        SELECT DISTINCT child.pid, child.start, depth + 1
        FROM exectrail.execs AS child
        JOIN below ON child.ppid = below.pid AND child.ppid_start = below.start
        WHERE child.run IN of_node
    )
SELECT ts, depth, pid, start, exectrail_shown(execs.cmdline) AS cmdline
FROM exectrail.execs AS execs JOIN below USING (pid, start)
WHERE depth > 0 AND run IN of_node
ORDER BY ts, run, line;
