//! Reads exectrail's logs. It needs no privilege, and runs anywhere.
//!
//! `verify` is the command that checks a log (`exectrail verify`); `audit` finds the faults.
#![forbid(unsafe_code)]

mod audit;
mod output;
mod verify;

pub use audit::Audit;
pub use verify::{VerifyArgs, main as verify};
