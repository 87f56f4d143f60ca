//! The program `exectrail-log`, on files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod files;
mod generated_logs;
mod show_chooses_lines;
mod verify_reads_what_people_have;
