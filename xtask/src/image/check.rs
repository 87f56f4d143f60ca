//! Checks the content of an image, and that its program traces a workspace beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::layout::{PROGRAM, SECOND_NAME};
use crate::architecture::Architecture;
use crate::workspace::VERSION;
use crate::{command, progress};

/// Maximum size of the image.
const SIZE_LIMIT: u64 = 5_500_000;

/// Time limit for the end of the sidecar after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(30);

/// Checks the image `tag` in podman's storage. Its program must be a copy of `binary`.
pub(super) fn image(architecture: Architecture, binary: &Path, tag: &str) -> Result<()> {
    configuration(architecture, tag)?;
    content(binary, tag)?;
    if architecture != Architecture::host()? {
        progress::note(format_args!(
            "{tag}: not run, since it is for {architecture}"
        ));
        return Ok(());
    }
    let podman = Podman::new(tag)?;
    podman.runs_by_both_names()?;
    podman.preflight_is_json()?;
    podman.a_workspace_is_traced()?;
    progress::note(format_args!(
        "{tag}: content and metadata are as documented"
    ));
    Ok(())
}

fn configuration(architecture: Architecture, tag: &str) -> Result<()> {
    let mut inspect = command::new("podman");
    let printed = command::output(inspect.args(["image", "inspect", tag]))?;
    let images: Value = serde_json::from_str(&printed)?;
    let image = &images[0];
    let size = image["Size"].as_u64().context("podman reports no size")?;
    println!("{size:>10} bytes  {tag}");
    ensure!(
        size <= SIZE_LIMIT,
        "the image has {size} bytes, more than the limit of {SIZE_LIMIT}"
    );
    let labels = &image["Labels"];
    for (what, is, expected) in [
        ("user", &image["User"], json!("0:0")),
        (
            "architecture",
            &image["Architecture"],
            json!(architecture.name()),
        ),
        (
            "entry point",
            &image["Config"]["Entrypoint"],
            json!([format!("/{PROGRAM}")]),
        ),
        (
            "version",
            &labels["org.opencontainers.image.version"],
            json!(VERSION),
        ),
        (
            "title",
            &labels["org.opencontainers.image.title"],
            json!("exectrail"),
        ),
    ] {
        ensure!(
            *is == expected,
            "the image's {what} is {is}, not {expected}"
        );
    }
    for label in [
        "description",
        "revision",
        "source",
        "documentation",
        "licenses",
    ] {
        let value = &labels[format!("org.opencontainers.image.{label}")];
        ensure!(
            value.as_str().is_some_and(|value| !value.is_empty()),
            "the image has no label {label}"
        );
    }
    Ok(())
}

/// Checks that the image has only the program, a link to it, and the directories of both.
fn content(binary: &Path, tag: &str) -> Result<()> {
    let mounted = Mounted::new(tag)?;
    let mut found = BTreeMap::new();
    walk(&mounted.root, &mounted.root, &mut found)?;
    let files: Vec<&str> = found.keys().map(String::as_str).collect();
    ensure!(
        files == ["opt", SECOND_NAME, "usr", "usr/bin", PROGRAM],
        "the image contains {files:?}"
    );
    for (path, (owner, mode)) in &found {
        ensure!(*owner == 0, "{path} belongs to user {owner}");
        ensure!(
            mode & 0o022 == 0 || mode & 0o170_000 == 0o120_000,
            "{path} has mode {mode:o}"
        );
    }
    let link = fs::read_link(mounted.root.join(SECOND_NAME))?;
    ensure!(
        link == Path::new("..").join(PROGRAM),
        "/{SECOND_NAME} points to {}",
        link.display()
    );
    ensure!(
        fs::read(mounted.root.join(PROGRAM))? == fs::read(binary)?,
        "/{PROGRAM} differs from {}",
        binary.display()
    );
    Ok(())
}

/// Collects owner and mode by path.
fn walk(root: &Path, at: &Path, found: &mut BTreeMap<String, (u32, u32)>) -> Result<()> {
    for entry in fs::read_dir(at)? {
        let path = entry?.path();
        let metadata = path.symlink_metadata()?;
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        found.insert(name, (metadata.uid(), metadata.mode()));
        if metadata.is_dir() {
            walk(root, &path, found)?;
        }
    }
    Ok(())
}

/// An image whose files are mounted.
struct Mounted<'a> {
    tag: &'a str,
    root: PathBuf,
}

impl<'a> Mounted<'a> {
    fn new(tag: &'a str) -> Result<Self> {
        let root = command::output(command::new("podman").args(["image", "mount", tag]))
            .context("only root can mount an image: run this as root")?;
        Ok(Self {
            tag,
            root: root.trim().into(),
        })
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = command::output(command::new("podman").args(["image", "unmount", self.tag]));
    }
}

/// Runs containers of the image; removes the sidecar's container when dropped.
struct Podman<'a> {
    tag: &'a str,
    sidecar: String,
    /// Directory of the seccomp profile.
    directory: tempfile::TempDir,
}

/// All privileges that `templates/plain-yaml/pod.yaml` gives the sidecar.
const SIDECAR: [&str; 3] = ["--cap-drop=all", "--cap-add=BPF", "--cap-add=PERFMON"];

impl<'a> Podman<'a> {
    fn new(tag: &'a str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("seccomp.json"), seccomp_profile()?)?;
        Ok(Self {
            tag,
            sidecar: format!("exectrail-check-{}", process::id()),
            directory,
        })
    }

