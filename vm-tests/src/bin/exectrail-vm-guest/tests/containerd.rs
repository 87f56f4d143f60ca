//! Pods on a node whose runtime is containerd, as a kubelet runs them. They run through the CRI,
//! with containerd's own network, seccomp filter, cgroups and log files.
//!
//! All tests are the same for both of the kubelet's cgroup drivers. The plan's variant chooses one.

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use exectrail_testbed::log::{argv, execs, msg};
use exectrail_vm_tests::{Plan, manifest};
use serde_json::{Value, json};

use crate::{
    machine::{
        cgroup_driver::CgroupDriver,
        cri::{self, CriPod},
        manifest::Manifest,
        node_program::run,
    },
    report::Report,
    tests::{
        Test,
        native_sidecar::{AGENT, check_first_and_last},
        template_pods::{check_least_privilege, is_exec_of},
        tests,
    },
};

/// The scenario's tests. The tests up to [`a_killed_sidecar_of_containerd_comes_back`] share one
/// pod; each test leaves the pod in the state that the next one needs. The shared pod is on the
/// node's network, so only its cgroup identifies it.
pub(crate) const TESTS: &[Test] = tests![
    the_node_runs_containerd,
    a_pod_of_containerd_is_known_by_its_cgroup,
    runtime_default_and_two_capabilities_let_it_trace,
    an_exec_from_outside_is_recorded_with_its_container,
    a_neighbor_of_containerd_is_not_recorded,
    a_coding_agent_in_a_second_pod_has_a_log_of_its_own,
    containerds_log_has_every_line_whole,
    a_restarted_workspace_of_containerd_is_another_container,
    a_killed_sidecar_of_containerd_comes_back,
    a_native_sidecar_of_containerd_has_the_last_exec,
    a_dev_containers_build_and_its_agent_are_traced,
    two_agents_in_one_pod_are_two_workspaces,
];

/// Longest line that containerd writes as one (`max_container_log_line_size`, bytes).
const LONGEST_PART: usize = 16 * 1024;

static POD: Mutex<Option<CriPod>> = Mutex::new(None);

/// A pod of this manifest, whose agent has started.
fn start_of(plan: &Plan, manifest: &str, name: &str) -> Result<CriPod> {
    start(plan, Manifest::of(plan, manifest, name, AGENT)?)
}

/// A pod whose agent has started.
fn start(plan: &Plan, manifest: Manifest) -> Result<CriPod> {
    let driver = CgroupDriver::of(plan);
    cri::ready(driver)?;
    let pod = CriPod::start(manifest, driver)?;
    pod.wait_for("of the agent", |line| {
        is_exec_of(line, &["/bin/echo", "agent"])
    })?;
    Ok(pod)
}

/// Calls `work` with the shared pod; the first call starts it.
fn with_pod<T>(plan: &Plan, work: impl FnOnce(&mut CriPod) -> Result<T>) -> Result<T> {
    let mut pod = POD.lock().unwrap_or_else(PoisonError::into_inner);
    if pod.is_none() {
        let manifest = Manifest::of(plan, manifest::KUBERNETES_NATIVE, "shared", AGENT)?;
        *pod = Some(start(plan, manifest.on_host_network())?);
    }
    work(pod.as_mut().context("no pod")?)
}

fn the_node_runs_containerd(plan: &Plan, _: &Report) -> Result<()> {
    let version = cri::ready(CgroupDriver::of(plan))?;
    ensure!(
        version.starts_with("containerd "),
        "the runtime is {version}"
    );
    Ok(())
}

fn a_pod_of_containerd_is_known_by_its_cgroup(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        for container in ["exectrail", "workspace"] {
            let path = format!("/proc/{}/cgroup", pod.pid(container)?);
            let actual = fs::read_to_string(path)?;
            let expected = format!("0::{}\n", pod.cgroup(container)?);
            ensure!(
                actual == expected,
                "{container} is in {actual}, not {expected}"
            );
        }
        let run = pod.wait_for("of the run", |line| msg(line) == "tracing_started")?;
        ensure!(
            run["fields"]["identity"] == json!(["cgroup"]) && run["fields"]["discovery"] == true,
            "{run}"
        );
        let pid_ns = pod.pid_ns("workspace")?;
        let started = pod.wait_for("of the workspace", |line| msg(line) == "workspace_started")?;
        ensure!(
            started["fields"]["found"] == "discovery" && started["fields"]["pid_ns"] == pid_ns,
            "the workspace is {pid_ns}: {started}"
        );
        pod.wait_for("of the announcement", |line| {
            msg(line) == "workspace_announced" && line["fields"]["pid_ns"] == pid_ns
        })
        .map(drop)
    })
}

