-- Which execs have another user than the last earlier exec of their parent?
WITH with_boot AS (
    SELECT execs.*, runs.boot AS boot
    FROM exectrail.execs AS execs JOIN exectrail.runs AS runs USING (run)
)
SELECT
    child.ts, child.username, child.workspace,
    parent.uid AS parent_uid, parent.euid AS parent_euid, child.uid, child.euid,
    exectrail_shown(parent.cmdline) AS parent_cmdline, exectrail_shown(child.cmdline) AS cmdline
FROM with_boot AS child
ASOF JOIN with_boot AS parent
    ON child.boot = parent.boot AND child.ppid = parent.pid AND child.ppid_start = parent.start
    AND child.ts >= parent.ts
WHERE child.uid != parent.uid OR child.euid != parent.euid
ORDER BY child.ts, child.run, child.line;
