//! A pod without Kubernetes: a network namespace with containers in it, each in its own PID
//! namespace.

use std::{
    ffi::OsStr,
    io::{self, Read as _},
    process::{Child, Command, Stdio},
};

use crate::{
    Error, Result,
    container::{first_process, in_network_of},
};

/// A network namespace, held by a process as a pod's pause container holds it. Dropping the value
/// ends that process.
pub struct Pod {
    holder: Child,
}

impl Pod {
    /// Makes the network namespace, with a loopback device that is up.
    pub fn new() -> Result<Self> {
        let start = |source| Error::Start {
            program: "unshare (util-linux) with ip (iproute2)".to_owned(),
            source,
        };
        let holder = Command::new("unshare")
            .args(["--net", "--", "sh", "-c"])
            .arg("ip link set lo up && echo up && exec sleep infinity")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let mut pod = Self { holder };
        let mut output = pod
            .holder
            .stdout
            .take()
            .ok_or(io::Error::other("it has no output"))
            .map_err(start)?;
        output.read_exact(&mut [0; 3]).map_err(start)?;
        Ok(pod)
    }

    /// The id of the process that holds the network namespace.
    pub fn holder_id(&self) -> u32 {
        self.holder.id()
    }

    /// A command in the pod's network namespace.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        in_network_of(self.holder.id(), program)
    }

    /// A command that will be the first process of a container.
    pub fn container(&self, program: impl AsRef<OsStr>) -> Command {
        first_process(self.command("unshare"), program)
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
