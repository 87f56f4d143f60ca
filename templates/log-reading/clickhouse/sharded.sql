-- Makes the tables of schema.sql sharded and replicated, before anything is inserted:
--
--   schema.sql on each server, then sharded.sql on one of them, then views.sql on each server
--
-- Needs ClickHouse Keeper, a cluster `exectrail` in remote_servers, and the macros {shard} and
-- {replica} on each server. All lines of a run are on one shard, which can thus merge lines that
-- were delivered twice. A collector may send to any server.

CREATE TABLE exectrail.lines_local ON CLUSTER exectrail AS exectrail.lines
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/{shard}/exectrail/lines', '{replica}')
PARTITION BY toMonday(ts)
ORDER BY (msg, workspace, ts, run, line)
TTL toDateTime(ts) + INTERVAL 1 YEAR
SETTINGS ttl_only_drop_parts = 1;

CREATE TABLE exectrail.programs_by_hour_local ON CLUSTER exectrail AS exectrail.programs_by_hour
ENGINE = ReplicatedSummingMergeTree('/clickhouse/{shard}/exectrail/programs_by_hour', '{replica}')
PARTITION BY toYear(hour)
ORDER BY (hour, username, workspace, program);

CREATE TABLE exectrail.first_seen_local ON CLUSTER exectrail AS exectrail.first_seen
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/{shard}/exectrail/first_seen', '{replica}')
ORDER BY program;

DROP TABLE exectrail.programs_by_hour_mv ON CLUSTER exectrail SYNC;
DROP TABLE exectrail.first_seen_mv ON CLUSTER exectrail SYNC;
DROP TABLE exectrail.lines ON CLUSTER exectrail SYNC;
DROP TABLE exectrail.programs_by_hour ON CLUSTER exectrail SYNC;
DROP TABLE exectrail.first_seen ON CLUSTER exectrail SYNC;

CREATE TABLE exectrail.lines ON CLUSTER exectrail AS exectrail.lines_local
ENGINE = Distributed(exectrail, exectrail, lines_local, cityHash64(run));

CREATE TABLE exectrail.programs_by_hour ON CLUSTER exectrail AS exectrail.programs_by_hour_local
ENGINE = Distributed(exectrail, exectrail, programs_by_hour_local);

CREATE TABLE exectrail.first_seen ON CLUSTER exectrail AS exectrail.first_seen_local
ENGINE = Distributed(exectrail, exectrail, first_seen_local);

-- Each shard has a view of its own lines.
CREATE MATERIALIZED VIEW exectrail.programs_by_hour_mv ON CLUSTER exectrail
TO exectrail.programs_by_hour_local AS
SELECT toStartOfHour(ts) AS hour, username, workspace, program, count() AS execs
FROM exectrail.lines_local
WHERE msg = 'exec'
GROUP BY hour, username, workspace, program;

CREATE MATERIALIZED VIEW exectrail.first_seen_mv ON CLUSTER exectrail
TO exectrail.first_seen_local AS
SELECT program, min(ts) AS first_seen
FROM exectrail.lines_local
WHERE msg = 'exec'
GROUP BY program;
