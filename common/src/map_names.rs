//! The names of the maps.

macro_rules! names {
    ($($name:ident),+ $(,)?) => {
        $(
            #[doc = concat!("The map `", stringify!($name), "` of the probes.")]
            pub const $name: &str = stringify!($name);
        )+
        /// All names, in alphabetical order.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

names!(
    BUCKETS,
    COMMS,
    COMM_RULES,
    CONTROL,
    DECISIONS,
    DISMISSALS,
    EARLY,
    END_CHECK,
    EVIDENCE,
    FAILED,
    FAILED_STATS,
    FILENAME_KEY,
    FILENAME_RULES,
    RING,
    SCRATCH,
    SEEN,
    SIDECAR_CGROUPS,
    SIDECAR_SCOPE,
    STATS,
    SUFFIX_RULES,
    SUPPRESSED,
    TARGETS,
    UID_RULES,
);
