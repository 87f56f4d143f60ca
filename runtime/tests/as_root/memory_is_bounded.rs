//! A memory limit ends in a refusal at the start, or in nothing at all; never in a kill later.

use std::{fs, path::PathBuf};

use crate::{
    pod::{Pod, Sidecar, wait_for},
    tools::{EXECTRAIL, NOOP, TOOL, needs_kernel},
};

/// A memory cgroup below our own, removed when dropped.
struct Cgroup {
    dir: PathBuf,
    version: u8,
}

impl Cgroup {
    /// None where no memory controller can be had here.
    fn new(limit: u64) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let v1 = own
            .lines()
            .find_map(|line| line.split_once(":memory:").map(|(_, path)| path));
        let v2 = own.lines().find_map(|line| line.strip_prefix("0::"));
        let (root, path, version) = match (v1, v2) {
            (Some(path), _) => ("/sys/fs/cgroup/memory", path, 1),
            (None, Some(path)) => ("/sys/fs/cgroup", path, 2),
            (None, None) => return None,
        };
        let parent = PathBuf::from(root).join(path.trim_start_matches('/'));
        if version == 2 {
            fs::write(parent.join("cgroup.subtree_control"), "+memory").ok()?;
        }
        let dir = parent.join(format!("exectrail-test-{}-{limit}", std::process::id()));
        fs::create_dir(&dir).ok()?;
        let cgroup = Self { dir, version };
        let file = if version == 1 {
            "memory.limit_in_bytes"
        } else {
            "memory.max"
        };
        fs::write(cgroup.dir.join(file), limit.to_string()).ok()?;
        Some(cgroup)
    }

    /// exectrail in it.
    fn sidecar(&self, pod: &Pod) -> Sidecar {
        let mut command = pod.container("sh");
        command.args([
            "-c",
            &format!(
                "echo 0 >{}/cgroup.procs && exec {EXECTRAIL} --announced-only \
                 --init-address=127.0.0.1:56123 --refusal-grace=0s",
                self.dir.display()
            ),
        ]);
        Sidecar::spawn(command)
    }

    fn killed(&self) -> u64 {
        let file = if self.version == 1 {
            "memory.oom_control"
        } else {
            "memory.events"
        };
        let text = fs::read_to_string(self.dir.join(file)).unwrap();
        let count = text
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "))
            .unwrap();
        count.parse().unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What was in it has ended; the kernel may take an instant to see that.
        for _ in 0..100 {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

#[test]
fn a_limit_is_refused_or_kept() {
    needs_kernel!();
    const MIB: u64 = 1 << 20;
    let pod = Pod::new();
    let Some(small) = Cgroup::new(20 * MIB) else {
        crate::tools::not_here("a_limit_is_refused_or_kept", "no memory controller");
        return;
    };
    let mut refused = small.sidecar(&pod);
    assert_eq!(refused.wait().code(), Some(1));
    let said = refused.diagnostics();
    assert!(said.contains("the limit is 20 MiB"), "{said}");
    assert!(said.contains("resources.limits.memory"), "{said}");
    assert_eq!(small.killed(), 0);
    let needed: u64 = said
        .split_once("while it starts need ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("it does not say what it takes: {said}"));

    // With what it asks for it starts and goes on, the ring full or not.
    let enough = Cgroup::new(needed * MIB).unwrap();
    let sidecar = enough.sidecar(&pod);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    sidecar.signal(rustix::process::Signal::STOP);
    workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "5000"]);
    sidecar.signal(rustix::process::Signal::CONT);
    wait_for("the burst's last line", || {
        // The last line may be half written.
        let text = fs::read_to_string(sidecar.log()).unwrap();
        text.contains(r#""argv":["noop","4999"]"#).then_some(())
    });
    assert_eq!(enough.killed(), 0);
    sidecar.stop();
}
