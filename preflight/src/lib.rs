//! Checks whether exectrail can trace here, and if not, what has to change.
//!
//! [`run`] examines the kernel and the container of this process, and returns a [`Report`]: for
//! every check a verdict, the evidence for it, and a remedy. The report also has what the tracer
//! needs to load its probes: [`Kernel`].
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
mod bpf;
pub mod btf;
mod checks;
pub mod cli;
pub mod environment;
mod fields;
mod files;
mod format;
mod hierarchy;
mod obstacle;
pub mod offsets;
mod options;
mod release;
mod report;
pub mod sizes;
pub mod values;

pub use bpf::verifier_reason;
pub use checks::run;
pub use fields::{Field, FieldValue};
pub use format::{Format, Text};
pub use hierarchy::Hierarchy;
pub use obstacle::Obstacle;
pub use options::{DEFAULT_MAX_ARGV_BYTES, DEFAULT_RING_BYTES, Options, Roots, pending_argv_bytes};
pub use release::KernelVersion;
pub use report::{Check, Evidence, Id, Kernel, Report, Scope, Verdict};
