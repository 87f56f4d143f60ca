-- What did each user execute most, in which workspace?
SELECT username, workspace, exectrail_shown(counts.program) AS program, sum(counts.execs) AS execs
FROM exectrail.programs_by_hour AS counts
GROUP BY username, workspace, counts.program
ORDER BY execs DESC, username, workspace, program
LIMIT 20;
