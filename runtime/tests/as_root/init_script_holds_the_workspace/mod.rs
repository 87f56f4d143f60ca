//! Tests of the Terraform module's init script with the module's values, expanded as the kubelet
//! does it. Three shells run the script, each with the clients that it can use.

mod refusals;
mod starts;

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use exectrail_templates::{Configuration, Given, Value, kubelet, module_directory};
use tempfile::TempDir;

use crate::{
    pod::Pod,
    tools::{EXECTRAIL, skip},
};

/// Shells that run the script in images: dash (Debian), bash (most other images) and busybox
/// (Alpine).
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

    /// Clients that the script uses in this shell if the image has no other client. busybox always
    /// has its own wget. The only client that the script prefers to this wget is curl.
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
    // A client that fails should not take as long as the default time, which is for slow images.
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

/// An image: a directory with programs, the only directory in PATH; exectrail may be mounted, too.
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
        // The directory is also HOME. A client that reads its configuration file from HOME does not
        // reach exectrail.
        for (file, text) in [
            (".curlrc", "connect-to = \"::127.0.0.1:9\"\n"),
            (".wgetrc", "no-such-option = x\n"),
            (".wget2rc", "bind-address = 192.0.2.1\n"),
        ] {
            std::fs::write(dir.path().join(file), text).unwrap();
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
        // An init container installs exectrail on a volume in the same way.
        let mount = "mount -t tmpfs volume /opt && \"$0\" install /opt/exectrail";
        let mount = if self.mounted { mount } else { ":" };
        command
            .args(["-c", &format!("{mount} && exec env -i \"$@\""), EXECTRAIL])
            .arg(format!("PATH={}", self.dir.path().display()))
            // Nothing listens at the proxy's address. A client that uses the proxy does not reach
            // exectrail.
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

/// Shells parse the script without errors, and shellcheck has no findings.
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
