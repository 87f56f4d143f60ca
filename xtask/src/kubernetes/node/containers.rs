//! containerd, its network, and the images.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::network::{BRIDGE, SUBNET};
use crate::command;
use crate::kubernetes::daemon::Daemon;
use crate::kubernetes::layout::{PAUSE_IMAGE, Run};
use crate::kubernetes::wait::wait_for;

/// containerd's socket.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";

/// Starts containerd, and imports the images.
pub(super) fn start(run: &Run) -> Result<Vec<Daemon>> {
    let networks = run.scratch.join("networks");
    fs::create_dir_all(&networks)?;
    let network = json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": BRIDGE,
            "isDefaultGateway": true,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": SUBNET}]]},
        }],
    });
    fs::write(networks.join("10-pods.conflist"), network.to_string())?;
    let file = run.scratch.join("containerd.toml");
    fs::write(&file, configuration(run, &networks))
        .with_context(|| format!("cannot write {}", file.display()))?;

    // containerd looks for its shim on PATH.
    let own = ["usr/bin", "usr/sbin"].map(|path| run.program(path));
    let inherited = env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = own
        .into_iter()
        .chain(env::split_paths(&inherited))
        .collect();
    let mut containerd = command::new(run.program("usr/bin/containerd"));
    containerd
        .env("PATH", env::join_paths(path)?)
        .arg("--config")
        .arg(&file);
    let mut daemon = Daemon::start("containerd", &mut containerd, &run.logs)?;
    wait_for("containerd", || {
        daemon.check()?;
        Ok(ctr(run, &["version"]))
    })?;
    for image in run.images() {
        ctr(run, &["images", "import", &image.display().to_string()])?;
    }
    Ok(vec![daemon])
}

/// containerd's own client, in the namespace of Kubernetes.
fn ctr(run: &Run, arguments: &[&str]) -> Result<String> {
    let mut ctr = command::new(run.program("usr/bin/ctr"));
    command::output(
        ctr.args(["--address", SOCKET, "--namespace=k8s.io"])
            .args(arguments),
    )
}

/// containerd's configuration: the CRI, with `cgroupfs`, which is the default cgroup driver of runc
/// and of kubelet.
fn configuration(run: &Run, networks: &Path) -> String {
    let plugins = run.program("usr/lib/cni");
    let runc = run.program("usr/sbin/runc");
    let (networks, plugins, runc) = (networks.display(), plugins.display(), runc.display());
    format!(
        r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE, as in some containers, no process can lower its oom_score_adj.
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{runc}"
"#
    )
}
