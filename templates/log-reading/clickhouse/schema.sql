-- Tables for exectrail's lines, for ClickHouse. Tested with 26.9:
--
--   clickhouse-client --queries-file schema.sql
--
-- Lines are inserted into exectrail.lines_in as text, one line of the log per row; the view
-- lines_mv parses them. So an insertion also succeeds if a line is not JSON, or only half a line.

CREATE DATABASE IF NOT EXISTS exectrail;

-- Text of the workspace as it may be shown on a terminal: each control or format character and line
-- separator is replaced by �.
CREATE FUNCTION IF NOT EXISTS exectrail_shown AS (text) ->
    replaceRegexpAll(text, '[\\p{Cc}\\p{Cf}\\x{2028}\\x{2029}]', '�');

CREATE TABLE IF NOT EXISTS exectrail.lines_in (line String) ENGINE = Null;

-- One row for each line. (run, line) identifies a line. A line that a collector delivers twice is
-- one row after a merge of the parts that have it; FINAL always shows it once. A partition has the
-- lines of a week, and is dropped as a whole.
CREATE TABLE IF NOT EXISTS exectrail.lines
(
    ts DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD),
    msg LowCardinality(String),
    run LowCardinality(String),
    line UInt64 CODEC(Delta, ZSTD),
    username LowCardinality(String),
    workspace LowCardinality(String),
    labels Map(LowCardinality(String), String) CODEC(ZSTD),
    -- The program that ran: `exe`, or `filename` if the line has no `exe`.
    program LowCardinality(String),
    filename String CODEC(ZSTD),
    argv Array(String) CODEC(ZSTD),
    cmdline String CODEC(ZSTD),
    pid UInt32 CODEC(T64, ZSTD),
    start UInt64 CODEC(Delta, ZSTD),
    ppid UInt32 CODEC(T64, ZSTD),
    ppid_start UInt64 CODEC(Delta, ZSTD),
    sid UInt32 CODEC(T64, ZSTD),
    -- Null if the line does not have the key (--omit, --fields): 0 would mean root.
    uid Nullable(UInt32) CODEC(ZSTD),
    euid Nullable(UInt32) CODEC(ZSTD),
    gid UInt32 CODEC(T64, ZSTD),
    ns_pid UInt32 CODEC(T64, ZSTD),
    ns_uid Nullable(UInt32) CODEC(ZSTD),
    comm LowCardinality(String),
    interpreter LowCardinality(String),
    cwd String CODEC(ZSTD),
    tty LowCardinality(String),
    parent_exe LowCardinality(String),
    parent_argv Array(String) CODEC(ZSTD),
    pid_ns UInt64 CODEC(T64, ZSTD),
    workspace_pid_ns UInt64 CODEC(T64, ZSTD),
    container_id LowCardinality(String),
    nested_container_id LowCardinality(String),
    cpu UInt32 CODEC(T64, ZSTD),
    lane UInt8,
    seq UInt64 CODEC(Delta, ZSTD),
    entered Bool,
    memfd Bool,
    deleted Bool,
    upper_layer Bool,
    tampered Bool,
    truncated Bool,
    argv_continues Bool,
    cap_gained Array(LowCardinality(String)),
    -- Of lines `exec_failed` and `exit`.
    error LowCardinality(String),
    status Nullable(Int32),
    signal Nullable(Int32),
    duration_ns UInt64 CODEC(T64, ZSTD),
    -- Of lines `lost` and `suppressed`.
    count UInt64 CODEC(T64, ZSTD),
    of LowCardinality(String),
    since Nullable(DateTime64(9, 'UTC')),
    until Nullable(DateTime64(9, 'UTC')),
    -- Of the line `tracing_started`.
    boot_id LowCardinality(String),
    node LowCardinality(String),
    previous_until Nullable(DateTime64(9, 'UTC')),
    gap_ns UInt64 CODEC(T64, ZSTD),
    -- The whole line, if it is not an event's: such lines have keys that have no column here.
    text String CODEC(ZSTD(3)),
    INDEX by_process (pid, start) TYPE bloom_filter GRANULARITY 4,
    INDEX by_parent (ppid, ppid_start) TYPE bloom_filter GRANULARITY 4,
    INDEX by_program program TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(ts)
