//! Tests on the running kernel: the real binary, real namespaces, real clients.
//!
//! They need root, BTF and the tools that `cargo xtask setup --tests` installs. Without root or BTF
//! they print the reason and count as skipped. Some tests also skip themselves if their tools are
//! missing.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod announce_reads_the_answer;
mod announcement_is_a_barrier;
mod announcements_are_bounded;
mod argv_is_exact;
mod attackers_change_nothing;
mod cgroups;
mod clients_hold_nobody_up;
mod containers_are_named;
mod documented_queries_work;
mod early_slots_are_freed;
mod ends_are_true;
mod every_exec_is_seen;
mod failed_execs_have_lines;
mod faulty_state_is_ignored;
mod flags_and_variables_are_one_grammar;
mod full_tables_are_losses;
mod handshake_keeps_to_the_protocol;
mod hold_fails_closed;
mod identity_cannot_be_left;
mod init_script_holds_the_workspace;
mod labels_follow_their_files;
mod lines_are_bounded;
mod lines_follow_the_schema;
mod logs_prove_themselves;
mod losses_are_accounted;
mod memory_is_bounded;
mod metrics_tell_what_lines_tell;
mod names_are_the_kernels;
mod node_check_follows_its_protocols;
mod one_command_is_traced;
mod pod;
mod prometheus_reads_the_metrics;
mod readme_script_works;
mod refusal_says_why;
mod run_as_a_user;
mod run_looks_after_its_command;
mod secrets_are_not_written;
mod signals_and_streams;
mod start_and_stop_are_orderly;
mod state_survives_a_restart;
mod targets_are_verified;
mod the_node_pays_for_execs_only;
mod the_port_is_optional;
mod times_are_true_in_a_time_namespace;
mod tools;
mod what_is_excluded_is_counted;
mod what_ran;
mod who_and_where;
mod who_started_it;
