//! What the tests, the measurements and the virtual machines share, such as pods, logs, a browser,
//! and packages of Debian's archive. No part of exectrail depends on this crate.
//!
//! | Module | Content |
//! |---|---|
//! | [`container`], [`pod`] | containers and a pod, made of namespaces |
//! | [`sidecar`], [`logged_program`] | exectrail in a pod; a program whose output goes to files |
//! | [`log`], [`stream`] | the content of lines; lines that are read while they are written |
//! | [`generated_log`] | invented logs of any size |
//! | [`working_day`] | the invented log of a day, for pictures |
//! | [`browser`] | a browser without a window |
//! | [`schema`] | JSON Schema |
//! | [`long_argv`] | an argv that continues on further lines |
//! | [`skip`] | tests that cannot run here |
//! | [`process`], [`wait`] | processes and their namespaces; waiting for an event |
//! | [`cgroup`], [`memory_cgroup`] | the cgroups of pods; a cgroup with a memory limit |
//! | [`compiler`] | small C programs |
//! | [`debian`], [`cache`] | packages of Debian's suites; where downloads are kept |
//! | `bpf` (feature `bpf`) | eBPF programs that are written as instructions |
//!
//! Functions return errors: a test can panic with an error, and a program can report it.

#![deny(unsafe_code)]

#[cfg(feature = "bpf")]
#[expect(unsafe_code, reason = "bpf(2) has no safe wrapper")]
pub mod bpf;
pub mod browser;
pub mod cache;
pub mod cgroup;
pub mod compiler;
pub mod container;
pub mod debian;
mod error;
pub mod generated_log;
pub mod log;
pub mod logged_program;
pub mod long_argv;
pub mod memory_cgroup;
pub mod pod;
pub mod process;
pub mod schema;
pub mod sidecar;
pub mod skip;
pub mod stream;
pub mod wait;
pub mod working_day;

pub use error::{Error, Result};
