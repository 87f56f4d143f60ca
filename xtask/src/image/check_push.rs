//! Checks that an image can be pushed to a registry and pulled from it. The registry is a real one,
//! on this machine's loopback.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::destination::Destination;
use super::push;
use crate::builder::Builder;
use crate::{command, digest, progress};

/// Pushes `tag`, reads its manifest as a node's runtime does, and pulls it by its digest.
pub(super) fn check(builder: Builder, tag: &str) -> Result<()> {
    let registry = Registry::start()?;
    let to: Destination = format!("{}/team/exectrail:9.9.9", registry.address).parse()?;
    let reported = push::image(builder, tag, &to)?;

    let mut get = command::new("curl");
    get.args(["--silent", "--fail", "--noproxy", "*"])
        .args([
            "--header",
            "Accept: application/vnd.oci.image.manifest.v1+json",
        ])
        .args([
            "--header",
            "Accept: application/vnd.docker.distribution.manifest.v2+json",
        ])
        .arg(format!(
            "http://{}/v2/team/exectrail/manifests/9.9.9",
            registry.address
        ));
    let manifest = command::output(&mut get)?;
    let hash = digest::of(manifest.as_bytes());
    ensure!(
        reported == format!("sha256:{hash}"),
        "the registry has sha256:{hash} under the tag; {reported} was reported"
    );

    // The pull uses a separate storage, because podman does not fetch an image that it has.
    let storage = tempfile::tempdir()?;
    let directory = |name: &str| storage.path().join(name).display().to_string();
    let (root, run) = (directory("root"), directory("run"));
    let elsewhere = ["--root", &root, "--runroot", &run, "--storage-driver=vfs"];
    let podman = |global: &[&str], args: &[&str]| {
        command::output(command::new("podman").args(global).args(args))
    };
    let inspect = |global: &[&str], name: &str| -> Result<Value> {
        let printed = podman(global, &["image", "inspect", name])?;
        Ok(serde_json::from_str(&printed)?)
    };
    let by_digest = format!("{}@{reported}", to.repository());
    podman(
        &elsewhere,
        &["pull", "--quiet", "--tls-verify=false", &by_digest],
    )?;
    let pulled = inspect(&elsewhere, &by_digest)?;
    let built = inspect(&[], tag)?;
    ensure!(
        pulled[0]["Id"].is_string() && pulled[0]["Id"] == built[0]["Id"],
        "{} was pulled, not {}",
        pulled[0]["Id"],
        built[0]["Id"]
    );
    progress::note(format_args!(
        "{tag}: pushed by {builder} to a registry, and pulled by its digest"
    ));
    Ok(())
}

/// A registry that runs until it is dropped.
struct Registry {
    address: String,
    child: Child,
    _storage: TempDir,
}

impl Registry {
    fn start() -> Result<Self> {
        let storage = tempfile::tempdir()?;
        let configuration = storage.path().join("config.yml");
        // With port 0, the kernel chooses a free port. The registry logs the chosen port.
        fs::write(
            &configuration,
            format!(
                "version: 0.1\nlog: {{formatter: json}}\nhttp: {{addr: \"127.0.0.1:0\"}}\n\
                 storage: {{filesystem: {{rootdirectory: {:?}}}}}\n",
                storage.path().join("storage")
            ),
        )?;
        let mut child = command::new("docker-registry")
            .arg("serve")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start docker-registry, of the Debian package of this name")?;
        let stderr = child.stderr.take().context("the registry has no stderr")?;
        let mut registry = Self {
            address: String::new(),
            child,
            _storage: storage,
        };
        let mut lines = BufReader::new(stderr).lines();
        let mut log = String::new();
        for line in lines.by_ref() {
            let line = line?;
            if let Some((_, rest)) = line.split_once("listening on ") {
                rest.split('"')
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut registry.address);
                break;
            }
            log.push_str(&line);
            log.push('\n');
        }
        ensure!(
            registry.address.starts_with("127.0.0.1:"),
            "docker-registry does not listen:\n{log}"
        );
        // A full pipe would stop the registry.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
