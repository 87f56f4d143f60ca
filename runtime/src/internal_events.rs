//! What operators are told about exectrail itself: one type for each thing worth telling.

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
