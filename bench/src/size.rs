//! How many repetitions are measured.

/// Counts of what is done.
pub(crate) struct Size {
    /// Rounds of the comparison.
    pub(crate) rounds: usize,
    /// Execs measured at once.
    pub(crate) execs: usize,
    /// System calls measured at once.
    pub(crate) calls: usize,
    /// Files of the project that is built.
    pub(crate) compiles: usize,
    /// Events for memory under load.
    pub(crate) events: usize,
    /// Execs while the reader is stopped.
    pub(crate) burst: usize,
    /// Other namespaces alive.
    pub(crate) namespaces: usize,
    /// Repetitions of what is measured of exectrail alone.
    pub(crate) repetitions: usize,
    /// Execs for a point of a plot.
    pub(crate) point: usize,
}

impl Size {
    /// For the documents: some ten minutes.
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        execs: 2_000,
        calls: 300_000,
        compiles: 1_000,
        events: 150_000,
        burst: 100_000,
        namespaces: 1_000,
        repetitions: 5,
        point: 600,
    };

    /// To see that it works: within a minute.
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        execs: 200,
        calls: 50_000,
        compiles: 100,
        events: 1_000,
        burst: 1_000,
        namespaces: 100,
        repetitions: 1,
        point: 60,
    };
}