fn runtime_default_and_two_capabilities_let_it_trace(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| check_least_privilege(pod.pid("exectrail")?))
}

/// `CriPod::exec` uses ExecSync, as a kubelet does for exec probes. `kubectl exec` uses Exec, which
/// also passes its standard streams.
fn an_exec_from_outside_is_recorded_with_its_container(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        pod.exec("workspace", &["/bin/echo", "from-outside"])?;
        let line = pod.wait_for("of the exec from outside", |line| {
            is_exec_of(line, &["/bin/echo", "from-outside"])
        })?;
        let event = &line["fields"]["event"];
        ensure!(event["entered"] == true, "not marked as entered: {event}");
        let id = pod.id("workspace")?;
        let shown = event["container_id"].as_str().context("no container_id")?;
        ensure!(
            id.starts_with(shown) && shown.len() == 12,
            "the container is {id}, not {shown}"
        );
        let lines = pod.log()?;
        for event in execs(&lines) {
            ensure!(
                event["container_id"] == shown && event["pid_ns"] == pod.pid_ns("workspace")?,
                "an exec of another container: {event}"
            );
            ensure!(event.get("nested_container_id").is_none(), "{event}");
        }
        Ok(())
    })
}

/// Both pods are on the node's network.
fn a_neighbor_of_containerd_is_not_recorded(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        let manifest = Manifest::of(plan, manifest::KUBERNETES_NATIVE, "neighbor", AGENT)?
            .on_host_network()
            .only_workspace("/bin/echo neighbor; exec sleep infinity");
        let neighbor = CriPod::start(manifest, CgroupDriver::of(plan))?;
        neighbor.exec("workspace", &["/bin/echo", "neighbor"])?;
        pod.exec("workspace", &["/bin/echo", "after-the-neighbor"])?;
        pod.wait_for("of the exec after the neighbor's", |line| {
            is_exec_of(line, &["/bin/echo", "after-the-neighbor"])
        })?;
        let pid_ns = pod.pid_ns("workspace")?;
        let lines = pod.log()?;
        for event in execs(&lines) {
            ensure!(
                event["workspace_pid_ns"] == pid_ns && !argv(event).contains(&"neighbor"),
                "an exec of the neighbor: {event}"
            );
        }
        ensure!(
            lines
                .iter()
                .filter(|line| msg(line) == "workspace_started")
                .count()
                == 1,
            "another workspace was found: {lines:?}"
        );
        Ok(())
    })
}

/// The coding agent's pod is made as docs/dev-containers-and-agents.md says. Each sidecar records
/// its own pod, and only lines of the coding agent's pod have the label `role`.
fn a_coding_agent_in_a_second_pod_has_a_log_of_its_own(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |workspace| {
        let coding = start_of(plan, manifest::CODING_AGENT, "coding")?;
        for (pod, word, role) in [
            (&*workspace, "developer", Value::Null),
            (&coding, "coding-agent", json!("coding-agent")),
        ] {
            let own = ["/bin/echo", word];
            pod.exec("workspace", &own)?;
            pod.wait_for("of its own exec", |line| is_exec_of(line, &own))?;
            let pid_ns = pod.pid_ns("workspace")?;
            let lines = pod.log()?;
            for event in execs(&lines) {
                ensure!(
                    event["workspace_pid_ns"] == pid_ns,
                    "an exec of the other pod: {event}"
                );
            }
            for line in &lines {
                let labels = &line["fields"]["labels"];
                ensure!(labels["role"] == role, "not the labels of {word}: {line}");
                ensure!(labels["workspace_name"].is_string(), "no name: {line}");
            }
        }
        Ok(())
    })
}

