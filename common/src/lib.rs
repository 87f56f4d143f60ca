//! The types and constants that the probes (`probes-ebpf`) and user space share.
//!
//! There is one module per subject:
//!
//! - [`record`], [`cgroup_names`]: the records in the ring.
//! - [`counters`]: the probes' counters, such as those of lost events.
//! - [`target`]: the PID namespaces whose execs are recorded.
//! - [`suppression`]: the rules and limits that suppress some of these execs.
//! - [`exec_calls`]: the system calls of failed execs.
//! - [`sidecar_scope`]: the namespaces and cgroups of the sidecar itself.
//! - [`probe_config`]: the probes' configuration.
//! - [`offsets`]: the positions of fields in the running kernel.
//! - [`constants`]: how the configuration and the offsets get into the programs.
//! - [`map_names`], [`map_memory`]: the names of the maps, and the memory that they take.
//! - [`wakeup`]: when the reader of the ring is woken.
//!
//! Every type is plain old data without padding, so that both sides can copy it as bytes. Nothing
//! here allocates.
#![no_std]
#![forbid(unsafe_code)]

pub mod cgroup_names;
pub mod constants;
pub mod counters;
pub mod exec_calls;
pub mod map_memory;
pub mod map_names;
pub mod offsets;
pub mod probe_config;
pub mod record;
pub mod sidecar_scope;
pub mod suppression;
pub mod target;
pub mod wakeup;