    /// `podman run` with `flags`, and then `arguments` for the program.
    fn run(&self, flags: &[&str], arguments: &[&str]) -> Command {
        let mut podman = self.podman();
        podman
            .args(["run", "--read-only", "--pull=never"])
            .args(["--security-opt", "no-new-privileges", "--security-opt"])
            .arg(format!(
                "seccomp={}",
                self.directory.path().join("seccomp.json").display()
            ))
            // Without these flags, podman would raise the limits, which root may not do everywhere.
            .args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"])
            .args(flags)
            .arg(self.tag)
            .args(arguments);
        podman
    }

    /// A command of podman that works with and without systemd, and with both versions of cgroups.
    fn podman(&self) -> Command {
        let mut podman = command::new("podman");
        podman.args(["--runtime=runc", "--cgroup-manager=cgroupfs"]);
        podman
    }

    fn runs_by_both_names(&self) -> Result<()> {
        for name in [PROGRAM, SECOND_NAME] {
            let entry = format!("--entrypoint=/{name}");
            let flags = [
                "--rm",
                "--network=none",
                "--cap-drop=all",
                "--user=65532:65532",
                &entry,
            ];
            let printed = command::output(&mut self.run(&flags, &["--version"]))?;
            ensure!(
                printed.trim() == format!("exectrail {VERSION}"),
                "/{name} --version prints {printed:?}"
            );
        }
        Ok(())
    }

    fn preflight_is_json(&self) -> Result<()> {
        let flags = [&["--rm", "--network=none"], &SIDECAR[..]].concat();
        let printed = command::output(&mut self.run(&flags, &["preflight", "--format=json"]))?;
        let report: Value = serde_json::from_str(&printed)?;
        ensure!(report["verdict"] == "ok", "preflight prints {printed}");
        Ok(())
    }

    /// As in a pod, a sidecar runs, and a workspace in its network namespace announces itself and
    /// executes a program. The sidecar is started by the path and with the flags that templates for
    /// exectrace use.
    fn a_workspace_is_traced(&self) -> Result<()> {
        let name = format!("--name={}", self.sidecar);
        let entry = format!("--entrypoint=/{SECOND_NAME}");
        let flags = [&["--detach", "--network=none", &name, &entry], &SIDECAR[..]].concat();
        let arguments = [
            "--init-address",
            "127.0.0.1:56123",
            "--label",
            "workspace_name=check",
        ];
        command::output(&mut self.run(&flags, &arguments))?;

        let network = format!("--network=container:{}", self.sidecar);
        let flags = ["--rm", &network, "--cap-drop=all", "--user=1000:1000"];
        let words = ["/opt/exectrace", "--version"];
        let arguments = [&["announce", "--timeout=30s", "--exec", "--"], &words[..]].concat();
        let ran = command::output(&mut self.run(&flags, &arguments));
        let log = self.stopped_log()?;
        ran.with_context(|| format!("the sidecar's log:\n{log}"))?;

        let lines: Vec<Value> = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let exec = lines.iter().find(|line| {
            let event = &line["fields"]["event"];
            line["msg"] == "exec" && event["argv"] == json!(words)
        });
        let exec = exec.with_context(|| format!("no line for the workspace's exec:\n{log}"))?;
        let (fields, event) = (&exec["fields"], &exec["fields"]["event"]);
        ensure!(
            event["ns_uid"] == 1000 && event["filename"] == words[0],
            "{exec}"
        );
        ensure!(fields["labels"]["workspace_name"] == "check", "{exec}");
        ensure!(
            lines.iter().any(|line| line["msg"] == "tracing_stopped"),
            "the sidecar did not stop cleanly:\n{log}"
        );
        Ok(())
    }

    /// Stops the sidecar; returns its log.
    fn stopped_log(&self) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        command::output(self.podman().args(["kill", "--signal=TERM", &self.sidecar]))?;
        loop {
            let running = command::output(self.podman().args([
                "container",
                "inspect",
                "--format={{.State.Running}}",
                &self.sidecar,
            ]))?;
            if running.trim() == "false" {
                break;
            }
            if Instant::now() > deadline {
                bail!(
                    "the sidecar still runs {} s after SIGTERM",
                    PATIENCE.as_secs()
                );
            }
            thread::sleep(Duration::from_millis(100));
        }
        // exectrail's diagnostics are on standard error.
        let output = self.podman().args(["logs", &self.sidecar]).output()?;
        let (stdout, stderr) = (output.stdout, output.stderr);
        Ok(String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        let _ = command::output(
            self.podman()
                .args(["rm", "--force", "--ignore", &self.sidecar]),
        );
    }
}

/// The default profile of this podman, with a rule of newer profiles: bpf(2) is allowed to
/// processes with CAP_BPF. containers-common 0.51, containerd 1.7 and moby 23 have this rule.
fn seccomp_profile() -> Result<String> {
    let path = "/usr/share/containers/seccomp.json";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let mut profile: Value = serde_json::from_str(&text)?;
    let rules = profile["syscalls"]
        .as_array_mut()
        .with_context(|| format!("{path} lists no system calls"))?;
    // The profile has a rule that refuses bpf(2) to processes without CAP_SYS_ADMIN.
    for rule in rules
        .iter_mut()
        .filter(|rule| rule["action"] == "SCMP_ACT_ERRNO")
    {
        if let Some(names) = rule["names"].as_array_mut() {
            names.retain(|name| name != "bpf");
        }
    }
    rules.push(json!({
        "names": ["bpf"],
        "action": "SCMP_ACT_ALLOW",
        "includes": {"caps": ["CAP_BPF"]},
    }));
    Ok(profile.to_string())
}
