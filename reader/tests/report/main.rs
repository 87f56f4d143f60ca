//! Tests in a browser of the page that `exectrail-log report` writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod hostile_logs;
mod keyboard;
mod numbers;
mod page;
mod working_day;
