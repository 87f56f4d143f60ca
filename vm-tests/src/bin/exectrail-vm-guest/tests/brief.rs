//! Tests whether tracing works at all on a kernel or a machine. The tests are those of `plain` that
//! can fail because the kernel or the machine is different.

use exectrail_vm_tests::Variant;

use crate::tests::{
    Test,
    arguments::{
        long_arguments_arrive_whole, long_arguments_say_from_where_they_could_have_been_changed,
        ordinary_arguments_are_protected,
    },
    ends::a_workspace_with_somebody_left_has_not_ended,
    failed_execs::{failed_execs_have_lines, failed_execs_side_by_side_are_counted},
    identity::a_workspace_made_in_its_cgroup_is_found_on_the_hosts_network,
    incidents::a_memory_limit_is_kept_or_refused,
    machine_properties::the_machine_is_as_asked_for,
    others::programs_run_for_execs_of_others_only,
    pods::{a_workspace_is_found_by_itself, announcements_are_judged, no_exec_is_lost_uncounted},
    tests,
    tracing::{
        preflight_finds_nothing_unmet, processes_side_by_side_miss_nothing,
        run_lists_what_a_shell_starts, the_verifier_is_not_overworked,
    },
};

const TESTS: &[Test] = tests![
    the_machine_is_as_asked_for,
    preflight_finds_nothing_unmet,
    the_verifier_is_not_overworked,
    run_lists_what_a_shell_starts,
    failed_execs_have_lines,
    long_arguments_arrive_whole,
    ordinary_arguments_are_protected,
    long_arguments_say_from_where_they_could_have_been_changed,
    processes_side_by_side_miss_nothing,
    programs_run_for_execs_of_others_only,
    a_workspace_is_found_by_itself,
    announcements_are_judged,
    no_exec_is_lost_uncounted,
    a_workspace_made_in_its_cgroup_is_found_on_the_hosts_network,
    a_workspace_with_somebody_left_has_not_ended,
];

/// The memory that a limit must allow grows with the number of possible processors.
const WITH_MANY_CPUS: &[Test] = tests![a_memory_limit_is_kept_or_refused];

/// On one processor processes preempt each other.
const WITH_ONE_CPU: &[Test] = tests![failed_execs_side_by_side_are_counted];

/// The scenario's tests.
pub(crate) fn tests(variant: Variant) -> Vec<Test> {
    match variant {
        Variant::OneCpu => [TESTS, WITH_ONE_CPU].concat(),
        Variant::ManyCpus => [TESTS, WITH_MANY_CPUS].concat(),
        _ => TESTS.to_vec(),
    }
}
