//! Events about exectrail itself, for operators: one type per event.

mod addresses;
mod lines;
mod run;
mod targets;

pub use addresses::{
    AddressTaken, AnnouncementAccepted, AnnouncementRefused, ConnectionFailed, ListensLate,
    MetricsPublished,
};
pub use lines::{LinesUnwritten, LinesWritten, RecordUnreadable, SinkFull};
pub use run::{
    ActorFailed, DiscoveryDecided, FailedExecsDecided, PrivilegesDropped, PrivilegesKept, Ready,
    StartupTimedOut, Stopping, TracingRefused, VariablesUnknown,
};
pub use targets::{EndsNotChecked, StateNotSaved, StateUnusable, TableFull, TargetsSwept};
