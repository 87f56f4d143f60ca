//! Tests of the program `exectrail-log` with files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod converted_logs_keep_the_schemas;
mod documented_commands_are_accepted;
mod files;
mod generated_logs;
mod input_is_harmless;
mod live_commands_follow_a_log;
mod long_argv_is_one_exec;
mod runs_have_their_trees;
mod show_chooses_lines;
mod tree_and_top_count_everything;
mod verify_explains_faults;
mod verify_reads_every_form_of_a_log;
