//! Checks whether exectrail can trace here, and says what has to change if it cannot.
//!
//! [`run`] examines the kernel and the container of this process. It returns a [`Report`]: for
//! every check a verdict, the evidence for the verdict, and a remedy if one is needed. The report
//! also has what exectrail needs to load its probes: [`Kernel`].
//!
//! ```no_run
//! use exectrail_preflight::{Options, run};
//!
//! let report = run(&Options::default());
//! for check in report.unmet() {
//!     eprintln!("{}: {}", check.id, check.summary);
//! }
//! ```

pub mod attach_points;
#[expect(unsafe_code, reason = "bpf(2) has no safe wrapper")]
mod bpf;
pub mod btf;
pub mod byte_units;
mod cgroup_hierarchy;
mod checks;
pub mod cli;
pub mod environment;
mod field_report;
#[expect(unsafe_code, reason = "maps the kernel's BTF")]
mod files;
mod format;
mod missing;
mod obstacle;
pub mod offsets;
mod options;
mod release;
mod report;
pub mod sizes;
pub mod values;

pub use bpf::verifier_reason;
pub use cgroup_hierarchy::Hierarchy;
pub use checks::run;
pub use field_report::{Field, FieldValue};
pub use format::{Format, Text};
pub use missing::Missing;
pub use obstacle::Obstacle;
pub use options::{DEFAULT_MAX_ARGV_BYTES, DEFAULT_RING_BYTES, Options, Roots, pending_argv_bytes};
pub use release::KernelVersion;
pub use report::{Check, Evidence, Id, Kernel, Report, Scope, Verdict};

/// What the trials of the check `bpf` cover. A test of exectrail compares this with its programs.
pub mod trial {
    use crate::bpf::{HELPERS, Map};

    /// The kinds of maps, as in `enum bpf_map_type`, include/uapi/linux/bpf.h.
    pub fn map_kinds() -> impl Iterator<Item = u32> {
        Map::ALL.into_iter().map(|map| map as u32)
    }

    /// The helpers, as in `enum bpf_func_id`, include/uapi/linux/bpf.h.
    pub fn helpers() -> impl Iterator<Item = i32> {
        HELPERS.into_iter()
    }
}
