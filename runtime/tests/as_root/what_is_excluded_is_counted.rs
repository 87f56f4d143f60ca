use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::Path, process::Command};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    pod::{Pod, Sidecar, execs, messages, wait_for},
    tools::{EXECTRAIL, NOOP, TOOL, needs_kernel},
};

/// The lines of `exectrail run` with these flags.
fn run(flags: &[&str], command: &[&str]) -> Vec<Value> {
    let output = Command::new(EXECTRAIL)
        .args(["run", "--output=json"])
        .args(flags)
        .arg("--")
        .args(command)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Number of execs in the `suppressed` lines, by rule or rate; the last line must have the same
/// sum.
fn suppressed(lines: &[Value]) -> BTreeMap<&str, u64> {
    let mut by_cause = BTreeMap::new();
    let mut sum = 0;
    for line in messages(lines, "suppressed") {
        let fields = &line["fields"];
        let cause = fields["rule"].as_str().or(fields["rate"].as_str()).unwrap();
        let count = fields["count"].as_u64().unwrap();
        assert!(count > 0);
        assert!(
            fields["since"].as_str() <= fields["until"].as_str(),
            "{line}"
        );
        *by_cause.entry(cause).or_default() += count;
        sum += count;
        assert_eq!(fields["total"], sum, "{line}");
    }
    let stopped = &messages(lines, "tracing_stopped")[0]["fields"];
    assert_eq!(stopped["suppressed"], sum);
    assert_eq!(stopped["execs"], execs(lines).len());
    by_cause
}

/// Number of execs in the `lost` lines.
fn lost(lines: &[Value]) -> u64 {
    let counts = messages(lines, "lost");
    let counts = counts.iter().map(|line| line["fields"]["count"].as_u64());
    counts.map(Option::unwrap).sum()
}

fn filenames(lines: &[Value]) -> Vec<&str> {
    let events = execs(lines).into_iter();
    events
        .map(|event| event["filename"].as_str().unwrap())
        .collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_kind_of_rule_leaves_out_what_it_matches_and_no_more() {
    needs_kernel!();
    let script = "/bin/true; /usr/bin/true; /usr/bin/uname >/dev/null; \
                  env /bin/echo >/dev/null; setpriv --reuid=1234 --clear-groups /bin/cat </dev/null";
    let run = |flags: &[&str]| {
        let lines = run(flags, &["/bin/sh", "-c", script]);
        let seen: Vec<String> = filenames(&lines).into_iter().map(Into::into).collect();
        let suppressed = suppressed(&lines);
        let suppressed: Vec<_> = suppressed
            .into_iter()
            .map(|(cause, count)| (cause.to_owned(), count))
            .collect();
        (seen, suppressed)
    };
    let all = [
        "/bin/sh",
        "/bin/true",
        "/usr/bin/true",
        "/usr/bin/uname",
        "/usr/bin/env",
        "/bin/echo",
        "/usr/bin/setpriv",
        "/bin/cat",
    ];
    assert_eq!(run(&[]), (all.map(String::from).to_vec(), vec![]));
    let expect = |rule: &str, left_out: &[&str]| {
        let (seen, suppressed) = run(&["--exclude", rule]);
        let expected: Vec<_> = all.iter().filter(|file| !left_out.contains(file)).collect();
        assert_eq!(seen.iter().collect::<Vec<_>>(), expected, "{rule}");
        let expected: Vec<_> = Some((rule.to_owned(), left_out.len() as u64))
            .filter(|(_, count)| *count > 0)
            .into_iter()
            .collect();
        assert_eq!(suppressed, expected, "{rule}");
    };
    expect("filename=/bin/true", &["/bin/true"]);
    expect("filename=/bin/tru", &[]);
    expect("filename=true", &[]);
    expect(
        "filename=/usr/bin/*",
        &[
            "/usr/bin/true",
            "/usr/bin/uname",
            "/usr/bin/env",
            "/usr/bin/setpriv",
        ],
    );
    expect(
        "filename=/bin/*",
        &["/bin/sh", "/bin/true", "/bin/echo", "/bin/cat"],
    );
    expect("comm=env", &["/bin/echo"]);
    expect("comm=en", &[]);
    expect("comm=e*", &["/bin/sh", "/bin/echo"]);
    expect("uid=1234", &["/bin/cat"]);
    expect("uid=123", &[]);
    expect("filename=*", &all);

    // An inclusion takes precedence, in any order; the first rule that matches counts.
    let (seen, suppressed) = run(&[
        "--exclude=filename=/usr/*",
        "--include=filename=/usr/bin/uname",
        "--exclude=filename=*",
        "--include=comm=set*",
    ]);
    assert_eq!(seen, ["/usr/bin/uname", "/bin/cat"]);
    let expected = [("filename=*", 3), ("filename=/usr/*", 3)];
    assert_eq!(
        suppressed,
        expected.map(|(cause, count)| (cause.to_owned(), count))
    );
}

/// A prefix applies to files below a directory. It neither suppresses nor includes a path with
/// `..`, or a path whose end was not read.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn paths_that_lead_elsewhere_are_recorded() {
    needs_kernel!();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("allowed")).unwrap();
    std::fs::copy(&*NOOP, path("evil")).unwrap();
    // The kernel accepts a path of 4,096 bytes; rules check 256.
    let long = format!("{}/{}evil", path("allowed"), "./".repeat(150));
    std::fs::copy(&*NOOP, path("allowed/evil")).unwrap();
    let near = format!("{}/..evil", path("allowed"));
    std::fs::copy(&*NOOP, &near).unwrap();
    let up = path("allowed/../evil");
    let script = format!(
        "{up}; {long}; {near}; {}; {}",
        path("allowed/evil"),
        path("evil")
    );
    let rule = format!("filename={}/*", path("allowed"));
    let lines = run(&["--exclude", &rule], &["/bin/sh", "-c", &script]);
    assert_eq!(
        filenames(&lines),
        ["/bin/sh", &up, &long, &near, &path("evil")]
    );
    assert_eq!(suppressed(&lines), [(&*rule, 1)].into());
    let lines = run(
        &["--include", &rule, "--exclude=filename=*"],
        &["/bin/sh", "-c", &script],
    );
    assert_eq!(
        filenames(&lines),
        [&up, &long, &near, &path("allowed/evil")]
    );
    // A rule that has a whole path matches exactly that path.
    let rule = format!("filename={up}");
    let lines = run(&["--exclude", &rule], &["/bin/sh", "-c", &script]);
    assert_eq!(suppressed(&lines), [(&*rule, 1)].into());
}

