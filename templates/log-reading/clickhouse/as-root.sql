-- What ran as root: of the node (euid 0), or of its own user namespace only (ns_uid 0)?
SELECT ts, username, workspace, uid, euid, ns_uid, exectrail_shown(cmdline) AS cmdline
FROM exectrail.execs
WHERE euid = 0 OR ns_uid = 0
ORDER BY ts, run, line;
