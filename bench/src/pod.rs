//! A pod made from a network namespace, which a sleeping process holds.

use std::{
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

/// The namespace; removed when dropped.
pub(crate) struct Pod {
    holder: Child,
}

impl Pod {
    pub(crate) fn new() -> Result<Self> {
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "sh", "-c"])
            .arg("ip link set lo up && echo up && exec sleep infinity")
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot make a network namespace")?;
        let mut up = [0; 3];
        holder
            .stdout
            .as_mut()
            .context("no output")?
            .read_exact(&mut up)?;
        Ok(Self { holder })
    }

    /// The path that `nsenter` enters it by.
    pub(crate) fn network(&self) -> String {
        format!("--net=/proc/{}/ns/net", self.holder.id())
    }

    /// A command in a new PID namespace inside the pod, on this CPU.
    pub(crate) fn container(&self, cpu: usize, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(self.network())
            .args(["--", "unshare", "--pid", "--fork", "--kill-child"])
            .args(["--mount-proc", "--", "taskset", "--cpu-list"])
            .arg(cpu.to_string())
            .arg(program);
        command
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