ORDER BY (msg, workspace, ts, run, line)
TTL toDateTime(ts) + INTERVAL 1 YEAR
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS exectrail.lines_mv TO exectrail.lines AS
WITH
    JSONExtract(line, 'Tuple(
        ts String, msg String,
        fields Tuple(
            run String, line UInt64, labels Map(String, String), cmdline String,
            count UInt64, of String, since Nullable(String), until Nullable(String),
            boot_id String, node String,
            previous_run Tuple(until Nullable(String), gap_ns UInt64),
            event Tuple(
                exe String, filename String, argv Array(String), pid UInt32, start UInt64,
                ppid UInt32, ppid_start UInt64, sid UInt32, uid Nullable(UInt32),
                euid Nullable(UInt32), gid UInt32, ns_pid UInt32,
                ns_uid Nullable(UInt32), comm String, interpreter String, cwd String,
                tty String, parent_exe String, parent_argv Array(String),
                pid_ns UInt64, workspace_pid_ns UInt64, container_id String,
                nested_container_id String, cpu UInt32, lane UInt8, seq UInt64,
                entered Bool, memfd Bool, deleted Bool, upper_layer Bool, tampered Bool,
                truncated Bool, argv_continues Bool, cap_gained Array(String),
                error String, status Nullable(Int32), signal Nullable(Int32),
                duration_ns UInt64)))') AS json,
    json.fields AS fields,
    fields.event AS event
SELECT
    parseDateTime64BestEffort(json.ts, 9, 'UTC') AS ts,
    json.msg AS msg,
    fields.run AS run,
    fields.line AS line,
    exectrail_shown(fields.labels['username']) AS username,
    exectrail_shown(fields.labels['workspace_name']) AS workspace,
    fields.labels AS labels,
    if(event.exe = '', event.filename, event.exe) AS program,
    event.filename AS filename,
    event.argv AS argv,
    fields.cmdline AS cmdline,
    event.pid AS pid,
    event.start AS start,
    event.ppid AS ppid,
    event.ppid_start AS ppid_start,
    event.sid AS sid,
    event.uid AS uid,
    event.euid AS euid,
    event.gid AS gid,
    event.ns_pid AS ns_pid,
    event.ns_uid AS ns_uid,
    event.comm AS comm,
    event.interpreter AS interpreter,
    event.cwd AS cwd,
    event.tty AS tty,
    event.parent_exe AS parent_exe,
    event.parent_argv AS parent_argv,
    event.pid_ns AS pid_ns,
    event.workspace_pid_ns AS workspace_pid_ns,
    event.container_id AS container_id,
    event.nested_container_id AS nested_container_id,
    event.cpu AS cpu,
    event.lane AS lane,
    event.seq AS seq,
    event.entered AS entered,
    event.memfd AS memfd,
    event.deleted AS deleted,
    event.upper_layer AS upper_layer,
    event.tampered AS tampered,
    event.truncated AS truncated,
    event.argv_continues AS argv_continues,
    event.cap_gained AS cap_gained,
    event.error AS error,
    event.status AS status,
    event.signal AS signal,
    event.duration_ns AS duration_ns,
    fields.count AS count,
    fields.of AS of,
    parseDateTime64BestEffortOrNull(fields.since, 9, 'UTC') AS since,
    parseDateTime64BestEffortOrNull(fields.until, 9, 'UTC') AS until,
    fields.boot_id AS boot_id,
    fields.node AS node,
    parseDateTime64BestEffortOrNull(fields.previous_run.until, 9, 'UTC') AS previous_until,
    fields.previous_run.gap_ns AS gap_ns,
    if(msg IN ('exec', 'exec_argv', 'exec_failed', 'exit'), '', json_text) AS text
FROM (
    SELECT line, line AS json_text
    FROM exectrail.lines_in
    WHERE JSONExtractString(line, 'fields', 'run') != ''
        AND parseDateTime64BestEffortOrNull(JSONExtractString(line, 'ts'), 9, 'UTC') IS NOT NULL
);

-- Execs per hour, program, user and workspace; small enough to keep forever. A line that was
-- delivered twice counts twice here.
CREATE TABLE IF NOT EXISTS exectrail.programs_by_hour
(
    hour DateTime('UTC'),
    username LowCardinality(String),
    workspace LowCardinality(String),
    program String,
    execs UInt64
)
ENGINE = SummingMergeTree
PARTITION BY toYear(hour)
ORDER BY (hour, username, workspace, program);

CREATE MATERIALIZED VIEW IF NOT EXISTS exectrail.programs_by_hour_mv
TO exectrail.programs_by_hour AS
SELECT toStartOfHour(ts) AS hour, username, workspace, program, count() AS execs
FROM exectrail.lines
WHERE msg = 'exec'
GROUP BY hour, username, workspace, program;

-- When each program was first executed; kept forever.
CREATE TABLE IF NOT EXISTS exectrail.first_seen
(
    program String,
    first_seen SimpleAggregateFunction(min, DateTime64(9, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY program;

CREATE MATERIALIZED VIEW IF NOT EXISTS exectrail.first_seen_mv TO exectrail.first_seen AS
SELECT program, min(ts) AS first_seen
FROM exectrail.lines
WHERE msg = 'exec'
GROUP BY program;