/// The rule matches the path of a script, not its interpreter; and the longest path that a rule can
/// have.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn scripts_and_long_paths_are_matched_by_their_own_name() {
    needs_kernel!();
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    let rule = format!("filename={script}");
    assert_eq!(
        suppressed(&run(&["--exclude", &rule], &[script])),
        [(&*rule, 1)].into()
    );
    let lines = run(&["--exclude=filename=/bin/sh"], &[script]);
    assert_eq!(filenames(&lines), [script]);

    let base = dir.path().to_str().unwrap();
    let longest = format!("{base}/{}", "x".repeat(254 - base.len() - 1));
    std::fs::copy(&*NOOP, &longest).unwrap();
    std::fs::copy(&*NOOP, format!("{longest}y")).unwrap();
    let rule = format!("filename={longest}");
    let both = format!("{longest}; {longest}y");
    let lines = run(&["--exclude", &rule], &["/bin/sh", "-c", &both]);
    assert_eq!(filenames(&lines), ["/bin/sh", &format!("{longest}y")]);
}

/// Runs `count` programs in each of two processes at once, while exectrail does not read.
fn bursts(pod: &Pod, sidecar: &Sidecar, count: u64) {
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    // Wait until exectrail is idle; otherwise it may read records of the announcement in between.
    std::thread::sleep(std::time::Duration::from_millis(300));
    sidecar.signal(Signal::STOP);
    let start = || {
        let mut command = workspace.command(&*TOOL);
        let command = command.arg("burst").arg(&*NOOP).arg(count.to_string());
        command.spawn().unwrap()
    };
    for mut burst in [start(), start()] {
        assert!(burst.wait().unwrap().success());
    }
    sidecar.signal(Signal::CONT);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn kept_and_lost_and_left_out_are_all_that_ran() {
    needs_kernel!();
    let noop = format!("filename={}", NOOP.display());
    for (flags, kept) in [
        // By a rule, with a count for each CPU.
        (&["--exclude", &noop][..], 2..3),
        // By the bucket, which all CPUs share: each may take one token too many.
        (&["--rate-limit=1/h", "--rate-burst=1000"], 1000..1010),
        // With a ring that also overflows.
        (
            &[
                "--rate-limit=1/h",
                "--rate-burst=1500",
                "--ring-bytes=16KiB",
            ],
            1..1500,
        ),
    ] {
        let pod = Pod::new();
        let sidecar = pod.sidecar(&[&["--announced-only"], flags].concat());
        bursts(&pod, &sidecar, 3_000);
        let lines = sidecar.stop();
        let suppressed: u64 = suppressed(&lines).values().sum();
        let lost = lost(&lines);
        let seen = execs(&lines).len() as u64;
        assert_eq!(seen + lost + suppressed, 6_000 + 2, "{flags:?}");
        assert!(kept.contains(&seen), "{flags:?} kept {seen}");
        assert!(suppressed > 0, "{flags:?}");
        assert_eq!(lost > 0, flags.len() == 3, "{flags:?} lost {lost}");
    }
}

/// Numbers have no gaps where execs are suppressed, and `exectrail verify` finds a line that was
/// removed.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn verify_accepts_what_is_left_out() {
    needs_kernel!();
    let pod = Pod::new();
    let noop = format!("filename={}", NOOP.display());
    let sidecar = pod.sidecar(&["--announced-only", "--exclude", &noop]);
    bursts(&pod, &sidecar, 50);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run("true", &[]);
    let lines = sidecar.stop();
    let log = pod.dir.path().join("log");
    let verify = |lines: &[Value]| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&log, text).unwrap();
        let output = Command::new(EXECTRAIL).arg("verify").arg(&log).output();
        let output = output.unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), report)
    };
    let (status, report) = verify(&lines);
    assert_eq!(status, Some(0), "{report}");
    assert!(
        report.contains("3 execs, 0 lost, 100 suppressed"),
        "{report}"
    );
    assert!(report.contains("every exec is accounted for"), "{report}");
    let without: Vec<_> = lines
        .into_iter()
        .filter(|line| line["msg"] != "suppressed")
        .collect();
    let (status, report) = verify(&without);
    assert_eq!(status, Some(1), "{report}");
}

