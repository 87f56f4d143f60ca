//! Tests of the page that `exectrail-log report` writes, in a browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod hostile_logs;
mod keyboard;
mod many_blocks;
mod numbers;
mod page;
mod working_day;
