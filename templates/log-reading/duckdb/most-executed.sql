-- What did each user execute most, in which workspace?
SELECT username, workspace, shown(program) AS program, count(*) AS execs
FROM execs
GROUP BY username, workspace, execs.program
ORDER BY execs DESC, username, workspace, program
LIMIT 20;
