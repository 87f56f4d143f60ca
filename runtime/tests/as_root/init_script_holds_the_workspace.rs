//! Tests of the Terraform module's init script in its final form: evaluated by the module, expanded
//! as the kubelet does, and run by three shells with every client that it supports.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::{scope, sleep},
    time::Duration,
};

use exectrail_templates::{Configuration, Given, Value, kubelet, module_directory};
use tempfile::TempDir;

use crate::{
    pod::{Pod, Sidecar, argv, execs, messages, wait_for},
    tools::{EXECTRAIL, needs_kernel, skip},
};

/// Shells that may run it in images: Debian's, most others', Alpine's.
const SHELLS: [&[&str]; 3] = [
    &["/usr/bin/dash"],
    &["/usr/bin/bash"],
    &["/bin/busybox", "sh"],
];

/// A program that can announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Curl,
    GnuWget,
    GnuWget2,
    BusyboxWget,
    Announce,
}

impl Client {
    const ALL: [Self; 5] = [
        Self::Curl,
        Self::GnuWget,
        Self::GnuWget2,
        Self::BusyboxWget,
        Self::Announce,
    ];

    /// Clients that can be the only one for a shell: this busybox always has its own wget.
    fn of(shell: &[&str]) -> Vec<Self> {
        let has_wget = shell.len() > 1;
        let mut all = Self::ALL.to_vec();
        all.retain(|client| !has_wget || matches!(client, Self::Curl | Self::BusyboxWget));
        all
    }
}

/// The module's init script that starts `agent`.
fn script(agent: &str, variables: &[(&str, Value)]) -> String {
    let mut given = Given::default();
    // An invalid client should not take as long as the limit for a slow image.
    let patience = Value::from(60);
    for (name, value) in [
        ("image", "exectrail".into()),
        ("script", agent.into()),
        ("announce_timeout_seconds", patience),
    ] {
        given.variables.insert(name.into(), value);
    }
    for (name, value) in variables {
        given.variables.insert((*name).to_owned(), value.clone());
    }
    let module = Configuration::read(&module_directory()).unwrap();
    let outputs = module.evaluate(&given).unwrap().outputs;
    kubelet::expand(
        outputs["init_script"].as_str().unwrap(),
        &Default::default(),
    )
}

/// An image: a directory with programs, which is all of PATH, and perhaps a mount of exectrail.
struct Image {
    dir: TempDir,
    mounted: bool,
}

impl Image {
    /// An image with these clients.
    fn with(clients: &[Client]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut mounted = false;
        let add = |name: &str, program: &str| symlink(program, dir.path().join(name)).unwrap();
        for program in ["date", "readlink", "sleep"] {
            add(program, &format!("/usr/bin/{program}"));
        }
        for client in clients {
            match client {
                Client::Curl => add("curl", "/usr/bin/curl"),
                Client::GnuWget => add("wget", "/usr/bin/wget"),
                Client::GnuWget2 => add("wget", "/usr/bin/wget2"),
                Client::BusyboxWget => add("wget", "/bin/busybox"),
                Client::Announce => mounted = true,
            }
        }
        Self { dir, mounted }
    }

    /// `command` becomes a container of this image, which runs `script` by `shell`.
    fn run(&self, mut command: Command, shell: &[&str], options: &[&str], script: &str) -> Command {
        // An init container puts it there in the same way, on a volume.
        let mount = "mount -t tmpfs volume /opt && \"$0\" install /opt/exectrail";
        let mount = if self.mounted { mount } else { ":" };
        command
            .args(["-c", &format!("{mount} && exec env -i \"$@\""), EXECTRAIL])
            .arg(format!("PATH={}", self.dir.path().display()))
            // Neither proxies nor a user's configuration may interfere.
            .args([
                "http_proxy=http://127.0.0.1:9",
                "HTTP_PROXY=http://127.0.0.1:9",
            ])
            .arg(format!("HOME={}", self.dir.path().display()))
            .args(shell)
            .args(options)
            .args(["-c", script]);
        command
    }