/// A flood in one workspace does not affect another.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_workspace_has_its_own_bucket() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--rate-limit=1/h", "--rate-burst=20"]);
    let workspaces = [pod.workspace(), pod.workspace()];
    for (workspace, count) in workspaces.iter().zip(["100", "10"]) {
        assert_eq!(workspace.announce().0, 204);
        workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), count]);
    }
    let lines = sidecar.stop();
    let events = execs(&lines);
    let kept = workspaces.each_ref().map(|workspace| {
        let of_it = events
            .iter()
            .filter(|event| event["workspace_pid_ns"] == workspace.pid_ns());
        of_it.count()
    });
    assert_eq!(kept, [20, 11]);
    let [line] = messages(&lines, "suppressed")[..] else {
        panic!("one workspace is held up: {lines:#?}");
    };
    assert_eq!(line["level"], "WARN");
    let fields = &line["fields"];
    assert_eq!(fields["by"], "rate_limit");
    assert_eq!(fields["count"], 81);
    assert_eq!(fields["workspace_pid_ns"], workspaces[0].pid_ns());
}

/// A bucket fills again over time.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_rate_is_kept() {
    needs_kernel!();
    let script = "for i in 1 2 3 4 5 6 7 8; do /bin/true; sleep 0.5; done";
    let lines = run(
        &[
            "--rate-limit=1/s",
            "--rate-burst=1",
            "--exclude=filename=/usr/*",
        ],
        &["/bin/sh", "-c", script],
    );
    // 4 s at one per second, and more if the machine is slow.
    let kept = execs(&lines).len();
    let suppressed = suppressed(&lines);
    assert_eq!(suppressed["filename=/usr/*"], 8);
    assert_eq!(kept as u64 + suppressed["1/s"], 9);
    assert!(kept >= 4, "{kept} were kept");
    let times: Vec<jiff::Timestamp> = messages(&lines, "exec")
        .iter()
        .map(|line| line["ts"].as_str().unwrap().parse().unwrap())
        .collect();
    for pair in times.windows(2) {
        let apart = pair[1].duration_since(pair[0]);
        // The wall clock may be slewed.
        assert!(apart.as_millis() >= 990, "{times:?}");
    }
}

