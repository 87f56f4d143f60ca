//! Pods on a node whose container runtime is dockerd.

use anyhow::{Result, ensure};
use exectrail_testbed::log::{argvs, execs, msg};
use exectrail_vm_tests::{Plan, manifest};

use crate::{
    machine::{
        engine::Engine,
        kubelet,
        manifest::Manifest,
        node::{self, WORKSPACE_IMAGE},
    },
    report::Report,
    tests::{
        Test,
        native_sidecar::{check_end, first_and_last},
        template_pods::{check_least_privilege, check_session, is_exec_of, session},
        tests,
    },
};

/// The tests of this scenario.
pub(crate) const TESTS: &[Test] = tests![
    the_node_runs_dockerd,
    dockerds_seccomp_filter_and_two_capabilities_let_it_trace,
    a_native_sidecar_of_dockerd_has_the_first_exec_and_the_last,
];

fn the_node_runs_dockerd(_: &Plan, _: &Report) -> Result<()> {
    node::make_docker_ready()
}

fn dockerds_seccomp_filter_and_two_capabilities_let_it_trace(
    plan: &Plan,
    _: &Report,
) -> Result<()> {
    node::make_docker_ready()?;
    let docker = Engine::docker();
    let manifest = Manifest::of(plan, manifest::YAML_POD, "moby", &session("moby"))?;
    let pod = kubelet::start(&docker, &manifest)?;
    check_least_privilege(pod.pid("exectrail")?)?;
    docker.run(&[
        "run",
        "--rm",
        "--network=none",
        "--volume=/usr:/usr:ro",
        WORKSPACE_IMAGE,
        "/bin/echo",
        "of-a-stranger",
    ])?;
    pod.wait_for("of the session's end", 0, |line| {
        is_exec_of(line, &["/bin/echo", "session-ends", "moby"])
    })?;
    pod.exec("workspace", &["/bin/echo", "end"])?;
    pod.wait_for("of the last exec", 0, |line| {
        is_exec_of(line, &["/bin/echo", "end"])
    })?;
    let pid_ns = pod.pid_ns("workspace")?;
    kubelet::stop(&pod, &manifest)?;

    let lines = pod.log()?;
    ensure!(
        !lines.iter().any(|line| msg(line) == "lost"),
        "something was lost"
    );
    let seen = argvs(&lines);
    check_session(&seen, "moby")?;
    for event in execs(&lines) {
        ensure!(
            event["workspace_pid_ns"] == pid_ns && event["uid"] == 1000,
            "an exec of somebody else: {event}"
        );
    }
    check_end(&pod)
}

fn a_native_sidecar_of_dockerd_has_the_first_exec_and_the_last(
    plan: &Plan,
    _: &Report,
) -> Result<()> {
    node::make_docker_ready()?;
    first_and_last(plan, &Engine::docker(), manifest::YAML_DEPLOYMENT, "native")
}
