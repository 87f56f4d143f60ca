-- Who ran this program? Variable `program`: its path, or its name without directories.
SELECT ts, username, workspace, shown(program) AS program, shown(cmdline) AS cmdline
FROM execs
WHERE getvariable('program')
    IN (program, filename, parse_filename(program), parse_filename(filename))
ORDER BY ts, run, line;
