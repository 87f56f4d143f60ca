-- What ran as root? euid 0: root of the node. ns_uid 0 with another euid: usually root of
-- the process's own user namespace only.
SELECT ts, username, workspace, uid, euid, ns_uid, exectrail_shown(cmdline) AS cmdline
FROM exectrail.execs
WHERE euid = 0 OR ns_uid = 0
ORDER BY ts, run, line;
