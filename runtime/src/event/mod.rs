//! From a record of the probes to an event: decoding, time, and losses. Nothing is written here.
//! Only [`clock`] reads anything: the clocks, and procfs.

pub(crate) mod clock;
pub(crate) mod container;
pub(crate) mod decode;
pub(crate) mod device_number;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod path;
