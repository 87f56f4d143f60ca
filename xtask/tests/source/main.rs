//! Rules for the source and the documents of the repository.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod circle;
mod circles;
mod crates;
mod documents;
mod layers;
mod module_tree;
mod names;
mod probes;
mod unsafe_code;
mod uses;
