//! Places. Each CPU has its own sequence numbers, or each lane of it if there are lanes.

use std::fmt::{self, Display};

/// A CPU, and a lane of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The CPU.
    pub cpu: u16,
    /// The lane, from 0.
    pub lane: u8,
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, lane } = self;
        match lane {
            0 => write!(f, "CPU {cpu}"),
            _ => write!(f, "CPU {cpu}, lane {lane}"),
        }
    }
}