    /// Runs the script to its end in a separate container.
    fn output(&self, pod: &Pod, shell: &[&str], script: &str) -> Output {
        self.run(pod.container("sh"), shell, &[], script)
            .output()
            .unwrap()
    }
}

/// A minimal agent.
const AGENT: &str = "/usr/bin/uname -s\nexit 42\n";

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that the agent has not run, and that these words explain why.
fn assert_refused(output: &Output, status: i32, words: &[&str], what: &dyn std::fmt::Debug) {
    let said = stderr(output);
    assert_eq!(output.stdout, b"", "{what:?}: the agent has run");
    assert_eq!(output.status.code(), Some(status), "{what:?}: {said}");
    assert!(
        said.contains("this workspace does not start"),
        "{what:?}: {said}"
    );
    for word in words {
        assert!(said.contains(word), "{what:?}: {word:?} is not in: {said}");
    }
}

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

#[test]
#[ignore = "needs root: cargo xtask test"]
fn exectrail_itself_comes_first_where_it_is_mounted_for_that() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--log-level=debug"]);
    let script = script(AGENT, &[("announce_with", "exectrail".into())]);
    let image = Image::with(&[Client::Curl, Client::Announce]);
    let output = image.output(&pod, SHELLS[0], &script);
    assert_eq!(output.status.code(), Some(42), "{}", stderr(&output));
    let lines = sidecar.stop();
    let by_curl = execs(&lines).iter().any(|event| argv(event)[0] == "curl");
    assert!(!by_curl, "{lines:?}");
}

/// Options of the shell, unusual characters, variables and standard input are unchanged by the
/// script.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_follows_is_as_it_was() {
    needs_kernel!();
    let pod = Pod::new();
    let _sidecar = pod.sidecar(&["--announced-only"]);
    let image = Image::with(&[Client::Curl]);
    let odd = "it's \"quoted\" `back` ${HOME-} \\n $(NAME) $$x é🦀\ttab";
    let agent = format!(
        "cat_odd='{}'\nprintf '%s\\n' \"$cat_odd\" \"${{status-unset}}${{answer-unset}}${{pid_ns-unset}}${{address-unset}}\" \"$#\"\n(exit 3)\n",
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
            assert_eq!(
                printed,
                format!("{odd}\nunsetunsetunsetunset\n0\n"),
                "{shell:?} {options:?}"
            );
        }
        // The script is on standard input, as in `curl … | sh -s`: the clients must not read from
        // it.
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

#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_a_sidecar_nothing_starts() {
    needs_kernel!();
    let pod = Pod::new();
    let script = script(AGENT, &[("announce_timeout_seconds", 2.into())]);
    scope(|threads| {
        for shell in SHELLS {
            for client in Client::of(shell) {
                let (pod, script) = (&pod, &script);
                threads.spawn(move || {
                    let output = Image::with(&[client]).output(pod, shell, script);
                    let words = ["127.0.0.1:56123", "within 2 s", "--init-address"];
                    assert_refused(&output, 1, &words, &(shell, client));
                });
            }
        }
    });
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_503_is_shown_with_its_reason() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container("setpriv");
    command
        .args(["--bounding-set", "-all", EXECTRAIL])
        .args(["--init-address=127.0.0.1:56123", "--refusal-grace=60s"]);
    let sidecar = Sidecar::spawn(command);
    wait_for("the refusal", || {
        sidecar
            .diagnostics()
            .contains("cannot trace here")
            .then_some(())
    });
    let script = script(AGENT, &[]);
    for shell in SHELLS {
        for client in Client::of(shell) {
            let output = Image::with(&[client]).output(&pod, shell, &script);
            assert_refused(&output, 1, &["503", "CAP_BPF"], &(shell, client));
        }
    }
}