/// A log collector that does not join parts of lines still reads every line whole, however long an
/// argv is.
fn containerds_log_has_every_line_whole(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        let words: Vec<String> = [1_000, 15_000, 16_500, 60_000]
            .map(|length| "\u{1}w".repeat(length / 2))
            .into();
        let mut command = vec!["/bin/true"];
        command.extend(words.iter().map(String::as_str));
        pod.exec("workspace", &command)?;
        pod.exec("workspace", &["/bin/echo", "after-the-long-one"])?;
        pod.wait_for("of the next exec", |line| {
            is_exec_of(line, &["/bin/echo", "after-the-long-one"])
        })?;
        let log = fs::read_to_string(pod.log_file("exectrail")?)?;
        // `TIME STREAM TAG text`; the tag P marks a part of a line.
        for line in log.lines() {
            let mut fields = line.splitn(4, ' ').skip(2);
            let (tag, text) = (fields.next(), fields.next().unwrap_or_default());
            ensure!(
                tag == Some("F") && text.len() < LONGEST_PART,
                "a line of {} bytes has the tag {tag:?}",
                text.len()
            );
        }
        let lines = exectrail_testbed::long_argv::joined(pod.log()?);
        let events = execs(&lines);
        let long = events
            .iter()
            .find(|event| argv(event).len() == command.len())
            .context("no exec with the long argv")?;
        ensure!(argv(long) == command, "the long argv is not the one given");
        ensure!(
            lines.iter().filter(|line| msg(line) == "exec_argv").count() == 0,
            "exec_argv lines continue no exec"
        );
        Ok(())
    })
}

/// The workspace's container ends and is started again while the sidecar runs.
fn a_restarted_workspace_of_containerd_is_another_container(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        let (old, pid_ns) = (pod.id("workspace")?.to_owned(), pod.pid_ns("workspace")?);
        pod.stop_container("workspace", 30)?;
        pod.wait_for("of the workspace's end", |line| {
            msg(line) == "workspace_ended" && line["fields"]["pid_ns"] == pid_ns
        })?;
        pod.restart("workspace")?;
        let new = pod.id("workspace")?.to_owned();
        let in_container = |line: &Value, id: &str| {
            let shown = line["fields"]["event"]["container_id"].as_str();
            shown.is_some_and(|shown| id.starts_with(shown))
        };
        pod.wait_for("of the new agent", |line| {
            is_exec_of(line, &["/bin/echo", "agent"]) && in_container(line, &new)
        })?;
        let lines = pod.log()?;
        let place = |wanted: &dyn Fn(&Value) -> bool| lines.iter().rposition(wanted);
        let last_words = |line: &Value| is_exec_of(line, &["/bin/echo", "last-words"]);
        let places = [
            place(&last_words),
            place(&|line| msg(line) == "workspace_ended"),
            place(&|line| msg(line) == "workspace_started"),
        ];
        ensure!(
            places.is_sorted() && places[0] == place(&|line| in_container(line, &old)),
            "last exec, end and new start are in the places {places:?}: {lines:?}"
        );
        Ok(())
    })
}

fn a_killed_sidecar_of_containerd_comes_back(plan: &Plan, _: &Report) -> Result<()> {
    with_pod(plan, |pod| {
        run("kill", &["-KILL", &pod.pid("exectrail")?.to_string()])?;
        let code = pod.wait_for_end("exectrail")?;
        ensure!(code == 137, "it ended with {code}");
        pod.restart("exectrail")?;
        pod.wait_for("of the new run", |line| msg(line) == "tracing_started")?;
        pod.exec("workspace", &["/bin/echo", "after-the-restart"])?;
        let started = pod.wait_for("of the workspace", |line| msg(line) == "workspace_started")?;
        ensure!(started["fields"]["found"] == "state", "{started}");
        pod.wait_for("of the exec after the restart", |line| {
            is_exec_of(line, &["/bin/echo", "after-the-restart"])
        })
        .map(drop)
    })?;
    POD.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(())
}

