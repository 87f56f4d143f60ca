//! Runs DuckDB, ClickHouse, rsyslog and Sigma rules on exectrail's lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod answers;
mod clickhouse_tables;
mod document;
mod duckdb_views;
mod every_answer_is_right;
mod log;
mod machine;
mod one_day;
mod rsyslog_cuts_nothing;
mod sigma_rules;
mod sigma_rules_match_what_they_mean;
