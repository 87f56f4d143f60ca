//! The engines that fleets use, on exectrail's lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod answers;
mod document;
mod every_answer_is_right;
mod log;
mod machine;
