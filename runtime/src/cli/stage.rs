//! The processes between `run` and its command.

/// One of these processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Stage {
    /// Creates the PID namespace
    Namespace,
    /// Is the first process of the namespace
    First,
    /// Announces the namespace and executes the command
    Command,
}

impl Stage {
    /// The stage's name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::First => "first",
            Self::Command => "command",
        }
    }
}
