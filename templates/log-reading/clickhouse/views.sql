-- Views for the queries beside this file, on one ClickHouse server and on many. FINAL hides lines
-- that were delivered twice and are not merged yet.

-- command_line, parent_command_line and user_name are what Sigma rules compare, see ../sigma.
CREATE OR REPLACE VIEW exectrail.execs AS
SELECT
    * REPLACE (nullIf(parent_exe, '') AS parent_exe, nullIf(cwd, '') AS cwd),
    arrayStringConcat(argv, ' ') AS command_line,
    if(empty(parent_argv), NULL, arrayStringConcat(parent_argv, ' ')) AS parent_command_line,
    if(ns_uid = 0, 'root', toString(ns_uid)) AS user_name
FROM exectrail.lines FINAL
WHERE msg = 'exec';

CREATE OR REPLACE VIEW exectrail.exits AS
SELECT * FROM exectrail.lines FINAL WHERE msg = 'exit';

CREATE OR REPLACE VIEW exectrail.failed_execs AS
SELECT * FROM exectrail.lines FINAL WHERE msg = 'exec_failed';

CREATE OR REPLACE VIEW exectrail.losses AS
SELECT * FROM exectrail.lines FINAL WHERE msg IN ('lost', 'suppressed');

-- One row for each run. `ended` is null if the run goes on, was killed, or has no last line in the
-- log. `boot` separates nodes: a process id is unique on one node only.
CREATE OR REPLACE VIEW exectrail.runs AS
SELECT
    run,
    any(username) AS username,
    any(workspace) AS workspace,
    if(max(boot_id) = '', run, max(boot_id)) AS boot,
    max(node) AS node,
    max(previous_until) AS previous_until,
    max(gap_ns) AS gap_ns,
    minIfOrNull(ts, msg = 'tracing_started') AS started,
    maxIfOrNull(ts, msg = 'tracing_stopped') AS ended,
    max(ts) AS last_line
FROM exectrail.lines
GROUP BY run;
