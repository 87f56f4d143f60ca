//! Flags that determine how much memory exectrail needs, shared by exectrail and its preflight.

use clap::Args;

use crate::values;

/// Sizes that the memory limit must have room for.
#[derive(Args, Clone, Copy, Debug)]
pub struct SizeArgs {
    /// Size of the kernel's ring buffer, a power of two; 4MiB hold about 16,000 short execs
    #[arg(
        long,
        env = "EXECTRAIL_RING_BYTES",
        value_name = "SIZE",
        default_value = "4MiB",
        value_parser = values::ring_size
    )]
    pub ring_bytes: u32,

    /// Maximum length of argv to record; longer argv is truncated and flagged, with its true
    /// length. An argv that finds no room in the ring is truncated, too: make the ring larger than
    /// this
    #[arg(
        long,
        env = "EXECTRAIL_MAX_ARGV_BYTES",
        value_name = "SIZE",
        default_value = "128KiB",
        value_parser = values::argv_size
    )]
    pub max_argv_bytes: u32,
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;
    use crate::Options;

    #[test]
    fn the_flags_have_the_defaults_of_the_options() {
        let command = SizeArgs::augment_args(clap::Command::new("test"));
        let matches = command.get_matches_from(["test"]);
        let sizes = SizeArgs::from_arg_matches(&matches).unwrap();
        let options = Options::default();
        assert_eq!(u64::from(sizes.ring_bytes), options.ring_bytes);
        assert_eq!(u64::from(sizes.max_argv_bytes), options.max_argv_bytes);
    }
}
