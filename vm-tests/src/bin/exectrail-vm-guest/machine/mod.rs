//! What the tests run on: containers, pods, nodes and engines, and the programs in them.
//!
//! No module here depends on a test.

pub(crate) mod cgroup_driver;
pub(crate) mod container;
#[cfg(feature = "cri")]
pub(crate) mod cri;
pub(crate) mod engine;
pub(crate) mod exectrail_run;
pub(crate) mod fexit;
pub(crate) mod hold;
pub(crate) mod kernel_version;
pub(crate) mod kubelet;
pub(crate) mod log_file;
pub(crate) mod manifest;
pub(crate) mod node;
pub(crate) mod node_pod;
pub(crate) mod node_program;
pub(crate) mod pod;
pub(crate) mod privileges;
#[expect(unsafe_code, reason = "unshares namespaces")]
pub(crate) mod runtime;
pub(crate) mod shell;
pub(crate) mod sidecar;
#[expect(unsafe_code, reason = "acts between fork and exec")]
pub(crate) mod slow_exit;
pub(crate) mod startup;
pub(crate) mod systemd;
#[expect(
    unsafe_code,
    reason = "acts between fork and exec, and sets a seccomp filter"
)]
pub(crate) mod verifier;
