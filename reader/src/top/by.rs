//! The keys by which `top` counts (`--by`).

use std::fmt::Write as _;

use clap::ValueEnum;

use crate::{labels::Labels, record::Event, shown::push_escaped};

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    /// The file that runs or, if it is not known, the name that the caller gave.
    Exe,
    /// The file as the caller named it.
    Filename,
    /// The name of the user.
    User,
    /// The name of the workspace.
    Workspace,
    /// The parent's program or, if it is not known, the caller's comm.
    Parent,
    /// The user id on the node.
    Uid,
}

impl By {
    /// Appends the value of this key, or `-` if the event has none.
    pub(super) fn push(self, key: &mut String, event: &Event<'_>, labels: &Labels) {
        let before = key.len();
        let mut push = |text: Option<&str>| push_escaped(key, text.unwrap_or_default());
        match self {
            Self::Exe => push(event.program()),
            Self::Filename => push(event.filename.as_deref()),
            Self::User => push(labels.user()),
            Self::Workspace => push(labels.workspace()),
            Self::Parent => push(event.parent_exe.as_deref().or(event.comm.as_deref())),
            Self::Uid => {
                if let Some(uid) = event.uid {
                    let _ = write!(key, "{uid}");
                }
            }
        }
        if key.len() == before {
            key.push('-');
        }
    }
}
