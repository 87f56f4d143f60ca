//! Packages of Debian's suites, fetched without installing them and without changes to apt's own
//! configuration. The list of sources and the state are private; the mirror is the one that apt
//! already uses. Needs no root.

mod apt;
mod deb;
mod downloaded;
mod listing;
mod site;
mod source;
mod suite;

pub use apt::{DebianError, output};
pub use deb::Deb;
pub use source::Source;
pub use suite::Suite;
