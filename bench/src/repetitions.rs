//! How often each measurement is repeated.

/// How often each step is done. Some measurements repeat less often.
pub(crate) struct Repetitions {
    /// Number of rounds of the comparison.
    pub(crate) rounds: usize,
    /// Number of execs per measurement.
    pub(crate) execs: usize,
    /// Number of `getppid` calls per measurement. There are a tenth as many `connect` calls.
    pub(crate) calls: usize,
    /// Number of files of the project that is built.
    pub(crate) compiles: usize,
    /// Number of events for the measurements under load: memory, CPU time, rate.
    pub(crate) events: usize,
    /// Number of execs while the reader is stopped.
    pub(crate) burst: usize,
    /// Number of namespaces besides the target.
    pub(crate) namespaces: usize,
    /// Number of rounds of the measurements of exectrail alone.
    pub(crate) rounds_alone: usize,
    /// Number of execs per point of a plot.
    pub(crate) point: usize,
}

impl Repetitions {
    /// For the documents: takes about ten minutes.
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        execs: 2_000,
        calls: 300_000,
        compiles: 1_000,
        events: 150_000,
        burst: 100_000,
        namespaces: 1_000,
        rounds_alone: 5,
        point: 600,
    };

    /// For a check that the benchmark works: takes at most a minute.
    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        execs: 200,
        calls: 50_000,
        compiles: 100,
        events: 1_000,
        burst: 1_000,
        namespaces: 100,
        rounds_alone: 1,
        point: 60,
    };
}