fn a_native_sidecar_of_containerd_has_the_last_exec(plan: &Plan, _: &Report) -> Result<()> {
    let pod = start_of(plan, manifest::KUBERNETES_NATIVE, "stopped")?;
    let pid_ns = pod.pid_ns("workspace")?;
    pod.stop()?;
    // When a container has ended, containerd may still be copying its output.
    pod.wait_for("of the sidecar's end", |line| {
        msg(line) == "tracing_stopped"
    })?;
    let lines = pod.log()?;
    check_first_and_last(&lines, pod.manifest(), pid_ns)?;
    let code = pod.exit_code("exectrail")?;
    ensure!(code == Some(0), "the sidecar ended with {code:?}");
    let last = lines.last().context("the log is empty")?;
    ensure!(msg(last) == "tracing_stopped", "the last line is {last}");
    // `verify` reads the file unchanged, with containerd's own times and tags.
    run("/bin/exectrail", &["verify", &pod.log_file("exectrail")?]).map(drop)
}

/// The container announces itself before the build. The agent's script, which the module makes,
/// announces it once more. As in the template of Coder's registry, `host.docker.internal` replaces
/// `localhost` and `127.0.0.1` in the agent's script (`exectrail-vm/manifests.rs`). This does not
/// replace the sidecar's address, because the module writes it divided by quotes. Another script
/// replaces envbuilder (`machine/envbuilder.sh`).
fn a_dev_containers_build_and_its_agent_are_traced(plan: &Plan, _: &Report) -> Result<()> {
    let pod = start_of(plan, manifest::DEVCONTAINER, "devcontainer")?;
    let output = pod.output("workspace");
    ensure!(
        output.contains("exectrail: every exec in this workspace is recorded"),
        "the agent's script did not announce: {output}"
    );
    let lines = pod.log()?;
    let events = execs(&lines);
    let program = "/.envbuilder/bin/envbuilder";
    let ignored = "/var/run,/product_uuid,/product_name,/opt/exectrail";
    // Whole argv and user of execs, in this order, from the container's first exec on.
    let expected: [(&[&str], u32); 3] = [
        (&["/bin/sh", program], 0),
        (&["/bin/echo", "build-step", "by", "0", ignored], 0),
        (
            &[
                "/bin/echo",
                "access-url",
                "http://host.docker.internal:3000",
            ],
            1000,
        ),
    ];
    let first = events.first().context("no exec")?;
    ensure!(
        argv(first).starts_with(&["/opt/exectrail/exectrail", "announce"]),
        "the first exec is {first}"
    );
    let mut rest = events.iter();
    for (words, uid) in expected {
        let event = rest
            .find(|event| argv(event) == words)
            .with_context(|| format!("no exec of {words:?} in its place: {events:?}"))?;
        ensure!(event["uid"] == uid, "not by the user {uid}: {event}");
    }
    let pid_ns = pod.pid_ns("workspace")?;
    ensure!(
        events
            .iter()
            .all(|event| event["workspace_pid_ns"] == pid_ns),
        "an exec of another container: {events:?}"
    );
    Ok(())
}

fn two_agents_in_one_pod_are_two_workspaces(plan: &Plan, _: &Report) -> Result<()> {
    let pod = start_of(plan, manifest::TWO_AGENTS, "two-agents")?;
    let agents: [(&str, &[&str]); 2] = [
        ("workspace", &["/bin/echo", "agent"]),
        ("tools", &["/bin/echo", "agent", "tools"]),
    ];
    for (container, agent) in agents {
        let pid_ns = pod.pid_ns(container)?;
        let line = pod.wait_for("of the agent", |line| is_exec_of(line, agent))?;
        let event = &line["fields"]["event"];
        let id = event["container_id"].as_str().context("no container_id")?;
        ensure!(
            event["workspace_pid_ns"] == pid_ns && pod.id(container)?.starts_with(id),
            "not of the container {container}, {pid_ns}: {event}"
        );
        pod.wait_for("of the announcement", |line| {
            msg(line) == "workspace_announced" && line["fields"]["pid_ns"] == pid_ns
        })?;
    }
    ensure!(
        pod.pid_ns("workspace")? != pod.pid_ns("tools")?,
        "both have one PID namespace"
    );
    Ok(())
}
