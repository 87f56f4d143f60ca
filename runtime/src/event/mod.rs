//! From a record of the probes to an event: decoding, time, and what is lost. Nothing is written
//! here, and only [`clock`] reads something: the clocks, and procfs.

pub(crate) mod clock;
pub(crate) mod container;
pub(crate) mod decode;
pub(crate) mod device_number;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod path;
