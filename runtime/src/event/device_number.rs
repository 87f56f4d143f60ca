//! Device numbers, and the names of terminals (key `tty`). In the kernel, a device number is the
//! major number above 20 bits of the minor number (include/linux/kdev_t.h).

use std::fmt;

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Device(pub u32);

impl Device {
    fn major(self) -> u32 {
        self.0 >> 20
    }

    fn minor(self) -> u32 {
        self.0 & 0xf_ffff
    }

    /// This device as a terminal.
    pub(crate) fn terminal(self) -> Terminal {
        Terminal(self)
    }
}

impl fmt::Display for Device {
    /// `MAJOR:MINOR`, as in `/proc/PID/mountinfo`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major(), self.minor())
    }
}

/// A terminal. Displays its name below `/dev`, as ps(1) does, or its device number if the driver is
/// not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terminal(Device);

impl fmt::Display for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The numbers are from the kernel's Documentation/admin-guide/devices.txt.
        match (self.0.major(), self.0.minor()) {
            (major @ 136..=143, minor) => write!(f, "pts/{}", (major - 136) * 256 + minor),
            (4, minor @ 0..=63) => write!(f, "tty{minor}"),
            (4, minor) => write!(f, "ttyS{}", minor - 64),
            (5, 1) => f.write_str("console"),
            _ => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_have_their_names_below_dev() {
        let name = |major: u32, minor| Device(major << 20 | minor).terminal().to_string();
        assert_eq!(name(136, 7), "pts/7");
        assert_eq!(name(137, 0), "pts/256");
        assert_eq!(name(136, 300), "pts/300");
        assert_eq!(name(4, 1), "tty1");
        assert_eq!(name(4, 64), "ttyS0");
        assert_eq!(name(5, 1), "console");
        assert_eq!(name(229, 3), "229:3");
    }
}
