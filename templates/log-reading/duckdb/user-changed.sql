-- Which execs have another user than the last earlier exec of their parent?
SELECT
    child.ts, child.username, child.workspace,
    parent.uid AS parent_uid, parent.euid AS parent_euid, child.uid, child.euid,
    shown(parent.cmdline) AS parent_cmdline, shown(child.cmdline) AS cmdline
FROM execs AS child
ASOF JOIN execs AS parent
    ON child.boot = parent.boot AND child.ppid = parent.pid AND child.ppid_start = parent.start
    AND child.ts >= parent.ts
WHERE (child.uid, child.euid) <> (parent.uid, parent.euid)
ORDER BY child.ts, child.run, child.line;
