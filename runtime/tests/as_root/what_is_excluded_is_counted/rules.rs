//! What each kind of rule matches.

use std::{os::unix::fs::PermissionsExt, process::Command};

use crate::tools::{EXECTRAIL, NOOP, needs_kernel};

use super::{filenames, run, suppressed};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_kind_of_rule_leaves_out_what_it_matches_and_no_more() {
    needs_kernel!();
    let script = "/bin/true; /usr/bin/true; /usr/bin/uname >/dev/null; \
                  env /bin/echo >/dev/null; \
                  setpriv --reuid=1234 --clear-groups /bin/cat </dev/null";
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
    expect("filename=./true", &[]);
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
    expect("filename=*/true", &["/bin/true", "/usr/bin/true"]);
    expect("filename=*/bin/true", &["/bin/true", "/usr/bin/true"]);
    expect("filename=*/usr/bin/true", &["/usr/bin/true"]);
    expect("filename=*/rue", &[]);
    expect("comm=env", &["/bin/echo"]);
    expect("comm=en", &[]);
    expect("comm=e*", &["/bin/sh", "/bin/echo"]);
    expect("uid=1234", &["/bin/cat"]);
    expect("uid=123", &[]);
    expect("filename=*", &all);

    // An inclusion takes precedence, in any order. An exec is counted for the first exclusion that
    // matches.
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

/// A prefix applies to files below a directory. A path with `..`, or a path whose end was not read,
/// can be outside the directory. A prefix of `--exclude` does not match such a path; a prefix of
/// `--include` does.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn paths_that_lead_elsewhere_are_recorded() {
    needs_kernel!();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("allowed")).unwrap();
    std::fs::copy(&*NOOP, path("evil")).unwrap();
    // The kernel accepts a path of 4,096 bytes with its NUL; for rules, 256 of them are read.
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

/// A rule matches the path of a script, and not the path of its interpreter. A rule with the
/// longest possible path matches that path, but does not match a longer path.
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

#[test]
fn what_is_no_rule_is_a_usage_error() {
    for (variable, flags, said) in [
        ("", &["--exclude=/bin/git"][..], "filename=PATH"),
        ("", &["--exclude=filename=*.so"], "last character"),
        ("", &["--exclude=filename=git"], "/usr/bin/git"),
        ("", &["--exclude=filename=/a,/b"], "a rule for each"),
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

/// A suffix is compared at the end of the path, whatever the length of the path. If a path is
/// longer than rules read, its end is not known, and its execs are recorded.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_suffix_matches_at_every_length_of_a_path() {
    needs_kernel!();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_str().unwrap().len();
    let mut script = String::from("set -e\n");
    let (mut short, mut long) = (0, Vec::new());
    for length in [root + 7, 62, 63, 64, 65, 66, 100, 253, 254, 255, 256, 300] {
        let below = length - root - "/node".len();
        let mut path = dir.path().to_path_buf();
        // Each name has at most 100 bytes (the kernel allows 255), and a slash before it.
        let names = "d".repeat(below - below.div_ceil(101));
        for part in names.as_bytes().chunks(100) {
            path.push(str::from_utf8(part).unwrap());
        }
        assert_eq!(path.as_os_str().len(), root + below);
        path.push("node");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(&*NOOP, &path).unwrap();
        let path = path.to_str().unwrap().to_owned();
        script.push_str(&format!("{path}\n{path}x || :\n"));
        std::fs::copy(&*NOOP, format!("{path}x")).unwrap();
        if path.len() < 255 {
            short += 1;
        } else {
            long.push(path);
        }
    }
    let file = dir.path().join("script");
    std::fs::write(&file, script).unwrap();
    let command = ["/bin/sh", file.to_str().unwrap()];
    let lines = run(&["--exclude=filename=*/node"], &command);
    assert_eq!(suppressed(&lines), [("filename=*/node", short)].into());
    let seen = filenames(&lines).into_iter();
    let seen: Vec<&str> = seen.filter(|path| path.ends_with("/node")).collect();
    assert_eq!(seen, long);
}
