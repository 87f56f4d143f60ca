//! etcd, the API server, the controllers and the scheduler. All listen on loopback only.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::network::ADDRESS;
use crate::command;
use crate::kubernetes::daemon::Daemon;
use crate::kubernetes::kubectl::Kubectl;
use crate::kubernetes::layout::Run;
use crate::kubernetes::wait::wait_for;

/// The administrator's token, with which all programs of the node log in. The token is of no use
/// outside the node.
const TOKEN: &str = "administrator";

/// Address of etcd.
const ETCD: &str = "http://127.0.0.1:2379";

/// Address of the API server.
const SERVER: &str = "https://127.0.0.1:6443";

/// Directory of keys and certificates.
const KEYS: &str = "/var/lib/kubernetes";

/// Starts all four programs. When this returns, the API answers; the controllers and the scheduler
/// may still be starting.
pub(super) fn start(run: &Run) -> Result<Vec<Daemon>> {
    fs::create_dir_all(KEYS).with_context(|| format!("cannot create {KEYS}"))?;
    let key = format!("{KEYS}/service-accounts.key");
    command::output(command::new("openssl").args(["genrsa", "-out", &key, "2048"]))?;
    let tokens = format!("{KEYS}/tokens.csv");
    fs::write(&tokens, format!("{TOKEN},admin,admin,system:masters\n"))?;
    write_kubeconfig(&run.kubeconfig())?;

    let mut etcd = Daemon::start("etcd", &mut etcd(run), &run.logs)?;
    let mut server = Daemon::start("kube-apiserver", &mut server(run, &key, &tokens), &run.logs)?;
    let kubectl = Kubectl::new(run);
    wait_for("the API server", || {
        etcd.check()?;
        server.check()?;
        Ok(kubectl.run(&["get", "--raw=/readyz"]))
    })?;
    let kubeconfig = format!("--kubeconfig={}", run.kubeconfig().display());
    let mut controllers = command::new(run.program("bin/kube-controller-manager"));
    controllers
        .args([
            &kubeconfig,
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ])
        .arg(format!("--service-account-private-key-file={key}"))
        .arg(format!("--cert-dir={KEYS}"));
    let mut scheduler = command::new(run.program("bin/kube-scheduler"));
    scheduler
        .args([
            &kubeconfig,
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ])
        .arg(format!("--cert-dir={KEYS}"));
    Ok(vec![
        etcd,
        server,
        Daemon::start("kube-controller-manager", &mut controllers, &run.logs)?,
        Daemon::start("kube-scheduler", &mut scheduler, &run.logs)?,
    ])
}

fn etcd(run: &Run) -> Command {
    let mut etcd = command::new(run.program("usr/bin/etcd"));
    let peers = "http://127.0.0.1:2380";
    etcd.args(["--name=node", "--data-dir=/var/lib/etcd", "--logger=zap"])
        .arg(format!("--listen-client-urls={ETCD}"))
        .arg(format!("--advertise-client-urls={ETCD}"))
        .arg(format!("--listen-peer-urls={peers}"))
        .arg(format!("--initial-advertise-peer-urls={peers}"))
        .arg(format!("--initial-cluster=node={peers}"));
    etcd
}

fn server(run: &Run, key: &str, tokens: &str) -> Command {
    let mut server = command::new(run.program("bin/kube-apiserver"));
    server
        .arg(format!("--etcd-servers={ETCD}"))
        .arg(format!("--token-auth-file={tokens}"))
        .arg(format!("--cert-dir={KEYS}"))
        .arg(format!("--service-account-key-file={key}"))
        .arg(format!("--service-account-signing-key-file={key}"))
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg("--authorization-mode=RBAC")
        // The pod of the envbox template is privileged.
        .arg("--allow-privileged=true")
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--advertise-address={ADDRESS}"))
        // Otherwise the service `kubernetes` would point to ADDRESS, where nothing listens.
        .arg("--endpoint-reconciler-type=none")
        .arg("--service-cluster-ip-range=10.90.0.0/24")
        .arg("--kubelet-preferred-address-types=InternalIP");
    server
}

/// Writes the administrator's kubeconfig. The server makes its certificate itself at its first
/// start. With this file, clients do not check the certificate: nobody else is in this network.
fn write_kubeconfig(file: &Path) -> Result<()> {
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "node",
            "cluster": {"server": SERVER, "insecure-skip-tls-verify": true},
        }],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": "admin"}}],
        "current-context": "node",
    });
    fs::write(file, text.to_string()).with_context(|| format!("cannot write {}", file.display()))
}
