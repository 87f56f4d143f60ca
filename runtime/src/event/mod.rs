//! From the kernel's record to an event: decoding, time, and what is lost. No input or output.

pub(crate) mod clock;
pub(crate) mod container;
pub(crate) mod decode;
pub(crate) mod device;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod path;