/// The log itself states what is suppressed, also if nothing else happens.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_log_tells_its_rules_and_what_they_left_out_in_time() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container(EXECTRAIL);
    command
        .args(["--init-address=127.0.0.1:56123", "--exclude=comm=other"])
        .args(["--rate-limit=100/s", "--announced-only"])
        .env(
            "EXECTRAIL_EXCLUDE",
            format!("filename={}\n\nuid=77", NOOP.display()),
        )
        .env("EXECTRAIL_INCLUDE", "filename=/opt/*");
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    workspace.run(&*NOOP, &[]);
    let line = wait_for("a suppressed line", || {
        let lines = sidecar.lines();
        messages(&lines, "suppressed")
            .first()
            .map(|line| (*line).clone())
    });
    assert_eq!(line["fields"]["count"], 1);
    assert_eq!(line["fields"]["by"], "exclude");
    let lines = sidecar.stop();
    let started = &lines[0]["fields"];
    let noop = format!("filename={}", NOOP.display());
    assert_eq!(
        started["exclude"],
        serde_json::json!([noop, "uid=77", "comm=other"])
    );
    assert_eq!(started["include"], serde_json::json!(["filename=/opt/*"]));
    assert_eq!(started["rate_limit"], "100/s");
    assert_eq!(started["rate_burst"], 100);
}

#[test]
fn what_is_no_rule_is_a_usage_error() {
    for (variable, flags, said) in [
        ("", &["--exclude=/bin/git"][..], "filename=PATH"),
        ("", &["--exclude=filename=*.so"], "last character"),
        ("", &["--include=uid=0"], "--exclude 'filename=*'"),
        ("", &["--rate-limit=fast"], "1000/s"),
        ("comm=a\nnothing", &[], "in EXECTRAIL_EXCLUDE: \"nothing\""),
    ] {
        let output = Command::new(EXECTRAIL)
            .args(flags)
            .env("EXECTRAIL_EXCLUDE", variable)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {text}");
        assert!(text.contains(said), "{flags:?}: {text}");
    }
}

/// Size of the `exec` program: the instructions that the verifier processed, and the bytes of those
/// that remain.
fn program_of(sidecar: &Sidecar) -> (u32, u32) {
    let dir = Path::new("/proc")
        .join(sidecar.pid().to_string())
        .join("fdinfo");
    let ids: Vec<u32> = std::fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| {
            let text = std::fs::read_to_string(entry.unwrap().path()).ok()?;
            let id = text
                .lines()
                .find_map(|line| line.strip_prefix("prog_id:"))?;
            id.trim().parse().ok()
        })
        .collect();
    aya::programs::loaded_programs()
        .flatten()
        .filter(|program| ids.contains(&program.id()) && program.name() == b"exec")
        .map(|program| {
            let verified = program.verified_instruction_count().unwrap_or(0);
            (verified, program.size_translated().unwrap())
        })
        .next()
        .unwrap()
}

/// A feature that is off is not in the program: the verifier removes the code that constants
/// exclude.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn limits_that_are_off_cost_nothing() {
    needs_kernel!();
    // Use a separate pod each time: a killed exectrail may hold the init address a little longer.
    let program = |flags: &[&str]| program_of(&Pod::new().sidecar(flags));
    let off = program(&[]);
    let sizes = [
        program(&["--exclude=uid=1"]),
        program(&["--exclude=uid=1", "--exclude=comm=a"]),
        program(&[
            "--exclude=uid=1",
            "--exclude=comm=a",
            "--exclude=filename=a",
        ]),
    ];
    let bucket = program(&["--rate-limit=1/s"]);
    println!("off {off:?}, rules {sizes:?}, bucket {bucket:?}");
    assert!(off.1 < sizes[0].1 && off.1 < bucket.1);
    assert!(sizes[0].1 < sizes[1].1 && sizes[1].1 < sizes[2].1);
    // The number of instructions is exactly the same in every pod.
    assert_eq!(program(&[]), off);
}
