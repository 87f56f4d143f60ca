-- Who ran this program? Parameter `program`: its path, or its name without directories.
SELECT
    ts, username, workspace,
    exectrail_shown(program) AS program, exectrail_shown(cmdline) AS cmdline
FROM exectrail.execs
WHERE {program:String}
    IN (execs.program, filename, basename(execs.program), basename(filename))
ORDER BY ts, run, line;
