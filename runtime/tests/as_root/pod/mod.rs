//! Pods of `testbed/` for tests: an error that `testbed/` returns is a panic here.

mod sidecar;
mod wait;
mod workspace;

use std::ops::Deref;

use exectrail_testbed::pod;
use tempfile::TempDir;

pub(crate) use exectrail_testbed::{
    container::{first_process, on_host_network as host_container},
    log::{argv, argvs, execs, lost, messages},
    process::descendant,
};

pub(crate) use self::{
    sidecar::Sidecar,
    wait::{namespace, wait_for},
    workspace::{Workspace, curl, curl_at},
};
use crate::tools::EXECTRAIL;

/// A network namespace, and a directory for files of the test.
pub(crate) struct Pod {
    pod: pod::Pod,
    pub(crate) dir: TempDir,
}

impl Deref for Pod {
    type Target = pod::Pod;

    fn deref(&self) -> &Self::Target {
        &self.pod
    }
}

impl Pod {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self {
            pod: pod::Pod::new().unwrap(),
            dir: TempDir::new().unwrap(),
        }
    }

    /// exectrail, listening where init scripts expect it.
    #[track_caller]
    pub(crate) fn sidecar(&self, arguments: &[&str]) -> Sidecar {
        let mut command = self.container(EXECTRAIL);
        command
            .arg("--init-address=127.0.0.1:56123")
            .args(arguments);
        let sidecar = Sidecar::spawn(command);
        sidecar.wait_until_on();
        sidecar
    }

    /// A workspace that is idle.
    #[track_caller]
    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::spawn(self.container("sleep"))
    }
}
