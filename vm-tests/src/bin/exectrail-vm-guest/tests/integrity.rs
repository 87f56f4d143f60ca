//! Tests of what lockdown=integrity could forbid: programs, and the helpers that they call.
//! Everything else depends on the kernel's version, and is tested without lockdown.

use crate::tests::{
    Test,
    arguments::long_arguments_say_from_where_they_could_have_been_changed,
    ends::a_workspace_with_somebody_left_has_not_ended,
    failed_execs::failed_execs_have_lines,
    identity::a_workspace_made_in_its_cgroup_is_found_on_the_hosts_network,
    machine_properties::the_machine_is_as_asked_for,
    pods::a_workspace_is_found_by_itself,
    suppression::what_is_excluded_is_counted,
    tests,
    tracing::{preflight_finds_nothing_unmet, run_lists_what_a_shell_starts},
};

/// The scenario's tests.
pub(crate) const TESTS: &[Test] = tests![
    the_machine_is_as_asked_for,
    preflight_finds_nothing_unmet,
    run_lists_what_a_shell_starts,
    long_arguments_say_from_where_they_could_have_been_changed,
    failed_execs_have_lines,
    what_is_excluded_is_counted,
    a_workspace_is_found_by_itself,
    a_workspace_made_in_its_cgroup_is_found_on_the_hosts_network,
    a_workspace_with_somebody_left_has_not_ended,
];
