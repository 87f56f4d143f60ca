//! Metrics and lines have the same counts; Kubernetes' requests for liveness and readiness get the
//! right answers.

use std::collections::BTreeMap;

use crate::{
    pod::{Pod, execs, messages, wait_for},
    tools::{NOOP, TOOL, needs_kernel},
};

/// Queries the metrics address of a pod with curl: status, content type and body.
fn scrape(pod: &Pod, path: &str, arguments: &[&str]) -> (u16, String, String) {
    let output = pod
        .command("curl")
        .args(["--silent", "--show-error", "--max-time", "20"])
        .args(["--write-out", "\n%{http_code} %{content_type}"])
        .args(arguments)
        .arg(format!("http://127.0.0.1:9464{path}"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, head) = text.rsplit_once('\n').unwrap();
    let (status, content_type) = head.split_once(' ').unwrap();
    (
        status.parse().unwrap(),
        content_type.to_owned(),
        body.to_owned(),
    )
}

/// The samples of a body: the text before the last space of a line, and the text after it.
fn samples(body: &str) -> BTreeMap<&str, u64> {
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| line.rsplit_once(' ').unwrap());
    samples
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_same_counts_as_lines() {
    needs_kernel!();
    let pod = Pod::new();
    let noop = format!("filename={}", NOOP.display());
    let sidecar = pod.sidecar(&[
        "--announced-only",
        "--metrics-address=127.0.0.1:9464",
        "--exclude=comm=nosuch",
        "--exclude",
        &noop,
        "--rate-limit=1/h",
        "--rate-burst=5",
    ]);
    let workspace = pod.workspace();
    // The diagnostics have lines for only twenty of these refusals; the metrics count all refusals.
    for _ in 0..25 {
        assert_eq!(workspace.announce_as(0).0, 403);
    }
    assert_eq!(workspace.announce().0, 204);
    workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "50"]);
    for _ in 0..6 {
        workspace.run("true", &[]);
    }
    let body = wait_for("the counts of suppressed execs", || {
        let (status, content_type, body) = scrape(&pod, "/metrics", &[]);
        assert_eq!(status, 200);
        assert!(content_type.starts_with("text/plain; version=0.0.4"));
        (samples(&body).get(r#"exectrail_suppressed_total{by="exclude",rule="1"}"#) == Some(&50)
            && samples(&body)[r#"exectrail_events_total{of="exec"}"#] == 5)
            .then_some(body)
    });
    let samples = samples(&body);
    let rate_limited = samples
        .iter()
        .find(|(name, _)| name.contains("rate_limit"))
        .unwrap();
    assert_eq!(*rate_limited.1, 2);
    assert_eq!(samples[r#"exectrail_lost_total{of="exec"}"#], 0);
    assert_eq!(samples["exectrail_workspaces"], 1);
    assert_eq!(
        samples[r#"exectrail_announcements_total{result="accepted"}"#],
        1
    );
    assert_eq!(
        samples[r#"exectrail_announcements_total{result="zero"}"#],
        25
    );
    // The metrics do not show what the rules match, so they reveal no name that suppresses an exec.
    assert!(
        !body.contains(noop.as_str()) && !body.contains("nosuch"),
        "{body}"
    );

    assert_eq!(scrape(&pod, "/", &[]).0, 404);
    assert_eq!(scrape(&pod, "/metrics", &["--request", "POST"]).0, 405);
    assert_eq!(scrape(&pod, "/metrics", &["--head"]).0, 200);

    let lines = sidecar.stop();
    assert_eq!(execs(&lines).len(), 5);
    let stopped = &messages(&lines, "tracing_stopped")[0]["fields"];
    assert_eq!(stopped["suppressed"], 52);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn by_default_only_the_init_address_is_open() {
    needs_kernel!();
    let pod = Pod::new();
    let _sidecar = pod.sidecar(&["--announced-only"]);
    let sockets = pod
        .command("cat")
        .args(["/proc/self/net/tcp", "/proc/self/net/tcp6"])
        .output()
        .unwrap();
    let sockets = String::from_utf8(sockets.stdout).unwrap();
    // State 0A is TCP_LISTEN (include/net/tcp_states.h).
    let listening = sockets.lines().filter(|line| line.contains(" 0A "));
    assert_eq!(listening.count(), 1, "{sockets}");
}

/// Prometheus' own linter has no findings in either format.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn promtool_finds_nothing_wrong() {
    needs_kernel!();
    let found = std::process::Command::new("promtool")
        .arg("--version")
        .output();
    if found.is_err() {
        crate::tools::skip("promtool_finds_nothing_wrong", "promtool is not installed");
        return;
    }
    let pod = Pod::new();
    let sidecar = pod.sidecar(&[
        "--metrics-address=127.0.0.1:9464",
        "--exclude=comm=nosuch",
        "--rate-limit=1/h",
        "--exit-events",
    ]);
    assert_eq!(pod.workspace().announce().0, 204);
    let open = "application/openmetrics-text";
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                      text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    for (accept, expected) in [
        ("*/*", "text/plain; version=0.0.4"),
        ("text/plain", "text/plain; version=0.0.4"),
        (open, "application/openmetrics-text; version=1.0.0"),
        (prometheus, "application/openmetrics-text; version=1.0.0"),
    ] {
        let header = format!("Accept: {accept}");
        let (status, content_type, body) = scrape(&pod, "/metrics", &["--header", &header]);
        assert_eq!(status, 200);
        assert!(content_type.starts_with(expected), "{content_type}");
        assert_eq!(
            body.ends_with("# EOF\n"),
            expected.starts_with(open),
            "{body}"
        );
        let mut promtool = std::process::Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = promtool.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, body.as_bytes()).unwrap();
        drop(input);
        let output = promtool.wait_with_output().unwrap();
        assert!(output.status.success(), "{accept}: {output:?}\n{body}");
        assert!(
            output.stdout.is_empty() && output.stderr.is_empty(),
            "{output:?}"
        );
    }
    sidecar.stop();
}

/// exectrail is ready if it traces and listens, and live if it answers. `exectrail ready` agrees.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn readiness_is_tracing_and_listening() {
    needs_kernel!();
    let pod = Pod::new();
    let script = "import socket, sys\n\
        s = socket.socket(); s.bind(('127.0.0.1', 56123)); s.listen()\n\
        print('held', flush=True); sys.stdin.read()";
    let mut squatter = pod
        .command("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 4];
    std::io::Read::read_exact(squatter.stdout.as_mut().unwrap(), &mut held).unwrap();
    let sidecar = pod.sidecar(&["--metrics-address=127.0.0.1:9464"]);
    let ready = || {
        let mut command = pod.command(crate::tools::EXECTRAIL);
        command.stderr(std::process::Stdio::null());
        command.arg("ready").status().unwrap().success()
    };
    assert_eq!(scrape(&pod, "/livez", &[]).0, 200);
    let (status, _, reason) = scrape(&pod, "/readyz", &[]);
    assert_eq!(status, 503);
    assert!(
        reason.contains("address for announcements cannot be bound"),
        "{reason}"
    );
    assert!(!ready());
    let (_, _, body) = scrape(&pod, "/metrics", &[]);
    assert_eq!(samples(&body)["exectrail_tracing"], 1);
    assert_eq!(samples(&body)["exectrail_listening"], 0);
    drop(squatter.stdin.take());
    squatter.wait().unwrap();
    wait_for("readiness", || {
        (scrape(&pod, "/readyz", &[]).0 == 200).then_some(())
    });
    assert!(ready());
    assert_eq!(scrape(&pod, "/readyz", &["--request", "POST"]).0, 405);
    assert_eq!(scrape(&pod, "/livez", &["--head"]).0, 200);
    sidecar.stop();
}

/// Many clients that connect to the metrics address and send nothing prevent neither announcements
/// nor scrapes.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn idle_clients_harm_nobody_else() {
    needs_kernel!();
    let pod = Pod::new();
    let _sidecar = pod.sidecar(&["--announced-only", "--metrics-address=127.0.0.1:9464"]);
    let script = "for i in $(seq 40); do exec {fd}<>/dev/tcp/127.0.0.1/9464; done; echo on; read";
    let mut idle = pod
        .command("bash")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut on = [0; 2];
    std::io::Read::read_exact(idle.stdout.as_mut().unwrap(), &mut on).unwrap();
    assert_eq!(pod.workspace().announce().0, 204);
    // If there are too many clients, a new client replaces an idle client.
    assert_eq!(scrape(&pod, "/metrics", &["--retry", "3"]).0, 200);
    drop(idle.stdin.take());
    idle.wait().unwrap();
}