/// A workspace cannot have the sidecar's own PID namespace.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_403_is_shown_with_its_reason() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let own = sidecar.pid();
    let script = script(AGENT, &[]);
    scope(|threads| {
        for shell in SHELLS {
            for client in Client::of(shell) {
                let script = &script;
                threads.spawn(move || {
                    let mut command = Command::new("nsenter");
                    command.arg(format!("--target={own}")).args([
                        "--pid",
                        "--net",
                        "--",
                        "unshare",
                        "--mount",
                        "--mount-proc",
                        "sh",
                    ]);
                    let image = Image::with(&[client]);
                    let output = image.run(command, shell, &[], script).output().unwrap();
                    assert_refused(&output, 1, &["403", "exectrail's own"], &(shell, client));
                });
            }
        }
    });
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_image_without_any_client_is_told_what_to_add() {
    needs_kernel!();
    let pod = Pod::new();
    let _sidecar = pod.sidecar(&["--announced-only"]);
    let script = script(AGENT, &[]);
    for shell in SHELLS.iter().filter(|shell| shell.len() == 1) {
        let output = Image::with(&[]).output(&pod, shell, &script);
        assert_refused(
            &output,
            127,
            &["curl", "wget", "/opt/exectrail/exectrail"],
            shell,
        );
    }
}

/// Without this check it would ask for ever, and without a pause.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_image_without_the_time_or_a_pause_is_told_so() {
    needs_kernel!();
    let pod = Pod::new();
    let script = script(AGENT, &[]);
    // busybox has both as builtins.
    for shell in SHELLS.iter().filter(|shell| shell.len() == 1) {
        for program in ["date", "sleep"] {
            let image = Image::with(&[Client::Curl]);
            std::fs::remove_file(image.dir.path().join(program)).unwrap();
            let output = image.output(&pod, shell, &script);
            let question = format!("is {program} in the image?");
            assert_refused(&output, 1, &[&question], &(shell, program));
        }
    }
}

/// If the workspace is held, exectrail runs it, in every shell, and it ends with the agent's exit
/// status.
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
        // Without the sidecar, or without exectrail's program, nothing starts.
        let output = Image::with(&[]).output(&pod, shell, &script);
        assert_refused(&output, 127, &["/opt/exectrail/exectrail"], &shell);
    }
}

/// Shells parse it without errors, and shellcheck has no findings.
#[test]
fn it_is_posix() {
    for program in ["shellcheck", "busybox"] {
        if Command::new(program).arg("--help").output().is_err() {
            skip(
                concat!(module_path!(), "::it_is_posix"),
                &format!("no {program}"),
            );
            return;
        }
    }
    let file = module_directory().join("init.sh");
    let check = |program: &str, arguments: &[&str], file: &Path| {
        let output = Command::new(program).args(arguments).arg(file).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            stderr(&output)
        );
        assert!(
            output.status.success() && said.is_empty(),
            "{program}: {said}"
        );
    };
    let hold = module_directory().join("hold.sh");
    for file in [&file, &hold] {
        check("shellcheck", &["--shell=sh", "--severity=style"], file);
    }
    let dir = TempDir::new().unwrap();
    for (name, client, hold) in [
        ("one", "curl", 0),
        ("two", "exectrail", 0),
        ("three", "exectrail", 60),
    ] {
        let evaluated: PathBuf = dir.path().join(name);
        let given = [
            ("announce_with", client.into()),
            ("hold_seconds", hold.into()),
        ];
        let text = script(AGENT, &given);
        std::fs::write(&evaluated, text).unwrap();
        check(
            "shellcheck",
            &["--shell=sh", "--severity=style"],
            &evaluated,
        );
        check("dash", &["-n"], &evaluated);
        check("bash", &["--posix", "-n"], &evaluated);
        check("busybox", &["sh", "-n"], &evaluated);
    }
}
