//! Starts containerd on the node and gives it the images.

use std::{
    fs,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use exectrail_testbed::wait::PATIENCE;

use super::client::Cri;
use crate::machine::{
    cgroup_driver::CgroupDriver,
    node::{self, EXECTRAIL_IMAGE, WORKSPACE_IMAGE, podman},
    node_program::{command, run},
    systemd,
};

/// The image of the sandbox's own container.
const PAUSE_IMAGE: &str = "localhost/pause:test";

/// The log of containerd itself.
const LOG: &str = "/var/log/containerd.log";

const CONFIGURATION: &str = "\
version = 2
[plugins.\"io.containerd.grpc.v1.cri\"]
  sandbox_image = \"localhost/pause:test\"
  [plugins.\"io.containerd.grpc.v1.cri\".cni]
    bin_dir = \"/usr/lib/cni\"
    conf_dir = \"/etc/cni/net.d\"
";

/// The part of containerd's configuration for the systemd driver.
const SYSTEMD_CGROUP: &str = "\
  [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]
    runtime_type = \"io.containerd.runc.v2\"
    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]
      SystemdCgroup = true
";

/// Changes of Debian's `containerd.service`: containerd waits for no other unit, and writes its log
/// to a file, because there is no journal. `node_program` explains `GODEBUG`.
const SERVICE: &str = "\
[Unit]
DefaultDependencies=no
[Service]
Environment=GODEBUG=asyncpreemptoff=1
StandardOutput=append:/var/log/containerd.log
StandardError=inherit
";

/// The network of pods: a bridge of the node.
const NETWORK: &str = r#"{"cniVersion": "1.0.0", "name": "pods", "plugins": [{
    "type": "bridge", "bridge": "cni0",
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.89.0.0/24"}]]}}]}"#;

/// Starts containerd and imports the images, once. Returns containerd's name and version.
pub(crate) fn ready(driver: CgroupDriver) -> Result<String> {
    static READY: OnceLock<Result<String, String>> = OnceLock::new();
    READY
        .get_or_init(|| prepare(driver).map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow!("containerd is not ready: {error}"))
}

fn prepare(driver: CgroupDriver) -> Result<String> {
    node::make_ready()?;
    for directory in ["/etc/containerd", "/etc/cni/net.d"] {
        fs::create_dir_all(directory)?;
    }
    let mut configuration = CONFIGURATION.to_owned();
    if driver == CgroupDriver::Systemd {
        configuration.push_str(SYSTEMD_CGROUP);
    }
    fs::write("/etc/containerd/config.toml", configuration)?;
    fs::write("/etc/cni/net.d/10-pods.conflist", NETWORK)?;
    start(driver).context("cannot start containerd")?;
    node::import_workspace_image()?;
    make_pause()?;
    let version = version_when_ready()?;
    for image in [EXECTRAIL_IMAGE, WORKSPACE_IMAGE, PAUSE_IMAGE] {
        import(image)?;
    }
    Ok(version)
}

/// Starts containerd: as a service of systemd if systemd is the first process, as on most nodes.
fn start(driver: CgroupDriver) -> Result<()> {
    match driver {
        CgroupDriver::Cgroupfs => {
            let log = fs::File::create(LOG)?;
            let mut containerd = command("containerd");
            containerd.stdout(log.try_clone()?).stderr(log).spawn()?;
            Ok(())
        }
        CgroupDriver::Systemd => {
            systemd::add_unit("containerd.service.d/node.conf", SERVICE)?;
            run("systemctl", &["daemon-reload"])?;
            run("systemctl", &["start", "--no-block", "containerd"]).map(drop)
        }
    }
}

/// Makes the image of the container that holds a sandbox's namespaces. The image is small, because
/// an emulated machine packs and unpacks it.
fn make_pause() -> Result<()> {
    node::directories("/tmp/pause", &[])?;
    fs::copy("/bin/busybox", "/tmp/pause/busybox")?;
    node::archive("/tmp/pause", "/tmp/pause.tar")?;
    let entry = r#"ENTRYPOINT ["/busybox","sleep","infinity"]"#;
    podman(&[
        "import",
        "-q",
        "--change",
        entry,
        "/tmp/pause.tar",
        PAUSE_IMAGE,
    ])
    .map(drop)
}

/// Gives containerd an image that podman has.
fn import(image: &str) -> Result<()> {
    let archive = "/tmp/image.tar";
    podman(&["save", "-q", "--format=oci-archive", "-o", archive, image])?;
    let flag = format!("--index-name={image}");
    let import = ["-n", "k8s.io", "images", "import", &flag, archive];
    run("ctr", &import)?;
    Ok(fs::remove_file(archive)?)
}

fn version_when_ready() -> Result<String> {
    let since = Instant::now();
    loop {
        match Cri::connect().and_then(|cri| cri.version()) {
            Ok(version) => return Ok(version),
            Err(error) if since.elapsed() > PATIENCE => {
                let log = fs::read_to_string(LOG).unwrap_or_default();
                bail!("containerd does not start: {error:#}\n{log}");
            }
            Err(_) => thread::sleep(Duration::from_millis(500)),
        }
    }
}
