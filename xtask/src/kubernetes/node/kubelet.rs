//! kubelet.

use std::fs;

use anyhow::{Context, Result};
use serde_json::json;

use super::containers::SOCKET;
use super::network::ADDRESS;
use crate::command;
use crate::kubernetes::daemon::Daemon;
use crate::kubernetes::layout::{NODE, Run};

/// Starts kubelet, which registers the node.
pub(super) fn start(run: &Run) -> Result<Daemon> {
    let resolver = run.scratch.join("resolv.conf");
    fs::write(&resolver, "")?;
    let configuration = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        // kubelet needs no authentication: only the API server and the pods are in its network.
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "failSwapOn": false,
        "resolvConf": resolver,
        "volumePluginDir": "/var/lib/kubelet-plugins",
        // The node's disk is memory, and is shared with the machine.
        "evictionHard": {
            "memory.available": "1Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
        "imageGCHighThresholdPercent": 100,
    });
    let file = run.scratch.join("kubelet.json");
    fs::write(&file, configuration.to_string())
        .with_context(|| format!("cannot write {}", file.display()))?;
    let mut kubelet = command::new(run.program("bin/kubelet"));
    kubelet
        .arg(format!("--config={}", file.display()))
        .arg(format!("--kubeconfig={}", run.kubeconfig().display()))
        .args(["--container-runtime=remote", "--oom-score-adj=0"])
        .arg(format!("--container-runtime-endpoint=unix://{SOCKET}"))
        .arg(format!("--hostname-override={NODE}"))
        .arg(format!("--node-ip={ADDRESS}"));
    Daemon::start("kubelet", &mut kubelet, &run.logs)
}
