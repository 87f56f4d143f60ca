//! The types and constants that the probes (`probes-ebpf`) and user space share.
//!
//! There is one module per subject. [`record`] and [`cgroup_names`] have the records in the ring,
//! [`target`] the PID namespaces whose execs are recorded, [`suppression`] the rules and limits
//! that suppress some of these execs, and [`exec_calls`] the system calls of failed execs.
//! [`probe_config`] has the probes' configuration, [`sidecar_scope`] the namespaces and cgroups of
//! the sidecar itself, [`offsets`] the positions of fields in the running kernel, [`maps`] the
//! names of the maps, [`map_memory`] the memory that they take, and [`wakeup`] when the reader of
//! the ring is woken. Every type is plain old data without padding, so that both sides can copy it
//! as bytes. Nothing here allocates.
#![no_std]
#![forbid(unsafe_code)]

pub mod cgroup_names;
pub mod exec_calls;
pub mod map_memory;
pub mod maps;
pub mod offsets;
pub mod probe_config;
pub mod record;
pub mod sidecar_scope;
pub mod suppression;
pub mod target;
pub mod wakeup;
