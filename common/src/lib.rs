//! What the kernel side (`probes-ebpf`) and user space agree on.
//!
//! One module for each agreement: the [`record`]s that travel through the ring buffer, the
//! [`target`]s that say which execs are recorded, the [`suppression`] of some of them, the
//! [`exec_calls`] that may fail, the [`offsets`] that tell the probes where the running kernel
//! keeps its fields, and the [`map_memory`] that the maps take. Every type is plain old data with
//! no padding, so that both sides can copy it as bytes. Nothing here allocates.
#![no_std]

pub mod exec_calls;
pub mod map_memory;
pub mod offsets;
pub mod record;
pub mod suppression;
pub mod target;
