//! Events about exectrail itself, for operators: one type per event.

mod addresses;
mod labels;
mod lines;
mod run;
mod targets;

pub(crate) use addresses::{
    AddressNotBound, AnnouncementAccepted, AnnouncementRefused, ConnectionFailed, ListensLate,
    MetricsPublished,
};
pub(crate) use labels::{LabelFileUnusable, LabelFileUsable, LabelKeysAbsent};
pub(crate) use lines::{LinesUnwritten, LinesWritten, RecordUnreadable, SinkFull};
pub(crate) use run::{
    ActorFailed, DiscoveryDecided, FailedExecsDecided, KeyReadable, PrivilegesDropped,
    PrivilegesKept, Ready, StartupTimedOut, Stopping, TracingRefused, VariablesUnknown,
    WaitsOutsidePod,
};
pub(crate) use targets::{EndsNotChecked, StateNotSaved, StateUnusable, TableFull, TargetsSwept};
