-- Views of files of exectrail lines, for DuckDB 1.5 or later. The variable `log` has the files: one
-- name or pattern, or a list of them. Files whose names end in .gz are unpacked. This command keeps
-- the lines in the database fleet.db; without keep.sql, each query reads the files anew:
--
--   duckdb fleet.db -cmd "SET VARIABLE log = 'exectrail.log'" -cmd '.read views.sql' -f keep.sql

-- Text of the workspace as it may be shown on a terminal: each control or format character and line
-- separator is replaced by �.
CREATE OR REPLACE MACRO shown(text) AS
    regexp_replace(text, '[\p{Cc}\p{Cf}\x{2028}\x{2029}]', '�', 'g');

-- One row for each line that has a run. The view leaves out text that is not JSON, halves of lines,
-- diagnostics, and execs without `run`: `unreadable` counts these.
CREATE OR REPLACE VIEW lines AS
SELECT
    ts::TIMESTAMP_NS AS ts,
    level,
    msg,
    fields.run AS run,
    fields.line AS line,
    shown(fields.labels['username']) AS username,
    shown(fields.labels['workspace_name']) AS workspace,
    fields.labels AS labels,
    fields.cmdline AS cmdline,
    fields.event AS event,
    fields AS fields
FROM read_ndjson(
    getvariable('log'),
    ignore_errors = true,
    maximum_object_size = 1048576,
    columns = {
        ts: 'VARCHAR',
        level: 'VARCHAR',
        msg: 'VARCHAR',
        fields: 'STRUCT(
            run VARCHAR, line UBIGINT, labels MAP(VARCHAR, VARCHAR), cmdline VARCHAR,
            version VARCHAR, boot_id VARCHAR, node VARCHAR,
            previous_run STRUCT(run VARCHAR, until VARCHAR, gap_ns UBIGINT),
            "count" UBIGINT, "of" VARCHAR, "by" VARCHAR, since VARCHAR, until VARCHAR,
            pid_ns UBIGINT,
            execs UBIGINT, lost UBIGINT, suppressed UBIGINT, complete_until VARCHAR,
            event STRUCT(
                filename VARCHAR, argv VARCHAR[], truncated BOOLEAN, pid UINTEGER, uid UINTEGER,
                gid UINTEGER, comm VARCHAR, interpreter VARCHAR, argc UBIGINT, argv_bytes UBIGINT,
                ns_pid UINTEGER, ppid UINTEGER, ns_ppid UINTEGER, euid UINTEGER, ns_uid UINTEGER,
                ns_gid UINTEGER, pid_ns UBIGINT, workspace_pid_ns UBIGINT, mnt_ns UBIGINT,
                cgroup_id UBIGINT, container_id VARCHAR, nested_container_id VARCHAR,
                start UBIGINT, cpu UINTEGER, lane UINTEGER, seq UBIGINT,
                ppid_start UBIGINT, sid UINTEGER, exe VARCHAR, cwd VARCHAR, tty VARCHAR,
                parent_exe VARCHAR, parent_argv VARCHAR[], memfd BOOLEAN, deleted BOOLEAN,
                upper_layer BOOLEAN, entered BOOLEAN, tampered BOOLEAN, no_new_privs BOOLEAN,
                cap_gained VARCHAR[], argv_continues BOOLEAN, part UINTEGER, error VARCHAR,
                errno INTEGER, syscall VARCHAR, status INTEGER, signal INTEGER,
                duration_ns UBIGINT))'
    }
)
WHERE fields.run IS NOT NULL;

-- One row for each run. `ended` is null if the run goes on, was killed, or has no last line in the
-- log.
CREATE OR REPLACE VIEW runs AS
SELECT
    run,
    any_value(username) AS username,
    any_value(workspace) AS workspace,
    any_value(fields.boot_id) AS boot_id,
    any_value(fields.node) AS node,
    any_value(fields.version) AS version,
    any_value(fields.previous_run.run) AS previous_run,
    any_value(fields.previous_run.until::TIMESTAMP_NS) AS previous_until,
    any_value(fields.previous_run.gap_ns) AS gap_ns,
    min(ts) FILTER (msg = 'tracing_started') AS started,
    max(ts) FILTER (msg = 'tracing_stopped') AS ended,
    max(ts) AS last_line
FROM lines
GROUP BY run;

-- One row for each exec. `program` is `exe`, or `filename` if the line has no `exe`. `boot`
-- separates nodes: a process id is unique on one node only.
CREATE OR REPLACE VIEW execs AS
SELECT
    ts, run, line, username, workspace, labels,
    coalesce(boots.boot_id, run) AS boot,
    coalesce(event.exe, event.filename) AS program,
    cmdline,
    -- The text that Sigma rules compare, see ../sigma: words with blanks between them, without
    -- quotes.
    array_to_string(event.argv, ' ') AS command_line,
    array_to_string(event.parent_argv, ' ') AS parent_command_line,
    if(event.ns_uid = 0, 'root', event.ns_uid::VARCHAR) AS user_name,
    coalesce(event.entered, false) AS entered,
    coalesce(event.memfd, false) AS memfd,
    coalesce(event.deleted, false) AS deleted,
    coalesce(event.upper_layer, false) AS upper_layer,
    coalesce(event.tampered, false) AS tampered,
    coalesce(event.argv_continues, false) AS argv_continues,
    event.* EXCLUDE (
        entered, memfd, deleted, upper_layer, tampered, argv_continues, part, error, errno, syscall,
        status, signal, duration_ns)
FROM lines
LEFT JOIN (
    SELECT run, any_value(fields.boot_id) AS boot_id
    FROM lines
    WHERE msg = 'tracing_started'
    GROUP BY run
) AS boots USING (run)
WHERE msg = 'exec';

-- One row for each end of a process (--exit-events).
CREATE OR REPLACE VIEW exits AS
SELECT
    ts, run, line, username, workspace, event.pid, event.start, event.comm, event.status,
    event.signal, event.duration_ns, event.pid_ns, event.workspace_pid_ns
FROM lines
WHERE msg = 'exit';

-- One row for each exec that failed (--failed-execs).
CREATE OR REPLACE VIEW failed_execs AS
SELECT
    ts, run, line, username, workspace, event.filename, event.error, event.errno, event.syscall,
    event.comm, event.pid, event.start, event.ppid, event.uid, event.euid, event.ns_uid
FROM lines
WHERE msg = 'exec_failed';

-- One row for each `lost` and each `suppressed` line: events that have no line of their own.
CREATE OR REPLACE VIEW losses AS
SELECT
    ts, run, line, username, workspace, msg, fields.count AS count, fields.of AS of,
    fields.by AS by, fields.since::TIMESTAMP_NS AS since, fields.until::TIMESTAMP_NS AS until
FROM lines
WHERE msg IN ('lost', 'suppressed');

-- Number of lines without a run, which `lines` leaves out.
CREATE OR REPLACE VIEW unreadable AS
SELECT count(*) AS lines
FROM read_csv(
    getvariable('log'), columns = {text: 'VARCHAR'}, header = false, auto_detect = false,
    delim = '', quote = '', escape = '', max_line_size = 1048576, ignore_errors = true)
WHERE json_extract_string(TRY_CAST(text AS JSON), '$.fields.run') IS NULL;
