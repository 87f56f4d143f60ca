//! The types and constants that the probes (`probes-ebpf`) and user space share.
//!
//! There is one module per subject: the [`record`]s in the ring, of which [`cgroup_names`] has one,
//! the [`target`]s whose execs are recorded, the [`suppression`] of some of them, the system calls
//! of an exec ([`exec_calls`]) for failed ones, the [`probe_config`], the [`sidecar_scope`], the
//! [`offsets`] of the running kernel's fields, the [`maps`] and their [`map_memory`]. Every type is
//! plain old data without padding, so that both sides can copy it as bytes. Nothing here allocates.
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
