//! The processes between `run` and its command.

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Stage {
    /// Makes the PID namespace
    Namespace,
    /// Is the namespace's first process
    First,
    /// Announces the namespace and becomes the command
    Command,
}

impl Stage {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::First => "first",
            Self::Command => "command",
        }
    }
}
