//! The inner half of `cargo xtask kubernetes`: the first process of the node. When it ends, the
//! kernel ends all other processes of the node.

mod containers;
mod control_plane;
mod kubelet;
mod mounts;
mod network;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use super::cluster::Cluster;
use super::kubectl::Kubectl;
use super::layout::{NODE, Run};
use super::{checks, wait::wait_for};
use crate::progress::{self, Progress};
use crate::workspace;

/// Arguments of `cargo xtask kubernetes-node`.
#[derive(clap::Args)]
pub(crate) struct NodeArgs {
    /// The root of the node's programs
    #[arg(long)]
    programs: PathBuf,

    /// The directory of images, manifests and configuration
    #[arg(long)]
    scratch: PathBuf,

    /// The directory of logs
    #[arg(long)]
    logs: PathBuf,

    /// As in `cargo xtask kubernetes`
    #[arg(long = "check")]
    checks: Vec<String>,

    /// As in `cargo xtask kubernetes`
    #[arg(long)]
    keep: bool,
}

/// Whether the node cannot see `path`, because it has its own directory at or above this path.
pub(super) fn hides(path: &Path) -> bool {
    mounts::PRIVATE
        .iter()
        .any(|hidden| path.starts_with(hidden))
}

/// `cargo xtask kubernetes-node`.
pub(crate) fn command(args: &NodeArgs) -> Result<ExitCode> {
    let run = Run::new(&args.programs, &args.scratch, &args.logs);
    let names = checks::names(&args.checks)?;
    let cluster = start(&run).context("the cluster does not start")?;
    let all_passed = checks::run(&cluster, &names)?;
    if args.keep {
        println!(
            "The cluster runs until Ctrl-C. In another shell:\n  {} get pods --all-namespaces",
            run.wrapper().display()
        );
        loop {
            sleep(Duration::MAX);
        }
    }
    Ok(if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn start(run: &Run) -> Result<Cluster> {
    if run.logs.exists() {
        fs::remove_dir_all(&run.logs)?;
    }
    fs::create_dir_all(&run.logs)
        .with_context(|| format!("cannot create {}", run.logs.display()))?;
    let mut progress = Progress::new(4);
    progress.step("making the node's file systems and network", || {
        mounts::make(run)?;
        network::make()
    })?;
    let mut daemons = Vec::new();
    progress.step("starting the control plane", || {
        daemons.extend(control_plane::start(run)?);
        Ok(())
    })?;
    progress.step("starting containerd, and importing the images", || {
        daemons.extend(containers::start(run)?);
        Ok(())
    })?;
    let kubectl = Kubectl::new(run);
    progress.step("starting kubelet", || {
        daemons.push(kubelet::start(run)?);
        wait_for("the node to be ready", || {
            daemons.iter_mut().try_for_each(|daemon| daemon.check())?;
            is_ready(&kubectl)
        })
    })?;
    progress::note("the node is ready");
    kubectl.with_file(
        &["apply"],
        &workspace::root().join("templates/plain-yaml/namespace.yaml"),
    )?;
    kubectl.run(&["create", "namespace", "node-feature-discovery"])?;
    // Pods are refused until their namespace has the service account `default`.
    wait_for("the service account of the namespace", || {
        let arguments = ["serviceaccount", "default", "--namespace=workspaces"];
        Ok(kubectl.object(&arguments)?.ok_or("it does not exist"))
    })?;
    Ok(Cluster {
        kubectl,
        run: run.clone(),
        _daemons: daemons,
    })
}

/// Whether the node is ready for pods; if not, the reason.
fn is_ready(kubectl: &Kubectl) -> Result<Result<(), String>> {
    let Some(node) = kubectl.object(&["node", NODE])? else {
        return Ok(Err("kubelet has not registered it".to_owned()));
    };
    let conditions = node["status"]["conditions"].as_array();
    let ready =
        conditions.and_then(|all| all.iter().find(|condition| condition["type"] == "Ready"));
    Ok(match ready {
        Some(condition) if condition["status"] == "True" => Ok(()),
        Some(condition) => Err(condition["message"].to_string()),
        None => Err("it has no condition Ready".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_the_node_hides_are_known_with_all_below_them() {
        assert!(hides(Path::new("/var/lib/build/target")));
        assert!(!hides(Path::new("/var/library/target")));
        assert!(!hides(Path::new("/home/jessie/exectrail/target")));
    }
}
