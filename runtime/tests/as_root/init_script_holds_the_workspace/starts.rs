//! The script announces the workspace, and starts the agent.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use crate::{
    pod::{Pod, argv, execs, messages},
    tools::needs_kernel,
};

use super::{AGENT, Client, Image, SHELLS, assert_refused, script, stderr};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn with_every_shell_and_every_client() {
    needs_kernel!();
    let script = script(AGENT, &[]);
    for shell in SHELLS {
        let pod = Pod::new();
        let sidecar = pod.sidecar(&["--announced-only"]);
        let clients = Client::of(shell);
        for client in &clients {
            let image = Image::with(&[*client]);
            let output = image.output(&pod, shell, &script);
            let said = stderr(&output);
            assert_eq!(
                output.status.code(),
                Some(42),
                "{shell:?} {client:?}: {said}"
            );
            assert_eq!(output.stdout, b"Linux\n", "{shell:?} {client:?}");
            assert!(
                said.contains("every exec in this workspace is recorded"),
                "{said}"
            );
        }
        let lines = sidecar.stop();
        // All execs of the agent are recorded, in each run.
        let events = execs(&lines);
        let agents = events
            .iter()
            .filter(|event| argv(event) == ["/usr/bin/uname", "-s"]);
        assert_eq!(agents.count(), clients.len(), "{shell:?}");
        assert_eq!(
            messages(&lines, "workspace_started").len(),
            clients.len(),
            "{shell:?}"
        );
    }
}

/// The image has a curl that fails, as a curl does that lacks a library.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_a_curl_that_runs_wget_announces() {
    needs_kernel!();
    let image = Image::with(&[Client::GnuWget]);
    let curl = image.dir.path().join("curl");
    fs::write(&curl, "#!/bin/sh\nexit 127\n").unwrap();
    fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).unwrap();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let output = image.output(&pod, SHELLS[0], &script(AGENT, &[]));
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
    assert_eq!(messages(&sidecar.stop(), "workspace_started").len(), 1);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn exectrail_itself_comes_first_where_it_is_mounted_for_that() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let script = script(AGENT, &[("announce_with", "exectrail".into())]);
    let image = Image::with(&[Client::Announce]);
    let curl = image.dir.path().join("curl");
    fs::write(&curl, "#!/bin/sh\n: >\"$0.ran\"\nexit 1\n").unwrap();
    fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).unwrap();
    let output = image.output(&pod, SHELLS[0], &script);
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
    assert!(!image.dir.path().join("curl.ran").exists());
    assert_eq!(messages(&sidecar.stop(), "workspace_started").len(), 1);
}

/// The agent prints unusual characters unchanged, with each option of the shell that the test sets.
/// The agent still has the option, and has no variable and no argument of the script. The script's
/// clients do not read standard input.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_agent_is_not_affected_by_the_script_before_it() {
    needs_kernel!();
    let pod = Pod::new();
    let _sidecar = pod.sidecar(&["--announced-only"]);
    let image = Image::with(&[Client::Curl]);
    let odd = "it's \"quoted\" `back` ${HOME-} \\n $(NAME) $$x é🦀\ttab";
    let agent = format!(
        "cat_odd='{}'\nprintf '%s\\n' \"$cat_odd\" \
         \"${{status-unset}}${{answer-unset}}${{pid_ns-unset}}${{address-unset}}\" \
         \"$#\" \"=$-\"\n(exit 3)\n",
        odd.replace('\'', "'\\''")
    );
    let script = script(&agent, &[]);
    for shell in SHELLS {
        for options in [&[][..], &["-e"], &["-u"], &["-eu"], &["-f"], &["-x"]] {
            let output = image
                .run(pod.container("sh"), shell, options, &script)
                .output()
                .unwrap();
            let said = stderr(&output);
            assert_eq!(
                output.status.code(),
                Some(3),
                "{shell:?} {options:?}: {said}"
            );
            let printed = String::from_utf8(output.stdout).unwrap();
            let (printed, kept) = printed.trim_end().rsplit_once('\n').unwrap();
            assert_eq!(
                printed,
                format!("{odd}\nunsetunsetunsetunset\n0"),
                "{shell:?} {options:?}"
            );
            for letter in ['e', 'u', 'f', 'x'] {
                assert_eq!(
                    kept.contains(letter),
                    options.concat().contains(letter),
                    "{shell:?} {options:?}: {kept}"
                );
            }
        }
        // The script is on standard input, as in `curl … | sh -s`, so its clients must not read
        // standard input.
        let mut command = image.run(pod.container("sh"), shell, &[], "exec \"$@\"");
        command
            .arg("sh")
            .args(shell)
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{shell:?} -s");
        assert!(output.stdout.starts_with(odd.as_bytes()), "{shell:?} -s");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_sidecar_that_comes_late_is_waited_for() {
    needs_kernel!();
    let script = script(AGENT, &[]);
    let runs: Vec<(&[&str], Client)> = SHELLS
        .iter()
        .flat_map(|shell| Client::of(shell).into_iter().map(|client| (*shell, client)))
        .collect();
    let pod = Pod::new();
    let images: Vec<Image> = runs
        .iter()
        .map(|(_, client)| Image::with(&[*client]))
        .collect();
    let children: Vec<_> = runs
        .iter()
        .zip(&images)
        .map(|((shell, _), image)| {
            let mut command = image.run(pod.container("sh"), shell, &[], &script);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    sleep(Duration::from_secs(5));
    let _sidecar = pod.sidecar(&["--announced-only"]);
    for (run, child) in runs.iter().zip(children) {
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(42), "{run:?}: {said}");
        assert!(
            said.contains("waiting for exectrail at 127.0.0.1:56123"),
            "{run:?}: {said}"
        );
    }
}

/// With `hold_seconds`, each shell starts the agent under exectrail. The agent's execs are
/// recorded, and the workspace ends with the agent's exit status.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_held_workspace_is_recorded_and_ends_with_its_status() {
    needs_kernel!();
    let given = [
        ("announce_with", "exectrail".into()),
        ("hold_seconds", 60.into()),
    ];
    let script = script(AGENT, &given);
    for shell in SHELLS {
        let pod = Pod::new();
        let sidecar = pod.sidecar(&["--announced-only"]);
        let image = Image::with(&[Client::Announce]);
        symlink("/usr/bin/dash", image.dir.path().join("sh")).unwrap();
        let output = image.output(&pod, shell, &script);
        assert_eq!(output.status.code(), Some(42), "{shell:?}: {output:?}");
        assert_eq!(output.stdout, b"Linux\n", "{shell:?}: {output:?}");
        let lines = sidecar.stop();
        let events = execs(&lines);
        assert_eq!(argv(events.last().unwrap()), ["/usr/bin/uname", "-s"]);
        // Without exectrail's program, nothing starts.
        let output = Image::with(&[]).output(&pod, shell, &script);
        assert_refused(&output, 127, &["/opt/exectrail/exectrail"], &shell);
    }
}
