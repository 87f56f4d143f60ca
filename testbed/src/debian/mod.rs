//! Packages of Debian's suites, fetched without installing them and without changes to apt's own
//! configuration: with a private list of sources and private state, from the mirror that apt
//! already uses. Needs no root.

mod apt;
mod deb;
mod listing;
mod site;
mod suite;

pub use apt::{DebianError, output};
pub use deb::Deb;
pub use suite::Suite;
